//! What all calls share, and the one way by which the server's messages reach the client. Starts no call.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::HeaderValue;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::BridgeSettings;
use super::failure::Failure;
use super::gateway::Gateway;
use super::message::{Id, Incoming, one_line};
use super::output::Output;
use super::pending::Pending;
use super::session::Session;
use super::tool_headers::ToolHeaders;

/// What all calls of one client share.
pub(super) struct Bridge {
    pub(super) gateway: Gateway,
    pub(super) output: Output,
    pub(super) pending: Pending,
    pub(super) session: Session,
    pub(super) tools: ToolHeaders,
    pub(super) client: String,
    server: String,
    listener: Mutex<Option<AbortHandle>>,
    notes: mpsc::UnboundedSender<String>,
}

/// A request whose answer is being read.
pub(super) struct Waiting<'a> {
    pub(super) id: &'a Id,
    pub(super) purpose: Purpose,
}

/// What to do with an answer besides handing it on.
#[derive(Clone)]
pub(super) enum Purpose {
    Call,
    /// As `Call`, and an HTTP refusal may mean that the server does not know the revision.
    Probe,
    Initialize {
        session: Option<HeaderValue>,
    },
    /// The client had its answer to this long ago.
    InitializeAgain {
        session: Option<HeaderValue>,
    },
    ListTools,
}

/// What one message of the server was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Delivered {
    /// The answer that was waited for.
    Answer,
    Other,
    NotAMessage,
}

impl Bridge {
    pub(super) fn new(
        settings: BridgeSettings,
        output: Output,
        notes: mpsc::UnboundedSender<String>,
    ) -> Self {
        Self {
            gateway: Gateway::new(settings.url, settings.token),
            output,
            pending: Pending::default(),
            session: Session::default(),
            tools: ToolHeaders::default(),
            client: settings.client,
            server: settings.server,
            listener: Mutex::default(),
            notes,
        }
    }

    /// Hands one message of the server to the client, byte for byte but for line breaks.
    pub(super) async fn deliver(
        &self,
        text: Bytes,
        waiting: Option<&Waiting<'_>>,
    ) -> Result<Delivered, Failure> {
        let Some(incoming) = Incoming::parse(&text) else { return Ok(Delivered::NotAMessage) };
        if incoming.calls {
            self.output.line(one_line(text)).await;
            return Ok(Delivered::Other);
        }
        match (&incoming.id, incoming.error, waiting) {
            (Some(id), _, Some(waiting)) if id.key == waiting.id.key => {
                if let Some(text) = self.settle(&incoming, &text, &waiting.purpose)? {
                    self.answer(id, text).await;
                }
                Ok(Delivered::Answer)
            }
            (Some(id), ..) => {
                self.answer(id, text).await;
                Ok(Delivered::Other)
            }
            (None, Some(error), Some(_)) => Err(Failure::Server { error: error.get().into() }),
            (None, ..) => Ok(Delivered::NotAMessage),
        }
    }

    /// What the answer means to the bridge; returns what is for the client.
    fn settle(&self, incoming: &Incoming, text: &Bytes, purpose: &Purpose) -> Result<Option<Bytes>, Failure> {
        match purpose {
            Purpose::Call | Purpose::Probe => Ok(Some(text.clone())),
            Purpose::Initialize { session } => {
                if incoming.error.is_none() {
                    self.session.set(session.clone(), version(incoming));
                }
                Ok(Some(text.clone()))
            }
            Purpose::InitializeAgain { session } => {
                if let Some(error) = incoming.error {
                    return Err(Failure::Server { error: error.get().into() });
                }
                self.session.set(session.clone(), version(incoming));
                Ok(None)
            }
            Purpose::ListTools => {
                let listed = self.tools.learn(text);
                for tool in listed.dropped {
                    self.note(&format!("left out the tool `{tool}`: its `x-mcp-header` breaks the rules"));
                }
                Ok(Some(listed.bytes))
            }
        }
    }

    async fn answer(&self, id: &Id, text: Bytes) {
        if self.pending.claim(id) {
            self.output.line(one_line(text)).await;
        }
    }

    /// The answer when there is none of the server, unless the request has been answered or cancelled.
    pub(super) async fn fail(&self, id: &Id, failure: &Failure) {
        if self.pending.claim(id) {
            self.output.line(failure.answer(id)).await;
        }
    }

    /// Whether the answer is still of use.
    pub(super) fn wants(&self, waiting: &Waiting<'_>) -> bool {
        match waiting.purpose {
            Purpose::InitializeAgain { .. } => true,
            Purpose::Call | Purpose::Probe | Purpose::Initialize { .. } | Purpose::ListTools => {
                self.pending.is_open(waiting.id)
            }
        }
    }

    /// A line for standard error.
    pub(super) fn note(&self, line: &str) {
        let _ = self.notes.send(format!("{} for {}: {line}", self.server, self.client));
    }

    /// Takes the place of the listener that was.
    pub(super) fn keep_listener(&self, listener: AbortHandle) {
        let old = self.listener.lock().unwrap_or_else(PoisonError::into_inner).replace(listener);
        if let Some(old) = old {
            old.abort();
        }
    }

    pub(super) fn stop_listening(&self) {
        if let Some(listener) = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take() {
            listener.abort();
        }
    }

    /// Tells the server that the legacy session is over, if there is one.
    pub(super) async fn end_session(&self) {
        let stamp = self.session.stamp();
        if stamp.has_session() {
            // Nobody is left to be told; a server may as well refuse it.
            let _ = self.gateway.delete(stamp.headers).await;
        }
    }
}

fn version(incoming: &Incoming) -> Option<HeaderValue> {
    HeaderValue::from_str(&incoming.negotiated_version()?).ok()
}
