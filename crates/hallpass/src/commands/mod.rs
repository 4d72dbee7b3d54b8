//! One module a command. Each takes what was typed, and returns what it ended with.

mod add;
mod adopt;
mod apply;
mod audit;
mod changes;
mod connect;
mod csv;
mod doctor;
mod grace;
mod headers;
mod init;
mod issue;
mod keys;
mod list;
mod log;
mod manual;
mod narrowing;
mod period;
mod policies;
mod policy;
mod remove;
mod report;
mod revoke;
mod roster;
mod rotate;
mod scan;
mod serve;
mod setup;
mod shim;
mod status;
mod switch;
mod take_over;
mod undo;
mod up;
mod usage;
mod verify;
mod wait;

use crate::audit::Audit;
use crate::cli::{Cli, Command};
use crate::fault::Result;
use crate::home::Home;
use crate::installation::{Founding, Installation};
use crate::output::Output;
use crate::settings::Settings;
use crate::target::Besides;
use hallpass_store::Store;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long work that a command leaves behind may hold a connection.
const PATIENCE: Duration = Duration::from_secs(1);

/// What has to be looked after at the end.
struct Opened {
    store: Store,
    audit: Arc<Audit>,
}

/// How long a command that is done may take to show its acts in the view of the log.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);

/// What every command starts from.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) output: Output,
    pub(crate) home: Home,
    /// `--config`, wherever it was typed.
    config: Option<PathBuf>,
    /// What was opened on the way.
    opened: Arc<Mutex<Vec<Opened>>>,
}

impl Context {
    pub(crate) fn settings(&self, named: Option<&Path>) -> Result<Settings> {
        Settings::load(named.or(self.config.as_deref()), &self.home)
    }

    /// The hallpass.toml that counts, as far as its name goes.
    fn settings_file(&self, named: Option<&Path>) -> PathBuf {
        Settings::file(named.or(self.config.as_deref()), &self.home)
    }

    pub(crate) async fn installation(&self) -> Result<Installation> {
        Installation::open(&self.home).await.map(|installation| self.opened(installation))
    }

    /// The same for what cuts somebody off: that works on a full disk too.
    pub(crate) async fn installation_in_need(&self) -> Result<Installation> {
        // If even that fails, what follows says why.
        let _ = self.home.reserve().release_if_full();
        self.installation().await
    }

    /// Makes what is missing of the home, and opens it.
    pub(crate) async fn found(&self, founding: &Founding, settings: &Settings) -> Result<Installation> {
        Installation::found(&self.home, founding, settings)
            .await
            .map(|installation| self.opened(installation))
    }

    fn opened(&self, installation: Installation) -> Installation {
        let (store, audit) = (installation.store.clone(), Arc::clone(&installation.audit));
        self.all().push(Opened { store, audit });
        installation
    }

    fn all(&self) -> MutexGuard<'_, Vec<Opened>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whoever closes a database last takes back what lies beside it. Left there, it would be taken for that of the file
    /// which somebody puts in its place later.
    ///
    /// An error if what was done is not in the log yet.
    async fn close(self) -> Result<()> {
        let all = std::mem::take(&mut *self.all());
        let mut trouble = None;
        for Opened { store, audit } in all {
            trouble = trouble.or_else(|| audit.trouble());
            let _ = tokio::time::timeout(SHOWN_WITHIN, audit.show_acts()).await;
            let _ = tokio::time::timeout(PATIENCE, store.close()).await;
        }
        trouble.map_or(Ok(()), Err)
    }
}

/// Runs one command to its end.
pub async fn run(cli: Cli) -> Result<()> {
    let output = Output::new(cli.global.json);
    // These need no home, and work where none can be.
    match cli.command {
        Command::Completions { shell } => {
            manual::completions(shell);
            return Ok(());
        }
        Command::Man { dir } => return manual::pages(dir.as_deref()),
        Command::Tour { keep } => return crate::tour::run(keep.as_deref(), output).await,
        Command::Shim(shim) => return shim::run(shim).await,
        _ => {}
    }
    let home = Home::locate(cli.global.home.as_deref())?;
    let context = Context { output, home, config: cli.config, opened: Arc::default() };
    let ended = Box::pin(dispatch(&context, cli.command)).await;
    let closed = context.close().await;
    ended.and(closed)
}

async fn dispatch(context: &Context, command: Command) -> Result<()> {
    match command {
        Command::Completions { .. } | Command::Man { .. } | Command::Tour { .. } | Command::Shim(_) => Ok(()),
        Command::Up { consent, listen, roster } => {
            up::run(context, consent, &listen, roster.config.as_deref()).await
        }
        Command::Init { from_env, consent, roster } => {
            init::run(context, consent, roster.config.as_deref(), from_env.as_deref()).await
        }
        Command::Adopt { file, client, consent } => {
            adopt::run(context, client.as_deref(), &file, consent).await
        }
        Command::Keys { command } => keys::run(context, &command).await,
        Command::Setup(setup) => setup::run(context, &setup).await,
        Command::Undo { consent } => undo::run(context, consent).await,
        Command::Add(add) => add::run(context, &add).await,
        Command::Apply { file, prune, shim, unverified, consent, roster } => {
            let besides = Besides { shim, unverified };
            apply::run(context, file.as_deref().or(roster.config.as_deref()), prune, besides, consent).await
        }
        Command::Issue { who, print, consent, roster } => {
            issue::run(context, &who, print, consent, roster.config.as_deref()).await
        }
        Command::Rotate { who, rotation, consent, wait, roster } => {
            let asked = rotate::Asked { rotation: &rotation, consent, wait };
            rotate::run(context, &who, asked, roster.config.as_deref()).await
        }
        Command::Revoke { what, reason, consent, wait } => {
            revoke::run(context, &what, &reason, consent, wait).await
        }
        Command::Disable { name, reason, consent, wait } => {
            switch::disable(context, &name, &reason, consent, wait).await
        }
        Command::Enable { name, consent, wait } => switch::enable(context, &name, consent, wait).await,
        Command::Policy { command, roster } => policy::run(context, &command, roster.config.as_deref()).await,
        Command::Remove { name, consent } => remove::run(context, &name, consent).await,
        Command::Grace { command } => grace::run(context, &command).await,
        Command::List => list::list(context).await,
        Command::Show { name } => list::show(context, &name).await,
        Command::Doctor { roster } => doctor::run(context, roster.config.as_deref()).await,
        Command::Status(what) => status::run(context, &what).await,
        Command::Verify { file, offline } => verify::run(context, &file, &offline).await,
        Command::Scan { paths, history } => scan::run(context, &paths, history).await,
        Command::Usage(asked) => usage::run(context, &asked).await,
        Command::Audit { command } => audit::run(context, &command).await,
        Command::Report(asked) => report::run(context, &asked).await,
        Command::Log(log) => log::run(context, &log).await,
        Command::Serve { listen, roster } => serve::run(context, &listen, roster.config.as_deref()).await,
        Command::Headers { client, bare } => headers::run(context, &client, bare),
        Command::Connect { server, client, url, cleartext_ok } => {
            let way = connect::Way { url: url.as_deref(), cleartext_ok };
            connect::run(context, &server, &client, way).await
        }
    }
}
