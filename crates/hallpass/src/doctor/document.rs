//! What a client's file says, in whichever format: its texts by their keys, the entries that start this program, the
//! addresses of a gateway. Reads no file.

use hallpass_clients::{Dialect, EditError, Found, KeyPath, read};
use serde_json::{Map, Value};

/// A name that no client has at the root of its file: what is there instead is what is wanted.
const NO_KEY: &str = "HALLPASS_LOOKS_AROUND";

/// A file that was read.
#[derive(Default)]
pub(super) struct Document {
    /// Every text, with the keys that lead to it. May hold secrets: there is no `Debug`.
    texts: Vec<(KeyPath, String)>,
    /// Entries that start this program.
    pub(super) starts: Vec<Start>,
}

/// An entry that starts the bridge, or a command that prints a header.
#[derive(Debug, PartialEq)]
pub(super) struct Start {
    /// Where.
    pub(super) key: KeyPath,
    /// What it starts, as it is written.
    pub(super) program: String,
    /// For whom.
    pub(super) client: String,
    /// In which home; `None`: in the usual one.
    pub(super) home: Option<String>,
}

/// The names at the root, if the file can be edited at all. A blank one is a new document.
pub(super) fn roots(bytes: &[u8], dialect: Dialect) -> Result<Vec<String>, EditError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    Ok(match read(bytes, dialect, &KeyPath::new(NO_KEY))? {
        Found::Absent(absent) => absent.siblings,
        Found::Present(_) => vec![NO_KEY.to_owned()],
    })
}

impl Document {
    /// Reads what stands under these names. What cannot be told there is left out.
    pub(super) fn read(bytes: &[u8], dialect: Dialect, roots: &[String]) -> Self {
        let mut document = Self::default();
        for root in roots {
            let path = KeyPath::new(root);
            if let Ok(Found::Present(present)) = read(bytes, dialect, &path)
                && let Some(value) = present.value
            {
                document.walk(&path, &value);
            }
        }
        document
    }

    fn walk(&mut self, path: &KeyPath, value: &Value) {
        match value {
            Value::String(text) => {
                self.starts.extend(helper(path, text));
                self.texts.push((path.clone(), text.clone()));
            }
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    self.walk(&path.clone().join(place.to_string()), item);
                }
            }
            Value::Object(map) => {
                self.starts.extend(bridge(path, map));
                for (key, value) in map {
                    self.walk(&path.clone().join(key), value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Where a token stands.
    pub(super) fn key_of(&self, token: &str) -> Option<&KeyPath> {
        self.texts.iter().find(|(_, text)| text.contains(token)).map(|(key, _)| key)
    }

    /// The addresses of gateways: where, and like `127.0.0.1:4255`.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (&KeyPath, &str)> {
        self.texts.iter().filter_map(|(key, text)| Some((key, authority(text)?)))
    }
}

/// `http://127.0.0.1:4255/c/NAME/s/SERVER/mcp` of this machine, in which no other program's addresses have that form.
fn authority(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("ws://"))?;
    let (authority, path) = rest.split_once('/')?;
    let is_gateways = path.starts_with("c/") && path.contains("/s/") && path.ends_with("/mcp");
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let is_here = host.starts_with("127.") || matches!(host, "localhost" | "[::1]");
    (is_gateways && is_here).then_some(authority)
}

/// `command` and `args`, or both in one list, of which the arguments are `connect SERVER --client NAME`.
fn bridge(path: &KeyPath, entry: &Map<String, Value>) -> Option<Start> {
    entry.values().find_map(|value| {
        let words: Vec<&str> = value.as_array()?.iter().filter_map(Value::as_str).collect();
        let begin = words.windows(4).position(|words| matches!(words, ["connect", _, "--client", _]))?;
        let program = match begin.checked_sub(1) {
            Some(before) => words[before],
            None => ["command", "cmd"].into_iter().find_map(|key| entry.get(key)?.as_str())?,
        };
        let arguments = &words[begin..];
        let home = arguments.iter().position(|word| *word == "--home");
        Some(Start {
            key: path.clone(),
            program: program.to_owned(),
            client: arguments[3].to_owned(),
            home: home.and_then(|place| arguments.get(place + 1)).map(|home| (*home).to_owned()),
        })
    })
}

/// `PROGRAM headers --client NAME --home HOME`, alone or as `Bearer $(...)`.
fn helper(path: &KeyPath, text: &str) -> Option<Start> {
    let (before, after) = text.split_once(" headers --client ")?;
    let before = before.rsplit_once("$(").map_or(before, |(_, program)| program);
    let client: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    let home = after.split_once(" --home ").map(|(_, rest)| first_word(rest));
    Some(Start { key: path.clone(), program: first_word(before), client, home })
}

/// The first word of a shell, as [`crate::target::quoted`] spells one.
fn first_word(text: &str) -> String {
    let Some(quoted) = text.strip_prefix('\'') else {
        return text.split([' ', ')']).next().unwrap_or_default().to_owned();
    };
    let whole = quoted.replace(r"'\''", "\0");
    whole.split('\'').next().unwrap_or_default().replace('\0', "'")
}

#[cfg(test)]
mod tests {
    use super::{Document, Start, roots};
    use crate::target::quoted;
    use hallpass_clients::{Dialect, KeyPath};

    fn read(text: &str, dialect: Dialect) -> Document {
        let roots = roots(text.as_bytes(), dialect).unwrap();
        Document::read(text.as_bytes(), dialect, &roots)
    }

    fn path(keys: &[&str]) -> KeyPath {
        KeyPath::try_from(keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn start(keys: &[&str], program: &str, home: Option<&str>) -> Start {
        let home = home.map(str::to_owned);
        Start { key: path(keys), program: program.into(), client: "ann".into(), home }
    }

    #[test]
    fn an_entry_is_known_however_its_client_spells_it() {
        let in_json =
            r#"{"mcpServers":{"docs":{"command":"/bin/hp","args":["connect","docs","--client","ann"]}}}"#;
        let in_one_list =
            r#"{"mcp":{"docs":{"command":["/bin/hp","connect","docs","--client","ann","--home","/h"]}}}"#;
        let in_yaml = "extensions:\n  docs:\n    cmd: /bin/hp\n    args: [connect, docs, --client, ann]\n";
        let in_toml = "[mcp_servers.docs]\ncommand = \"/bin/hp\"\nargs = [\"connect\", \"docs\", \"--client\", \"ann\"]\n";
        for (text, dialect, expect) in [
            (in_json, Dialect::Json, start(&["mcpServers", "docs"], "/bin/hp", None)),
            (in_one_list, Dialect::Jsonc, start(&["mcp", "docs"], "/bin/hp", Some("/h"))),
            (in_yaml, Dialect::Yaml, start(&["extensions", "docs"], "/bin/hp", None)),
            (in_toml, Dialect::Toml, start(&["mcp_servers", "docs"], "/bin/hp", None)),
        ] {
            assert_eq!(read(text, dialect).starts, [expect]);
        }
    }

    #[test]
    fn a_command_for_headers_is_known_too() {
        for program in ["/bin/hp", "/a b/it's hp"] {
            let command = format!("{} headers --client ann --home {}", quoted(program), quoted("/my home"));
            for text in [command.clone(), format!("Bearer $({command} --bare)")] {
                let document = serde_json::json!({ "a": { "h": text } }).to_string();
                let expect = start(&["a", "h"], program, Some("/my home"));
                assert_eq!(read(&document, Dialect::Json).starts, [expect]);
            }
        }
    }

    #[test]
    fn other_programs_and_addresses_are_nobodys_business() {
        let text = r#"{"a":{"command":"npx","args":["connect","docs"],"url":"http://127.0.0.1:1/mcp"},
            "b":["http://example.test/c/ann/s/docs/mcp","http://127.0.0.1:1/c/x"]}"#;
        let document = read(text, Dialect::Json);
        assert_eq!(document.starts, []);
        assert_eq!(document.addresses().count(), 0);
    }

    #[test]
    fn addresses_of_this_machine_are_found() {
        let text = r#"{"a":{"url":"http://127.0.0.1:4255/c/ann/s/docs/mcp"},"b":"ws://[::1]:1/c/a/s/b/mcp"}"#;
        let document = read(text, Dialect::Json);
        let found: Vec<_> = document.addresses().map(|(key, address)| (key.to_string(), address)).collect();
        assert_eq!(found, [("a.url".into(), "127.0.0.1:4255"), ("b".into(), "[::1]:1")]);
    }

    #[test]
    fn a_blank_file_is_no_damaged_one() {
        for dialect in [Dialect::Json, Dialect::Jsonc, Dialect::Toml, Dialect::Yaml, Dialect::Env] {
            assert_eq!(roots(b" \n", dialect).unwrap(), Vec::<String>::new());
        }
        assert!(roots(b"{", Dialect::Json).is_err());
    }
}
