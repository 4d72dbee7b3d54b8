//! From a server's answer to the client's: headers cleaned, body watched. Waits for nothing but the log.

use crate::flight::Flight;
use crate::line::Hold;
use crate::outcome::{Events, Sniff};
use crate::payload::Payload;
use crate::tally::Tally;
use crate::watched::{Ahead, Progress, Reading, Silence, Watched, Withheld};
use crate::{headers, message, narrowed};
use hallpass_core::session::SessionTag;
use hallpass_core::{Envelope, Outcome};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body::Body as _;
use hyper::body::Incoming;
use std::time::Duration;

const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// An id longer than this is not looked for in the answer.
const ID_MOST: usize = 256;

/// What kind of answer a request waits for.
pub(crate) enum Kind {
    /// The answer to a call with this id, as it was spelt.
    Call(Option<Box<str>>),
    /// Whatever the server has to say, for as long as it likes.
    Listen,
    /// Only that it was taken.
    Receipt,
}

impl Kind {
    pub(crate) fn of(method: &Method, envelope: Option<&Envelope<'_>>) -> Self {
        match envelope {
            None if method == Method::GET => Self::Listen,
            Some(envelope) if envelope.method.as_deref() == Some("subscriptions/listen") => Self::Listen,
            Some(envelope) if envelope.is_request() => {
                Self::Call(envelope.id.filter(|id| id.len() <= ID_MOST).map(Into::into))
            }
            None | Some(_) => Self::Receipt,
        }
    }

    /// Whether nothing is lost if it is ended from here.
    pub(crate) fn listens(&self) -> bool {
        matches!(self, Self::Listen)
    }
}

/// An answer whose head is here, with all that must outlive its body.
pub(crate) struct Ready {
    pub(crate) answer: Response<Incoming>,
    pub(crate) session: Option<SessionTag>,
    pub(crate) ahead: Ahead,
    pub(crate) reading: Reading,
    pub(crate) kind: Kind,
    pub(crate) hold: Hold,
    pub(crate) tally: Tally,
    pub(crate) comment_after: Duration,
}

impl Ready {
    /// Passes the answer on.
    pub(crate) async fn relay(self, mut flight: Flight) -> Result<Response<Payload>, Withheld> {
        let (mut head, inner) = self.answer.into_parts();
        headers::strip_answer(&mut head.headers);
        if self.reading.is_narrowed() {
            narrowed::mark_private(&mut head.headers);
        }
        flight.answered(head.status);
        let streams = head.headers.get(header::CONTENT_TYPE).is_some_and(is_event_stream);
        if streams && !head.headers.contains_key(&ACCEL_BUFFERING) {
            head.headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
        }
        let readable = !message::is_encoded(&head.headers);
        // A stream of stated length has no room for comments.
        let silent = streams && readable && inner.size_hint().exact().is_none();
        let mut watched = Box::new(Watched {
            sniff: sniff(&head.headers, self.kind, streams, readable),
            silence: silent.then(|| Silence::new(self.comment_after)),
            progress: Progress::new(by_status(head.status)),
            inner,
            ahead: self.ahead,
            reading: self.reading,
            tail: None,
            flight,
            hold: self.hold,
            tally: Some(self.tally),
        });
        if watched.is_all_here() {
            // Head and body in one packet, and while no byte is sent there is still an answer that tells why.
            watched.recorded().await?;
        }
        let mut response = Response::new(Payload::Relayed(watched));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Ok(response)
    }
}

fn by_status(status: StatusCode) -> Option<Outcome> {
    (status.is_client_error() || status.is_server_error()).then_some(Outcome::Error)
}

fn is_event_stream(value: &HeaderValue) -> bool {
    message::is_type(value, "text/event-stream")
}

fn sniff(headers: &HeaderMap, kind: Kind, streams: bool, readable: bool) -> Sniff {
    if !readable {
        return Sniff::Blind;
    }
    let wanted = match kind {
        Kind::Call(wanted) => wanted,
        Kind::Listen | Kind::Receipt if !streams => return Sniff::Blind,
        Kind::Listen | Kind::Receipt => None,
    };
    let is_json = |value: &HeaderValue| message::is_type(value, "application/json");
    if streams {
        Sniff::Events(Events::new(wanted))
    } else if headers.get(header::CONTENT_TYPE).is_some_and(is_json) {
        Sniff::Message(Vec::new())
    } else {
        Sniff::Blind
    }
}
