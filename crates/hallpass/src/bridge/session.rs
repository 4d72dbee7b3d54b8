//! What the legacy era keeps between requests: the session, its revision, and how it was begun. Sends nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
pub(super) const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// The legacy session, if there is one.
#[derive(Default)]
pub(super) struct Session {
    state: Mutex<State>,
    /// One call at a time starts a new session.
    pub(super) renewal: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    generation: u64,
    id: Option<HeaderValue>,
    version: Option<HeaderValue>,
    has_begun: bool,
    initialize: Option<Bytes>,
    initialized: Option<Bytes>,
}

/// The headers of a request, and of which session they are.
pub(super) struct Stamp {
    pub(super) generation: u64,
    pub(super) headers: HeaderMap,
}

impl Stamp {
    pub(super) fn has_session(&self) -> bool {
        self.headers.contains_key(SESSION)
    }
}

impl Session {
    pub(super) fn stamp(&self) -> Stamp {
        let state = self.lock();
        let mut headers = HeaderMap::new();
        if let Some(id) = &state.id {
            headers.insert(SESSION, id.clone());
        }
        if let Some(version) = &state.version {
            headers.insert(VERSION, version.clone());
        }
        Stamp { generation: state.generation, headers }
    }

    /// Forgets the session that was, for the one that `initialize` begins.
    pub(super) fn begin(&self, initialize: Bytes) {
        let mut state = self.lock();
        *state = State { generation: state.generation + 1, initialize: Some(initialize), ..State::default() };
    }

    /// Takes over what the answer to `initialize` says.
    pub(super) fn set(&self, id: Option<HeaderValue>, version: Option<HeaderValue>) {
        let mut state = self.lock();
        (state.id, state.version) = (id, version);
        state.generation += 1;
        state.has_begun = true;
    }

    pub(super) fn keep_initialized(&self, initialized: Bytes) {
        self.lock().initialized = Some(initialized);
    }

    pub(super) fn has_begun(&self) -> bool {
        self.lock().has_begun
    }

    /// The messages that begin a session, to say them again.
    pub(super) fn opening(&self) -> (Option<Bytes>, Option<Bytes>) {
        let state = self.lock();
        (state.initialize.clone(), state.initialized.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
