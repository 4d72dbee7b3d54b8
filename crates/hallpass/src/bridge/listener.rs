//! Holds the stream on which a legacy server speaks unasked. Answers no request.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep};

use super::call::is_event_stream;
use super::delivery::Bridge;
use super::sse::Position;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// A stream that was held for this long worked.
const HEALTHY: Duration = Duration::from_secs(5);

/// Opens the stream, in place of the one that may be open.
pub(super) fn start(bridge: &Arc<Bridge>) {
    let listener = tokio::spawn(listen(Arc::clone(bridge)));
    bridge.keep_listener(listener.abort_handle());
}

/// Whether the stream is worth another connection.
enum Attempt {
    Held,
    Failed,
    /// The server has no such stream, or no such session: a new session opens it anew.
    NotOffered,
}

async fn listen(bridge: Arc<Bridge>) {
    let mut position = Position::default();
    let mut pause = FIRST_PAUSE;
    loop {
        let began = Instant::now();
        match attempt(&bridge, &mut position).await {
            Attempt::NotOffered => return,
            Attempt::Held if began.elapsed() > HEALTHY => pause = FIRST_PAUSE,
            Attempt::Held | Attempt::Failed => {}
        }
        sleep(pause.max(position.retry.unwrap_or_default().min(LONGEST_PAUSE))).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn attempt(bridge: &Bridge, position: &mut Position) -> Attempt {
    let mut headers = bridge.session.stamp().headers;
    position.add_to(&mut headers);
    let Ok(response) = bridge.gateway.get(headers).await else { return Attempt::Failed };
    match response.status() {
        StatusCode::OK if is_event_stream(response.headers()) => {
            match bridge.read(response.into_body(), position, None).await {
                Ok(_) => Attempt::Held,
                Err(_) => Attempt::Failed,
            }
        }
        // A new token may be there soon, and a server may come back.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => Attempt::Failed,
        status if status.is_server_error() => Attempt::Failed,
        _ => Attempt::NotOffered,
    }
}
