//! `hallpass init --from-env`: a whole former set-up. Its secret as a key that only adopted tokens pass, the end of its
//! grace period, the copies of its tokens. A second run adds what is new and moves nothing.

use super::adopt::{Heir, Registered, adopt, check_former, stopped};
use super::{Context, grace};
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use crate::former::{FORMER_KID, Former, former_kid};
use crate::installation::Installation;
use crate::operator;
use crate::settings::Settings;
use hallpass_core::{ClientName, Event, Outcome, Signed, Subject, UnixTime};
use hallpass_store::{ADOPTED_UNTIL, KeyRow, KeyState, NewKey, SigningKey};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// What happens to one copy of a token that the environment file holds.
pub(super) struct Copied {
    /// Whose it is.
    name: ClientName,
    step: Step,
}

enum Step {
    TakeOver {
        heir: Box<Heir>,
        signed: Box<Signed>,
    },
    /// It was taken over before.
    Known,
    Left {
        why: Fault,
    },
}

impl Copied {
    /// Looks at every copy in the file. Changes nothing.
    pub(super) fn plan(
        former: &Former,
        registered: &Registered,
        settings: &Settings,
        now: UnixTime,
    ) -> Result<Vec<Self>> {
        let authority = former.authority()?;
        // One of two copies of the same client's goes first: to take over the second would end the first.
        let mut served: BTreeMap<Subject, ClientName> = BTreeMap::new();
        let mut plan = |(named, token): &(ClientName, Zeroizing<String>)| {
            let looked = check_former(token, &authority, now).and_then(|signed| {
                registered.check_cut_off(&signed)?;
                // The subject says whose it is; the variable's name is only what somebody called it.
                let name = registered.whose(settings, &signed).unwrap_or_else(|| named.clone());
                if registered.known(&signed)?.is_some() {
                    return Ok((name, Step::Known));
                }
                let heir = Heir::find(registered, settings, &name, &signed, now)?;
                if heir.has_one {
                    return Err(Fault::new(format!("`{name}` has another one that is in force"))
                        .hint(format!("`hallpass adopt --client {name} FILE` puts this one in its place")));
                }
                if let Some(first) = served.insert(heir.client.subject.clone(), name.clone()) {
                    return Err(Fault::new(format!("another one in this file is the token of `{first}`"))
                        .hint("its subject is the same, and a client has one token"));
                }
                Ok((name, Step::TakeOver { heir: Box::new(heir), signed: Box::new(signed) }))
            });
            match looked {
                Ok((name, step)) => Self { name, step },
                Err(why) => Self { name: named.clone(), step: Step::Left { why } },
            }
        };
        Ok(former.tokens.iter().map(&mut plan).collect())
    }

    /// Says what will happen, and what will not.
    pub(super) fn describe(&self, context: &Context) {
        let name = &self.name;
        match &self.step {
            Step::TakeOver { heir, signed } => context.output.line(heir.describe(signed)),
            Step::Known => context.output.line(format!("{name}: its token was taken over before")),
            Step::Left { why } => {
                let hint = why.next_step().map(|hint| format!(" ({hint})")).unwrap_or_default();
                context.output.note(format!("{name}: its token is not taken over: {why}{hint}"));
            }
        }
    }

    /// Says what was done, and what not in the end.
    pub(super) fn describe_done(&self, context: &Context) {
        match &self.step {
            Step::TakeOver { .. } => context.output.line(format!("{}: its token is taken over", self.name)),
            Step::Known | Step::Left { .. } => {}
        }
    }

    pub(super) fn document(&self) -> Value {
        let (step, why) = match &self.step {
            Step::TakeOver { .. } => ("take_over", None),
            Step::Known => ("known", None),
            Step::Left { why } => ("left", Some(why.to_string())),
        };
        json!({ "client": self.name, "step": step, "why": why })
    }
}

/// Does what was planned. The home is locked by the caller.
pub(super) async fn carry_out(
    installation: &Installation,
    former: &Former,
    copies: &[Copied],
    now: UnixTime,
) -> Result<()> {
    keep_secret(installation, former, now).await?;
    grace::take_over(installation, former, now).await?;
    for copied in copies {
        if let Step::TakeOver { heir, signed } = &copied.step {
            adopt(installation, heir, signed).await?;
        }
    }
    Ok(())
}

/// Whether the former secret was taken over before. Another one is refused, and so is one that was stopped here, under
/// whatever name: a second run must not bring back what leaked.
pub(super) async fn knows_secret(installation: &Installation, former: &Former) -> Result<bool> {
    let keys = installation.store.keys().await.doing("the keys")?;
    let key = former.verifying_key()?;
    let is_same = |row: &&KeyRow| installation.is_kept_as(&key, row);
    if keys.iter().filter(is_same).any(|row| row.state == KeyState::Retired && row.reason.is_some()) {
        return Err(stopped());
    }
    match keys.iter().find(|row| row.former) {
        Some(known) if is_same(&known) => Ok(true),
        Some(_) => Err(Fault::new("another former secret was taken over before")
            .hint("one home takes over one set-up: use another `--home`")),
        None => Ok(false),
    }
}

async fn keep_secret(installation: &Installation, former: &Former, now: UnixTime) -> Result<()> {
    if knows_secret(installation, former).await? {
        return Ok(());
    }
    let key = SigningKey::from_secret(former_kid()?, former.secret.as_bytes()).doing("`JWT_SECRET_KEY`")?;
    let row = NewKey {
        kid: FORMER_KID.into(),
        algorithm: key.algorithm(),
        public: Vec::new(),
        sealed: key.to_sealed(&installation.seal).doing("cannot seal the former secret")?,
        state: KeyState::VerifyOnly,
        former: true,
        created_at: now,
        reason: None,
    };
    // The cut-off first: with the key but without it, nothing passes either.
    let cut_off = now.seconds().to_string();
    installation.store.put_setting(ADOPTED_UNTIL, &cut_off).await.doing("cannot keep the cut-off")?;
    let imported = Event {
        reason: Some("the secret of the former set-up".into()),
        by: Some(operator::who()),
        ..Event::new(clock::now_ms(), "import-key", Outcome::Done)
    };
    installation.store.add_key(&row, Some(&imported)).await.doing("cannot keep the former secret")
}
