//! Notices that the wall clock was put: it and the machine's own time, which nobody puts, went on by different amounts.

use hallpass_core::{Event, Outcome};
use std::path::Path;
use std::time::{Instant, UNIX_EPOCH};

/// A clock that is kept right by small steps makes no record.
const JUMP_MS: i64 = 2000;

/// What both clocks said when the log was last written.
#[derive(Debug, Default)]
pub(super) struct Clockwork(Option<(i64, Instant)>);

impl Clockwork {
    /// The record of a jump since last time, if there was one.
    #[expect(
        clippy::disallowed_methods,
        reason = "the machine's own time is what the wall clock is compared with"
    )]
    pub(super) fn jumped(&mut self, now_ms: i64) -> Option<Event> {
        let now = Instant::now();
        let (wall, own) = self.0.replace((now_ms, now))?;
        let passed = i64::try_from(now.duration_since(own).as_millis()).unwrap_or(i64::MAX);
        jump(now_ms - wall - passed, now_ms)
    }
}

/// The record of a clock that is behind the time at which the newest checkpoint was written: it was put back while
/// nobody looked.
pub(super) fn put_back(folder: &Path, now_ms: i64) -> Option<Event> {
    let written = std::fs::metadata(folder.join("checkpoint")).and_then(|meta| meta.modified()).ok()?;
    let written = i64::try_from(written.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?;
    jump((now_ms - written).min(0), now_ms)
}

fn jump(by_ms: i64, now_ms: i64) -> Option<Event> {
    if by_ms.abs() <= JUMP_MS {
        return None;
    }
    let way = if by_ms < 0 { "back" } else { "on" };
    let reason = format!("the clock was put {way} by {}.{:03} s", by_ms.abs() / 1000, by_ms.abs() % 1000);
    Some(Event { reason: Some(reason), ..Event::new(now_ms, "clock-jump", Outcome::Done) })
}

#[cfg(test)]
mod tests {
    use super::jump;

    #[test]
    fn a_step_is_no_jump_and_a_jump_says_which_way() {
        assert_eq!(jump(2000, 0), None);
        assert_eq!(jump(-2000, 0), None);
        let said = |by_ms| jump(by_ms, 0).and_then(|event| event.reason);
        assert_eq!(said(-3_600_500).as_deref(), Some("the clock was put back by 3600.500 s"));
        assert_eq!(said(2001).as_deref(), Some("the clock was put on by 2.001 s"));
    }
}
