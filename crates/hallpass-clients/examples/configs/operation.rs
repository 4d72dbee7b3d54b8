//! What is to be done to a sample, and the edits that do it. Judges nothing.

use hallpass_clients::{Client, Dialect, Edit, EditError, Found, KeyPath, ReferenceKind, Undo, read, upsert};
use serde_json::{Value, json};

const URL: &str = "https://gateway.example.test/mcp";
const TOKEN: &str = "Bearer hp_test_PLACED";

pub(crate) struct Operation {
    /// The entry.
    pub(crate) name: String,
    kind: Kind,
}

#[derive(Clone, PartialEq)]
enum Kind {
    /// An entry that starts the bridge.
    AddStdio,
    /// An entry that calls the gateway; with a question for the token or with the token.
    AddHttp { input: bool },
    /// The entry is there and gets another token.
    Token,
    /// The entry is there and gets another transport.
    Convert { transport: String },
}

/// What was placed where.
pub(crate) struct Placed {
    pub(crate) path: KeyPath,
    pub(crate) value: Value,
    pub(crate) undo: Undo,
    pub(crate) item: bool,
}

impl Operation {
    /// Reads an operation as the manifest and the notes put it.
    pub(crate) fn of(op: &str, notes: &str, client: &Client) -> Result<Self, String> {
        let words: Vec<&str> = op.split_whitespace().collect();
        let told = notes.split_once("Operation:").map_or("", |(_, told)| told);
        let named = told.split('`').nth(1).or_else(|| words.get(1).copied());
        let name = named.ok_or_else(|| format!("`{op}` names no entry"))?.to_owned();
        let kind = match words.first() {
            Some(&"add") if words.iter().any(|word| matches!(*word, "stdio" | "bridge")) => Kind::AddStdio,
            Some(&"add") if client.http_entry("", "", "").is_none() => Kind::AddStdio,
            Some(&"add") => Kind::AddHttp { input: words.contains(&"input") },
            Some(&"rotate" | &"own") => Kind::Token,
            Some(&"convert") => {
                let transport = words.iter().skip_while(|word| **word != "to").nth(1);
                Kind::Convert { transport: transport.ok_or("to what?")?.to_string() }
            }
            Some(_) | None => return Err(format!("no operation is called `{op}`")),
        };
        Ok(Self { name, kind })
    }

    /// The edits one after the other; `text` is what they leave.
    pub(crate) fn carry_out(
        &self,
        client: &Client,
        text: &[u8],
    ) -> Result<(Vec<u8>, Vec<Placed>), EditError> {
        let (Some(dialect), Some(entry)) = (client.dialect(), client.entry_path(&self.name)) else {
            return Err(EditError::Guard);
        };
        let mut run = Run { dialect, text: text.to_vec(), placed: Vec::new() };
        match &self.kind {
            Kind::AddStdio => {
                let args = ["connect".to_owned(), "SERVER".to_owned()];
                let value = client.stdio_entry(&self.name, "/opt/hallpass/bin/hallpass", &args);
                run.place(&entry, value.unwrap_or_default())?;
            }
            Kind::AddHttp { input } => {
                let id = format!("{}-token", self.name);
                let question = client.reference(ReferenceKind::Input).filter(|_| *input);
                let token = question.map_or(TOKEN.to_owned(), |asked| format!("Bearer {}", asked.to(&id)));
                run.place(&entry, client.http_entry(&self.name, URL, &token).unwrap_or_default())?;
                if question.is_some() {
                    let input = json!({"type": "promptString", "id": id, "description": "Hallpass token", "password": true});
                    run.place_item(&KeyPath::new("inputs"), input)?;
                }
            }
            Kind::Token => {
                let path = client.header_path(&self.name, "Authorization").unwrap_or(entry);
                run.put(&path, json!(TOKEN), path.segments().len() - 2)?;
            }
            Kind::Convert { transport } => {
                let base = run.base(&entry)?;
                let template = client.http_entry(&self.name, URL, TOKEN).unwrap_or_default();
                run.fields(&base, &with_transport(template, transport))?;
            }
        }
        Ok((run.text, run.placed))
    }
}

/// The member that is called like a transport says the one that is asked for.
fn with_transport(mut entry: Value, transport: &str) -> Value {
    if let Some(kind) = entry.get_mut("type") {
        *kind = Value::from(transport);
    }
    entry
}

struct Run {
    dialect: Dialect,
    text: Vec<u8>,
    placed: Vec<Placed>,
}

impl Run {
    /// A new entry as a whole; one that is there keeps what is not ours.
    fn place(&mut self, path: &KeyPath, value: Value) -> Result<(), EditError> {
        match read(&self.text, self.dialect, path)? {
            Found::Present(there) if there.value.as_ref().is_some_and(Value::is_object) => {
                self.fields(path, &value)
            }
            Found::Present(_) | Found::Absent(_) => self.put(path, value, 0),
        }
    }

    fn fields(&mut self, path: &KeyPath, value: &Value) -> Result<(), EditError> {
        for (key, value) in value.as_object().into_iter().flatten() {
            let field = path.clone().join(key);
            let there = matches!(read(&self.text, self.dialect, &field)?, Found::Present(_));
            match value {
                Value::Object(_) if there => self.fields(&field, value)?,
                _ => self.put(&field, value.clone(), 0)?,
            }
        }
        Ok(())
    }

    fn put(&mut self, path: &KeyPath, value: Value, must_exist: usize) -> Result<(), EditError> {
        let edit = upsert(&self.text, self.dialect, path, &value, must_exist)?;
        self.took(edit, path, value, false);
        Ok(())
    }

    fn place_item(&mut self, list: &KeyPath, value: Value) -> Result<(), EditError> {
        let edit = hallpass_clients::upsert_item(&self.text, self.dialect, list, "id", &value)?;
        self.took(edit, list, value, true);
        Ok(())
    }

    fn took(&mut self, edit: Edit, path: &KeyPath, value: Value, item: bool) {
        self.text = edit.text;
        if edit.changed {
            self.placed.push(Placed { path: path.clone(), value, undo: edit.undo, item });
        }
    }

    /// The entry itself, or the one object in it that holds an address.
    fn base(&self, entry: &KeyPath) -> Result<KeyPath, EditError> {
        let Found::Present(there) = read(&self.text, self.dialect, entry)? else { return Ok(entry.clone()) };
        let members = there.value.as_ref().and_then(Value::as_object).into_iter().flatten();
        let nested = members.filter(|(_, value)| value.get("url").is_some()).map(|(key, _)| key).next();
        Ok(nested.map_or_else(|| entry.clone(), |key| entry.clone().join(key)))
    }
}
