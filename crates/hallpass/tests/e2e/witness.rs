//! What a client is asked to do and what it saw: the same words for every SDK.
//! Knows neither an SDK nor Hallpass.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{rmcp_client, typescript};

/// Where a client is sent, and as whom.
#[derive(Clone, Default)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) token: Option<String>,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Target {
    pub(crate) fn anonymous(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    pub(crate) fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Revision {
    #[serde(rename = "2025-11-25")]
    Sessions,
    #[serde(rename = "2026-07-28")]
    Stateless,
}

impl Revision {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sessions => "2025-11-25",
            Self::Stateless => "2026-07-28",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Sdk {
    TypeScript,
    Rmcp,
}

impl Sdk {
    /// Connects, lists the tools, makes the calls in turn, closes. The first failure ends the visit.
    pub(crate) async fn visit(self, revision: Revision, target: &Target, calls: &[Call]) -> Witness {
        match self {
            Self::TypeScript => typescript::visit(revision, target, calls).await,
            Self::Rmcp => rmcp_client::visit(revision, target, calls).await,
        }
    }
}

#[derive(Clone, Serialize)]
pub(crate) struct Call {
    pub(crate) tool: &'static str,
    pub(crate) arguments: Value,
    /// Made as soon as the first progress of this call arrives: a relay that buffers never gets so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) meanwhile: Option<Box<Call>>,
    /// How many progress notifications the call is known to send.
    #[serde(skip)]
    pub(crate) progress: usize,
}

impl Call {
    pub(crate) fn echo(message: &str) -> Self {
        Self::plain("echo", json!({ "message": message }))
    }

    pub(crate) fn add(a: i64, b: i64) -> Self {
        Self::plain("add", json!({ "a": a, "b": b }))
    }

    pub(crate) fn count(to: usize) -> Self {
        Self { progress: to, ..Self::plain("count", json!({ "to": to })) }
    }

    /// The server holds this call after its first progress until `release` is called.
    pub(crate) fn hold() -> Self {
        let release = Self::plain("release", json!({}));
        Self { progress: 1, meanwhile: Some(Box::new(release)), ..Self::plain("hold", json!({})) }
    }

    /// The server answers with the request's headers as it got them.
    pub(crate) fn headers() -> Self {
        Self::plain("headers", json!({}))
    }

    fn plain(tool: &'static str, arguments: Value) -> Self {
        Self { tool, arguments, meanwhile: None, progress: 0 }
    }
}

/// What a client saw of a visit.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Witness {
    pub(crate) revision: Option<String>,
    pub(crate) server: Option<String>,
    pub(crate) tools: Vec<String>,
    pub(crate) calls: Vec<Answer>,
    pub(crate) failure: Option<Failure>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
pub(crate) struct Answer {
    pub(crate) tool: String,
    pub(crate) text: Option<String>,
    pub(crate) progress: Vec<f64>,
    pub(crate) meanwhile: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    /// The SDK's own name for the error.
    pub(crate) class: String,
    pub(crate) message: String,
    pub(crate) status: Option<u16>,
    pub(crate) challenge: Option<String>,
    /// The TypeScript client shows it; rmcp does not.
    pub(crate) body: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    Connect,
    List,
    Call,
}
