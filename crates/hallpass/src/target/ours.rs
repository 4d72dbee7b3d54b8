//! Tells what we wrote for a client from what somebody else wrote.

use super::shape::token_in;
use crate::home::SHIM;
use hallpass_core::{ClientName, TokenDigest};
use hallpass_store::TokenRow;
use serde_json::Value;
use std::collections::HashSet;
use std::path::Path;

/// What is known of a client's own: its name, and the tokens that it ever had.
#[derive(Clone, Debug)]
pub struct Ours {
    name: String,
    tokens: HashSet<TokenDigest>,
}

/// The variable that a client's token is in, where the client reads it from its environment.
pub fn token_variable(client: &ClientName) -> String {
    format!("HALLPASS_TOKEN_{}", client.as_str().replace('-', "_").to_ascii_uppercase())
}

impl Ours {
    /// Of a client with these tokens.
    pub fn of(client: &ClientName, tokens: &[TokenRow]) -> Self {
        Self { name: client.to_string(), tokens: tokens.iter().map(|token| token.digest).collect() }
    }

    /// The same, of one token only.
    pub fn of_token(client: &ClientName, token: TokenDigest) -> Self {
        Self { tokens: HashSet::from([token]), ..Self::of(client, &[]) }
    }

    /// Whether a value is one of the tokens, or an entry that holds one.
    pub fn holds(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.is_token(text),
            Value::Array(items) => items.iter().any(|item| self.holds(item)),
            Value::Object(map) => map.values().any(|value| self.holds(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// Whose.
    pub fn client(&self) -> &str {
        &self.name
    }

    /// Whether a value is the client's token, an entry that leads to it, or the shim.
    pub fn knows(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.is_token(text) || is_shim_link(text),
            Value::Object(_) => self.is_led_to(value) || self.is_called(value),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
        }
    }

    /// Whether an entry has the client's own address. In a list it is an argument of another program's.
    fn is_called(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains(&format!("/c/{}/s/", self.name)) && text.ends_with("/mcp"),
            Value::Object(map) => map.values().any(|value| self.is_called(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
        }
    }

    fn is_led_to(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.is_token(text) || self.is_given_by(text),
            Value::Array(items) => self.is_started_by(items) || items.iter().any(|item| self.is_led_to(item)),
            Value::Object(map) => map.values().any(|value| self.is_led_to(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn is_token(&self, text: &str) -> bool {
        let token = text.strip_prefix("Bearer ").unwrap_or(text);
        self.tokens.contains(&TokenDigest::of(token_in(token)))
    }

    /// `connect SERVER --client NAME`, wherever it stands in a command.
    fn is_started_by(&self, items: &[Value]) -> bool {
        let words: Vec<&str> = items.iter().map(|item| item.as_str().unwrap_or_default()).collect();
        words.windows(4).any(|words| matches!(words, ["connect", _, "--client", name] if *name == self.name))
    }

    /// A helper command of this client. Another's name may begin like it. That a token file or a variable is named says
    /// nothing: somebody's own entry may read them too, and ours has the client's address besides.
    fn is_given_by(&self, text: &str) -> bool {
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || "-_".contains(c));
        text.split(&format!("headers --client {}", self.name)).skip(1).any(ends)
    }
}

/// Whether that `command` is the shim's link, in whichever home.
pub fn is_shim_link(command: &str) -> bool {
    Path::new(command).file_name().is_some_and(|name| name == SHIM)
}
