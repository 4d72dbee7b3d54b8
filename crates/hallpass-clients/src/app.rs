//! The MCP clients that the program places tokens for, taken from the table. Resolves no folder and reads no environment.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::client::{Client, client};
use crate::{Dialect, KeyPath};

/// An MCP client program, as far as its configuration file goes.
#[derive(Debug)]
pub struct App {
    /// The name in commands and in the roster.
    pub id: &'static str,
    /// The name for people.
    pub name: &'static str,
    /// The spelling its parser accepts.
    pub dialect: Dialect,
    /// The key at the root that holds the server entries.
    pub container: &'static str,
    /// The key in an entry that holds environment variables.
    pub env_field: &'static str,
    /// What a person has to do before a change is seen.
    pub reload: Reload,
    /// Whether a bridge entry is placed when nothing else is asked for.
    pub bridge_by_default: bool,
    client: Option<&'static Client>,
}

/// What makes a client see a changed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reload {
    /// It watches the file.
    Live,
    /// One action in its window reconnects the server.
    Reconnect,
    /// It has to be quit and started.
    Restart,
    /// Not known.
    Unknown,
}

/// An operating system with its own folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Os {
    /// Linux and other free systems.
    Linux,
    /// macOS.
    Macos,
    /// Windows.
    Windows,
}

/// The folder that a place is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceRoot {
    /// The user's home.
    Home,
    /// `~/.config`, `~/Library/Application Support` or `%APPDATA%`.
    Config,
    /// `%LOCALAPPDATA%`; on Windows only.
    LocalAppData,
}

/// Where a client keeps its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The folder to start from.
    pub root: PlaceRoot,
    /// Folder names and the file name; a `*` in one stands for any run of characters.
    pub segments: Vec<String>,
}

impl App {
    /// The user's configuration file, best candidate first; empty if the file must be named.
    pub fn places(&self, os: Os) -> impl Iterator<Item = Place> + use<> {
        let paths = self.client.map_or(&[][..], |client| match os {
            Os::Linux => &client.linux,
            Os::Macos => &client.macos,
            Os::Windows => &client.windows,
        });
        paths.iter().filter_map(|path| Place::of(path))
    }

    /// The path of a server entry.
    pub fn entry_path(&self, entry: &str) -> KeyPath {
        KeyPath::new(self.container).join(entry)
    }

    /// The path of an environment variable of a server entry.
    pub fn env_path(&self, entry: &str, variable: &str) -> KeyPath {
        self.entry_path(entry).join(self.env_field).join(variable)
    }
}

/// The app of that id.
pub fn app(id: &str) -> Option<&'static App> {
    apps().iter().find(|app| app.id == id)
}

/// All apps, in the order of their ids.
pub fn apps() -> &'static [App] {
    &APPS
}

/// An entry that makes `app` start `program` with `args`, to be put at [`App::entry_path`].
pub fn bridge_entry(app: &App, program: &str, args: &[String]) -> Value {
    let known = app.client.and_then(|client| client.stdio_entry("", program, args));
    known.unwrap_or_else(|| {
        let entry = [("command".to_owned(), Value::from(program)), ("args".to_owned(), Value::from(args))];
        Value::Object(Map::from_iter(entry))
    })
}

/// The clients of the table that tokens are placed for, and whether by a bridge if nothing else is asked for.
const PLACED: [(&str, bool); 3] = [("augment-vscode", false), ("claude-desktop", true), ("vscode", true)];

static APPS: LazyLock<Vec<App>> = LazyLock::new(|| {
    let of_table = PLACED.iter().filter_map(|(id, bridge)| App::of(client(id)?, *bridge));
    let mut apps: Vec<_> = of_table.chain([any_json()]).collect();
    apps.sort_by_key(|app| app.id);
    apps
});

/// A file of which only the format is known.
fn any_json() -> App {
    App {
        id: "json",
        name: "a JSON file",
        // Tolerant, because who reads the file is not known; what the file does not have already is never added.
        dialect: Dialect::Jsonc,
        container: "mcpServers",
        env_field: "env",
        reload: Reload::Unknown,
        bridge_by_default: false,
        client: None,
    }
}

impl App {
    fn of(client: &'static Client, bridge_by_default: bool) -> Option<Self> {
        Some(Self {
            id: &client.id,
            name: &client.name,
            dialect: client.dialect()?,
            container: client.container().first()?,
            env_field: client.env_field(),
            reload: client.reload,
            bridge_by_default,
            client: Some(client),
        })
    }
}

impl Place {
    /// A path of the table as a folder and what is below it.
    fn of(path: &str) -> Option<Self> {
        let roots = [
            ("~/Library/Application Support/", PlaceRoot::Config),
            ("$XDG_CONFIG_HOME/", PlaceRoot::Config),
            ("%APPDATA%/", PlaceRoot::Config),
            ("%LOCALAPPDATA%/", PlaceRoot::LocalAppData),
            ("~/", PlaceRoot::Home),
        ];
        roots.into_iter().find_map(|(prefix, root)| {
            let segments = path.strip_prefix(prefix)?.split('/').map(str::to_owned).collect();
            Some(Self { root, segments })
        })
    }
}
