//! What a WebSocket client is told when it is refused or cut off: the only place that turns a refusal into an error
//! word, an answer and a close code. Decides nothing.

use crate::failure::Failure;
use crate::line::Cut;
use crate::message::id_to_repeat;
use crate::ws::close::Close;
use crate::ws::dialect::Dialect;
use crate::ws::receive::Fault;
use hallpass_core::denial::Answer;
use hallpass_core::{Denial, FirstFrameFault, ServerName};
use serde_json::{Value, json};

/// The JSON-RPC code for a message that comes before anybody knows who sends it.
const NOT_LET_IN: i32 = -32000;

/// A server's own word that it is stopping, and ours.
pub(crate) const GOING_AWAY: u16 = 1001;
const PROTOCOL: u16 = 1002;
const NOT_TEXT: u16 = 1003;
const NOT_UTF8: u16 = 1007;
const AGAINST_THE_RULES: u16 = 1008;
const TOO_LARGE: u16 = 1009;
const OUR_FAULT: u16 = 1011;
const LATER: u16 = 1013;
const BAD_GATEWAY: u16 = 1014;
const NOT_JSON: u16 = 4000;
const NO_HELLO: u16 = 4001;
const NO_HELLO_IN_TIME: u16 = 4002;
const UNAUTHORIZED_HELLO: u16 = 4003;
const UNAUTHORIZED: u16 = 4401;
const FORBIDDEN: u16 = 4403;
const LATE: u16 = 4408;

/// What a connection is left with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LastWord {
    pub(crate) text: Option<String>,
    pub(crate) close: Close,
}

/// What had been said when the connection was refused.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// Nothing, or nothing that is a beginning.
    Nothing {
        for_mcp: bool,
    },
    Hello,
    JsonRpc {
        id: Option<Box<str>>,
        is_initialize: bool,
    },
}

/// What kind of refusal it is, as far as close codes tell them apart.
enum Class {
    Credential,
    Policy,
    Later,
    OurFault,
    Other,
}

fn class(denial: &Denial) -> Class {
    match denial {
        Denial::SeveralCredentials
        | Denial::MalformedCredential
        | Denial::FirstFrame(FirstFrameFault::WrongType(_)) => Class::Credential,
        Denial::TooManyInFlight
        | Denial::TooFast { .. }
        | Denial::LogUnavailable
        | Denial::NotRecorded
        | Denial::Stale => Class::Later,
        Denial::PolicyDenied { .. } => Class::Policy,
        Denial::Internal => Class::OurFault,
        _ => match denial.answer() {
            Answer::CredentialWanted | Answer::InvalidToken => Class::Credential,
            Answer::InsufficientScope => Class::Policy,
            Answer::Status(..) => Class::Other,
        },
    }
}

/// What a refused beginning is left with. `in_grace`: a grace period is running.
pub(crate) fn refusal(denial: &Denial, said: &Said, in_grace: bool) -> LastWord {
    let close = |code| Close::new(code, &denial.caller_text());
    if let Denial::FirstFrame(fault) = denial {
        let for_mcp = matches!(said, Said::Nothing { for_mcp: true });
        let last = |text: Option<Value>, code| LastWord {
            text: text.map(|text| text.to_string()),
            close: close(code),
        };
        match fault {
            FirstFrameFault::NotJson | FirstFrameFault::Both => return last(None, NOT_JSON),
            FirstFrameFault::NoHello => return last(Some(not_ok("missing_hello")), NO_HELLO),
            FirstFrameFault::Late => return last(None, if for_mcp { LATE } else { NO_HELLO_IN_TIME }),
            FirstFrameFault::Binary => return last(None, NOT_TEXT),
            FirstFrameFault::TooLarge => return last(None, TOO_LARGE),
            FirstFrameFault::WrongType(_) => {}
        }
    }
    let class = class(denial);
    match said {
        Said::Nothing { .. } => LastWord { text: None, close: close(code(&class, Dialect::Mcp)) },
        Said::Hello => {
            let word = match class {
                Class::Credential if in_grace => "unauthorized",
                Class::Credential => "jwt_required",
                Class::Policy | Class::Later | Class::OurFault | Class::Other => denial.code(),
            };
            LastWord { text: Some(not_ok(word).to_string()), close: close(code(&class, Dialect::Hello)) }
        }
        Said::JsonRpc { id, is_initialize } => {
            let code = match class {
                Class::Credential if !is_initialize => NO_HELLO,
                class => code(&class, Dialect::Mcp),
            };
            let text = json_rpc_error(id.as_deref(), NOT_LET_IN, &denial.caller_text());
            LastWord { text: Some(text), close: close(code) }
        }
    }
}

fn code(class: &Class, dialect: Dialect) -> u16 {
    match (class, dialect) {
        // The hello dialect knows one code for whoever may not, whatever the reason.
        (Class::Credential | Class::Policy, Dialect::Hello) => UNAUTHORIZED_HELLO,
        (Class::Credential, Dialect::Mcp) => UNAUTHORIZED,
        (Class::Policy, Dialect::Mcp) => FORBIDDEN,
        (Class::Later, _) => LATER,
        (Class::OurFault, _) => OUR_FAULT,
        (Class::Other, _) => AGAINST_THE_RULES,
    }
}

fn not_ok(word: &str) -> Value {
    json!({ "op": "hello_ack", "ok": false, "error": word })
}

/// The welcome of the hello dialect.
pub(crate) fn welcome(session: &str) -> String {
    json!({ "op": "hello_ack", "ok": true, "session_id": session }).to_string()
}

/// What a caller is left with whose server let it down before it was welcome.
pub(crate) fn failure(failure: Failure, server: &ServerName, said: &Said) -> LastWord {
    let reason = failure.caller_text(server);
    let text = match said {
        Said::Nothing { .. } => None,
        Said::Hello => Some(not_ok(failure.code()).to_string()),
        Said::JsonRpc { id, .. } => {
            Some(json_rpc_error(id.as_deref(), i32::from(failure.status().as_u16()), &reason))
        }
    };
    LastWord { text, close: Close::new(BAD_GATEWAY, &reason) }
}

/// How a connection is closed that the gateway cuts.
pub(crate) fn cut(cut: &Cut, dialect: Dialect) -> Close {
    match cut {
        Cut::Denied(denial) => Close::new(code(&class(denial), dialect), &denial.caller_text()),
        Cut::Shutdown => Close::new(GOING_AWAY, "the gateway is stopping"),
    }
}

/// How a connection is closed whose server broke off.
pub(crate) fn broken(failure: Failure, server: &ServerName) -> Close {
    Close::new(BAD_GATEWAY, &failure.caller_text(server))
}

/// How a connection is closed on which something came that is no message.
pub(crate) fn fault(fault: Fault) -> Close {
    let (code, reason) = match fault {
        // There is nobody left to read it.
        Fault::Gone => (GOING_AWAY, "gone"),
        Fault::Protocol(what) => (PROTOCOL, what),
        Fault::Binary => (NOT_TEXT, "messages are text frames"),
        Fault::NotUtf8 => (NOT_UTF8, "a text that is not UTF-8"),
        Fault::TooLarge => (TOO_LARGE, "a message or a frame that is too large"),
        Fault::TooManyPieces => (AGAINST_THE_RULES, "a message in too many pieces"),
        Fault::TooManyControls => (AGAINST_THE_RULES, "too many pings"),
    };
    Close::new(code, reason)
}

/// A server's close as the client gets it: a server that refuses the gateway does not refuse the client.
pub(crate) fn passed_on(close: Close) -> Close {
    match close.code {
        UNAUTHORIZED_HELLO | UNAUTHORIZED | FORBIDDEN => Close { code: BAD_GATEWAY, ..close },
        _ => close,
    }
}

/// The answer to a message that is refused while the connection goes on. Without an id there is nobody to answer in
/// MCP.
pub(crate) fn refused_message(
    dialect: Dialect,
    id: Option<&str>,
    calls_tool: bool,
    denial: &Denial,
    request_id: &str,
) -> Option<String> {
    match dialect {
        Dialect::Hello => {
            let op = if calls_tool { "call_tool_res" } else { "error" };
            let (code, message) = (Value::from(denial.code()), Value::from(denial.caller_text()));
            let error =
                format!(r#"{{"code":{code},"message":{message},"gateway_request_id":"{request_id}"}}"#);
            let id = id.map(|id| format!(r#""request_id":{},"#, id_to_repeat(id))).unwrap_or_default();
            Some(format!(r#"{{"op":"{op}",{id}"error":{error}}}"#))
        }
        Dialect::Mcp => {
            let status = match denial.answer() {
                Answer::CredentialWanted | Answer::InvalidToken => 401,
                Answer::InsufficientScope => 403,
                Answer::Status(status, _) => i32::from(status),
            };
            id.map(|id| json_rpc_error(Some(id), status, &denial.caller_text()))
        }
    }
}

fn json_rpc_error(id: Option<&str>, code: i32, message: &str) -> String {
    let id = id.map_or("null".into(), id_to_repeat);
    let message = Value::from(message);
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message}}}}}"#)
}
