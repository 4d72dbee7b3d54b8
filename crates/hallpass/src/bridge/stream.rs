//! Follows an event stream until the answer has come, over more than one connection if need be.
//! Knows nothing of how the stream was asked for.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use http_body_util::BodyExt as _;
use hyper::body::Incoming as Body;
use tokio::time::{sleep, timeout};

use super::call::{is_event_stream, refusal};
use super::delivery::{Bridge, Delivered, Waiting};
use super::failure::Failure;
use super::gateway::{collect, innermost};
use super::sse::{Parser, Position};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// An answered stream is read to its end for this long, so that its connection can be used again.
const LINGER: Duration = Duration::from_millis(250);
/// How much may go wrong in a row. A server may well end a stream many times while it works.
const PATIENCE: u32 = 100;
const COST_OF_NOTHING_NEW: u32 = 1;
const COST_OF_A_FAILURE: u32 = 20;

/// How one connection of a stream ended.
pub(super) enum End {
    Answered,
    Cut(String),
}

impl Bridge {
    /// Hands on what the stream brings, and resumes it when it ends before the answer and its rules allow.
    pub(super) async fn follow(
        &self,
        body: Body,
        waiting: &Waiting<'_>,
        may_resume: bool,
    ) -> Result<(), Failure> {
        let mut position = Position::default();
        let mut failure = match self.read(body, &mut position, Some(waiting)).await? {
            End::Answered => return Ok(()),
            End::Cut(detail) => Failure::Cut { detail },
        };
        let mut spent = 0;
        while may_resume && spent < PATIENCE && position.last_event_id.is_some() && self.wants(waiting) {
            let before = position.last_event_id.clone();
            sleep(position.pause()).await;
            let cost = match self.resume(&mut position, waiting).await {
                Ok(End::Answered) => return Ok(()),
                Ok(End::Cut(detail)) => {
                    failure = Failure::Cut { detail };
                    COST_OF_NOTHING_NEW
                }
                Err(cause) => {
                    let cost = if may_pass(&cause) { COST_OF_A_FAILURE } else { PATIENCE };
                    failure = Failure::NotResumed { cause: Box::new(cause) };
                    cost
                }
            };
            spent = if position.last_event_id == before { spent + cost } else { 0 };
        }
        Err(failure)
    }

    async fn resume(&self, position: &mut Position, waiting: &Waiting<'_>) -> Result<End, Failure> {
        let mut headers = self.session.stamp().headers;
        position.add_to(&mut headers);
        let response = self.gateway.get(headers).await?;
        let status = response.status();
        if !status.is_success() || !is_event_stream(response.headers()) {
            let body = collect(response.into_body()).await.unwrap_or_default();
            return Err(refusal(self, status, &body, false));
        }
        self.read(response.into_body(), position, Some(waiting)).await
    }

    /// Reads one connection to its end, or to the answer.
    pub(super) async fn read(
        &self,
        mut body: Body,
        position: &mut Position,
        waiting: Option<&Waiting<'_>>,
    ) -> Result<End, Failure> {
        let (mut parser, mut events) = (Parser::default(), Vec::new());
        while let Some(frame) = body.frame().await {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => return Ok(End::Cut(innermost(&error))),
            };
            let Ok(data) = frame.into_data() else { continue };
            parser.push(&data, position, &mut events).map_err(|_| Failure::TooLarge)?;
            for event in events.drain(..).filter(|event| matches!(&*event.kind, b"" | b"message")) {
                match self.deliver(event.data, waiting).await? {
                    Delivered::Answer => {
                        let _ = timeout(LINGER, collect(body)).await;
                        return Ok(End::Answered);
                    }
                    Delivered::Other => {}
                    Delivered::NotAMessage => self.note("left out an event that is not a JSON-RPC message"),
                }
            }
        }
        Ok(End::Cut("there was no answer in it".to_owned()))
    }
}

impl Position {
    /// How long to wait before the next connection.
    pub(super) fn pause(&self) -> Duration {
        self.retry.unwrap_or(PAUSE).min(LONGEST_PAUSE)
    }

    pub(super) fn add_to(&self, headers: &mut http::HeaderMap) {
        let id = self.last_event_id.as_ref().and_then(|id| HeaderValue::from_bytes(id).ok());
        if let Some(id) = id {
            headers.insert(LAST_EVENT_ID, id);
        }
    }
}

/// Whether the same request may well succeed a little later.
pub(super) fn may_pass(failure: &Failure) -> bool {
    match failure {
        Failure::Unreachable { .. } | Failure::Broken { .. } | Failure::Cut { .. } => true,
        Failure::Refused(refusal) => {
            refusal.status.is_server_error() || matches!(refusal.status.as_u16(), 408 | 429)
        }
        Failure::Token(_)
        | Failure::NotResumed { .. }
        | Failure::Server { .. }
        | Failure::NoAnswer { .. }
        | Failure::NotAnAnswer
        | Failure::TooLarge
        | Failure::SessionLost { .. }
        | Failure::Closing => false,
    }
}
