//! Where a client's token goes: which file, which entry, in what shape. Writes no file.

mod ours;
mod place;
mod shape;

pub use ours::{Ours, is_shim_link, token_variable};
pub use place::{candidates, expanded, former_files};
pub use shape::{Entry, Secret, Shape, ShimCommand, TokenFile, leaves, token_in};

use crate::fault::{Fault, Result, did_you_mean};
use crate::home::Home;
pub use crate::output::quoted;
use crate::settings::Settings;
use hallpass_clients::{Client, Credential, KeyPath, PlacementKind, ReferenceKind};
use hallpass_core::snapshot::ServerScope;
use hallpass_core::{ClientName, ServerName};
use hallpass_store::{ClientRow, PlacementRow};
use std::path::{Path, PathBuf};

/// The place of one client's token.
#[derive(Clone, Debug)]
pub struct Target {
    /// The program whose file it is.
    pub app: &'static Client,
    /// The configuration file, absolute.
    pub file: PathBuf,
    /// In which of the ways that the program offers.
    pub kind: PlacementKind,
    /// In what shape.
    pub shape: Shape,
}

/// What a target depends on besides the client itself.
#[derive(Clone, Debug)]
pub struct Surroundings<'a> {
    /// The home.
    pub home: &'a Home,
    /// All servers behind the gateway.
    servers: Vec<ServerName>,
    /// The gateway's address for clients, like `http://127.0.0.1:4255`.
    gateway: String,
    /// This program, absolute.
    program: String,
    /// Clients that are removed in the same run, before anything is written.
    pub leaving: &'a [ClientName],
    /// What is said besides.
    pub besides: Besides,
}

impl<'a> Surroundings<'a> {
    /// Those of a configuration and a home.
    pub fn of(
        settings: &Settings,
        home: &'a Home,
        leaving: &'a [ClientName],
        besides: Besides,
    ) -> Result<Self> {
        Ok(Self {
            home,
            servers: settings.roster.servers.keys().cloned().collect(),
            gateway: settings.gateway(home),
            program: own_program()?,
            leaving,
            besides,
        })
    }
}

/// What a person says besides which clients there shall be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Besides {
    /// A former set-up's shim is replaced where it is found.
    pub shim: bool,
    /// Files and entries of clients that are not verified are written too.
    pub unverified: bool,
}

/// The `app` of a client that was taken over with a token and that no configuration describes: a person places its token.
pub const UNPLACED: &str = "none";

/// The program called `id`, or a refusal that names the near ones.
pub fn find_app(id: &str) -> Result<&'static Client> {
    hallpass_clients::app(id).ok_or_else(|| {
        let known: Vec<&str> = hallpass_clients::apps().map(|app| app.id.as_str()).collect();
        Fault::new(format!("unknown app `{}`", id.escape_debug())).hint(did_you_mean(id, &known))
    })
}

impl Target {
    /// Works out the place of `client`.
    pub fn of(client: &ClientRow, around: &Surroundings<'_>) -> Result<Self> {
        let app = find_app(&client.app)?;
        let kind = kind(client, app)?;
        let file = match (&client.config, kind) {
            (Some(file), _) => PathBuf::from(file),
            // The person who puts the entry in knows the file.
            (None, PlacementKind::Instructions) => around.home.token_file(client.name.as_str()),
            (None, _) => place::own(app, client)?,
        };
        place::check_is_read(app, &file)?;
        // One file, two forms: which one it is written in, it says itself.
        let app = if app.has_newer_form() { app.form_of(&place::text(&file)) } else { app };
        let shape = shape(client, app, kind, around)?;
        Ok(Self { app, file, kind, shape })
    }

    /// The entry that holds the token's variable, if the token stands in one.
    pub fn entry(&self) -> Option<KeyPath> {
        match &self.shape {
            // `env` and the variable are its last two keys. A line of an environment file is in no entry.
            Shape::Variable { path, .. } if path.segments().len() > 2 => {
                Some(path.prefix(path.segments().len() - 2))
            }
            Shape::Variable { .. } | Shape::Entries { .. } | Shape::ByHand { .. } => None,
        }
    }

    /// The token file of a placement that was made before, and nothing else: the configuration is left alone.
    pub fn token_file_of(placement: &PlacementRow, token_file: PathBuf, app: &'static Client) -> Self {
        let secret = Secret::InFile(TokenFile { path: token_file, variable: None, afresh: true });
        let shape = Shape::Entries { entries: Vec::new(), secret };
        Self { app, file: PathBuf::from(&placement.file), kind: PlacementKind::Bridge, shape }
    }

    /// Whether what is known of the program is all that says where and what is written, and nobody has confirmed it.
    pub fn is_guessed(&self) -> bool {
        !self.app.verified && !matches!(self.kind, PlacementKind::Variable | PlacementKind::EnvFile)
    }

    /// The places in the file that are written.
    pub fn paths(&self) -> Vec<&KeyPath> {
        self.shape.paths()
    }
}

/// What was asked for, if the program offers it; else the best that it offers.
fn kind(client: &ClientRow, app: &Client) -> Result<PlacementKind> {
    let offered = app.placements();
    let asked = match (&client.placement, &client.env) {
        (Some(word), _) => PlacementKind::of_word(word),
        (None, Some(_)) => {
            [PlacementKind::EnvFile, PlacementKind::Variable].into_iter().find(|kind| offered.contains(kind))
        }
        (None, None) => offered.first().copied(),
    };
    let asked = asked.filter(|kind| offered.contains(kind)).ok_or_else(|| {
        let words: Vec<&str> = offered.iter().map(|kind| kind.word()).collect();
        let asked = client.placement.as_deref().unwrap_or(PlacementKind::Variable.word());
        Fault::new(format!("{} does not offer the placement `{}`", app.name, asked.escape_debug()))
            .hint(format!("it offers: {}", words.join(", ")))
    })?;
    if asked == PlacementKind::Variable && client.env.is_none() {
        return Err(Fault::new(format!("which variable holds the token of `{}` is not said", client.name))
            .hint(format!("name it: `env = \"...\"` in [clients.{}], or `--env`", client.name)));
    }
    Ok(asked)
}

fn servers_of(client: &ClientRow, around: &Surroundings<'_>) -> Vec<ServerName> {
    match &client.servers {
        ServerScope::All => around.servers.clone(),
        ServerScope::Only(servers) => servers.iter().cloned().collect(),
    }
}

fn entry_of(client: &ClientRow, around: &Surroundings<'_>) -> Result<String> {
    if let Some(entry) = &client.entry {
        return Ok(entry.clone());
    }
    match servers_of(client, around).as_slice() {
        [server] => Ok(server.to_string()),
        _ => Err(Fault::new(format!("which entry of its file belongs to `{}` is not said", client.name))
            .hint(format!("name it: `entry = \"...\"` in [clients.{}], or `--entry`", client.name))),
    }
}

/// The names of a client's entries, each with its server.
fn entries_of(client: &ClientRow, around: &Surroundings<'_>) -> Result<Vec<(String, ServerName)>> {
    let servers = servers_of(client, around);
    if servers.is_empty() {
        return Err(Fault::new(format!("there is no server that `{}` could be led to", client.name))
            .hint("add one to hallpass.toml: `[servers.docs]` with `url = \"http://127.0.0.1:9000/mcp\"`"));
    }
    if client.entry.is_some() && servers.len() > 1 {
        return Err(Fault::new(format!("`{}` has one `entry` for {} servers", client.name, servers.len()))
            .hint("leave `entry` out (each server gets one of its name), or name one server in `servers`"));
    }
    let name = |server: &ServerName| client.entry.clone().unwrap_or_else(|| server.to_string());
    Ok(servers.into_iter().map(|server| (name(&server), server)).collect())
}

fn shape(client: &ClientRow, app: &Client, kind: PlacementKind, around: &Surroundings<'_>) -> Result<Shape> {
    let variable = client.env.as_deref().unwrap_or("HALLPASS_TOKEN");
    match kind {
        PlacementKind::EnvFile => return Ok(Shape::Variable { path: KeyPath::new(variable), shim: None }),
        PlacementKind::Variable => {
            let path = app.env_path(&entry_of(client, around)?, variable);
            return Ok(Shape::Variable { path: path.ok_or_else(|| no_variables(app))?, shim: None });
        }
        _ => {}
    }
    let token_file = token_file(client, kind, around.home);
    let values: Vec<(String, serde_json::Value)> = entries_of(client, around)?
        .into_iter()
        .filter_map(|(name, server)| {
            let value = entry(client, app, kind, (&name, &server), around, &token_file.path)?;
            Some((name, value))
        })
        .collect();
    if kind == PlacementKind::Instructions {
        return Ok(Shape::ByHand { text: app.as_text(values), token_file });
    }
    let entries =
        values.into_iter().filter_map(|(name, value)| Some(Entry::new(app.entry_path(&name)?, value)));
    let secret = if kind.is_literal() { Secret::InEntries } else { Secret::InFile(token_file) };
    Ok(Shape::Entries { entries: entries.collect(), secret })
}

/// [`kind`] has looked at it before.
fn no_variables(app: &Client) -> Fault {
    Fault::new(format!("the entries of {} have no variables", app.name))
}

/// Behind the client's name in the home's folder of tokens; with its variable where a shell reads it.
fn token_file(client: &ClientRow, kind: PlacementKind, home: &Home) -> TokenFile {
    let name = client.name.as_str();
    let afresh = kind.is_read_afresh();
    match kind {
        PlacementKind::Environment => TokenFile {
            path: home.token_file(&format!("{name}.env")),
            variable: Some(token_variable(&client.name)),
            afresh,
        },
        PlacementKind::Bridge
        | PlacementKind::Helper
        | PlacementKind::TokenFile
        | PlacementKind::Header
        | PlacementKind::Variable
        | PlacementKind::EnvFile
        | PlacementKind::Instructions => TokenFile { path: home.token_file(name), variable: None, afresh },
    }
}

/// The entry for one server. `None`: the client does not offer it, which [`kind`] has looked at before.
fn entry(
    client: &ClientRow,
    app: &Client,
    kind: PlacementKind,
    (name, server): (&str, &ServerName),
    around: &Surroundings<'_>,
    token_file: &Path,
) -> Option<serde_json::Value> {
    let url = format!("{}/c/{}/s/{server}/mcp", around.gateway, client.name);
    let call = |credential: Credential<'_>| app.http_entry_with(name, &url, &credential);
    let referred = |kind, to: &str| {
        let header = format!("Bearer {}", app.reference(kind)?.to(to));
        call(Credential::Header(&header))
    };
    match kind {
        PlacementKind::Bridge | PlacementKind::Instructions => {
            app.stdio_entry(name, &around.program, &bridge_arguments(client, server, around.home))
        }
        PlacementKind::Helper => {
            let command = helper_command(client, around);
            call(Credential::Command(&command))
                .or_else(|| referred(ReferenceKind::Command, &format!("{command} --bare")))
        }
        PlacementKind::TokenFile => referred(ReferenceKind::File, token_file.to_str()?),
        PlacementKind::Environment => {
            let variable = token_variable(&client.name);
            call(Credential::Variable(&variable)).or_else(|| referred(ReferenceKind::Environment, &variable))
        }
        PlacementKind::Header => call(Credential::Header(shape::TOKEN)),
        PlacementKind::Variable | PlacementKind::EnvFile => None,
    }
}

fn bridge_arguments(client: &ClientRow, server: &ServerName, home: &Home) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["connect", server.as_str(), "--client", client.name.as_str()].map(str::to_owned).into();
    if !home.is_default() {
        arguments.extend(["--home".to_owned(), home.folder().to_string_lossy().into_owned()]);
    }
    arguments
}

/// For clients that ask a shell.
fn helper_command(client: &ClientRow, around: &Surroundings<'_>) -> String {
    let command = format!("{} headers --client {}", quoted(&around.program), client.name);
    if around.home.is_default() {
        return command;
    }
    format!("{command} --home {}", quoted(&around.home.folder().to_string_lossy()))
}

/// Whether `entry` starts the Python shim of a former set-up, which `hallpass shim` can stand in for.
pub fn is_former_shim(entry: &serde_json::Value) -> bool {
    let arguments = entry.get("args").and_then(|arguments| arguments.as_array());
    let mut names = arguments.into_iter().flatten().filter_map(|argument| argument.as_str());
    names.any(|argument| argument.rsplit(['/', '\\']).next() == Some("run_ws_shim.py"))
}

/// This program's path, as a client's configuration has to name it.
pub fn own_program() -> Result<String> {
    let program =
        std::env::current_exe().map_err(|error| Fault::new(format!("where this program is: {error}")))?;
    utf8(&program).map(str::to_owned)
}

/// The path as text: configuration files hold no other.
pub fn utf8(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| Fault::new(format!("the path `{}` is not UTF-8", path.display())))
}
