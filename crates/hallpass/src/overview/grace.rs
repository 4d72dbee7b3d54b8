//! Where the grace period of the shared secret stands, and who still uses it.

use super::DAY;
use hallpass_core::UnixTime;
use hallpass_core::uses::LegacyUse;
use hallpass_store::GraceRow;

/// Who was silent for longer does not count as still using it, in seconds.
const STILL: i64 = 7 * DAY;
/// How long a period that is over is still shown, in seconds.
const OVER_SHOWN: i64 = 30 * DAY;

/// The grace period.
#[derive(Clone, Debug)]
pub struct GraceStanding {
    /// The first instant at which the secret no longer counts.
    pub until: UnixTime,
    /// Since when it is over.
    pub over_since: Option<UnixTime>,
    /// Who was let in by it within the last days, newest first.
    pub users: Vec<LegacyUse>,
}

impl GraceStanding {
    /// `None`: it is over for long.
    pub(super) fn of(row: &GraceRow, legacy: &[LegacyUse], now: UnixTime) -> Option<Self> {
        let latest = now.max(row.seen);
        let over_since = row.ended_at.or((latest >= row.until).then_some(row.until));
        if over_since.is_some_and(|over| latest.since(over) > OVER_SHOWN) {
            return None;
        }
        // Who is refused since then uses it no more.
        let is_user = |usage: &&LegacyUse| {
            usage.let_in_ms.is_some_and(|let_in_ms| now.seconds() - let_in_ms / 1000 <= STILL)
        };
        let mut users: Vec<LegacyUse> = legacy.iter().filter(is_user).cloned().collect();
        users.sort_by_key(|usage| std::cmp::Reverse(usage.let_in_ms));
        Some(Self { until: row.until, over_since, users })
    }
}

/// A caller in a few words, as well as it can be told apart.
pub(super) fn caller_word(usage: &LegacyUse) -> String {
    let caller = &usage.caller;
    if let Some(path) = &caller.path_client {
        return path.as_str().to_owned();
    }
    let said = caller.client_info.as_deref().or(caller.user_agent.as_deref());
    match (said, caller.address.as_deref()) {
        (Some(said), Some(address)) => {
            let short: String = said.chars().take(32).collect();
            format!("`{}` from {address}", short.escape_debug())
        }
        (_, Some(address)) => address.to_owned(),
        (_, None) => "others".to_owned(),
    }
}
