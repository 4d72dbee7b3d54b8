//! `hallpass setup`

use super::roster::{Chosen, default_subject, plans};
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
use crate::target::{Besides, Surroundings, own_program, utf8};
use hallpass_core::snapshot::ServerScope;
use hallpass_core::{ClientName, ServerName};
use hallpass_store::ClientRow;

/// Finds the clients of this machine, shows what each would get, asks once, does it.
pub(super) async fn run(context: &Context, setup: &Setup) -> Result<()> {
    let settings = context.settings(None)?;
    if settings.roster.servers.is_empty() {
        return Err(no_server(context));
    }
    let mut scene = Scene::open(context, &settings, setup).await?;
    let found = chosen(scene.found(setup)?, setup)?;
    let planned = scene.plan(&found)?;
    if scene.installation.is_none() {
        let home = context.home.folder().display();
        context.output.line(format!("a home at `{home}`: hallpass.toml, a database, a signing key"));
    }
    planned.show(context)?;
    if !changes::ask(context, &planned.plans, &[], setup.consent)? {
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

/// What the plans are made against.
struct Scene<'a> {
    context: &'a Context,
    settings: &'a Settings,
    /// `None`: there is no home yet.
    installation: Option<Installation>,
    _lock: Option<Lock>,
    /// Plans for the clients that are registered or in hallpass.toml.
    known: Vec<ClientPlan>,
    /// Every name that was ever used.
    names: Vec<String>,
    unverified: bool,
}

impl<'a> Scene<'a> {
    async fn open(context: &'a Context, settings: &'a Settings, setup: &Setup) -> Result<Self> {
        let is_there = context.home.is_made() || context.home.has_lost_its_database();
        let installation = if is_there { Some(context.installation().await?) } else { None };
        let lock = installation.as_ref().map(|installation| installation.home.lock()).transpose()?;
        if let Some(installation) = &installation {
            installation.check_authority(settings).await?;
            if !setup.consent.dry_run {
                installation.mend().await?;
            }
        }
        let known =
            plans(&context.home, installation.as_ref(), settings, Chosen::All, Wish::WhatIsMissing).await?;
        let mut names: Vec<String> = known.iter().map(|plan| plan.client.name.to_string()).collect();
        if let Some(installation) = &installation {
            let clients = installation.store.clients().await.doing("the clients")?;
            names.extend(clients.into_iter().map(|client| client.name.to_string()));
        }
        let unverified = setup.unverified;
        Ok(Self { context, settings, installation, _lock: lock, known, names, unverified })
    }

    /// What is on this machine, each under the name that it will have.
    fn found(&mut self, setup: &Setup) -> Result<Vec<(Found, Vec<ClientPlan>)>> {
        let folder = std::env::current_dir().doing("the folder of the project")?;
        let mut all = Vec::new();
        for mut found in discover(setup.project.then_some(folder.as_path())) {
            let file = target_of(&found.file).unwrap_or_else(|_| found.file.clone());
            let here = |plan: &&ClientPlan| target_of(&plan.target.file).is_ok_and(|known| known == file);
            let plans: Vec<ClientPlan> = self.known.iter().filter(here).cloned().collect();
            if plans.is_empty() {
                found.name = free_name(&found.name, |name| self.names.iter().any(|taken| taken == name));
                self.names.push(found.name.clone());
            }
            all.push((found, plans));
        }
        Ok(all)
    }

    fn plan(&self, found: &[(Found, Vec<ClientPlan>)]) -> Result<Planned> {
        let program = own_program()?;
        let servers: Vec<ServerName> = self.settings.roster.servers.keys().cloned().collect();
        let around = Surroundings {
            home: &self.context.home,
            servers: &servers,
            gateway: &self.settings.gateway(&self.context.home),
            program: &program,
            leaving: &[],
            besides: Besides { shim: false, unverified: self.unverified },
        };
        let mut planned = Planned::default();
        for (found, known) in found {
            if !known.is_empty() {
                planned.plans.extend(known.iter().cloned());
            } else if !found.app.verified && !self.unverified {
                planned.not_verified.push(found.app.id.clone());
            } else {
                match new_plan(found, &around) {
                    Ok(plan) => planned.plans.push(plan),
                    Err(fault) => planned.refused.push((found.name.clone(), fault)),
                }
            }
        }
        check_distinct(&planned.plans)?;
        Ok(planned)
    }

    async fn founded(&mut self, context: &Context, settings: &Settings) -> Result<&Installation> {
        if self.installation.is_none() {
            let installation = context.found(&Founding::plan(settings)?, settings).await?;
            self._lock = Some(installation.home.lock()?);
            self.installation = Some(installation);
        }
        self.installation.as_ref().ok_or_else(|| Fault::new("the home is not there"))
    }
}

fn new_plan(found: &Found, around: &Surroundings<'_>) -> Result<ClientPlan> {
    let name = ClientName::new(&found.name).doing("a name for it")?;
    let client = ClientRow {
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
    };
    let plan = ClientPlan::make(client, &Known::default(), around, Wish::WhatIsMissing, clock::now())?;
    plan.check_feasible(false)?;
    Ok(plan)
}

/// Those that `--only` names, by their own name or by their program's.
fn chosen(found: Vec<(Found, Vec<ClientPlan>)>, setup: &Setup) -> Result<Vec<(Found, Vec<ClientPlan>)>> {
    if setup.only.is_empty() {
        return Ok(found);
    }
    let is = |found: &(Found, Vec<ClientPlan>), word: &str| {
        let known = found.1.iter().any(|plan| plan.client.name.as_str() == word);
        found.0.app.id == word || found.0.name == word || known
    };
    if let Some(unknown) = setup.only.iter().find(|word| !found.iter().any(|found| is(found, word))) {
        let names: Vec<&str> = found.iter().map(|(found, _)| found.name.as_str()).collect();
        return Err(Fault::new(format!("`{}` was not found on this machine", unknown.escape_debug()))
            .hint(did_you_mean(unknown, &names)));
    }
    Ok(found.into_iter().filter(|found| setup.only.iter().any(|word| is(found, word))).collect())
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
