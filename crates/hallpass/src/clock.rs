//! The one door to the wall clock.

use hallpass_core::UnixTime;
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch. A clock set before 1970 counts as 1970.
#[expect(clippy::disallowed_methods, reason = "this is the one door")]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The second it is.
pub fn now() -> UnixTime {
    UnixTime::from_seconds(now_ms() / 1000)
}
