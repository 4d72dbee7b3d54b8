//! `hallpass add`

use super::roster::{check_subjects, clients, default_subject, scope};
use super::{Context, changes};
use crate::cli::Add;
use crate::clock;
use crate::fault::{Doing, Fault, Result, did_you_mean};
use crate::installation::Installation;
use crate::plan::{ClientPlan, Wish, check_distinct};
use crate::settings::Settings;
use crate::target::{Besides, Surroundings, Target, find_app, utf8};
use hallpass_core::roster::is_variable_name;
use hallpass_core::{ClientName, PolicyName, ServerName, Subject};
use hallpass_store::ClientRow;

/// Registers a client, issues its token and places it.
pub(super) async fn run(context: &Context, add: &Add) -> Result<()> {
    let name = ClientName::new(&add.name).map_err(|why| {
        Fault::usage(format!("`{}` is not a client's name: {why}", add.name.escape_debug()))
            .hint("a-z, 0-9 and `-`, at most 63 characters, like `vscode1`")
    })?;
    find_app(&add.app)?;
    check_texts(add)?;
    let settings = context.settings(None)?;
    let installation = context.installation().await?;
    let _lock = installation.home.lock()?;
    if !add.consent.dry_run {
        installation.mend().await?;
    }
    if settings.roster.clients.contains_key(&name) {
        return Err(Fault::new(format!("`{name}` is described in hallpass.toml"))
            .hint("change it there, then `hallpass apply`"));
    }
    let known = installation.known(&name).await?;
    let policy = find_policy(add, &settings, &installation, known.client.as_ref()).await?;
    let client = wanted(add, name, &settings, known.client.as_ref(), policy)?;
    let besides = Besides { shim: false, unverified: add.unverified };
    let around = Surroundings::of(&settings, &context.home, &[], besides)?;
    let plan = ClientPlan::make(client, &known, &around, Wish::WhatIsMissing, clock::now())?;
    check_against_others(&installation, &settings, &around, &plan).await?;
    let plans = [plan];
    if changes::agree(context, &plans, &[], add.consent)? {
        changes::carry_out(context, &installation, &settings, &plans, &[]).await?;
    }
    Ok(())
}

/// Refuses a place or a subject that another client has. What else is wrong with others is not looked at.
async fn check_against_others(
    installation: &Installation,
    settings: &Settings,
    around: &Surroundings<'_>,
    plan: &ClientPlan,
) -> Result<()> {
    let mut others = clients(Some(installation), settings, &[]).await?;
    others.retain(|(other, _)| other.name != plan.client.name);
    let subjects = others.iter().map(|(other, _)| (other, None)).chain([(&plan.client, None)]);
    check_subjects(&subjects.collect::<Vec<_>>())?;
    let targets: Vec<(ClientName, Target)> = others
        .iter()
        .filter_map(|(other, _)| Some((other.name.clone(), Target::of(other, around).ok()?)))
        .collect();
    check_distinct(targets.iter().map(|(name, target)| (name, target)).chain([plan.place()]))
}

/// As in hallpass.toml: nothing empty, and a variable that a shell could set.
fn check_texts(add: &Add) -> Result<()> {
    let config = add.config.as_deref().and_then(std::path::Path::to_str);
    for (option, text) in
        [("--config", config), ("--entry", add.entry.as_deref()), ("--env", add.env.as_deref())]
    {
        if text == Some("") {
            return Err(Fault::usage(format!("`{option}` is empty")).hint("name it, or leave the option out"));
        }
    }
    match &add.env {
        Some(env) if !is_variable_name(env) => {
            Err(Fault::usage(format!("`{}` is not the name of an environment variable", env.escape_debug()))
                .hint("letters, digits and `_`, like `EXAI_JWT_TOKEN`"))
        }
        _ => Ok(()),
    }
}

/// The policy that is named, which has to be in force; without one, that of the client's registration.
async fn find_policy(
    add: &Add,
    settings: &Settings,
    installation: &Installation,
    stored: Option<&ClientRow>,
) -> Result<Option<PolicyName>> {
    let Some(name) = &add.policy else {
        let stored = stored.filter(|stored| !stored.removed && !add.no_policy);
        return Ok(stored.and_then(|stored| stored.policy.clone()));
    };
    let policies = installation.store.policies().await.doing("the policies")?;
    if let Some(policy) = policies.keys().find(|policy| policy.as_str() == name) {
        return Ok(Some(policy.clone()));
    }
    let shown = name.escape_debug();
    if settings.roster.policies.keys().any(|policy| policy.as_str() == name) {
        return Err(Fault::new(format!("the policy `{shown}` of hallpass.toml is not in force yet"))
            .hint("`hallpass apply` puts it in force; then add the client"));
    }
    let known: Vec<&str> = policies.keys().map(PolicyName::as_str).collect();
    Err(Fault::new(format!("no policy named `{shown}`")).hint(did_you_mean(name, &known)))
}

fn wanted(
    add: &Add,
    name: ClientName,
    settings: &Settings,
    stored: Option<&ClientRow>,
    policy: Option<PolicyName>,
) -> Result<ClientRow> {
    let stored = stored.filter(|stored| !stored.removed);
    let subject = match (&add.subject, stored) {
        (Some(subject), _) => Subject::new(subject)
            .map_err(|why| Fault::usage(format!("`{}` is no subject: {why}", subject.escape_debug())))?,
        (None, Some(stored)) => stored.subject.clone(),
        (None, None) => default_subject(&name)?,
    };
    let servers: Vec<ServerName> =
        add.servers.iter().map(|server| find_server(server, settings)).collect::<Result<_>>()?;
    let config =
        add.config.as_deref().map(std::path::absolute).transpose().doing("the path of `--config`")?;
    Ok(ClientRow {
        name,
        subject,
        app: add.app.clone(),
        enabled: stored.is_none_or(|stored| stored.enabled),
        removed: false,
        from_roster: false,
        servers: scope((!servers.is_empty()).then_some(servers.as_slice())),
        policy,
        config: config.as_deref().map(utf8).transpose()?.map(str::to_owned),
        entry: add.entry.clone(),
        env: add.env.clone(),
        placement: add.placement.clone(),
        created_at: stored.map_or_else(clock::now, |stored| stored.created_at),
    })
}

fn find_server(name: &str, settings: &Settings) -> Result<ServerName> {
    let known: Vec<&str> = settings.roster.servers.keys().map(ServerName::as_str).collect();
    settings.roster.servers.keys().find(|server| server.as_str() == name).cloned().ok_or_else(|| {
        Fault::new(format!("no server named `{}` in hallpass.toml", name.escape_debug()))
            .hint(did_you_mean(name, &known))
    })
}
