//! `hallpass verify`

use super::Context;
use crate::cli::Offline;
use crate::clock;
use crate::environment;
use crate::fault::{Doing, Fault, Result};
use crate::former::FORMER_KID;
use crate::given_file;
use crate::output::note;
use crate::unverified::part;
use hallpass_core::claims::{LEEWAY, LIFETIME_MOST};
use hallpass_core::judge::check_claims;
use hallpass_core::jwks;
use hallpass_core::keys::{JtiRule, KeyId, KeySet, VerifyingKey};
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::snapshot::{Authority, TokenType};
use hallpass_core::{Bearer, ClientName, Denial, TokenDigest, UnixTime, check_signature, judge};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The longest text that is read: a token is at most 8 KiB.
const MOST: usize = 64 << 10;

/// Stands for an issuer or an audience that a token does not have.
const NOBODY: &str = "(none)";

/// What came out of the checks.
struct Verdict {
    /// The client, where the registry was asked and the token is good.
    client: Option<String>,
    /// Where the registry has it, in words, whether it is good or not.
    state: Option<String>,
    /// Whose it is by the registry, good or not.
    owner: Option<ClientName>,
    refusal: Option<Denial>,
    ends: Option<UnixTime>,
}

/// Says what a token is, whether it would pass here and now, and why not.
pub(super) async fn run(context: &Context, file: &Path, offline: &Offline) -> Result<()> {
    let is_offline = offline.jwks.is_some() || offline.secret_env.is_some();
    if !is_offline && (offline.issuer.is_some() || offline.audience.is_some()) {
        return Err(Fault::usage(
            "`--issuer` and `--audience` are for offline checks: here the home's own count",
        )
        .hint("add `--jwks FILE` or `--secret-env NAME`, or leave them out"));
    }
    let text = read(file)?;
    let token = text.trim();
    let (header, claims) = (part(token, 0), part(token, 1));
    let verdict = if is_offline {
        check_offline(token, &offline_authority(offline, header.as_ref(), claims.as_ref())?)
    } else {
        check_here(context, token).await?
    };
    show(context, "header", header.as_ref());
    show(context, "claims", claims.as_ref());
    if let Some(state) = &verdict.state {
        context.output.line(format!("state: {state}"));
    }
    context.output.document(&json!({
        "passes": verdict.refusal.is_none(),
        "client": verdict.client,
        "state": verdict.state,
        "reason": verdict.refusal.as_ref().map(Denial::code),
        "message": verdict.refusal.as_ref().map(Denial::log_text),
        "header": header,
        "claims": claims,
    }));
    let ends = verdict.ends.map(|ends| format!(", good until {ends}")).unwrap_or_default();
    match (verdict.refusal, verdict.client) {
        (Some(denial), _) => {
            let fault = Fault::new(format!("would be refused ({}): {}", denial.code(), denial.log_text()));
            return Err(fault.hint(next_step(&denial, verdict.owner.as_ref(), is_offline)));
        }
        (None, Some(client)) => context.output.line(format!("passes: it is the token of `{client}`{ends}")),
        (None, None) => context.output.line(format!(
            "passes offline{ends}: whether it was revoked, only the home that issued it knows{}",
            unchecked(offline)
        )),
    }
    Ok(())
}

async fn check_here(context: &Context, token: &str) -> Result<Verdict> {
    let installation = context.installation().await?;
    let snapshot = installation.snapshot().await?;
    let digest = TokenDigest::of(token);
    let row = installation.store.token_of_digest(&digest).await.doing("the tokens")?;
    let owner = row.as_ref().map(|row| row.client.clone());
    let superseded_until = row.as_ref().and_then(|row| row.good_beside_its_successor(clock::now()));
    let state = row.as_ref().map(|row| {
        let adopted = if row.adopted { ", taken over from a former set-up" } else { "" };
        format!("{} token of `{}`{adopted}", super::list::state_word(row), row.client)
    });
    let judged = Bearer::new(token)
        .and_then(|bearer| check_signature(&bearer, snapshot.authority()))
        .and_then(|signed| {
            let ends = signed.claims().expires_at;
            let ends = superseded_until.map_or(ends, |until| ends.min(until));
            judge(&Arc::new(signed), &snapshot, clock::now()).map(|verified| (verified, ends))
        });
    Ok(match judged {
        Ok((verified, ends)) => Verdict {
            client: verified.client().map(|client| client.name.to_string()),
            state,
            owner,
            refusal: None,
            ends: Some(ends),
        },
        Err(denial) => Verdict { client: None, state, owner, refusal: Some(denial), ends: None },
    })
}

fn check_offline(token: &str, authority: &Authority) -> Verdict {
    let signed = Bearer::new(token)
        .and_then(|bearer| check_signature(&bearer, authority))
        .and_then(|signed| check_claims(&signed, authority, clock::now()).map(|()| signed));
    let ends = signed.as_ref().ok().map(|signed| signed.claims().expires_at);
    Verdict { client: None, state: None, owner: None, refusal: signed.err(), ends }
}

/// What an offline check goes by: the keys given, and issuer and audience as named, else the token's own.
fn offline_authority(offline: &Offline, header: Option<&Value>, claims: Option<&Value>) -> Result<Authority> {
    let own = |claim: &str| {
        let value = claims.and_then(|claims| claims.get(claim));
        let value = value.and_then(|value| value.as_str().or_else(|| value.get(0)?.as_str()));
        value.unwrap_or(NOBODY).to_owned()
    };
    // What is no name there is nobody's, so that the token is refused for it.
    let issuer = match &offline.issuer {
        Some(named) => Issuer::new(named).doing("`--issuer`"),
        None => Issuer::new(&own("iss")).or_else(|_| Issuer::new(NOBODY)).doing("the issuer"),
    };
    let audience = match &offline.audience {
        Some(named) => Audience::new(named).doing("`--audience`"),
        None => Audience::new(&own("aud")).or_else(|_| Audience::new(NOBODY)).doing("the audience"),
    };
    Ok(Authority {
        issuer: issuer?,
        audience: audience?,
        keys: offline_keys(offline, header)?,
        token_type: TokenType::Jwt,
        lifetime_most: LIFETIME_MOST,
        leeway: LEEWAY,
    })
}

fn offline_keys(offline: &Offline, header: Option<&Value>) -> Result<KeySet> {
    if let Some(file) = &offline.jwks {
        let shown = file.display();
        let bytes =
            given_file::regular_or_open(file).and_then(|opened| given_file::read(opened, jwks::SET_MOST + 1));
        let keys = jwks::parse_set(&bytes.doing(format!("cannot read `{shown}`"))?)
            .doing(format!("`{shown}` is refused"))?;
        return Ok(KeySet::new(keys));
    }
    let name = offline.secret_env.as_deref().unwrap_or_default();
    let secret = environment::text(name).map(Zeroizing::new);
    // Without what was typed: it may be the secret itself.
    let secret = secret.ok_or_else(|| {
        Fault::new("the variable that `--secret-env` names is empty or not set")
            .hint("it takes the variable's name, and the secret stands in the environment: `--secret-env JWT_SECRET_KEY`")
    })?;
    // One secret was named for one token, so it is the key that the token names, whatever its name.
    let kid = header.and_then(|header| header.get("kid")).and_then(Value::as_str).unwrap_or(FORMER_KID);
    let kid = KeyId::new(kid).ok_or_else(|| Fault::new("the token's `kid` is not a key's name"))?;
    let key = VerifyingKey::secret(kid, secret.as_bytes()).doing(format!("the variable `{name}`"))?;
    Ok(KeySet::new([key.with_jti(JtiRule::AdoptedWithout)]).with_unnamed(FORMER_KID))
}

pub(super) fn read(file: &Path) -> Result<Zeroizing<String>> {
    let text = if file == Path::new("-") {
        if std::io::stdin().is_terminal() {
            note("paste the token, then Enter and Ctrl-D");
        }
        given_file::read_text(std::io::stdin().lock(), MOST).doing("cannot read standard input")?
    } else {
        let shown = file.display();
        let opened = given_file::regular_or_open(file).map_err(|error| {
            Fault::new(format!("cannot read `{shown}`: {error}"))
                .hint("a token is never an argument: give a file that holds it, or `-` for standard input")
        })?;
        given_file::read_text(opened, MOST).doing(format!("cannot read `{shown}`"))?
    };
    if text.trim().is_empty() {
        return Err(Fault::new("there is no token: the input is empty"));
    }
    Ok(text)
}

fn show(context: &Context, name: &str, part: Option<&Value>) {
    match part {
        Some(part) => context.output.line(format!("{name}: {part}")),
        None => context.output.line(format!("{name}: unreadable")),
    }
}

/// What was not looked at because nobody said what it should be.
fn unchecked(offline: &Offline) -> &'static str {
    match (&offline.issuer, &offline.audience) {
        (Some(_), Some(_)) => "",
        (Some(_), None) => "; `aud` was not checked (`--audience`)",
        (None, Some(_)) => "; `iss` was not checked (`--issuer`)",
        (None, None) => "; `iss` and `aud` were not checked (`--issuer`, `--audience`)",
    }
}

/// What to do about a refusal.
fn next_step(denial: &Denial, owner: Option<&ClientName>, is_offline: bool) -> String {
    let fresh = |client: &ClientName| format!("`hallpass issue {client}` gives the client a new token");
    match (denial, owner) {
        (Denial::Expired { client: Some(client), .. } | Denial::Revoked { client, .. }, _) => fresh(client),
        (Denial::Replaced { client, .. }, _) => {
            format!("restart `{client}` so that it reads its newer token; {}", fresh(client))
        }
        (Denial::ClientDisabled { client }, _) => {
            format!("`hallpass enable {client}` lets it in again; `hallpass show {client}` says why it is disabled")
        }
        (Denial::OtherSubject { client }, _) => {
            format!("`hallpass show {client}` says how the client is registered")
        }
        (_, Some(owner)) => fresh(owner),
        (Denial::UnknownKey | Denial::WrongAlgorithm | Denial::BadSignature, None) if is_offline => {
            "the key given did not sign it: fetch the JWK Set anew, or name the right secret".into()
        }
        (Denial::WrongIssuer | Denial::WrongAudience, None) if is_offline => {
            "it is for another service: do not accept it, or mend `--issuer` and `--audience`".into()
        }
        (Denial::UnknownKey, None) => {
            "it comes from another authority or another `--home`, or its key was stopped (`hallpass keys list`)".into()
        }
        (Denial::WrongIssuer | Denial::WrongAudience, None) => {
            "it comes from another authority, or from another `--home`".into()
        }
        (Denial::UnknownToken | Denial::OtherTokenOfKnownId, None) => {
            "a key of this home signed it and this home does not know it: if the database was not restored from a backup, the key has leaked (`hallpass keys revoke`)".into()
        }
        (Denial::NotAdopted, None) => {
            "`hallpass adopt FILE` takes it over, if it was issued before the former set-up was taken over".into()
        }
        (Denial::BadSignature | Denial::WrongAlgorithm | Denial::HeaderMember { .. } | Denial::WrongType, None) => {
            "no token of ours looks like this: it was changed or forged, do not use it".into()
        }
        (Denial::NotYetValid | Denial::IssuedInFuture, None) => "compare this machine's clock with the issuer's".into(),
        (Denial::LifetimeTooLong, None) => "366 days is the most: have a shorter one issued".into(),
        _ => "check that the whole token was copied, and nothing else: `hallpass issue NAME` gives a new one".into(),
    }
}
