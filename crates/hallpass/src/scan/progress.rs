//! How far something is that takes long, said on a terminal.

use crate::output::harmless;
use std::io::{IsTerminal, Write};
use std::time::Duration;
use tokio::time::Instant;

/// Most things are over before anybody wonders.
const SILENCE: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(100);

/// A line that is written over, and gone when this is dropped.
#[derive(Debug)]
pub(super) struct Progress {
    /// `None`: nobody watches.
    next: Option<Instant>,
    is_shown: bool,
}

impl Progress {
    /// Shows nothing yet.
    pub(super) fn begin() -> Self {
        let next = std::io::stderr().is_terminal().then(|| Instant::now() + SILENCE);
        Self { next, is_shown: false }
    }

    /// Shows how far it is, a few times a second.
    pub(super) fn show(&mut self, text: impl FnOnce() -> String) {
        let now = Instant::now();
        if self.next.is_some_and(|next| next <= now) {
            self.next = Some(now + EVERY);
            self.is_shown = true;
            write_over(&text());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            write_over("");
        }
    }
}

fn write_over(text: &str) {
    let mut err = anstream::stderr();
    let _ = write!(err, "\r\u{1b}[K{}", harmless(text)).and_then(|()| err.flush());
}
