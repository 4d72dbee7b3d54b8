//! Reads a request's body whole, within limits: it is judged before any of it is sent on. Understands none of it.

use crate::config::Limits;
use bytes::{Bytes, BytesMut};
use hallpass_core::Denial;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};

/// All bytes of the body. They are not copied if they came in one piece.
pub(crate) async fn read(body: &mut Incoming, limits: &Limits) -> Result<Bytes, Denial> {
    let most = limits.body_bytes;
    if body.size_hint().lower() > most as u64 {
        return Err(Denial::BodyTooLarge { most });
    }
    let started = Instant::now();
    let first = next_piece(body, limits).await?.unwrap_or_default();
    if first.len() > most {
        return Err(Denial::BodyTooLarge { most });
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    while let Some(piece) = next_piece(body, limits).await? {
        if whole.len() + piece.len() > most {
            return Err(Denial::BodyTooLarge { most });
        }
        whole.extend_from_slice(&piece);
        check_rate(whole.len(), started, limits)?;
    }
    Ok(whole.freeze())
}

async fn next_piece(body: &mut Incoming, limits: &Limits) -> Result<Option<Bytes>, Denial> {
    loop {
        match timeout(limits.body_idle, body.frame()).await {
            Err(_) => return Err(Denial::BodyTooSlow),
            Ok(None) => return Ok(None),
            Ok(Some(Err(_))) => return Err(Denial::BodyCutShort),
            Ok(Some(Ok(frame))) => {
                // Trailers are hop-by-hop for us and dropped.
                if let Ok(piece) = frame.into_data() {
                    return Ok(Some(piece));
                }
            }
        }
    }
}

/// A pause limit alone would let one byte every few seconds hold a call open for ever.
fn check_rate(bytes: usize, started: Instant, limits: &Limits) -> Result<(), Denial> {
    let taken = started.elapsed();
    let due = taken.as_secs().saturating_mul(limits.body_rate);
    if taken > limits.body_idle && (bytes as u64) < due { Err(Denial::BodyTooSlow) } else { Ok(()) }
}
