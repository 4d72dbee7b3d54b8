//! Prints events on a thread of its own: a reader who went away, or who stands still (Ctrl-S, a stuck pipe), holds up
//! neither the log nor a revocation. Lines that find no room are dropped here; the log has them all.

use hallpass_core::Event;
use std::io::Write;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;
use tokio::sync::oneshot;

/// How many groups of lines may wait to be printed.
const UNPRINTED_MOST: usize = 64;
/// How long the last lines may take to be printed.
const LAST_LINES: Duration = Duration::from_secs(1);

/// How events are printed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lines {
    /// One JSON object a line instead of text.
    pub json: bool,
    /// The lines of a former daemon of the hello dialect beside our own.
    pub origin: bool,
}

impl Lines {
    fn of(self, event: &Event) -> String {
        let mut lines = if self.json { event.json_line() } else { event.text_line() };
        lines.push('\n');
        if let Some(line) = event.origin_line().filter(|_| self.origin) {
            lines += &line;
            lines.push('\n');
        }
        lines
    }
}

pub(super) struct Printer {
    lines: SyncSender<String>,
    ended: oneshot::Receiver<()>,
}

impl Printer {
    pub(super) fn start() -> Self {
        let (lines, waiting) = sync_channel::<String>(UNPRINTED_MOST);
        let (end, ended) = oneshot::channel();
        std::thread::spawn(move || {
            for lines in waiting {
                let mut out = std::io::stdout().lock();
                let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
            }
            let _ = end.send(());
        });
        Self { lines, ended }
    }

    pub(super) fn print(&self, group: &[Event], lines: Lines) {
        self.lines(group.iter().map(|event| lines.of(event)).collect());
    }

    /// Whether there was room for them.
    pub(super) fn lines(&self, lines: String) -> bool {
        self.lines.try_send(lines).is_ok()
    }

    /// Waits for what was taken to be printed, but not for a reader who stands still.
    pub(super) async fn end(self) {
        drop(self.lines);
        let _ = tokio::time::timeout(LAST_LINES, self.ended).await;
    }
}
