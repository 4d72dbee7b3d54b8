//! The form of a corpus: cases, profiles, registries and keys, as files hold them. Judges nothing.

use crate::failure::Failure;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FORMAT: &str = "hallpass-attack-corpus";

/// One file of cases.
#[derive(Deserialize)]
pub(crate) struct Corpus {
    format: String,
    version: u64,
    pub(crate) now: i64,
    #[serde(default)]
    pub(crate) leeway: i64,
    #[serde(default)]
    pub(crate) issuer: String,
    #[serde(default)]
    pub(crate) audience: String,
    #[serde(default)]
    pub(crate) limits: BTreeMap<String, i64>,
    #[serde(default)]
    pub(crate) http_config: HttpConfig,
    pub(crate) profiles: BTreeMap<String, Profile>,
    pub(crate) cases: Vec<Case>,
}

/// What the listener is told.
#[derive(Deserialize)]
pub(crate) struct HttpConfig {
    #[serde(default)]
    pub(crate) allowed_hosts: Vec<String>,
    #[serde(default)]
    pub(crate) allowed_origins: Vec<String>,
    #[serde(default = "only_server")]
    pub(crate) path: String,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { allowed_hosts: Vec::new(), allowed_origins: Vec::new(), path: only_server() }
    }
}

fn only_server() -> String {
    "/mcp".to_owned()
}

/// What a verifier is told.
#[derive(Clone, Deserialize)]
pub(crate) struct Profile {
    pub(crate) keys: Vec<String>,
    #[serde(default)]
    pub(crate) kid_required: bool,
    pub(crate) default_key: Option<String>,
    #[serde(default = "any_jwt")]
    pub(crate) typ: Vec<Option<String>>,
    #[serde(default)]
    pub(crate) required: Vec<String>,
    #[serde(default)]
    pub(crate) jti_required_unless_legacy: bool,
    pub(crate) max_lifetime: Option<i64>,
    pub(crate) registry: Option<Registry>,
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) leeway: Option<i64>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

fn any_jwt() -> Vec<Option<String>> {
    vec![None, Some("JWT".to_owned())]
}

/// What is registered.
#[derive(Clone, Deserialize)]
pub(crate) struct Registry {
    #[serde(default)]
    pub(crate) clients: BTreeMap<String, ClientEntry>,
    #[serde(default)]
    pub(crate) tokens: BTreeMap<String, TokenEntry>,
    #[serde(default)]
    pub(crate) legacy_fingerprints_sha256: Vec<String>,
    pub(crate) legacy_iat_cutoff: Option<i64>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct ClientEntry {
    pub(crate) sub: String,
    #[serde(default)]
    pub(crate) disabled: bool,
}

#[derive(Clone, Deserialize)]
pub(crate) struct TokenEntry {
    pub(crate) client: String,
    pub(crate) status: Status,
    pub(crate) revoked_at: Option<i64>,
    pub(crate) accept_until: Option<i64>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Pending,
    Active,
    Superseded,
    Revoked,
}

#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) group: String,
    pub(crate) profile: String,
    pub(crate) input: Input,
    pub(crate) expect: Expect,
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) reason_alt: Vec<String>,
    #[serde(default)]
    pub(crate) expect_claims: Map<String, Value>,
    pub(crate) state: Option<State>,
}

/// What a server of the hello dialect is told beside its profile.
#[derive(Clone, Deserialize)]
pub(crate) struct State {
    pub(crate) grace: GracePeriod,
    #[serde(default)]
    pub(crate) legacy_shared_token: String,
    /// By which credential somebody is let in.
    pub(crate) expect_mode: Option<Mode>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GracePeriod {
    Off,
    Active,
    Ended,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    Jwt,
    Legacy,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Expect {
    Accept,
    Reject,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Input {
    Token(TokenText),
    Http(HttpRequest),
    WsFirstFrame {
        value: String,
    },
    #[serde(other)]
    Unknown,
}

/// A token: text, bytes in base64, or pieces to put together.
#[derive(Deserialize)]
pub(crate) struct TokenText {
    value: Option<String>,
    value_b64: Option<String>,
    #[serde(rename = "gen")]
    pieces: Option<Vec<Piece>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Piece {
    Literal { lit: String },
    Repeated { rep: String, n: usize },
}

#[derive(Deserialize)]
pub(crate) struct HttpRequest {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Corpus {
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let corpus: Self = serde_json::from_slice(&bytes_of(path)?)
            .map_err(|error| Failure::Unreadable { path: path.into(), why: error.to_string() })?;
        if corpus.format != FORMAT || corpus.version != 1 {
            let why =
                format!("it is `{}` version {}, not `{FORMAT}` version 1", corpus.format, corpus.version);
            return Err(Failure::Unreadable { path: path.into(), why });
        }
        Ok(corpus)
    }

    /// What stands in the file and is not read: to be said, for it could matter.
    pub(crate) fn not_read(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (name, profile) in &self.profiles {
            let registry = profile.registry.iter().flat_map(|registry| registry.rest.keys());
            let unread =
                profile.rest.keys().chain(registry).filter(|key| !["desc", "note"].contains(&key.as_str()));
            notes.extend(unread.map(|key| format!("`{key}` of the profile `{name}` is not known here")));
        }
        notes
    }
}

impl TokenText {
    /// The token's bytes.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        match (&self.value, &self.value_b64, &self.pieces) {
            (Some(text), None, None) => Some(text.clone().into_bytes()),
            (None, Some(text), None) => from_base64(text),
            (None, None, Some(pieces)) => {
                Some(pieces.iter().map(Piece::text).collect::<String>().into_bytes())
            }
            _ => None,
        }
    }
}

impl Piece {
    fn text(&self) -> String {
        match self {
            Self::Literal { lit } => lit.clone(),
            Self::Repeated { rep, n } => rep.repeat(*n),
        }
    }
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    hallpass_core::encoding::decode_base64url(text.as_bytes())
}

/// The keys that profiles name.
pub(crate) struct Keys(Vec<Value>);

impl Keys {
    /// The file beside the cases.
    pub(crate) fn beside(cases: &Path) -> PathBuf {
        cases.with_file_name("keys.json")
    }

    /// Public sets first, so that a name that is used twice means the key that is published.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let whole: Value = serde_json::from_slice(&bytes_of(path)?)
            .map_err(|error| Failure::Unreadable { path: path.into(), why: error.to_string() })?;
        let mut keys = Vec::new();
        for first in ["jwks_public", "jwks_private", "keys"] {
            whole.get(first).iter().for_each(|part| collect(part, &mut keys));
        }
        collect(&whole, &mut keys);
        Ok(Self(keys))
    }

    /// The JWK of that name, without its private half.
    pub(crate) fn get(&self, kid: &str) -> Option<Value> {
        let mut jwk = self.0.iter().find(|jwk| jwk["kid"] == kid)?.clone();
        jwk.as_object_mut()?.remove("d");
        Some(jwk)
    }
}

fn collect(part: &Value, keys: &mut Vec<Value>) {
    match part {
        Value::Object(object) if object.contains_key("kty") => keys.push(part.clone()),
        Value::Object(object) => object.values().for_each(|part| collect(part, keys)),
        Value::Array(list) => list.iter().for_each(|part| collect(part, keys)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::Unreadable { path: path.into(), why: error.to_string() })
}
