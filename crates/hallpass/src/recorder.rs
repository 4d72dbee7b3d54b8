//! Takes the gateway's events: one line each on standard output, one row each in the store. Off the calls' path.

use crate::lookout::Lookout;
use crate::output::{note, without_tokens};
use hallpass_core::Event;
use hallpass_gateway::Entry;
use hallpass_store::Store;
use std::io::Write;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How many events may wait. When the store takes none, calls are refused once this many wait.
const WAITING_MOST: usize = 4096;
/// How many are written together.
const GROUP_MOST: usize = 2000;
/// The shortest rest after a group.
const REST_LEAST: Duration = Duration::from_millis(10);
/// The longest.
const REST_MOST: Duration = Duration::from_millis(100);
/// How many groups of lines may wait to be printed.
const UNPRINTED_MOST: usize = 64;
/// How long the last lines may take to be printed.
const LAST_LINES: Duration = Duration::from_secs(1);
/// How long to wait before a group that could not be written is tried again.
const PAUSE: Duration = Duration::from_millis(500);

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

/// Where the gateway's events go, and where the recorder takes them from.
pub fn channel() -> (mpsc::Sender<Entry>, mpsc::Receiver<Entry>) {
    mpsc::channel(WAITING_MOST)
}

/// Starts the recorder. It ends when every sender is dropped and all that waited is written.
pub fn start(
    mut entries: mpsc::Receiver<Entry>,
    store: Store,
    lines: Lines,
    mut lookout: Lookout,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let printer = Printer::start();
        let (mut taken, mut group) = (Vec::with_capacity(GROUP_MOST), Vec::with_capacity(GROUP_MOST));
        loop {
            match tokio::time::timeout_at(lookout.due(), entries.recv_many(&mut taken, GROUP_MOST)).await {
                Ok(0) => break,
                Ok(_) => {
                    // Answers end once their group is taken: it is tried until it is written.
                    group.extend(taken.drain(..).map(Entry::written));
                    group.iter_mut().for_each(hide_tokens);
                    lookout.look(&mut group).await;
                }
                Err(_) => lookout.act().await,
            }
            let begun = Instant::now();
            record(&mut group, &store, &mut lookout, &printer, lines).await;
            // Whoever else writes looks for the lock now and then and stands in no queue: without a rest a command that
            // revokes finds it taken again and again while clients call without pause.
            tokio::time::sleep(begun.elapsed().clamp(REST_LEAST, REST_MOST)).await;
        }
        lookout.last_look();
        record(&mut group, &store, &mut lookout, &printer, lines).await;
        lookout.end().await;
        printer.end().await;
    })
}

/// Prints and keeps a group, and what else has to be told.
async fn record(
    group: &mut Vec<Event>,
    store: &Store,
    lookout: &mut Lookout,
    printer: &Printer,
    lines: Lines,
) {
    lookout.hand_over(group);
    if group.is_empty() {
        return;
    }
    printer.print(group, lines);
    let last = keep(store, group).await;
    lookout.logged(last).await;
    group.clear();
}

/// What a caller says of itself may be a token, pasted into the wrong place.
fn hide_tokens(event: &mut Event) {
    let Event { user_agent, client_info, session, tool, method, .. } = event;
    let said = [user_agent, client_info, session, tool, method];
    for text in said.into_iter().flatten().filter(|text| text.contains("eyJ")) {
        *text = without_tokens(text);
    }
}

/// Prints on a thread of its own: a reader who went away, or who stands still (Ctrl-S, a stuck pipe), holds up neither
/// the log nor a revocation. Lines that find no room are dropped here; the store has them all.
struct Printer {
    lines: SyncSender<String>,
    ended: oneshot::Receiver<()>,
}

impl Printer {
    fn start() -> Self {
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

    fn print(&self, group: &[Event], lines: Lines) {
        let _ = self.lines.try_send(group.iter().map(|event| lines.of(event)).collect());
    }

    /// Waits for what was taken to be printed, but not for a reader who stands still.
    async fn end(self) {
        drop(self.lines);
        let _ = tokio::time::timeout(LAST_LINES, self.ended).await;
    }
}

/// Tries until it is written: meanwhile events wait, and when too many wait, calls are refused. Returns the last row.
async fn keep(store: &Store, group: &[Event]) -> i64 {
    let mut said = false;
    loop {
        match store.add_events(group).await {
            Ok(last) => return last,
            Err(fault) if !said => {
                note(&format!("the log cannot be written, calls will be refused if this goes on: {fault}"));
                said = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}
