//! What happened, as one record and as one line. Holds no part of a credential: a token is named by its `jti`.

use crate::arguments::{ArgumentHashes, Kept};
use crate::harmless_json;
use crate::time::UnixTime;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt::Write as _;

/// Room for a line as most are, in bytes.
const LINE_USUAL: usize = 768;

/// How a call or an act ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Answered.
    Ok,
    /// The server answered with an error.
    Error,
    /// Refused by the gateway: nothing reached the server.
    Refused,
    /// The gateway ended the answer: revoked, expired or shutting down.
    Cut,
    /// The caller went away before the end.
    Gone,
    /// The server could not be reached or broke off.
    Failed,
    /// An act of an operator, done.
    Done,
}

impl Outcome {
    /// The word in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Refused => "refused",
            Self::Cut => "cut",
            Self::Gone => "gone",
            Self::Failed => "failed",
            Self::Done => "done",
        }
    }

    /// Reads what [`Outcome::as_str`] wrote.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Ok, Self::Error, Self::Refused, Self::Cut, Self::Gone, Self::Failed, Self::Done]
            .into_iter()
            .find(|outcome| outcome.as_str() == word)
    }
}

/// One call through the gateway, or one act of an operator. Times in milliseconds and microseconds as named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Milliseconds since the epoch.
    pub at_ms: i64,
    /// `call`, or the act: `issue`, `revoke`, ...
    pub kind: Cow<'static, str>,
    /// How it ended.
    pub outcome: Outcome,
    /// Its number among the acts; none for a call.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub act: Option<i64>,
    /// The client's name, once it is verified.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client: Option<String>,
    /// The token's public handle, once it is verified to be ours.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub jti: Option<String>,
    /// The MCP server.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub server: Option<String>,
    /// The JSON-RPC method, or the HTTP method where there is no message.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub method: Option<String>,
    /// The tool called.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tool: Option<String>,
    /// The arguments of a call of a tool that the owner named: their JSON text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub arguments: Option<String>,
    /// There was more of it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub arguments_cut: bool,
    /// Hashes of the arguments, under a key of the installation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub arguments_hash: Option<ArgumentHashes>,
    /// Why it was refused or cut, or why an operator did it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Who did it, if it was a person at this machine.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    /// HTTP status of the answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// From the request's head until the answer's last byte was here. The wait for its record comes after that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub duration_us: Option<u64>,
    /// Bytes of the request's body.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bytes_in: Option<u64>,
    /// Bytes of the answer's body.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bytes_out: Option<u64>,
    /// How many requests it stands for, where refusals came in a flood and were written as one; `None`: one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub count: Option<u64>,
    /// When the last of these came, in milliseconds since the epoch; `at_ms` is the first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until_ms: Option<i64>,
    /// It was let in (or refused) by the shared secret of a grace period: nobody can tell who it was.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub legacy: bool,
    /// The client whose path was dialled with the shared secret.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path_client: Option<String>,
    /// The session of a WebSocket connection, as its client named it. Never an identity.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<String>,
    /// What was decided about a `hello`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hello: Option<HelloNote>,
    /// The policy that would have refused the call if it did more than watch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub would_refuse: Option<String>,
    /// As which reason.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub would_reason: Option<String>,
    /// `clientInfo` as the caller says of itself: name and version. Never an identity.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_info: Option<String>,
    /// `User-Agent` as the caller says of itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_agent: Option<String>,
    /// The caller's address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
    /// The gateway's name for the request: also in the answer's `Hallpass-Request-Id`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_id: Option<String>,
}

/// What was decided about a `hello`, beside the outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloNote {
    /// The subject of the client whose token was good.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<String>,
    /// A grace period was running.
    pub in_grace: bool,
}

impl Event {
    /// An empty record of something that happened at `at_ms`.
    pub fn new(at_ms: i64, kind: impl Into<Cow<'static, str>>, outcome: Outcome) -> Self {
        Self {
            at_ms,
            kind: kind.into(),
            outcome,
            act: None,
            client: None,
            jti: None,
            server: None,
            method: None,
            tool: None,
            arguments: None,
            arguments_cut: false,
            arguments_hash: None,
            reason: None,
            by: None,
            status: None,
            duration_us: None,
            bytes_in: None,
            bytes_out: None,
            count: None,
            until_ms: None,
            legacy: false,
            path_client: None,
            session: None,
            hello: None,
            would_refuse: None,
            would_reason: None,
            client_info: None,
            user_agent: None,
            address: None,
            request_id: None,
        }
    }

    /// One line for eyes: `2026-11-23T00:00:00.123Z client=vscode1 server=docs method=tools/call tool=echo 4.1ms ok`.
    pub fn text_line(&self) -> String {
        let mut line = self.time();
        if self.kind != "call" {
            field(&mut line, "act", Some(&self.kind));
        }
        field(&mut line, "client", self.client.as_deref().or(self.is_call().then_some("-")));
        if self.legacy {
            line.push_str(" legacy");
        }
        field(&mut line, "path", self.path_client.as_deref());
        field(&mut line, "session", self.session.as_deref());
        field(&mut line, "server", self.server.as_deref());
        field(&mut line, "method", self.method.as_deref());
        field(&mut line, "tool", self.tool.as_deref());
        if let Some(micros) = self.duration_us {
            let _ = write!(line, " {}.{}ms", micros / 1000, micros % 1000 / 100);
        }
        let _ = write!(line, " {}", self.outcome.as_str());
        field(&mut line, "reason", self.reason.as_deref());
        field(&mut line, "by", self.by.as_deref());
        field(&mut line, "would_refuse", self.would_refuse.as_deref());
        field(&mut line, "would_reason", self.would_reason.as_deref());
        field(&mut line, "times", self.count.map(|count| count.to_string()).as_deref());
        field(&mut line, "status", self.status.map(|status| status.to_string()).as_deref());
        field(&mut line, "in", self.bytes_in.map(|bytes| bytes.to_string()).as_deref());
        field(&mut line, "out", self.bytes_out.map(|bytes| bytes.to_string()).as_deref());
        field(&mut line, "jti", self.jti.as_deref());
        field(&mut line, "info", self.client_info.as_deref());
        field(&mut line, "agent", self.user_agent.as_deref());
        field(&mut line, "from", self.address.as_deref());
        field(&mut line, "request", self.request_id.as_deref());
        line
    }

    /// One line for programs: the record as a JSON object, with its time in RFC 3339 too. It steers no terminal.
    pub fn json_line(&self) -> String {
        let mut line = Vec::with_capacity(LINE_USUAL);
        // Put in front by hand: to flatten one into the other takes longer than all the rest of it.
        line.extend_from_slice(br#"{"time":""#);
        line.extend_from_slice(self.time().as_bytes());
        line.push(b'"');
        let members = line.len();
        // Neither a key that is no text nor a number that is none is in an event.
        let _ = serde_json::to_writer(&mut line, self);
        // The brace that would begin the second object.
        if let Some(brace) = line.get_mut(members) {
            *brace = b',';
        }
        let line = String::from_utf8(line).unwrap_or_default();
        match harmless_json(&line) {
            Cow::Borrowed(_) => line,
            Cow::Owned(harmless) => harmless,
        }
    }

    /// The line that a former daemon of the hello dialect would have printed, text for text: people have it in their
    /// dashboards. A `hello` that was refused during the grace period had none.
    pub fn origin_line(&self) -> Option<String> {
        let hello = self.hello.as_ref()?;
        let grace = if hello.in_grace { " (grace period active)" } else { "" };
        match (&hello.subject, self.outcome) {
            (Some(subject), Outcome::Ok) => {
                Some(format!("[JWT_AUTH] Valid JWT token{grace} - user: {}", subject.escape_debug()))
            }
            (None, Outcome::Ok) => {
                Some("[JWT_AUTH] No valid JWT token (grace period active) - allowing legacy auth".into())
            }
            (None, Outcome::Refused) if !hello.in_grace => {
                Some("[JWT_AUTH] No valid JWT token and grace period ended - rejecting connection".into())
            }
            (
                _,
                Outcome::Refused
                | Outcome::Error
                | Outcome::Cut
                | Outcome::Gone
                | Outcome::Failed
                | Outcome::Done,
            ) => None,
        }
    }

    /// What is kept of the call's arguments.
    pub fn keep_arguments(&mut self, kept: Kept) {
        match kept {
            Kept::Nothing => {}
            Kept::Hashes(hashes) => self.arguments_hash = Some(hashes),
            Kept::Text { text, cut } => (self.arguments, self.arguments_cut) = (Some(text), cut),
        }
    }

    /// Whether it is a call through the gateway.
    pub fn is_call(&self) -> bool {
        self.kind == "call"
    }

    /// How many requests it stands for.
    pub fn times(&self) -> u64 {
        self.count.unwrap_or(1)
    }

    /// When it was, RFC 3339 in UTC with milliseconds.
    pub fn time(&self) -> String {
        let whole = UnixTime::from_seconds(self.at_ms.div_euclid(1000)).to_string();
        format!("{}.{:03}Z", whole.trim_end_matches('Z'), self.at_ms.rem_euclid(1000))
    }
}

/// Adds ` name=value`. What came from outside stays on one line and in quotes unless it is a plain word.
fn field(line: &mut String, name: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    let plain =
        !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'=\\".contains(&byte));
    let _ = if plain { write!(line, " {name}={value}") } else { write!(line, " {name}={value:?}") };
}

#[cfg(test)]
mod tests {
    use super::{Event, HelloNote, Outcome};

    fn call() -> Event {
        Event {
            client: Some("vscode1".into()),
            server: Some("docs".into()),
            method: Some("tools/call".into()),
            tool: Some("echo".into()),
            duration_us: Some(4123),
            ..Event::new(1_795_392_000_123, "call", Outcome::Ok)
        }
    }

    #[test]
    fn a_call_is_one_line_that_names_the_client() {
        assert_eq!(
            call().text_line(),
            "2026-11-23T00:00:00.123Z client=vscode1 server=docs method=tools/call tool=echo 4.1ms ok"
        );
    }

    #[test]
    fn nothing_from_outside_breaks_the_line() {
        let event = Event { tool: Some("x\n2026 client=admin \u{1b}[31m\u{9b}31m\u{202e}".into()), ..call() };
        let line = event.text_line();
        assert!(line.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{line}");
        assert!(line.contains(r#"tool="x\n2026 client=admin"#), "{line}");
        assert!(!event.json_line().contains(char::is_control));
    }

    #[test]
    fn the_json_line_reads_back() {
        for event in [call(), Event { count: Some(70), ..call() }] {
            assert_eq!(serde_json::from_str::<Event>(&event.json_line()).unwrap(), event);
        }
    }

    #[test]
    fn a_record_stands_for_one_request_unless_it_says_for_how_many() {
        let flood = Event { count: Some(70), outcome: Outcome::Refused, ..call() };
        assert_eq!((call().times(), flood.times()), (1, 70));
        assert!(flood.text_line().ends_with(" refused times=70"), "{}", flood.text_line());
        assert!(!call().json_line().contains("count"));
    }

    #[test]
    fn a_former_daemons_lines_are_text_for_text() {
        let line = |subject: Option<&str>, in_grace, outcome| {
            let hello = Some(HelloNote { subject: subject.map(Into::into), in_grace });
            Event { outcome, hello, ..call() }.origin_line()
        };
        let user = Some("vscode1@exai-mcp.local");
        for (shown, expect) in [
            (
                line(user, true, Outcome::Ok),
                "[JWT_AUTH] Valid JWT token (grace period active) - user: vscode1@exai-mcp.local",
            ),
            (
                line(None, true, Outcome::Ok),
                "[JWT_AUTH] No valid JWT token (grace period active) - allowing legacy auth",
            ),
            (line(user, false, Outcome::Ok), "[JWT_AUTH] Valid JWT token - user: vscode1@exai-mcp.local"),
            (
                line(None, false, Outcome::Refused),
                "[JWT_AUTH] No valid JWT token and grace period ended - rejecting connection",
            ),
        ] {
            assert_eq!(shown.as_deref(), Some(expect));
        }
        assert_eq!(line(None, true, Outcome::Refused), None);
        assert_eq!(
            line(user, false, Outcome::Refused),
            None,
            "the token was good, and something else was not"
        );
        assert_eq!(line(user, true, Outcome::Failed), None);
        assert_eq!(call().origin_line(), None);
    }
}
