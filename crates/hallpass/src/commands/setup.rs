//! `hallpass setup`

use super::policies::PolicyPlan;
use super::roster::{clients, default_subject};
use super::{Context, changes};
use crate::atomic_file::target_of;
use crate::cli::Setup;
use crate::clock;
use crate::discover::{Found, discover, free_name};
use crate::fault::{Doing, Fault, Result, did_you_mean};
use crate::home::Lock;
use crate::installation::{Founding, Installation};
use crate::output::print_fault;
use crate::plan::{ClientPlan, Known, Wish, check_distinct};
use crate::settings::Settings;
use crate::target::{Besides, Surroundings, Target, utf8};
use hallpass_core::ClientName;
use hallpass_core::snapshot::ServerScope;
use hallpass_store::ClientRow;
use std::path::PathBuf;

/// Finds the clients of this machine, shows what each would get, asks once, does it.
pub(super) async fn run(context: &Context, setup: &Setup) -> Result<()> {
    let settings = context.settings(None)?;
    if settings.roster.servers.is_empty() {
        return Err(no_server(context));
    }
    let mut scene = Scene::open(context, &settings, setup.consent.dry_run).await?;
    let besides = Besides { shim: false, unverified: setup.unverified };
    let around = Surroundings::of(&settings, &context.home, &[], besides)?;
    let found = chosen(scene.found(setup, &around)?, setup)?;
    let planned = plan(found, &around, setup.consent.git_ok)?;
    if scene.installation.is_none() {
        let home = context.home.folder().display();
        context.output.line(format!("a home at `{home}`: hallpass.toml, a database, a signing key"));
    }
    planned.show(context)?;
    if !changes::ask(context, &PolicyPlan::default(), &planned.plans, &[], setup.consent)? {
        return planned.left_out();
    }
    let installation = scene.founded(context, &settings).await?;
    let done = changes::carry_out(context, installation, &settings, &planned.plans, &[]).await;
    planned.say_what_comes_next(context);
    done.and_then(|()| planned.left_out())
}

fn no_server(context: &Context) -> Fault {
    let file = context.home.roster_file();
    let (file, first) = if file.exists() {
        (file.display().to_string(), "")
    } else {
        ("hallpass.toml".into(), "`hallpass init` makes it, or write one here; ")
    };
    Fault::new(format!(
        "hallpass.toml names no MCP server yet, so there is nothing to lead clients to ({file})"
    ))
    .hint(format!(
        "{first}put in `[servers.docs]` and `url = \"http://127.0.0.1:9000/mcp\"`, then `hallpass setup`"
    ))
}

/// A file of this machine, and the clients that have a place in it already.
struct Here {
    found: Found,
    known: Vec<(ClientRow, Known)>,
}

impl Here {
    fn is_called(&self, word: &str) -> bool {
        let known = self.known.iter().any(|(client, _)| client.name.as_str() == word);
        self.found.app.id == word || self.found.name == word || known
    }
}

/// What the plans are made against.
struct Scene {
    /// `None`: there is no home yet.
    installation: Option<Installation>,
    lock: Option<Lock>,
    /// The clients that are registered or in hallpass.toml.
    known: Vec<(ClientRow, Known)>,
    /// The names that are in use. One that was taken back may be given again.
    names: Vec<String>,
}

impl Scene {
    async fn open(context: &Context, settings: &Settings, dry_run: bool) -> Result<Self> {
        let is_there = context.home.is_made() || context.home.has_lost_its_database();
        let installation = if is_there { Some(context.installation().await?) } else { None };
        let lock = installation.as_ref().map(|installation| installation.home.lock()).transpose()?;
        if let Some(installation) = &installation {
            installation.check_authority(settings).await?;
            if !dry_run {
                installation.mend().await?;
            }
        }
        let known = clients(installation.as_ref(), settings, &[]).await?;
        let names = known.iter().map(|(client, _)| client.name.to_string()).collect();
        Ok(Self { installation, lock, known, names })
    }

    /// What is on this machine, each under the name that it will have.
    fn found(&mut self, setup: &Setup, around: &Surroundings<'_>) -> Result<Vec<Here>> {
        let folder = std::env::current_dir().doing("the folder of the project")?;
        let known: Vec<(PathBuf, &(ClientRow, Known))> = self
            .known
            .iter()
            .filter_map(|known| Some((target_of(&Target::of(&known.0, around).ok()?.file).ok()?, known)))
            .collect();
        let mut all = Vec::new();
        for mut found in discover(setup.project.then_some(folder.as_path())) {
            let file = target_of(&found.file).unwrap_or_else(|_| found.file.clone());
            let here = known.iter().filter(|(known, _)| *known == file);
            let known: Vec<(ClientRow, Known)> = here.map(|(_, known)| (**known).clone()).collect();
            if known.is_empty() {
                found.name = free_name(&found.name, |name| self.names.iter().any(|taken| taken == name));
                self.names.push(found.name.clone());
            }
            all.push(Here { found, known });
        }
        Ok(all)
    }

    async fn founded(&mut self, context: &Context, settings: &Settings) -> Result<&Installation> {
        if self.installation.is_none() {
            let installation = context.found(&Founding::plan(settings)?, settings).await?;
            self.lock = Some(installation.home.lock()?);
            self.installation = Some(installation);
        }
        self.installation.as_ref().ok_or_else(|| Fault::new("the home is not there"))
    }
}

fn plan(found: Vec<Here>, around: &Surroundings<'_>, git_ok: bool) -> Result<Planned> {
    let mut planned = Planned::default();
    for Here { found, mut known } in found {
        if known.is_empty() && !found.app.verified && !around.besides.unverified {
            planned.not_verified.push(found.app.id.clone());
            continue;
        }
        if known.is_empty() {
            known.push((new_client(&found)?, Known::default()));
        }
        for (client, known) in known {
            let name = client.name.to_string();
            let plan = ClientPlan::make(client, &known, around, Wish::WhatIsMissing, clock::now());
            match plan.and_then(|plan| plan.check_feasible(git_ok).map(|()| plan)) {
                Ok(plan) => planned.plans.push(plan),
                Err(fault) => planned.refused.push((name, fault)),
            }
        }
    }
    check_distinct(planned.plans.iter().map(ClientPlan::place))?;
    Ok(planned)
}

fn new_client(found: &Found) -> Result<ClientRow> {
    let name = ClientName::new(&found.name).doing("a name for it")?;
    Ok(ClientRow {
        subject: default_subject(&name)?,
        name,
        app: found.app.id.clone(),
        enabled: true,
        removed: false,
        from_roster: false,
        servers: ServerScope::All,
        policy: None,
        config: Some(utf8(&found.file)?.to_owned()),
        entry: None,
        env: None,
        placement: None,
        created_at: clock::now(),
    })
}

/// Those that `--only` names, by their own name or by their program's.
fn chosen(found: Vec<Here>, setup: &Setup) -> Result<Vec<Here>> {
    if setup.only.is_empty() {
        return Ok(found);
    }
    if let Some(unknown) = setup.only.iter().find(|word| !found.iter().any(|here| here.is_called(word))) {
        let names: Vec<&str> = found.iter().map(|here| here.found.name.as_str()).collect();
        return Err(Fault::new(format!("`{}` was not found on this machine", unknown.escape_debug()))
            .hint(did_you_mean(unknown, &names)));
    }
    Ok(found.into_iter().filter(|here| setup.only.iter().any(|word| here.is_called(word))).collect())
}

/// What will be done, and what will not.
#[derive(Default)]
struct Planned {
    plans: Vec<ClientPlan>,
    refused: Vec<(String, Fault)>,
    not_verified: Vec<String>,
}

impl Planned {
    fn show(&self, context: &Context) -> Result<()> {
        if self.plans.is_empty() && self.refused.is_empty() {
            context.output.line("no MCP client was found on this machine (`hallpass add NAME --app APP` places a token for one)");
        }
        for plan in &self.plans {
            context.output.line(changes::describe(plan));
            for change in plan.preview()? {
                for line in change.lines() {
                    context.output.line(format!("      {line}"));
                }
            }
        }
        for (name, fault) in &self.refused {
            context.output.note(format!("{name}: left out"));
            print_fault(fault);
        }
        if !self.not_verified.is_empty() {
            context.output.line(format!(
                "also here, and not verified: {} (`--unverified` takes them in)",
                self.not_verified.join(", ")
            ));
        }
        Ok(())
    }

    /// Which programs have to be looked after before they see it.
    fn say_what_comes_next(&self, context: &Context) {
        let mut words: Vec<String> = self
            .plans
            .iter()
            .filter(|plan| plan.touches_files())
            .map(|plan| changes::restart(plan).trim_start_matches("; ").to_owned())
            .filter(|words| !words.is_empty())
            .collect();
        words.dedup();
        if !words.is_empty() {
            context.output.line(format!("next: {}", words.join("; ")));
        }
        if context.home.running_gateway().is_none() {
            context.output.line("the gateway does not run: `hallpass up`");
        }
        context.output.line("`hallpass undo` takes all of it back");
    }

    fn left_out(&self) -> Result<()> {
        if self.refused.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = self.refused.iter().map(|(name, _)| name.as_str()).collect();
        Err(Fault::new(format!("left out: {} (see above)", names.join(", ")))
            .hint("mend the cause, then run `hallpass setup` again"))
    }
}
