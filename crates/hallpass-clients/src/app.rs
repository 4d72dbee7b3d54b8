//! The MCP clients we can place a token for, as data. Resolves no folder and reads no environment.

use serde_json::{Map, Value};

use crate::{Dialect, KeyPath};

/// An MCP client program, as far as its configuration file goes.
#[derive(Debug, PartialEq, Eq)]
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
    /// Whether an entry of a local program has to say `"type": "stdio"`.
    pub stdio_type_field: bool,
    /// What a person has to do before a change is seen.
    pub reload: Reload,
    /// Whether a bridge entry is placed when nothing else is asked for.
    pub bridge_by_default: bool,
    places: &'static [(Os, Place)],
}

/// What makes a client see a changed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The folder to start from.
    pub root: PlaceRoot,
    /// Folder names and the file name; a `*` in one stands for any run of characters.
    pub segments: &'static [&'static str],
}

impl App {
    /// The user's configuration file, best candidate first; empty if the file must be named.
    pub fn places(&self, os: Os) -> impl Iterator<Item = Place> + use<> {
        self.places.iter().filter(move |(on, _)| *on == os).map(|(_, place)| *place)
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
    APPS.iter().find(|app| app.id == id)
}

/// All apps, in the order of their ids.
pub fn apps() -> &'static [App] {
    APPS
}

/// An entry that makes `app` start `program` with `args`, to be put at [`App::entry_path`].
pub fn bridge_entry(app: &App, program: &str, args: &[String]) -> Value {
    let mut entry = Map::new();
    if app.stdio_type_field {
        entry.insert("type".into(), "stdio".into());
    }
    entry.insert("command".into(), program.into());
    entry.insert("args".into(), args.into());
    Value::Object(entry)
}

const APPS: &[App] = &[
    App {
        id: "augment-vscode",
        name: "Augment for VS Code",
        dialect: Dialect::Json,
        container: "mcpServers",
        env_field: "env",
        stdio_type_field: false,
        reload: Reload::Unknown,
        bridge_by_default: false,
        places: &[],
    },
    App {
        id: "claude-desktop",
        name: "Claude Desktop",
        dialect: Dialect::Json,
        container: "mcpServers",
        env_field: "env",
        stdio_type_field: false,
        reload: Reload::Restart,
        bridge_by_default: true,
        places: &[
            (Os::Linux, CLAUDE_DESKTOP),
            (Os::Macos, CLAUDE_DESKTOP),
            // First, because where the package is installed the classic file is not read.
            (Os::Windows, CLAUDE_DESKTOP_PACKAGE),
            (Os::Windows, CLAUDE_DESKTOP),
        ],
    },
    App {
        id: "json",
        name: "a JSON file",
        // Tolerant, because who reads the file is not known; what the file does not have already is never added.
        dialect: Dialect::Jsonc,
        container: "mcpServers",
        env_field: "env",
        stdio_type_field: false,
        reload: Reload::Unknown,
        bridge_by_default: false,
        places: &[],
    },
    App {
        id: "vscode",
        name: "Visual Studio Code",
        dialect: Dialect::Jsonc,
        container: "servers",
        env_field: "env",
        stdio_type_field: true,
        reload: Reload::Live,
        bridge_by_default: true,
        places: &[(Os::Linux, VSCODE), (Os::Macos, VSCODE), (Os::Windows, VSCODE)],
    },
];

const CLAUDE_DESKTOP: Place =
    Place { root: PlaceRoot::Config, segments: &["Claude", "claude_desktop_config.json"] };

const CLAUDE_DESKTOP_PACKAGE: Place = Place {
    root: PlaceRoot::LocalAppData,
    segments: &["Packages", "Claude_*", "LocalCache", "Roaming", "Claude", "claude_desktop_config.json"],
};

const VSCODE: Place = Place { root: PlaceRoot::Config, segments: &["Code", "User", "mcp.json"] };
