//! The grace period of a former set-up: stored once, when the set-up is taken over, and moved by no second run.

use super::{act, put, servers, stored};
use crate::fault::Result;
use crate::former::Former;
use crate::installation::Installation;
use crate::shared_secret::tag_key;
use hallpass_core::UnixTime;
use hallpass_core::snapshot::ServerScope;
use hallpass_store::GraceRow;

/// A period that is there already.
pub(in crate::commands) struct Known {
    /// The first instant after it.
    pub(in crate::commands) until: UnixTime,
    /// Since when it is over, if it is.
    pub(in crate::commands) over_since: Option<UnixTime>,
    /// It is for another secret than the former set-up's.
    pub(in crate::commands) other_secret: bool,
}

/// The period that this home holds.
pub(in crate::commands) async fn known(
    installation: &Installation,
    former: Option<&Former>,
    now: UnixTime,
) -> Result<Option<Known>> {
    let Some(row) = stored(installation).await? else { return Ok(None) };
    let shared = former.and_then(|former| former.shared_token.as_ref());
    let other_secret = shared.is_some_and(|secret| secret.tag(&tag_key(installation)) != row.tag);
    Ok(Some(Known { until: row.until, over_since: row.over_since(now), other_secret }))
}

/// Starts the former set-up's period, unless there is or was one.
pub(in crate::commands) async fn take_over(
    installation: &Installation,
    former: &Former,
    now: UnixTime,
) -> Result<()> {
    let (Some(until), Some(secret)) = (former.grace_until(now), &former.shared_token) else { return Ok(()) };
    if stored(installation).await?.is_some() {
        return Ok(());
    }
    let row = GraceRow {
        period: 0,
        tag: secret.tag(&tag_key(installation)),
        until,
        started_at: now,
        ended_at: None,
        seen: now,
        servers: ServerScope::All,
        policy: None,
        strict: false,
    };
    let what = format!("until {until}, {}", servers(&row.servers));
    put(installation, &row, None, &act("grace-start", &what, Some("the former set-up is taken over"))).await
}
