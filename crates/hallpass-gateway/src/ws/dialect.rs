//! The two languages that are spoken over WebSocket, and what a message is about in each. Judges and changes nothing.

use crate::config::{MessageLimits, SocketLimits};
use crate::line::Asked;
use crate::outcome;
use crate::wants::counts;
use hallpass_core::arguments::{Keeping, Kept};
use hallpass_core::tool_sieve::Form;
use hallpass_core::{Ask, Denial, Envelope, OpFrame, Outcome, ServerName};

/// An id longer than this belongs to no answer.
const ID_MOST: usize = 256;

/// Told by a connection's first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// One object with an `op` a frame, begun by `hello`.
    Hello,
    /// One JSON-RPC message a frame.
    Mcp,
}

/// What a client's message is, as far as it has to be known.
pub(crate) struct Message {
    /// For the log: the method, the `op`.
    pub(crate) method: Option<String>,
    pub(crate) asked: Asked,
    /// By which its answer is known, as it was spelt.
    pub(crate) id: Option<Box<str>>,
    pub(crate) weight: Weight,
    /// An answer with its id is waited for.
    pub(crate) waits: bool,
    /// It is of a revision that knows caches.
    pub(crate) caches: bool,
    /// What the program says of itself.
    pub(crate) client_info: Option<String>,
    /// What is kept of a call's arguments.
    pub(crate) arguments: Kept,
}

/// What is kept of arguments, on a connection to this server.
pub(crate) struct Keeps<'a> {
    pub(crate) keeping: &'a Keeping,
    pub(crate) server: &'a ServerName,
}

impl Keeps<'_> {
    fn of(&self, ask: Ask<'_>, arguments: Option<&str>) -> Kept {
        match ask {
            Ask::Tool(tool) => self.keeping.of(self.server, tool, arguments),
            Ask::Protocol | Ask::Other => Kept::Nothing,
        }
    }
}

impl Message {
    /// One that could not be read, or not in one way only.
    pub(crate) fn unread(id: Option<Box<str>>) -> Self {
        Self {
            method: None,
            asked: Asked::Other,
            id,
            weight: Weight::Recorded,
            waits: false,
            caches: false,
            client_info: None,
            arguments: Kept::Nothing,
        }
    }
}

/// How much is made of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// None: it keeps a connection alive, or answers the server.
    Light,
    /// It is recorded.
    Recorded,
    /// It is recorded, and counts for rates and for calls in flight.
    Counted,
}

/// The last answer to a call.
pub(crate) struct Answer {
    pub(crate) id: Box<str>,
    pub(crate) outcome: Outcome,
}

impl Dialect {
    pub(crate) fn limits(self, limits: &SocketLimits) -> MessageLimits {
        match self {
            Self::Hello => limits.hello,
            Self::Mcp => limits.mcp,
        }
    }

    /// Reads what a client sent. What two programs could read differently is refused.
    pub(crate) fn read(self, text: &[u8], keeps: &Keeps<'_>) -> Result<Message, Denial> {
        match self {
            Self::Hello => read_op(text, keeps),
            Self::Mcp => read_message(text, keeps),
        }
    }

    /// The id of a message that was refused unread, if it has one.
    pub(crate) fn id_of(self, text: &[u8]) -> Option<Box<str>> {
        match self {
            Self::Hello => OpFrame::peek(text)?.request_id.map(Into::into),
            Self::Mcp => Envelope::parse(text).ok()?.id.map(Into::into),
        }
    }

    /// Where a server's messages hold lists of tools.
    pub(crate) fn form(self) -> Form {
        match self {
            Self::Hello => Form::Frame,
            Self::Mcp => Form::JsonRpc,
        }
    }

    /// What a server's message answers, if it is the last answer to something.
    pub(crate) fn answer(self, text: &[u8]) -> Option<Answer> {
        match self {
            Self::Hello => {
                let frame = OpFrame::peek(text).filter(OpFrame::ends_call)?;
                let outcome = if frame.failed() { Outcome::Error } else { Outcome::Ok };
                Some(Answer { id: frame.request_id?.into(), outcome })
            }
            Self::Mcp => {
                let (id, outcome) = outcome::answer_in(text)?;
                Some(Answer { id: id.into(), outcome })
            }
        }
    }
}

fn read_op(text: &[u8], keeps: &Keeps<'_>) -> Result<Message, Denial> {
    let frame = OpFrame::parse(text).map_err(Denial::Envelope)?;
    // It would show the server a session and credentials that are not the gateway's.
    if frame.op.eq_ignore_ascii_case("hello") {
        return Err(Denial::AmbiguousRequest { what: "a second `hello`" });
    }
    // As with a first frame: who reads it decides what it is, and the policy would have judged the other one.
    if frame.is_json_rpc {
        return Err(Denial::AmbiguousRequest { what: "a frame that is a JSON-RPC message too" });
    }
    // What nobody here knows is recorded, and waits for no answer: who knows whether it gets one.
    let is_light = !frame.is_call() && frame.ask() == Ask::Protocol;
    Ok(Message {
        asked: Asked::of(frame.ask()),
        id: short(frame.request_id)?,
        waits: frame.is_call() && frame.request_id.is_some(),
        weight: if is_light { Weight::Light } else { Weight::Counted },
        caches: false,
        client_info: None,
        arguments: keeps.of(frame.ask(), frame.arguments),
        method: Some(frame.op.into_owned()),
    })
}

fn read_message(text: &[u8], keeps: &Keeps<'_>) -> Result<Message, Denial> {
    let envelope = Envelope::parse(text).map_err(Denial::Envelope)?;
    let method = envelope.method.as_deref();
    let ask = Ask::of(method, envelope.target.as_deref());
    Ok(Message {
        asked: Asked::of(ask),
        arguments: keeps.of(ask, envelope.arguments),
        id: if envelope.is_request() { short(envelope.id)? } else { None },
        waits: envelope.is_request(),
        weight: match method {
            None => Weight::Light,
            Some(_) if counts(&envelope) => Weight::Counted,
            Some(_) => Weight::Recorded,
        },
        caches: envelope.version.is_some(),
        client_info: envelope.client_info.clone(),
        method: method.map(str::to_owned),
    })
}

fn short(id: Option<&str>) -> Result<Option<Box<str>>, Denial> {
    match id {
        Some(id) if id.len() > ID_MOST => Err(Denial::AmbiguousRequest { what: "an id that is too long" }),
        id => Ok(id.map(Into::into)),
    }
}
