//! `hallpass adopt`: one token of a former set-up. Whose it is, whether it may be taken over, and doing it.

use super::Context;
use super::roster::wanted;
use crate::carry_out::act;
use crate::cli::Consent;
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use crate::former::FORMER_KID;
use crate::installation::Installation;
use crate::plan::revoked_by_a_person;
use crate::settings::Settings;
use crate::target::UNPLACED;
use hallpass_core::judge::check_claims;
use hallpass_core::snapshot::{Authority, ServerScope, TokenState};
use hallpass_core::{Bearer, ClientName, Denial, Event, Signed, Subject, UnixTime, check_signature};
use hallpass_store::{ADOPTED_UNTIL, ClientRow, KeyState, NewToken, TokenRow};
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
    let now = clock::now();
    let snapshot = installation.snapshot().await?;
    check_key(&installation).await?;
    let signed = check_former(text.trim(), snapshot.authority(), now)?;
    let registered = Registered::of(&installation).await?;
    registered.check_cut_off(&signed)?;
    let ends = signed.claims().expires_at;
    let document = |name: &ClientName, adopted: bool| {
        context.output.document(&json!({
            "client": name, "adopted": adopted, "dry_run": consent.dry_run, "expires_at": ends.to_string(),
        }));
    };
    if let Some(row) = registered.known(&signed)? {
        context.output.line(format!("{}: its token was taken over before: nothing to change", row.client));
        document(&row.client, false);
        return Ok(());
    }
    let name = match client {
        Some(name) => ClientName::new(name).doing(format!("the client `{}`", name.escape_debug()))?,
        None => registered.whose(&settings, &signed).ok_or_else(|| nobodys(&signed))?,
    };
    let heir = Heir::find(&registered, &settings, &name, &signed, now)?;
    context.output.line(heir.describe(&signed));
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
    document(&name, adopted);
    Ok(())
}

/// Refuses where there is no former secret, or none any more.
async fn check_key(installation: &Installation) -> Result<()> {
    let keys = installation.store.keys().await.doing("the keys")?;
    match keys.iter().find(|key| key.former).map(|key| key.state) {
        None => Err(Fault::new("no former set-up was taken over in this home")
            .hint("first `hallpass init --from-env FILE`, with its environment file")),
        Some(KeyState::Retired) => Err(stopped()),
        Some(KeyState::Next | KeyState::Active | KeyState::VerifyOnly) => Ok(()),
    }
}

/// What may not be undone by a second run.
pub(super) fn stopped() -> Fault {
    Fault::new("the former secret was stopped in this home, and with it every token that it signed")
        .hint("that is final; `hallpass issue NAME` gives a client a token of this home")
}

/// A token that the former secret signed and that is good now, apart from being known.
pub(super) fn check_former(token: &str, authority: &Authority, now: UnixTime) -> Result<Signed> {
    let signed = Bearer::new(token)
        .and_then(|bearer| check_signature(&bearer, authority))
        .and_then(|signed| check_claims(&signed, authority, now).map(|()| signed));
    let signed = signed.map_err(|denial| {
        let expired = matches!(denial, Denial::Expired { .. });
        Fault::new(format!("the token is refused ({}): {denial}", denial.code())).hint(if expired {
            "issue the client one of ours: `hallpass issue NAME`"
        } else {
            "only what the former secret signed can be taken over: is this another set-up's token?"
        })
    })?;
    if signed.key().kid().as_str() == FORMER_KID {
        return Ok(signed);
    }
    Err(Fault::new("the token names a key of this home: there is nothing to take over")
        .hint("`hallpass verify FILE` says what it is"))
}

/// What is registered already. Nothing, where there is no home yet.
pub(super) struct Registered {
    clients: Vec<ClientRow>,
    /// Newest first.
    tokens: Vec<TokenRow>,
    cut_off: Option<UnixTime>,
}

impl Registered {
    pub(super) async fn of(installation: &Installation) -> Result<Self> {
        let clients = installation.store.clients().await.doing("the clients")?;
        let cut_off = installation.store.setting(ADOPTED_UNTIL).await.doing("the cut-off")?;
        Ok(Self {
            clients: clients.into_iter().filter(|client| !client.removed).collect(),
            tokens: installation.store.tokens().await.doing("the tokens")?,
            cut_off: cut_off.and_then(|text| text.parse().ok()).map(UnixTime::from_seconds),
        })
    }

    /// Before there is anything: a former secret that is taken over now counts up to now.
    pub(super) fn nothing(now: UnixTime) -> Self {
        Self { clients: Vec::new(), tokens: Vec::new(), cut_off: Some(now) }
    }

    /// The same where the former secret comes in now.
    pub(super) fn with_cut_off(self, now: UnixTime) -> Self {
        Self { cut_off: Some(self.cut_off.unwrap_or(now)), ..self }
    }

    /// What is known of a token that was shown before. One that was stopped stays stopped.
    pub(super) fn known(&self, signed: &Signed) -> Result<Option<&TokenRow>> {
        let Some(row) = self.tokens.iter().find(|row| row.digest.matches(&signed.digest())) else {
            return Ok(None);
        };
        match row.state {
            TokenState::Pending | TokenState::Active => Ok(Some(row)),
            TokenState::Superseded { .. } | TokenState::Revoked { .. } => Err(Fault::new(format!(
                "the token was taken over for `{}` before, and has ended: {}",
                row.client,
                super::list::state_word(row)
            ))
            .hint(format!("that is final; `hallpass issue {}` gives the client a new one", row.client))),
        }
    }

    /// A leaked secret must not mint tokens that could be adopted later.
    pub(super) fn check_cut_off(&self, signed: &Signed) -> Result<()> {
        if self.cut_off.is_some_and(|cut_off| signed.claims().issued_at <= cut_off) {
            return Ok(());
        }
        Err(Fault::new("the token was issued after the former secret was taken over")
            .hint("issue one of ours: `hallpass issue NAME`"))
    }

    /// The client whose subject the token has.
    pub(super) fn whose(&self, settings: &Settings, signed: &Signed) -> Option<ClientName> {
        let subject = signed.claims().subject();
        if let Some(client) = self.clients.iter().find(|client| client.subject.as_str() == subject) {
            return Some(client.name.clone());
        }
        let mut described = settings.roster.clients.iter();
        let found = described
            .find(|(_, client)| client.subject.as_ref().is_some_and(|known| known.as_str() == subject));
        found.map(|(name, _)| name.clone())
    }
}

fn nobodys(signed: &Signed) -> Fault {
    Fault::new(format!("no client has the subject `{}`", signed.claims().subject().escape_debug()))
        .hint("describe the client in hallpass.toml with that `subject`, or name it: `--client NAME`")
}

/// Who gets the token: registered already, or as it will be.
pub(super) struct Heir {
    pub(super) client: ClientRow,
    is_new: bool,
    /// It has a token that counts, which ends when it gets this one.
    pub(super) has_one: bool,
}

impl Heir {
    /// The client of that name, if the token's subject is its own and nobody has cut it off.
    pub(super) fn find(
        registered: &Registered,
        settings: &Settings,
        name: &ClientName,
        signed: &Signed,
        now: UnixTime,
    ) -> Result<Self> {
        let subject = signed.claims().subject();
        let stored = registered.clients.iter().find(|client| client.name == *name).cloned();
        let tokens = registered.tokens.iter().filter(|token| token.client == *name && !token.former);
        let tokens: Vec<&TokenRow> = tokens.collect();
        if let Some(at) = revoked_by_a_person(&tokens) {
            return Err(Fault::new(format!("`{name}` was revoked on {at}")).hint(format!(
                "that is final for its former tokens; `hallpass issue {name}` gives it a new one"
            )));
        }
        let counts = |token: &&TokenRow| token.state == TokenState::Active && token.expires_at > now;
        let has_one = tokens.into_iter().any(|token| counts(&token));
        let is_new = stored.is_none();
        let client = match (stored, settings.roster.clients.get(name)) {
            (Some(stored), _) => stored,
            (None, Some(described)) => wanted(name, described, settings, None)?,
            (None, None) => unplaced(name, subject)?,
        };
        if client.subject.as_str() == subject {
            return Ok(Self { client, is_new, has_one });
        }
        Err(Fault::new(format!("the token's subject `{}` is not that of `{name}`", subject.escape_debug()))
            .hint(format!("`{name}` has the subject `{}`", client.subject)))
    }

    /// What will be done.
    pub(super) fn describe(&self, signed: &Signed) -> String {
        format!(
            "{}: {}take over its token (ends {}){}",
            self.client.name,
            if self.is_new { "register, " } else { "" },
            signed.claims().expires_at,
            if self.has_one { "; the one it has ends now" } else { "" }
        )
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
        placement: None,
        created_at: clock::now(),
    })
}

/// Registers the client if need be, and takes the token over. `false`: it is known already.
pub(super) async fn adopt(installation: &Installation, heir: &Heir, signed: &Signed) -> Result<bool> {
    let (claims, client) = (signed.claims(), &heir.client);
    if heir.is_new {
        installation
            .store
            .put_client(client, Some(&act("register", &client.name)))
            .await
            .doing("cannot register the client")?;
    }
    let row = NewToken {
        jti: claims.jti().map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned),
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
