//! Reads the client's lines and decides what may start when. Sends nothing itself.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncBufRead;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::FAREWELL;
use super::call;
use super::delivery::Bridge;
use super::failure::{Failure, Garbage};
use super::lines::{Line, Lines};
use super::message::{Id, Kind, Message};
use super::pending::Cancelled;

const REQUESTS_UNDER_WAY: usize = 64;
const TASKS_UNDER_WAY: usize = 256;
const WAITING_MESSAGES: usize = 256;
const WAITING_BYTES: usize = 32 * 1024 * 1024;
/// After the end of input: how long a call may be silent, and how long all may take.
const SILENCE: Duration = Duration::from_secs(5);
const LAST_CALL: Duration = Duration::from_mins(1);

/// The messages of one client, those under way and those that wait.
pub(super) struct Traffic {
    bridge: Arc<Bridge>,
    tasks: JoinSet<()>,
    waiting: VecDeque<Message>,
    slots: Arc<Semaphore>,
    /// Held by `initialize` and by `notifications/initialized`: nothing else starts meanwhile.
    gate: Arc<Semaphore>,
}

/// When to stop waiting, once the input has ended.
struct Deadline {
    silence: Instant,
    last_call: Instant,
}

impl Traffic {
    pub(super) fn new(bridge: Arc<Bridge>) -> Self {
        Self {
            bridge,
            tasks: JoinSet::new(),
            waiting: VecDeque::new(),
            slots: Arc::new(Semaphore::new(REQUESTS_UNDER_WAY)),
            gate: Arc::new(Semaphore::new(1)),
        }
    }

    /// Runs until the input has ended and all is answered, or until nobody reads the output.
    pub(super) async fn run(
        mut self,
        stdin: impl AsyncBufRead + Unpin,
        remarks: &mut UnboundedReceiver<String>,
        notes: &impl Fn(&str),
    ) -> io::Result<()> {
        let bridge = Arc::clone(&self.bridge);
        let mut lines = Lines::new(stdin);
        let mut deadline: Option<Deadline> = None;
        let mut outcome = Ok(());
        while deadline.is_none() || !self.is_idle() {
            let until = deadline.as_ref().map_or_else(Instant::now, Deadline::at);
            tokio::select! {
                line = lines.next(), if deadline.is_none() && self.has_room() => match line {
                    Ok(Some(line)) => self.line(line).await,
                    ended => {
                        outcome = ended.map(|_| ());
                        deadline = Some(Deadline::new());
                        let _ = timeout(FAREWELL, self.close(bridge.pending.take_listening())).await;
                    }
                },
                _ = self.tasks.join_next(), if !self.tasks.is_empty() => {}
                Some(note) = remarks.recv() => notes(&note),
                () = bridge.output.closed() => return outcome,
                () = bridge.output.progress.notified(), if deadline.is_some() => {
                    deadline = deadline.map(Deadline::prolonged);
                }
                () = sleep_until(until), if deadline.is_some() => break,
            }
            self.start_what_may();
        }
        // A client that has stopped reading must not keep the bridge.
        let _ = timeout(FAREWELL, self.close(bridge.pending.take_all())).await;
        outcome
    }

    fn is_idle(&self) -> bool {
        self.tasks.is_empty() && self.waiting.is_empty()
    }

    fn has_room(&self) -> bool {
        self.tasks.len() < TASKS_UNDER_WAY
            && self.waiting.len() < WAITING_MESSAGES
            && self.waiting.iter().map(|message| message.bytes.len()).sum::<usize>() < WAITING_BYTES
    }

    async fn line(&mut self, line: Line) {
        let parsed = match line {
            Line::TooLong => Err(Garbage::TooLong),
            Line::Text(text) if text.iter().all(u8::is_ascii_whitespace) => return,
            Line::Text(text) => Message::parse(text),
        };
        match parsed {
            Ok(message) => self.take(message).await,
            Err(garbage) => self.bridge.output.line(garbage.answer()).await,
        }
    }

    async fn take(&mut self, message: Message) {
        if let Some(id) = message.id() {
            let is_listening = &*message.method == "subscriptions/listen";
            if !self.bridge.pending.open(id, message.is_modern(), is_listening) {
                self.bridge.output.line(Garbage::IdInUse.answer_to(id)).await;
                return;
            }
        }
        if &*message.method == "notifications/cancelled" && !self.must_tell(&message) {
            return;
        }
        self.waiting.push_back(message);
    }

    /// Ends the request that is cancelled; says whether the server must hear of it.
    fn must_tell(&mut self, cancellation: &Message) -> bool {
        let Some(id) = &cancellation.cancels else { return self.bridge.session.has_begun() };
        let place =
            self.waiting.iter().position(|message| message.id().is_some_and(|other| other.key == id.key));
        if let Some(place) = place {
            self.waiting.remove(place);
            self.bridge.pending.claim(id);
            return false;
        }
        match self.bridge.pending.cancel(id) {
            Cancelled::Ended => false,
            Cancelled::TellServer => true,
            Cancelled::Unknown => self.bridge.session.has_begun() && !cancellation.is_modern(),
        }
    }

    fn start_what_may(&mut self) {
        while self.gate.available_permits() > 0 {
            let has_slot = self.slots.available_permits() > 0;
            let next = self.waiting.iter().position(|message| has_slot || message.id().is_none());
            let Some(message) = next.and_then(|place| self.waiting.remove(place)) else { return };
            self.start(message);
        }
    }

    fn start(&mut self, message: Message) {
        let is_opening = matches!(&*message.method, "initialize" | "notifications/initialized");
        let gate = is_opening.then(|| Arc::clone(&self.gate).try_acquire_owned());
        let bridge = Arc::clone(&self.bridge);
        match message.kind.clone() {
            Kind::Request(id) => {
                let slot = Arc::clone(&self.slots).try_acquire_owned();
                let key = id.clone();
                let task = self.tasks.spawn(async move {
                    let _held = (gate, slot);
                    call::request(bridge, message, id).await;
                });
                self.bridge.pending.attach(&key, task);
            }
            Kind::Notification | Kind::Response => {
                self.tasks.spawn(async move {
                    let _held = gate;
                    call::tell(bridge, message).await;
                });
            }
        }
    }

    /// Answers the requests that the end of input leaves without an answer.
    async fn close(&mut self, ids: Vec<Id>) {
        self.waiting.retain(|message| message.id().is_none_or(|id| !ids.contains(id)));
        for id in ids {
            self.bridge.output.line(Failure::Closing.answer(&id)).await;
        }
    }
}

impl Deadline {
    fn new() -> Self {
        let now = Instant::now();
        Self { silence: now + SILENCE, last_call: now + LAST_CALL }
    }

    fn at(&self) -> Instant {
        self.silence.min(self.last_call)
    }

    fn prolonged(self) -> Self {
        Self { silence: Instant::now() + SILENCE, ..self }
    }
}
