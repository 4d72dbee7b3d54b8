//! The table of MCP clients: parsed once from the file that is compiled in. Resolves no folder and reads no environment.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::candidates::Places;
use crate::{Dialect, KeyPath};

/// An MCP client, as far as its configuration goes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// The name in commands.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// Whether path, container and header are confirmed by the vendor or by the client's own code.
    pub verified: bool,
    /// The strongest kind of source.
    pub evidence: Evidence,
    /// Where it is said.
    pub source: String,
    /// How its file is written.
    pub format: Format,
    container: Vec<String>,
    /// The container, in the user's file, of what only one project sees; `<project>` is the project's folder.
    #[serde(default)]
    pub(crate) local: Vec<String>,
    /// The row of the newer form of this client, which reads the same file.
    pub(crate) newer: Option<String>,
    /// Whether servers stand in a list, by their `name`, and not under keys: those files are not edited.
    #[serde(default)]
    pub list: bool,
    /// What makes it see a changed file.
    pub reload: Reload,
    #[serde(default)]
    pub(crate) linux: Vec<String>,
    #[serde(default)]
    pub(crate) macos: Vec<String>,
    #[serde(default)]
    pub(crate) windows: Vec<String>,
    #[serde(default)]
    pub(crate) project: Vec<String>,
    #[serde(default)]
    pub(crate) profiles: Places,
    #[serde(default)]
    pub(crate) remote: Vec<String>,
    /// Files that former versions read: what is put there is not seen.
    #[serde(default)]
    pub(crate) former: Places,
    /// Files that are read instead of the usual ones, and are not edited.
    #[serde(default)]
    pub(crate) instead: Places,
    #[serde(default)]
    pub(crate) variables: Vec<Variable>,
    stdio: Option<Value>,
    http: Option<Value>,
    env: Option<String>,
    headers: Option<Vec<String>>,
    /// How a value names a secret that stands somewhere else.
    #[serde(default)]
    pub references: Vec<Reference>,
    /// The field of an entry that lists the variables which its references name, where they have to be listed.
    listed_variables: Option<String>,
    /// The field of an HTTP entry that names the environment variable with the token.
    pub token_variable: Option<String>,
    /// The field of an HTTP entry that names a command which prints headers.
    pub headers_command: Option<String>,
}

/// How sure the table is of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The client's own code.
    SourceCode,
    /// The vendor's documentation.
    OfficialDocs,
    /// A guide of a vendor of servers.
    VendorGuide,
    /// Other people's tools.
    ThirdParty,
}

/// How a client's file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Strict JSON.
    Json,
    /// JSON that may have comments, or of which it is not known; none are added.
    Jsonc,
    /// JSON5, which is not edited.
    Json5,
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
    /// An environment file.
    Env,
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

/// An environment variable that moves the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variable {
    pub(crate) name: String,
    /// What follows its value, which is a folder; nothing if it is the file.
    pub(crate) rest: String,
    /// Whether the usual file is read too.
    #[serde(default)]
    pub(crate) adds: bool,
}

/// A spelling that the client puts a value in place of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Where the value comes from.
    pub kind: ReferenceKind,
    spelling: String,
}

/// Where a reference gets its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceKind {
    /// The client's environment.
    Environment,
    /// A file.
    File,
    /// A question to the person, whose answer the client keeps.
    Input,
    /// What a command prints.
    Command,
    /// The client's own store of secrets.
    Secret,
}

impl Reference {
    /// The reference to `name`: a variable, a path, an id or a command.
    pub fn to(&self, name: &str) -> String {
        self.spelling.replace("NAME", name)
    }
}

/// How an HTTP entry gets its token.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// The value of the header `Authorization`, or a reference to it.
    Header(&'a str),
    /// The name of the environment variable that holds it.
    Variable(&'a str),
    /// The command that prints the headers.
    Command(&'a str),
}

impl Client {
    /// What its file is edited as, if it can be.
    pub fn dialect(&self) -> Option<Dialect> {
        match self.format {
            Format::Json => Some(Dialect::Json),
            Format::Jsonc => Some(Dialect::Jsonc),
            Format::Toml => Some(Dialect::Toml),
            Format::Yaml => Some(Dialect::Yaml),
            Format::Env => Some(Dialect::Env),
            Format::Json5 => None,
        }
    }

    /// The path of the entry called `name`, unless entries stand in a list.
    pub fn entry_path(&self, name: &str) -> Option<KeyPath> {
        let container = KeyPath::try_from(self.container.clone()).ok()?;
        (!self.list).then(|| container.join(name))
    }

    /// The path of an environment variable: of an entry, or of the file where there are no entries.
    pub fn env_path(&self, name: &str, variable: &str) -> Option<KeyPath> {
        if self.format == Format::Env {
            return Some(KeyPath::new(variable));
        }
        Some(self.entry_path(name)?.join(self.env.as_deref()?).join(variable))
    }

    pub(crate) fn container(&self) -> &[String] {
        &self.container
    }

    /// Whether it can start a program.
    pub(crate) fn has_stdio_entry(&self) -> bool {
        self.stdio.is_some()
    }

    /// Whether it can call an address with a header.
    pub(crate) fn has_http_entry(&self) -> bool {
        self.http.is_some() && self.headers.is_some()
    }

    /// Whether entries have variables.
    pub(crate) fn has_variables(&self) -> bool {
        self.env.is_some()
    }

    /// Entries of these names as a person puts them into its file.
    pub fn as_text(&self, entries: Vec<(String, Value)>) -> String {
        let servers: Value = if self.list {
            entries.into_iter().map(|(_, entry)| entry).collect()
        } else {
            Value::Object(entries.into_iter().collect())
        };
        let document = self
            .container
            .iter()
            .rev()
            .fold(servers, |inner, key| Value::Object(Map::from_iter([(key.clone(), inner)])));
        let toml = (self.format == Format::Toml).then(|| toml::to_string(&document).ok()).flatten();
        // YAML and JSON5 are read as JSON too.
        toml.unwrap_or_else(|| format!("{document:#}"))
    }

    /// The path of a header of an HTTP entry.
    pub fn header_path(&self, name: &str, header: &str) -> Option<KeyPath> {
        let headers = self.headers.as_ref()?;
        Some(headers.iter().fold(self.entry_path(name)?, KeyPath::join).join(header))
    }

    /// The entry that starts `program` with `args`.
    pub fn stdio_entry(&self, name: &str, program: &str, args: &[String]) -> Option<Value> {
        let command: Vec<&str> = std::iter::once(program).chain(args.iter().map(String::as_str)).collect();
        let words = [
            ("{name}", Value::from(name)),
            ("{program}", Value::from(program)),
            ("{args}", Value::from(args)),
            ("{command}", Value::from(command)),
        ];
        Some(filled(self.stdio.as_ref()?, &words))
    }

    /// The entry that calls `url` with the header `Authorization`.
    pub fn http_entry(&self, name: &str, url: &str, authorization: &str) -> Option<Value> {
        let words = [
            ("{name}", Value::from(name)),
            ("{url}", Value::from(url)),
            ("{authorization}", Value::from(authorization)),
        ];
        let mut entry = filled(self.http.as_ref()?, &words);
        if let (Some(field), Value::Object(map)) = (&self.listed_variables, &mut entry) {
            map.extend(self.variable_in(authorization).map(|name| (field.clone(), Value::from(vec![name]))));
        }
        Some(entry)
    }

    /// The variable that a text refers to.
    fn variable_in<'t>(&self, text: &'t str) -> Option<&'t str> {
        let of_environment = self.references.iter().filter(|known| known.kind == ReferenceKind::Environment);
        of_environment.filter_map(|known| known.spelling.split_once("NAME")).find_map(|(open, close)| {
            let (_, behind) = text.split_once(open)?;
            Some(behind.split_once(close)?.0)
        })
    }

    /// The entry that calls `url` and gets its token that way. `None`: the client does not offer it.
    pub fn http_entry_with(&self, name: &str, url: &str, credential: &Credential<'_>) -> Option<Value> {
        let (field, text) = match credential {
            Credential::Header(header) => return self.http_entry(name, url, header),
            Credential::Variable(variable) => (self.token_variable.as_ref()?, *variable),
            Credential::Command(command) => (self.headers_command.as_ref()?, *command),
        };
        let Value::Object(mut entry) = self.http_entry(name, url, "")? else { return None };
        entry.remove(self.headers.as_ref()?.first()?);
        entry.insert(field.clone(), Value::from(text));
        Some(Value::Object(entry))
    }

    /// The first reference of a kind that the client resolves.
    pub fn reference(&self, kind: ReferenceKind) -> Option<&Reference> {
        self.references.iter().find(|reference| reference.kind == kind)
    }
}

fn filled(template: &Value, words: &[(&str, Value)]) -> Value {
    match template {
        Value::String(text) => {
            let word = words.iter().find(|(word, _)| word == text);
            word.map_or_else(|| template.clone(), |(_, value)| value.clone())
        }
        Value::Array(items) => items.iter().map(|item| filled(item, words)).collect(),
        Value::Object(map) => Value::Object(
            map.iter().map(|(key, value)| (key.clone(), filled(value, words))).collect::<Map<_, _>>(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => template.clone(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    client: Vec<Client>,
}

static CLIENTS: LazyLock<Vec<Client>> = LazyLock::new(|| parsed(include_str!("clients.toml")));
static FILES: LazyLock<Vec<Client>> = LazyLock::new(|| parsed(include_str!("files.toml")));

fn parsed(table: &str) -> Vec<Client> {
    let table: Result<Table, _> = toml::from_str(table);
    table.expect("the tables are compiled in, and a test reads them").client
}

/// All clients, in the order of their ids.
pub fn clients() -> &'static [Client] {
    &CLIENTS
}

/// The client of that id.
pub fn client(id: &str) -> Option<&'static Client> {
    clients().iter().find(|client| client.id == id)
}

/// All that a token can be placed for: the clients, and files of which only the format is known.
pub fn apps() -> impl Iterator<Item = &'static Client> {
    clients().iter().chain(FILES.iter())
}

/// The client or the kind of file of that id.
pub fn app(id: &str) -> Option<&'static Client> {
    apps().find(|app| app.id == id)
}
