//! From the configuration and the store to the clients as they shall be registered.

use crate::clock;
use crate::fault::{Doing, Fault, Result, did_you_mean};
use crate::plan::{ClientPlan, Known, Wish, check_distinct};
use crate::settings::Settings;
use crate::target::{Surroundings, find_app, own_program, utf8};
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
        config: config.as_deref().map(utf8).transpose()?.map(str::to_owned),
        entry: client.entry.clone(),
        env: client.env.clone(),
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
    /// This one.
    One(&'a ClientName),
}

/// Plans for the clients of the configuration and those that were added by hand.
pub(super) async fn plans(
    home: &Home,
    installation: Option<&Installation>,
    settings: &Settings,
    chosen: Chosen<'_>,
    wish: Wish,
) -> Result<Vec<ClientPlan>> {
    let program = own_program()?;
    let servers: Vec<ServerName> = settings.roster.servers.keys().cloned().collect();
    let around = Surroundings { home, servers: &servers, program: &program };
    let mut plans = Vec::new();
    for (client, known) in clients(installation, settings).await? {
        if matches!(chosen, Chosen::All) || matches!(chosen, Chosen::One(name) if *name == client.name) {
            plans.push(ClientPlan::make(client, &known, &around, wish, clock::now())?);
        }
    }
    check_distinct(&plans)?;
    Ok(plans)
}

/// All clients there are, as they shall be, with what the store knows of them.
async fn clients(installation: Option<&Installation>, settings: &Settings) -> Result<Vec<(ClientRow, Known)>> {
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
        if !stored.removed && !settings.roster.clients.contains_key(&stored.name) {
            let known = installation.known(&stored.name).await?;
            clients.push((stored, known));
        }
    }
    check_subjects(&clients)?;
    Ok(clients)
}

fn check_subjects(clients: &[(ClientRow, Known)]) -> Result<()> {
    for (position, (client, _)) in clients.iter().enumerate() {
        if let Some((other, _)) = clients[..position].iter().find(|(other, _)| other.subject == client.subject) {
            return Err(Fault::new(format!(
                "`{}` and `{}` have the same subject `{}`",
                other.name, client.name, client.subject
            ))
            .hint("give each client its own `subject`"));
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
