//! Where a client's token goes: which file, which entry, in what shape. Reads and writes no file.

use crate::environment;
use crate::fault::{Fault, Result, did_you_mean};
use crate::home::{Home, SHIM};
use hallpass_clients::{App, KeyPath, Os, Place, PlaceRoot};
use hallpass_core::snapshot::ServerScope;
use hallpass_core::{ClientName, ServerName};
use hallpass_store::{ClientRow, PlacementRow};
use std::path::{Path, PathBuf};

/// The place of one client's token.
#[derive(Clone, Debug)]
pub struct Target {
    /// The program whose file it is.
    pub app: &'static App,
    /// The configuration file, absolute.
    pub file: PathBuf,
    /// In what shape.
    pub shape: Shape,
}

/// How the token gets to the client.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// The token itself, as a variable of an entry that is there already.
    Variable {
        /// Where.
        path: KeyPath,
        /// What the entry starts, if that is ours to say.
        shim: Option<ShimCommand>,
    },
    /// Entries that start the bridge, and the token in a file of the home: no secret in the configuration.
    Bridge {
        /// One entry a server.
        entries: Vec<BridgeEntry>,
        /// What the bridge reads.
        token_file: PathBuf,
    },
}

impl Shape {
    /// Whether the client's token is read from that file.
    pub fn reads(&self, file: &Path) -> bool {
        match self {
            Self::Variable { .. } => false,
            Self::Bridge { token_file, .. } => token_file == file,
        }
    }
}

/// The `command` of an entry that starts the shim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShimCommand {
    /// Where it stands.
    pub path: KeyPath,
    /// The link by which this program is the shim, whatever its arguments.
    pub link: PathBuf,
}

/// An entry that starts `hallpass connect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeEntry {
    /// Where it stands.
    pub path: KeyPath,
    /// The program, absolute.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// What a target depends on besides the client itself.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The home.
    pub home: &'a Home,
    /// All servers behind the gateway.
    pub servers: &'a [ServerName],
    /// This program, absolute.
    pub program: &'a str,
    /// Clients that are removed in the same run, before anything is written.
    pub leaving: &'a [ClientName],
    /// A former set-up's shim is replaced where it is found.
    pub shim: bool,
}

/// The `app` of a client that was taken over with a token and that no configuration describes: a person places its token.
pub const UNPLACED: &str = "none";

/// The program called `id`, or a refusal that names the near ones.
pub fn find_app(id: &str) -> Result<&'static App> {
    hallpass_clients::app(id).ok_or_else(|| {
        let known: Vec<&str> = hallpass_clients::apps().iter().map(|app| app.id).collect();
        Fault::new(format!("unknown app `{}`", id.escape_debug())).hint(did_you_mean(id, &known))
    })
}

impl Target {
    /// Works out the place of `client`.
    pub fn of(client: &ClientRow, around: &Surroundings<'_>) -> Result<Self> {
        let app = find_app(&client.app)?;
        let file = match &client.config {
            Some(file) => PathBuf::from(file),
            None => own_place(app, client)?,
        };
        let shape = match &client.env {
            Some(variable) => {
                let path = app.env_path(&entry_of(client, around)?, variable);
                Shape::Variable { path, shim: None }
            }
            None if app.bridge_by_default => bridge(client, app, around)?,
            None => {
                return Err(Fault::new(format!("where the token of `{}` goes is not said", client.name))
                    .hint(format!(
                        "name the variable of its entry: `env = \"...\"` in [clients.{}], or `--env`",
                        client.name
                    )));
            }
        };
        Ok(Self { app, file, shape })
    }

    /// The entry that holds the token's variable, if the token stands in one.
    pub fn entry(&self) -> Option<KeyPath> {
        match &self.shape {
            // `env` and the variable are its last two keys.
            Shape::Variable { path, .. } => Some(path.prefix(path.segments().len() - 2)),
            Shape::Bridge { .. } => None,
        }
    }

    /// The token file of a placement that was made before, and nothing else: the configuration is left alone.
    pub fn token_file_of(placement: &PlacementRow, token_file: PathBuf, app: &'static App) -> Self {
        let shape = Shape::Bridge { entries: Vec::new(), token_file };
        Self { app, file: PathBuf::from(&placement.file), shape }
    }

    /// The places in the file that are written.
    pub fn paths(&self) -> Vec<&KeyPath> {
        match &self.shape {
            Shape::Variable { path, shim } => {
                [path].into_iter().chain(shim.as_ref().map(|shim| &shim.path)).collect()
            }
            Shape::Bridge { entries, .. } => entries.iter().map(|entry| &entry.path).collect(),
        }
    }
}

fn servers_of(client: &ClientRow, around: &Surroundings<'_>) -> Vec<ServerName> {
    match &client.servers {
        ServerScope::All => around.servers.to_vec(),
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

fn bridge(client: &ClientRow, app: &App, around: &Surroundings<'_>) -> Result<Shape> {
    let servers = servers_of(client, around);
    if servers.is_empty() {
        return Err(Fault::new(format!("there is no server that `{}` could be bridged to", client.name))
            .hint("add one to hallpass.toml: `[servers.docs]` with `url = \"http://127.0.0.1:9000/mcp\"`"));
    }
    if client.entry.is_some() && servers.len() > 1 {
        return Err(Fault::new(format!("`{}` has one `entry` for {} servers", client.name, servers.len()))
            .hint("leave `entry` out (each server gets one of its name), or name one server in `servers`"));
    }
    let entries = servers.iter().map(|server| BridgeEntry {
        path: app.entry_path(client.entry.as_deref().unwrap_or(server.as_str())),
        program: around.program.to_owned(),
        arguments: bridge_arguments(client, server, around.home),
    });
    Ok(Shape::Bridge { entries: entries.collect(), token_file: around.home.token_file(client.name.as_str()) })
}

fn bridge_arguments(client: &ClientRow, server: &ServerName, home: &Home) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["connect", server.as_str(), "--client", client.name.as_str()].map(str::to_owned).into();
    if !home.is_default() {
        arguments.extend(["--home".to_owned(), home.folder().to_string_lossy().into_owned()]);
    }
    arguments
}

impl BridgeEntry {
    /// Whether `entry` starts the bridge for the same client, from wherever.
    pub fn is_ours(&self, entry: &serde_json::Value) -> bool {
        is_bridge_of(entry, &self.arguments[3])
    }

    /// Whether `entry` starts exactly this. Members that a person added are theirs.
    pub fn is_in_place(&self, entry: &serde_json::Value) -> bool {
        entry.get("command").and_then(|command| command.as_str()) == Some(self.program.as_str())
            && entry.get("args") == Some(&self.arguments.clone().into())
    }
}

/// Whether `entry` starts the bridge for that client.
pub fn is_bridge_of(entry: &serde_json::Value, client: &str) -> bool {
    let arguments = entry.get("args").and_then(|arguments| arguments.as_array());
    let first: Vec<&str> =
        arguments.into_iter().flatten().take(4).filter_map(|argument| argument.as_str()).collect();
    matches!(first[..], ["connect", _, "--client", name] if name == client)
}

/// Whether `entry` starts the Python shim of a former set-up, which `hallpass shim` can stand in for.
pub fn is_former_shim(entry: &serde_json::Value) -> bool {
    let arguments = entry.get("args").and_then(|arguments| arguments.as_array());
    let mut names = arguments.into_iter().flatten().filter_map(|argument| argument.as_str());
    names.any(|argument| argument.rsplit(['/', '\\']).next() == Some("run_ws_shim.py"))
}

/// Whether that `command` is the shim's link, in whichever home.
pub fn is_shim_link(command: &str) -> bool {
    Path::new(command).file_name().is_some_and(|name| name == SHIM)
}

fn own_place(app: &App, client: &ClientRow) -> Result<PathBuf> {
    let os = if cfg!(target_os = "macos") { Os::Macos } else { Os::Linux };
    let place = app.places(os).find_map(|place| resolve(&place));
    place.ok_or_else(|| {
        Fault::new(format!("{} has no configuration file of its own that is known", app.name))
            .hint(format!("name the file: `config = \"...\"` in [clients.{}], or `--config`", client.name))
    })
}

fn resolve(place: &Place) -> Option<PathBuf> {
    let home = PathBuf::from(environment::variable("HOME")?);
    let root = match place.root {
        PlaceRoot::Home => home,
        PlaceRoot::Config if cfg!(target_os = "macos") => home.join("Library/Application Support"),
        PlaceRoot::Config => {
            environment::variable("XDG_CONFIG_HOME").map_or(home.join(".config"), PathBuf::from)
        }
        PlaceRoot::LocalAppData => return None,
    };
    Some(place.segments.iter().fold(root, |path, segment| path.join(segment)))
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
