//! Brings one message to the gateway and its answer back. Decides nothing about order.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Response, StatusCode};
use hyper::body::Incoming as Body;
use serde::Deserialize;

use super::delivery::{Bridge, Delivered, Purpose, Waiting};
use super::failure::{Failure, Refusal};
use super::gateway::collect;
use super::message::{Id, Incoming, Message};
use super::session::SESSION;
use super::{listener, modern};

const DESCRIPTION_LIMIT: usize = 500;

/// A request, to its one answer.
pub(super) async fn request(bridge: Arc<Bridge>, message: Message, id: Id) {
    if let Err(failure) = exchange(&bridge, &message, &id).await {
        bridge.fail(&id, &failure).await;
    }
}

/// A notification or an answer of the client: nothing waits for what comes back.
pub(super) async fn tell(bridge: Arc<Bridge>, message: Message) {
    let is_initialized = &*message.method == "notifications/initialized";
    if is_initialized {
        bridge.session.keep_initialized(message.bytes.clone());
    }
    let sent = if message.is_modern() {
        bridge.gateway.post(modern::headers(&message, &bridge.tools), message.bytes).await
    } else {
        post_in_session(&bridge, message.bytes).await
    };
    let accepted = accepted(&bridge, sent).await;
    // Only now: a connection that ends is not a cancellation in this era, so the server had to be told first.
    if let Some(id) = message.cancels.filter(|_| &*message.method == "notifications/cancelled") {
        bridge.pending.forget_cancelled(&id);
    }
    match accepted {
        Ok(()) if is_initialized => listener::start(&bridge),
        Ok(()) => {}
        Err(failure) => bridge.note(&format!("`{}` did not reach the server: {failure}", message.method)),
    }
}

async fn exchange(bridge: &Arc<Bridge>, message: &Message, id: &Id) -> Result<(), Failure> {
    if &*message.method == "initialize" {
        return initialize(bridge, message, id).await;
    }
    let purpose = purpose(bridge, message);
    let (response, may_resume) = if message.is_modern() {
        let headers = modern::headers(message, &bridge.tools);
        (bridge.gateway.post(headers, message.bytes.clone()).await?, false)
    } else {
        (post_in_session(bridge, message.bytes.clone()).await?, true)
    };
    receive(bridge, response, &Waiting { id, purpose }, may_resume).await
}

fn purpose(bridge: &Bridge, message: &Message) -> Purpose {
    match &*message.method {
        "tools/list" if message.is_modern() => Purpose::ListTools,
        "server/discover" => Purpose::Probe,
        _ if !message.is_modern() && !bridge.session.has_begun() => Purpose::Probe,
        _ => Purpose::Call,
    }
}

async fn initialize(bridge: &Arc<Bridge>, message: &Message, id: &Id) -> Result<(), Failure> {
    bridge.stop_listening();
    bridge.session.begin(message.bytes.clone());
    let response = bridge.gateway.post(HeaderMap::new(), message.bytes.clone()).await?;
    let session = response.headers().get(SESSION).cloned();
    receive(bridge, response, &Waiting { id, purpose: Purpose::Initialize { session } }, true).await
}

/// Posts within the legacy session. One that the server has forgotten is begun again, once: a request that
/// got 404 was not worked on, so it may be sent again.
async fn post_in_session(bridge: &Arc<Bridge>, body: Bytes) -> Result<Response<Body>, Failure> {
    let stamp = bridge.session.stamp();
    let has_session = stamp.has_session();
    let response = bridge.gateway.post(stamp.headers, body.clone()).await?;
    if response.status() != StatusCode::NOT_FOUND || !has_session {
        return Ok(response);
    }
    drop(response);
    let renewed = begin_again(bridge, stamp.generation).await;
    renewed.map_err(|cause| Failure::SessionLost { cause: Box::new(cause) })?;
    bridge.gateway.post(bridge.session.stamp().headers, body).await
}

async fn begin_again(bridge: &Arc<Bridge>, generation: u64) -> Result<(), Failure> {
    let _one_at_a_time = bridge.session.renewal.lock().await;
    let (Some(initialize), initialized) = bridge.session.opening() else { return Err(Failure::NotAnAnswer) };
    if bridge.session.stamp().generation != generation {
        return Ok(());
    }
    bridge.note("the server ended the session: starting a new one");
    let Ok(message) = Message::parse(initialize.to_vec()) else { return Err(Failure::NotAnAnswer) };
    let Some(id) = message.id() else { return Err(Failure::NotAnAnswer) };
    let response = bridge.gateway.post(HeaderMap::new(), initialize).await?;
    let session = response.headers().get(SESSION).cloned();
    let waiting = Waiting { id, purpose: Purpose::InitializeAgain { session } };
    receive(bridge, response, &waiting, true).await?;
    if let Some(initialized) = initialized {
        accepted(bridge, bridge.gateway.post(bridge.session.stamp().headers, initialized).await).await?;
        listener::start(bridge);
    }
    Ok(())
}

/// Reads what the gateway answers to a request until the answer has been handed on.
async fn receive(
    bridge: &Bridge,
    response: Response<Body>,
    waiting: &Waiting<'_>,
    may_resume: bool,
) -> Result<(), Failure> {
    let status = response.status();
    if !status.is_success() {
        return refused(bridge, response, Some(waiting)).await;
    }
    if is_event_stream(response.headers()) {
        return bridge.follow(response.into_body(), waiting, may_resume).await;
    }
    let body = collect(response.into_body()).await?;
    if body.is_empty() {
        return Err(Failure::NoAnswer { status });
    }
    match bridge.deliver(body, Some(waiting)).await? {
        Delivered::Answer => Ok(()),
        Delivered::Other | Delivered::NotAMessage => Err(Failure::NotAnAnswer),
    }
}

/// Reads what the gateway says to a message that has no answer; the body of a success means nothing.
async fn accepted(bridge: &Bridge, sent: Result<Response<Body>, Failure>) -> Result<(), Failure> {
    let response = sent?;
    if !response.status().is_success() {
        return refused(bridge, response, None).await;
    }
    if !is_event_stream(response.headers()) {
        collect(response.into_body()).await?;
    }
    Ok(())
}

/// An answer in the body is handed on; anything else becomes a failure.
async fn refused(
    bridge: &Bridge,
    response: Response<Body>,
    waiting: Option<&Waiting<'_>>,
) -> Result<(), Failure> {
    let (head, body) = response.into_parts();
    // The status says enough when the body cannot be read.
    let body = collect(body).await.unwrap_or_default();
    if waiting.is_some()
        && Incoming::parse(&body).is_some_and(|incoming| !incoming.calls)
        && bridge.deliver(body.clone(), waiting).await? == Delivered::Answer
    {
        return Ok(());
    }
    let is_probe = waiting.is_some_and(|waiting| matches!(waiting.purpose, Purpose::Probe));
    Err(refusal(bridge, head.status, &body, is_probe))
}

/// What the gateway, or a server, says about an HTTP status.
pub(super) fn refusal(bridge: &Bridge, status: StatusCode, body: &[u8], is_probe: bool) -> Failure {
    #[derive(Default, Deserialize)]
    struct Words {
        error_description: Option<String>,
        request_id: Option<String>,
    }
    let words: Words = serde_json::from_slice(body).unwrap_or_default();
    Failure::Refused(Box::new(Refusal {
        status,
        client: bridge.client.clone(),
        description: words.error_description.map(|text| text.chars().take(DESCRIPTION_LIMIT).collect()),
        request_id: words.request_id.map(|text| text.chars().take(DESCRIPTION_LIMIT).collect()),
        is_probe,
    }))
}

pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else { return false };
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/event-stream")
}
