//! Gathers the facts: opens the home, the store and the clients' files, and asks the gateway. Judges nothing.

mod clients;
mod files;
mod gateway;
mod home;

use super::facts::{Facts, Opened, Refused, Times};
use crate::fault::{Doing, Result};
use crate::home::Home;
use crate::installation::Installation;
use crate::presence::NODE;
use crate::settings::Settings;
use crate::target::own_program;
use hallpass_core::UnixTime;
use hallpass_store::EventFilter;
use std::path::{Path, PathBuf};

/// What is looked at.
pub(crate) struct Subject<'a> {
    /// The home.
    pub(crate) home: &'a Home,
    /// The home opened, or why it cannot be.
    pub(crate) installation: Result<Installation>,
    /// hallpass.toml, or why it is refused.
    pub(crate) settings: Result<Settings>,
    /// The hallpass.toml that counts.
    pub(crate) configuration: PathBuf,
    pub(crate) now: UnixTime,
}

/// Looks at everything. Where home or hallpass.toml have to be mended first, at nothing else. A home that is not there, or
/// that is damaged, is a failure: what to do about it is said there.
pub(crate) async fn gather(subject: Subject<'_>) -> Result<Facts> {
    let Subject { home, installation, settings, configuration, now } = subject;
    let own_program = PathBuf::from(own_program()?);
    let own_program = std::fs::canonicalize(&own_program).unwrap_or(own_program);
    let home_facts = home::look(home, &own_program);
    let (refused, settings) = match settings {
        Ok(settings) => (None, Some(settings)),
        Err(fault) => (Some(Refused { file: configuration, why: fault.to_string() }), None),
    };
    let installation = match installation {
        Ok(installation) => Some(installation),
        Err(fault) if home_facts.open.is_empty() || !home.is_made() => return Err(fault),
        Err(_) => None,
    };
    let opened = match (installation, settings) {
        (Some(installation), Some(settings)) => {
            Some(look_around(home, &installation, &settings, own_program, now).await?)
        }
        _ => None,
    };
    Ok(Facts { home: home_facts, refused, opened })
}

async fn look_around(
    home: &Home,
    installation: &Installation,
    settings: &Settings,
    own_program: PathBuf,
    now: UnixTime,
) -> Result<Opened> {
    let store = &installation.store;
    let snapshot = installation.snapshot().await?;
    let rows = store.clients().await.doing("the clients")?;
    let placements = store.placements().await.doing("the placements")?;
    let clients = clients::look(installation, settings, &rows, now).await?;
    let mut names: Vec<String> = rows.iter().map(|row| row.name.to_string()).collect();
    names.extend(settings.roster.clients.keys().map(ToString::to_string));
    let looking = files::Looking { home, store, snapshot: &snapshot, own_program: &own_program, now };
    let mut files = looking.files(&rows, &placements).await?;
    let gateway = gateway::look(home, settings, &mut files).await;
    let nobodys = home::nobodys_token_files(home, &placements);
    let times = times(installation).await?;
    let home = home.folder().to_owned();
    Ok(Opened { home, own_program, clients, names, files, nobodys, gateway, times })
}

/// The newest row counts, not the highest time: where a clock ran ahead and was put right since, nothing is wrong.
async fn times(installation: &Installation) -> Result<Times> {
    let store = &installation.store;
    let newest = store.events(&EventFilter { last: Some(1), ..EventFilter::default() }).await;
    let event = newest.doing("the log")?.pop().map(|(_, event)| event.at_ms);
    let gateway = store.gateway(NODE).await.doing("the gateway's row")?.map(|row| row.at_ms);
    let grace = store.grace().await.doing("the grace period")?;
    Ok(Times {
        newest_ms: event.into_iter().chain(gateway).max().unwrap_or(0),
        grace: grace.map(|row| (row.until, row.ended_at.map_or(row.seen, |ended| row.seen.max(ended)))),
    })
}

/// A path without links, if it is there; else as it is named.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
