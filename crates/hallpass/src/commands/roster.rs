//! From the configuration and the store to the clients as they shall be registered.

use crate::clock;
use crate::fault::{Doing, Fault, Result, did_you_mean};
use crate::plan::{ClientPlan, Known, Wish, check_distinct};
use crate::settings::Settings;
use crate::target::{Besides, Surroundings, UNPLACED, find_app, utf8};
use crate::{home::Home, installation::Installation};
use hallpass_core::roster::ClientSettings;
use hallpass_core::snapshot::ServerScope;
use hallpass_core::{ClientName, ServerName, Subject};
use hallpass_store::ClientRow;

/// The client as the configuration wants it. What the file leaves open stays as it was registered.
pub(super) fn wanted(
    name: &ClientName,
    client: &ClientSettings,
    settings: &Settings,
    stored: Option<&ClientRow>,
) -> Result<ClientRow> {
    find_app(&client.app)?;
    let stored = stored.filter(|stored| !stored.removed);
    let subject = match (&client.subject, stored) {
        (Some(subject), _) => subject.clone(),
        (None, Some(stored)) => stored.subject.clone(),
        (None, None) => default_subject(name)?,
    };
    let config = client.config.as_deref().map(|config| settings.resolve(config));
    Ok(ClientRow {
        name: name.clone(),
        subject,
        app: client.app.clone(),
        enabled: stored.is_none_or(|stored| stored.enabled),
        removed: false,
        from_roster: true,
        servers: scope(client.servers.as_deref()),
        policy: client.policy.clone(),
        config: config.as_deref().map(utf8).transpose()?.map(str::to_owned),
        entry: client.entry.clone(),
        env: client.env.clone(),
        placement: client.placement.clone(),
        created_at: stored.map_or_else(clock::now, |stored| stored.created_at),
    })
}

pub(super) fn scope(servers: Option<&[ServerName]>) -> ServerScope {
    servers.map_or(ServerScope::All, |servers| ServerScope::Only(servers.iter().cloned().collect()))
}

/// `NAME@HOST.local`
pub(super) fn default_subject(name: &ClientName) -> Result<Subject> {
    let system = rustix::system::uname();
    let host: String = system
        .nodename()
        .to_string_lossy()
        .split('.')
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect();
    let host = if host.is_empty() { "host" } else { host.as_str() };
    Subject::new(&format!("{name}@{host}.local")).doing("the default subject")
}

/// Which of the known clients are planned for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chosen<'a> {
    /// All of them.
    All,
    /// All but these, which are removed in the same run.
    Without(&'a [ClientName]),
    /// This one.
    One(&'a ClientName),
}

impl<'a> Chosen<'a> {
    fn leaving(self) -> &'a [ClientName] {
        match self {
            Self::Without(leaving) => leaving,
            Self::All | Self::One(_) => &[],
        }
    }

    fn takes(self, client: &ClientName) -> bool {
        match self {
            Self::All | Self::Without(_) => true,
            Self::One(name) => name == client,
        }
    }
}

/// Plans for the clients of the configuration and those that were added by hand.
pub(super) async fn plans(
    home: &Home,
    installation: Option<&Installation>,
    settings: &Settings,
    chosen: Chosen<'_>,
    wish: Wish,
) -> Result<Vec<ClientPlan>> {
    plans_with(home, installation, settings, Asked { chosen, wish, besides: Besides::default() }).await
}

/// What is planned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// For whom.
    pub(super) chosen: Chosen<'a>,
    /// What.
    pub(super) wish: Wish,
    /// What is said besides.
    pub(super) besides: Besides,
}

/// The same, with what a person says besides.
pub(super) async fn plans_with(
    home: &Home,
    installation: Option<&Installation>,
    settings: &Settings,
    asked: Asked<'_>,
) -> Result<Vec<ClientPlan>> {
    let Asked { chosen, wish, besides } = asked;
    let around = Surroundings::of(settings, home, chosen.leaving(), besides)?;
    let mut plans = Vec::new();
    for (client, known) in clients(installation, settings, chosen.leaving()).await? {
        if client.app == UNPLACED {
            if let Chosen::One(name) = chosen
                && *name == client.name
            {
                return Err(by_hand(name));
            }
        } else if chosen.takes(&client.name) {
            plans.push(ClientPlan::make(client, &known, &around, wish, clock::now())?);
        }
    }
    check_distinct(plans.iter().map(ClientPlan::place))?;
    Ok(plans)
}

fn by_hand(name: &ClientName) -> Fault {
    Fault::new(format!("where the token of `{name}` goes is not known here: it was taken over"))
        .hint(format!("`hallpass issue {name} --print`, or describe it in hallpass.toml: `[clients.{name}]`"))
}

/// All clients there are, as they shall be, with what the store knows of them.
pub(super) async fn clients(
    installation: Option<&Installation>,
    settings: &Settings,
    leaving: &[ClientName],
) -> Result<Vec<(ClientRow, Known)>> {
    let mut clients = Vec::new();
    for (name, client) in &settings.roster.clients {
        let known = match installation {
            Some(installation) => installation.known(name).await?,
            None => Known::default(),
        };
        clients.push((wanted(name, client, settings, known.client.as_ref())?, known));
    }
    let Some(installation) = installation else { return Ok(clients) };
    for stored in installation.store.clients().await.doing("the clients")? {
        if !stored.removed
            && !settings.roster.clients.contains_key(&stored.name)
            && !leaving.contains(&stored.name)
        {
            let known = installation.known(&stored.name).await?;
            clients.push((stored, known));
        }
    }
    let rows: Vec<_> = clients.iter().map(|(client, known)| (client, known.client.as_ref())).collect();
    check_subjects(&rows)?;
    Ok(clients)
}

/// Refuses two clients with one subject, in the end or on the way there (two that swap theirs).
pub(super) fn check_subjects(clients: &[(&ClientRow, Option<&ClientRow>)]) -> Result<()> {
    for (client, _) in clients {
        let bears = |other: &ClientRow| {
            other.name != client.name && !other.removed && other.subject == client.subject
        };
        if let Some((other, _)) =
            clients.iter().find(|(other, stored)| bears(other) || stored.is_some_and(bears))
        {
            return Err(Fault::new(format!(
                "`{}` and `{}` have the same subject `{}`",
                other.name, client.name, client.subject
            ))
            .hint("give each client its own `subject` (to hand one on, take it from the other first)"));
        }
    }
    Ok(())
}

/// The client of that name, or a refusal that names the near ones.
pub(super) async fn find_client(installation: &Installation, name: &str) -> Result<ClientRow> {
    let clients = installation.store.clients().await.doing("the clients")?;
    let clients: Vec<ClientRow> = clients.into_iter().filter(|client| !client.removed).collect();
    let names: Vec<&str> = clients.iter().map(|client| client.name.as_str()).collect();
    match clients.iter().find(|client| client.name.as_str() == name) {
        Some(client) => Ok(client.clone()),
        None => Err(no_such_client(name, &names)),
    }
}

pub(super) fn no_such_client(name: &str, known: &[&str]) -> Fault {
    Fault::new(format!("no client named `{}`", name.escape_debug())).hint(did_you_mean(name, known))
}
