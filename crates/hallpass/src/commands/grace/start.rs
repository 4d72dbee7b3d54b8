//! `hallpass grace start`

use super::{Context, act, agree, check_reason, instant, put, read_until, stored, terms};
use crate::cli::GraceStart;
use crate::clock;
use crate::fault::{Doing, Fault, Result, did_you_mean};
use crate::installation::Installation;
use crate::settings::Settings;
use crate::shared_secret::{SharedSecret, tag_key};
use hallpass_core::grace::SecretTag;
use hallpass_core::snapshot::ServerScope;
use hallpass_core::until::Until;
use hallpass_core::{PolicyName, ServerName, UnixTime};
use hallpass_store::GraceRow;
use serde_json::json;
use std::collections::BTreeSet;

/// What a start asks for.
struct Wish {
    tag: SecretTag,
    until: Until,
    servers: ServerScope,
    policy: Option<PolicyName>,
    strict: bool,
}

/// What that comes to.
#[derive(Debug, PartialEq, Eq)]
enum Start {
    /// All is as it is asked for.
    Nothing,
    /// It runs until the same end, on other terms.
    OtherTerms,
    /// A period that was not there, or with another secret after the former one is over.
    New,
}

/// Lets in, until a date, who shows the secret.
pub(super) async fn run(context: &Context, start: &GraceStart) -> Result<()> {
    let now = clock::now();
    check_reason(start.reason.as_deref())?;
    let until = read_until(&start.until, now)?;
    let secret = SharedSecret::read(&start.secret)?;
    let installation = context.installation().await?;
    secret.check_is_no_token(installation.snapshot().await?.authority())?;
    let settings = context.settings(start.roster.config.as_deref())?;
    let wish = Wish {
        tag: secret.tag(&tag_key(&installation)),
        until,
        servers: named_servers(&start.servers, &settings)?,
        policy: named_policy(start.policy.as_deref(), &installation, &settings).await?,
        strict: start.strict,
    };
    let before = stored(&installation).await?;
    let what = decide(before.as_ref(), &wish, now)?;
    let row = row(before.as_ref(), &what, wish, now);
    describe(context, &what, &row, start, now);
    if let Some(note) = secret.weakness() {
        context.output.note(note);
    }
    let changed = what != Start::Nothing && agree(context, start.consent)?;
    if changed {
        let what = format!("until {}, {}", row.until, terms(&row));
        put(&installation, &row, before.as_ref(), &act("grace-start", &what, start.reason.as_deref()))
            .await?;
        context.output.line("grace: it runs. `hallpass grace status` shows who still uses the secret");
    }
    context.output.document(&document(&row, changed, start.consent.dry_run));
    Ok(())
}

/// One period, one secret, one end. A second start never moves the end: a start at each boot would be a period for ever.
fn decide(stored: Option<&GraceRow>, wish: &Wish, now: UnixTime) -> Result<Start> {
    let Some(row) = stored else { return Ok(Start::New) };
    match (row.over_since(now), row.tag == wish.tag) {
        (Some(_), false) => Ok(Start::New),
        (Some(since), true) => {
            Err(Fault::new(format!("the grace period of this secret is over since {since}"))
                .hint("if it has to come back: `hallpass grace extend --until DATE --reason TEXT`"))
        }
        (None, false) => {
            Err(Fault::new(format!("a grace period for another secret runs until {}", row.until))
                .hint("one secret at a time: `hallpass grace end` ends that one, then start this one"))
        }
        // The end counted from now is another one each time the command is run.
        (None, true) if row.until != wish.until.at && !wish.until.from_now => {
            Err(Fault::new(format!("the grace period runs already, until {}", row.until))
                .hint("a second start does not move its end: `hallpass grace extend --until DATE` does"))
        }
        (None, true) => {
            let same = row.servers == wish.servers && row.policy == wish.policy && row.strict == wish.strict;
            Ok(if same { Start::Nothing } else { Start::OtherTerms })
        }
    }
}

fn row(before: Option<&GraceRow>, what: &Start, wish: Wish, now: UnixTime) -> GraceRow {
    let fresh = GraceRow {
        period: 0,
        tag: wish.tag,
        until: wish.until.at,
        started_at: now,
        ended_at: None,
        seen: now,
        servers: wish.servers,
        policy: wish.policy,
        strict: wish.strict,
    };
    match (what, before) {
        (Start::New, _) | (_, None) => fresh,
        (Start::Nothing | Start::OtherTerms, Some(before)) => GraceRow {
            until: before.until,
            started_at: before.started_at,
            // Other terms are no extension: what was seen stays seen.
            seen: before.seen.max(now),
            ..fresh
        },
    }
}

fn describe(context: &Context, what: &Start, row: &GraceRow, start: &GraceStart, now: UnixTime) {
    let (until, terms) = (instant(row.until, now), terms(row));
    context.output.line(match what {
        Start::Nothing => format!("grace: it runs already until {until}, {terms}: nothing to change"),
        Start::OtherTerms => format!("grace: it runs until {until} as before; from now on {terms}"),
        Start::New => format!("grace: let in who shows the shared secret until {until}: {terms}"),
    });
    if *what == Start::New {
        if UnixTime::from_date(&start.until).is_some() {
            context.output.line(format!("    `{}` counts to its end, in UTC", start.until));
        }
        context.output.line(
            "    nobody can tell who they are: the log calls them `legacy`; a client's own token goes first, and a bad one is refused",
        );
    }
}

/// A server that is not there is a typing mistake, and would leave the right one closed.
fn named_servers(named: &[String], settings: &Settings) -> Result<ServerScope> {
    if named.is_empty() {
        return Ok(ServerScope::All);
    }
    let known: Vec<&str> = settings.roster.servers.keys().map(ServerName::as_str).collect();
    let find = |name: &String| {
        settings.roster.servers.keys().find(|known| known.as_str() == name).cloned().ok_or_else(|| {
            Fault::new(format!("no server named `{}`", name.escape_debug())).hint(did_you_mean(name, &known))
        })
    };
    Ok(ServerScope::Only(named.iter().map(find).collect::<Result<BTreeSet<_>>>()?))
}

async fn named_policy(
    named: Option<&str>,
    installation: &Installation,
    settings: &Settings,
) -> Result<Option<PolicyName>> {
    let Some(named) = named else { return Ok(None) };
    let stored = installation.store.policies().await.doing("the policies")?;
    if let Some(name) = stored.keys().find(|name| name.as_str() == named) {
        return Ok(Some(name.clone()));
    }
    let fault = Fault::new(format!("no policy named `{}` is in force", named.escape_debug()));
    if settings.roster.policies.keys().any(|name| name.as_str() == named) {
        return Err(fault.hint("it stands in hallpass.toml: `hallpass apply` puts it in force"));
    }
    let known: Vec<&str> = stored.keys().map(PolicyName::as_str).collect();
    Err(fault.hint(did_you_mean(named, &known)))
}

fn document(row: &GraceRow, changed: bool, dry_run: bool) -> serde_json::Value {
    let servers = match &row.servers {
        ServerScope::All => serde_json::Value::Null,
        ServerScope::Only(servers) => json!(servers),
    };
    json!({
        "changed": changed, "dry_run": dry_run, "until": row.until.to_string(), "servers": servers,
        "policy": row.policy, "strict": row.strict,
    })
}
