//! What can go wrong on the way to an answer, and the words for it. Knows no token.

use std::fmt;
use std::path::PathBuf;

use bytes::Bytes;
use http::StatusCode;

use super::message::Id;

/// A line of standard input that is not one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Garbage {
    TooLong,
    NotUtf8,
    NotJson,
    Batch,
    NotAMessage,
    IdInUse,
}

/// Why a call has no answer of the server.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    Token(TokenProblem),
    Unreachable {
        authority: String,
        detail: String,
    },
    Broken {
        detail: String,
    },
    Cut {
        detail: String,
    },
    /// The stream could be resumed by its rules, and was not there any more.
    NotResumed {
        cause: Box<Failure>,
    },
    Refused(Box<Refusal>),
    /// The server's own error, without an id: its bytes are kept.
    Server {
        error: Box<str>,
    },
    NoAnswer {
        status: StatusCode,
    },
    NotAnAnswer,
    TooLarge,
    SessionLost {
        cause: Box<Failure>,
    },
    /// Standard input ended, and this call with it.
    Closing,
}

/// What is wrong with the place the token is read from.
#[derive(Clone, Debug)]
pub(crate) enum TokenProblem {
    Missing(PathBuf),
    Unreadable(PathBuf, String),
    NotAFile(PathBuf),
    OpenToOthers(PathBuf, u32),
    OtherOwner(PathBuf),
    Empty(TokenPlace),
    Malformed(TokenPlace),
}

/// Where the token is read from.
#[derive(Clone, Debug)]
pub(crate) enum TokenPlace {
    File(PathBuf),
    Environment,
}

/// An HTTP answer that is not a success.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) client: String,
    pub(super) description: Option<String>,
    pub(super) request_id: Option<String>,
    /// Asked before a session was there, so perhaps to find out which revision is spoken.
    pub(super) is_probe: bool,
}

impl Failure {
    /// The JSON-RPC answer to a waiting id, on one line.
    pub(super) fn answer(&self, id: &Id) -> Bytes {
        let error = match self {
            Self::Server { error } => error.replace(['\n', '\r'], ""),
            _ => error_object(self.code(), &self.to_string()),
        };
        answer(&id.raw, &error)
    }

    /// An HTTP status: the codes of JSON-RPC and of MCP say something else.
    fn code(&self) -> i32 {
        match self {
            Self::Token(_) => 401,
            Self::Unreachable { .. } => 503,
            Self::Refused(refusal) => refusal.code(),
            Self::SessionLost { .. } => 404,
            Self::Closing => 499,
            Self::Broken { .. }
            | Self::Cut { .. }
            | Self::NotResumed { .. }
            | Self::Server { .. }
            | Self::NoAnswer { .. }
            | Self::NotAnAnswer
            | Self::TooLarge => 502,
        }
    }
}

impl Refusal {
    fn code(&self) -> i32 {
        match self.status.as_u16() {
            // A client that asks for a newer revision takes this as `no` and starts with `initialize`.
            400 | 404 | 405 | 406 | 415 if self.is_probe => -32601,
            status => i32::from(status),
        }
    }

    fn advice(&self) -> String {
        let client = &self.client;
        match self.status.as_u16() {
            401 => format!("the pass was not accepted: run `hallpass issue {client}`"),
            403 => format!("this call is not allowed: `hallpass show {client}` says what is"),
            404 => "nothing answers at this address: `hallpass status` lists the servers".to_owned(),
            413 => "the message is too large".to_owned(),
            429 => "too many calls: wait and try again".to_owned(),
            300..=399 => "redirects are not followed".to_owned(),
            500..=599 => "the server or the gateway is in trouble: see `hallpass log`".to_owned(),
            _ => "the call was refused".to_owned(),
        }
    }
}

impl Garbage {
    /// The JSON-RPC answer, to `null` because the line's id cannot be known for sure.
    pub(crate) fn answer(self) -> Bytes {
        answer("null", &error_object(self.code(), &self.to_string()))
    }

    pub(crate) fn answer_to(self, id: &Id) -> Bytes {
        answer(&id.raw, &error_object(self.code(), &self.to_string()))
    }

    fn code(self) -> i32 {
        match self {
            Self::TooLong | Self::NotUtf8 | Self::NotJson => -32700,
            Self::Batch | Self::NotAMessage | Self::IdInUse => -32600,
        }
    }
}

fn error_object(code: i32, message: &str) -> String {
    format!(r#"{{"code":{code},"message":{}}}"#, serde_json::Value::from(message))
}

fn answer(id: &str, error: &str) -> Bytes {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into()
}

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "a line of more than 16 MiB was left out",
            Self::NotUtf8 => "the line is not UTF-8",
            Self::NotJson => "the line is not JSON: one message a line is expected",
            Self::Batch => "batches are not taken: send one message a line",
            Self::NotAMessage => "the line is not a JSON-RPC message, or names a member twice",
            Self::IdInUse => "a request with this id is still waiting for its answer",
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(problem) => problem.fmt(f),
            Self::Unreachable { authority, detail } => write!(
                f,
                "cannot reach the gateway at http://{authority}: is `hallpass serve` running? ({detail})"
            ),
            Self::Broken { detail } => {
                write!(f, "the gateway closed the connection without an answer: {detail}")
            }
            Self::Cut { detail } => write!(
                f,
                "the gateway ended the stream: {detail}; the server went away, or the pass was revoked: see `hallpass log`"
            ),
            Self::NotResumed { cause } => {
                write!(f, "the gateway ended the stream, and it could not be resumed: {cause}")
            }
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Server { .. } => f.write_str("the server answered with an error"),
            Self::NoAnswer { status } => {
                write!(f, "the server took the request (HTTP {status}) and gave no answer")
            }
            Self::NotAnAnswer => f.write_str("what the server sent is not an answer to this request"),
            Self::TooLarge => f.write_str("the answer is larger than 64 MiB"),
            Self::SessionLost { cause } => {
                write!(f, "the server ended the session, and a new one could not be started: {cause}")
            }
            Self::Closing => f.write_str("standard input ended before the answer came"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.description {
            Some(description) => f.write_str(description)?,
            None => f.write_str(&self.advice())?,
        }
        write!(f, " (HTTP {}", self.status.as_u16())?;
        if let Some(request_id) = &self.request_id {
            write!(f, ", request {request_id}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for TokenProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => {
                write!(f, "there is no token at `{}`: run `hallpass issue`", path.display())
            }
            Self::Unreadable(path, detail) => {
                write!(f, "cannot read the token at `{}`: {detail}", path.display())
            }
            Self::NotAFile(path) => write!(f, "`{}` is not a file with a token", path.display()),
            Self::OpenToOthers(path, mode) => write!(
                f,
                "others can read the token at `{}` (mode {mode:o}): run `hallpass issue`, which makes a new one",
                path.display()
            ),
            Self::OtherOwner(path) => {
                write!(f, "the token at `{}` belongs to another user", path.display())
            }
            Self::Empty(place) => write!(f, "{place} is empty: run `hallpass issue`"),
            Self::Malformed(place) => {
                write!(f, "{place} holds something that is not a token: run `hallpass issue`")
            }
        }
    }
}

impl fmt::Display for TokenPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the token file `{}`", path.display()),
            Self::Environment => f.write_str("`HALLPASS_TOKEN`"),
        }
    }
}
