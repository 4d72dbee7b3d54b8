//! `hallpass adopt`, and the taking over of a whole former set-up.

use super::Context;
use super::roster::wanted;
use crate::carry_out::act;
use crate::cli::Consent;
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use crate::former::{FORMER_KID, Former, former_kid};
use crate::installation::Installation;
use crate::settings::Settings;
use crate::target::UNPLACED;
use hallpass_core::judge::check_claims;
use hallpass_core::snapshot::{Authority, ServerScope, TokenState};
use hallpass_core::{Bearer, ClientName, Denial, Event, Signed, Subject, UnixTime, check_signature};
use hallpass_store::{ADOPTED_UNTIL, ClientRow, KeyState, NewKey, NewToken, SigningKey, TokenRow};
use serde_json::json;
use std::path::Path;

/// Takes over one token that exists already.
pub(super) async fn run(
    context: &Context,
    client: Option<&str>,
    file: &Path,
    consent: Consent,
) -> Result<()> {
    let text = super::verify::read(file)?;
    let settings = context.settings(None)?;
    let installation = context.installation().await?;
    let _lock = installation.home.lock()?;
    let snapshot = installation.snapshot().await?;
    let signed = check_former(text.trim(), snapshot.authority(), clock::now())?;
    check_cut_off(&installation, &signed).await?;
    let ends = signed.claims().expires_at;
    if let Some(row) = known(&installation, &signed).await? {
        let name = &row.client;
        context.output.line(format!("{name}: its token was taken over before: nothing to change"));
        context.output.document(&json!({
            "client": name, "adopted": false, "dry_run": consent.dry_run, "expires_at": ends.to_string(),
        }));
        return Ok(());
    }
    let name = match client {
        Some(name) => ClientName::new(name).doing(format!("the client `{}`", name.escape_debug()))?,
        None => whose(&installation, &settings, &signed).await?.ok_or_else(|| nobodys(&signed))?,
    };
    let heir = Heir::find(&installation, &settings, &name, &signed).await?;
    context.output.line(format!(
        "{name}: {}take over its token (ends {ends}){}",
        heir.registers(),
        heir.loses()
    ));
    let adopted = if consent.dry_run {
        false
    } else {
        if !consent.yes && !context.output.confirm("do this?")? {
            return Err(Fault::new("nothing was changed: the answer was no"));
        }
        adopt(&installation, &heir, &signed).await?
    };
    if adopted {
        context.output.line("taken over");
    }
    context.output.document(&json!({
        "client": name, "adopted": adopted, "dry_run": consent.dry_run, "expires_at": ends.to_string(),
    }));
    Ok(())
}

/// Takes over a former set-up: its secret as a key that only adopted tokens pass, the end of the grace period, the
/// copies of its tokens. A second run adds what is new and moves nothing.
pub(super) async fn take_over(
    context: &Context,
    installation: &Installation,
    settings: &Settings,
    former: &Former,
    now: UnixTime,
) -> Result<()> {
    keep_secret(installation, former, now).await?;
    super::grace::take_over(installation, former, now).await?;
    let snapshot = installation.snapshot().await?;
    for (name, token) in &former.tokens {
        let taken = async {
            let signed = check_former(token, snapshot.authority(), now)?;
            check_cut_off(installation, &signed).await?;
            if known(installation, &signed).await?.is_some() {
                return Ok(false);
            }
            // The subject says whose it is; the variable's name is only what somebody called it.
            let name = whose(installation, settings, &signed).await?.unwrap_or_else(|| name.clone());
            let heir = Heir::find(installation, settings, &name, &signed).await?;
            adopt(installation, &heir, &signed).await
        };
        match taken.await {
            Ok(true) => context.output.line(format!("{name}: its token is taken over")),
            Ok(false) => context.output.line(format!("{name}: its token was taken over before")),
            Err(fault) => context.output.note(format!("{name}: its token is not taken over: {fault}")),
        }
    }
    Ok(())
}

/// Whether the former secret was taken over before. Another one is refused.
pub(super) async fn knows_secret(installation: &Installation, former: &Former) -> Result<bool> {
    let keys = installation.store.keys().await.doing("the keys")?;
    let Some(known) = keys.iter().find(|key| key.kid == FORMER_KID) else { return Ok(false) };
    let key = SigningKey::from_secret(former_kid()?, former.secret.as_bytes()).doing("`JWT_SECRET_KEY`")?;
    let known = SigningKey::from_sealed(former_kid()?, known.algorithm, &known.sealed, &installation.seal);
    let known = known.and_then(|key| key.verifying_key()).doing("the former secret in the database")?;
    let same = key.verifying_key().doing("`JWT_SECRET_KEY`")?.is_same(&known);
    if same { Ok(true) } else { Err(other_secret()) }
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
        ..Event::new(clock::now_ms(), "import-key", hallpass_core::Outcome::Done)
    };
    installation.store.add_key(&row, Some(&imported)).await.doing("cannot keep the former secret")
}

fn other_secret() -> Fault {
    Fault::new("another former secret was taken over before")
        .hint("one home takes over one set-up: use another `--home`")
}

/// A token that the former secret signed and that is good now, apart from being known.
fn check_former(token: &str, authority: &Authority, now: UnixTime) -> Result<Signed> {
    let signed = Bearer::new(token)
        .and_then(|bearer| check_signature(&bearer, authority))
        .and_then(|signed| check_claims(&signed, authority, now).map(|()| signed));
    let signed = signed.map_err(|denial| {
        Fault::new(format!("the token is refused ({}): {denial}", denial.code())).hint(match denial {
            Denial::Expired { .. } => "issue the client one of ours: `hallpass issue NAME`",
            _ if authority.keys.get(FORMER_KID).is_none() => {
                "take the former set-up over first: `hallpass init --from-env FILE`"
            }
            _ => "only what the former secret signed can be taken over: is this another set-up's token?",
        })
    })?;
    if signed.key().kid().as_str() == FORMER_KID {
        return Ok(signed);
    }
    Err(Fault::new("the token names a key of this home: there is nothing to take over")
        .hint("`hallpass verify FILE` says what it is"))
}

/// What is known of a token that was shown before. One that was stopped stays stopped.
async fn known(installation: &Installation, signed: &Signed) -> Result<Option<TokenRow>> {
    let rows = installation.store.tokens().await.doing("the tokens")?;
    let Some(row) = rows.into_iter().find(|row| row.digest.matches(&signed.digest())) else {
        return Ok(None);
    };
    match row.state {
        TokenState::Pending | TokenState::Active => Ok(Some(row)),
        TokenState::Superseded { .. } | TokenState::Revoked { .. } => Err(Fault::new(format!(
            "the token was taken over for `{}` before, and has ended: {}",
            row.client,
            super::list::state_word(&row)
        ))
        .hint(format!("that is final; `hallpass issue {}` gives the client a new one", row.client))),
    }
}

/// A leaked secret must not mint tokens that could be adopted later.
async fn check_cut_off(installation: &Installation, signed: &Signed) -> Result<()> {
    let cut_off = installation.store.setting(ADOPTED_UNTIL).await.doing("the cut-off")?;
    let cut_off = cut_off.and_then(|text| text.parse().ok()).map(UnixTime::from_seconds);
    if cut_off.is_some_and(|cut_off| signed.claims().issued_at <= cut_off) {
        return Ok(());
    }
    Err(Fault::new("the token was issued after the former secret was taken over")
        .hint("issue one of ours: `hallpass issue NAME`"))
}

/// The client whose subject the token has.
async fn whose(
    installation: &Installation,
    settings: &Settings,
    signed: &Signed,
) -> Result<Option<ClientName>> {
    let subject = &signed.claims().subject;
    let stored = installation.store.clients().await.doing("the clients")?;
    let stored = stored.into_iter().find(|client| !client.removed && client.subject.as_str() == subject);
    if let Some(client) = stored {
        return Ok(Some(client.name));
    }
    let described = settings.roster.clients.iter();
    let mut described = described
        .filter(|(_, client)| client.subject.as_ref().is_some_and(|known| known.as_str() == subject));
    Ok(described.next().map(|(name, _)| name.clone()))
}

fn nobodys(signed: &Signed) -> Fault {
    Fault::new(format!("no client has the subject `{}`", signed.claims().subject.escape_debug()))
        .hint("describe the client in hallpass.toml with that `subject`, or name it: `--client NAME`")
}

/// Who gets the token: registered already, or as it will be.
struct Heir {
    client: ClientRow,
    is_new: bool,
    had_one: bool,
}

impl Heir {
    /// The client of that name, if the token's subject is its own.
    async fn find(
        installation: &Installation,
        settings: &Settings,
        name: &ClientName,
        signed: &Signed,
    ) -> Result<Self> {
        let subject = &signed.claims().subject;
        let stored = installation.store.client(name.as_str()).await.doing("the client")?;
        let stored = stored.filter(|client| !client.removed);
        let tokens = installation.store.tokens_of(name.as_str()).await.doing("the client's tokens")?;
        let had_one = tokens.iter().any(|token| token.state == TokenState::Active && !token.former);
        let is_new = stored.is_none();
        let client = match (stored, settings.roster.clients.get(name)) {
            (Some(stored), _) => stored,
            (None, Some(described)) => wanted(name, described, settings, None)?,
            (None, None) => unplaced(name, subject)?,
        };
        if client.subject.as_str() == subject {
            return Ok(Self { client, is_new, had_one });
        }
        Err(Fault::new(format!("the token's subject `{}` is not that of `{name}`", subject.escape_debug()))
            .hint(format!("`{name}` has the subject `{}`", client.subject)))
    }

    fn registers(&self) -> &'static str {
        if self.is_new { "register, " } else { "" }
    }

    fn loses(&self) -> &'static str {
        if self.had_one { "; the one it has ends now" } else { "" }
    }
}

/// A client that nothing describes: a person places its tokens.
fn unplaced(name: &ClientName, subject: &str) -> Result<ClientRow> {
    Ok(ClientRow {
        name: name.clone(),
        subject: Subject::new(subject).doing("the token's subject")?,
        app: UNPLACED.into(),
        enabled: true,
        removed: false,
        from_roster: false,
        servers: ServerScope::All,
        policy: None,
        config: None,
        entry: None,
        env: None,
        created_at: clock::now(),
    })
}

async fn adopt(installation: &Installation, heir: &Heir, signed: &Signed) -> Result<bool> {
    let (claims, client) = (signed.claims(), &heir.client);
    if heir.is_new {
        installation
            .store
            .put_client(client, Some(&act("register", &client.name)))
            .await
            .doing("cannot register the client")?;
    }
    let row = NewToken {
        jti: claims.jti.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
        client: client.name.clone(),
        subject: client.subject.clone(),
        kid: FORMER_KID.into(),
        issued_at: claims.issued_at,
        expires_at: claims.expires_at,
        digest: signed.digest(),
    };
    let adopted = Event { jti: Some(row.jti.clone()), ..act("adopt", &client.name) };
    installation.store.adopt(&row, clock::now(), &adopted).await.doing("cannot take over the token")
}
