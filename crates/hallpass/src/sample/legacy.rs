//! The revisions with `initialize` and sessions. Knows nothing of the newer one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::body::{SampleBody, Tick};
use super::door;
use super::reply::{self, RpcError};
use super::tools::{self, Outcome};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const VERSIONS: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];
const TICK: Duration = Duration::from_millis(500);
/// A sign of life on a quiet stream, each this many ticks.
const SIGN_OF_LIFE: u64 = 30;

/// The sessions that are open.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Session>>);

/// Says whether the session is still open, to the streams that belong to it.
type Session = Arc<AtomicBool>;

impl Sessions {
    pub(super) fn answer(&self, headers: &HeaderMap, message: &Value) -> Response<SampleBody> {
        let (id, method) = (&message["id"], message["method"].as_str());
        if !message.is_object() {
            let error = RpcError::new(-32600, "one message is expected");
            return reply::error(StatusCode::BAD_REQUEST, &Value::Null, &error);
        }
        if method == Some("initialize") {
            return self.initialize(id, &message["params"]);
        }
        let session = match self.session(headers) {
            Ok(session) => session,
            Err(refusal) => return *refusal,
        };
        match method {
            Some(method) if !id.is_null() => request(&session, id, method, &message["params"]),
            _ => reply::status(StatusCode::ACCEPTED),
        }
    }

    fn initialize(&self, id: &Value, params: &Value) -> Response<SampleBody> {
        let wanted = params["protocolVersion"].as_str();
        let version = VERSIONS.into_iter().find(|version| Some(*version) == wanted).unwrap_or(VERSIONS[0]);
        let session = Uuid::now_v7().to_string();
        self.lock().insert(session.clone(), Arc::new(AtomicBool::new(true)));
        let result = json!({
            "protocolVersion": version,
            "capabilities": { "tools": {}, "logging": {} },
            "serverInfo": { "name": "hallpass-sample", "version": env!("CARGO_PKG_VERSION") },
        });
        let mut response = reply::result(id, &result);
        if let Ok(value) = HeaderValue::from_str(&session) {
            response.headers_mut().insert(SESSION, value);
        }
        response
    }

    /// The stream on which this server could speak unasked. It has nothing to say.
    pub(super) fn listen(&self, headers: &HeaderMap) -> Response<SampleBody> {
        let session = match self.session(headers) {
            Ok(session) => session,
            Err(refusal) => return *refusal,
        };
        reply::stream(while_open(session, |count| {
            if count % SIGN_OF_LIFE == 0 { Tick::comment() } else { Tick::Nothing }
        }))
    }

    pub(super) fn end(&self, headers: &HeaderMap) -> Response<SampleBody> {
        if let Err(refusal) = self.session(headers) {
            return *refusal;
        }
        let session = door::text(headers, &SESSION).and_then(|id| self.lock().remove(id));
        if let Some(session) = session {
            session.store(false, Ordering::Relaxed);
        }
        reply::status(StatusCode::NO_CONTENT)
    }

    fn session(&self, headers: &HeaderMap) -> Result<Session, Box<Response<SampleBody>>> {
        let refuse =
            |status, words| Box::new(reply::error(status, &Value::Null, &RpcError::new(-32000, words)));
        if door::text(headers, &VERSION).is_some_and(|version| !VERSIONS.contains(&version)) {
            return Err(refuse(StatusCode::BAD_REQUEST, "this revision is not spoken here"));
        }
        let Some(id) = door::text(headers, &SESSION) else {
            return Err(refuse(StatusCode::BAD_REQUEST, "`Mcp-Session-Id` is missing"));
        };
        let session = self.lock().get(id).cloned();
        session.ok_or_else(|| refuse(StatusCode::NOT_FOUND, "no such session"))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn request(session: &Session, id: &Value, method: &str, params: &Value) -> Response<SampleBody> {
    match method {
        "ping" | "logging/setLevel" => reply::result(id, &json!({})),
        "tools/list" => reply::result(id, &json!({ "tools": tools::list() })),
        "tools/call" => match tools::call(params) {
            Ok(Outcome::Result(result)) => reply::result(id, &result),
            Ok(Outcome::Watch) => watch(session, params.clone()),
            Err(error) => reply::error(StatusCode::OK, id, &error),
        },
        _ => reply::error(StatusCode::OK, id, &RpcError::method_not_found(method)),
    }
}

fn watch(session: &Session, params: Value) -> Response<SampleBody> {
    reply::stream(while_open(Arc::clone(session), move |count| {
        tools::news(&params, count, true).map_or_else(Tick::comment, |news| Tick::message(&news))
    }))
}

fn while_open(session: Session, mut on_tick: impl FnMut(u64) -> Tick + Send + 'static) -> SampleBody {
    SampleBody::ticking(
        TICK,
        move |count| {
            if session.load(Ordering::Relaxed) { on_tick(count) } else { Tick::End }
        },
    )
}
