//! Brings the client's lines and the daemon's frames together. One task: whatever happens next is handled next.

use super::FAREWELL;
use super::daemon::{Daemon, End, Heard};
use super::dialect::{self, Frame, Said};
use super::mcp::{Asked, Question, Step, step};
use super::settings::ShimSettings;
use crate::bridge::failure::Garbage;
use crate::bridge::lines::{Line, Lines};
use crate::bridge::message::{Message, one_line};
use crate::bridge::output::Output;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::time::Duration;
use tokio::io::AsyncBufRead;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use zeroize::Zeroizing;

/// How many questions may wait for room; until then no more lines are read.
const UNSENT_MOST: usize = 64;
/// After the end of standard input: how long a call may be without a sign of life, and how long all may take.
const LAST_SILENCE: Duration = Duration::from_secs(5);
const LAST_MOST: Duration = Duration::from_mins(1);

pub(super) struct Traffic<N> {
    settings: ShimSettings,
    output: Output,
    notes: N,
    daemon: Option<Link>,
    waiting: BTreeMap<String, Asked>,
    unsent: VecDeque<String>,
    asked: u64,
}

/// A connection, and the token that it was opened with.
struct Link {
    daemon: Daemon,
    token: Option<Zeroizing<String>>,
}

/// What happens next.
enum Next {
    Line(Option<Line>),
    Heard(Option<Heard>),
    Sent,
    Over,
}

impl<N: Fn(&str)> Traffic<N> {
    pub(super) fn new(settings: ShimSettings, output: Output, notes: N) -> Self {
        let (waiting, unsent) = (BTreeMap::new(), VecDeque::new());
        Self { settings, output, notes, daemon: None, waiting, unsent, asked: 0 }
    }

    pub(super) async fn run(mut self, stdin: impl AsyncBufRead + Unpin) -> std::io::Result<()> {
        let mut lines = Lines::new(stdin);
        // At once, as the predecessor did: whoever looks at the daemon's log sees the client there.
        if let Ok(token) = self.settings.credentials.own.now() {
            self.dial(token);
        }
        let mut ending: Option<Ending> = None;
        let ended = loop {
            if ending.is_some() && self.waiting.is_empty() {
                break Ok(());
            }
            match self.next(&mut lines, ending.as_ref()).await {
                Ok(Next::Line(Some(line))) => self.line(line).await,
                Ok(Next::Line(None)) => ending = Some(Ending::new()),
                Ok(Next::Heard(heard)) => {
                    ending.iter_mut().for_each(Ending::sign_of_life);
                    self.heard(heard.unwrap_or(Heard::Ended(gone()))).await;
                }
                Ok(Next::Sent) => {}
                Ok(Next::Over) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        if let Some(link) = self.daemon {
            link.daemon.leave(FAREWELL).await;
        }
        ended
    }

    async fn next(
        &mut self,
        lines: &mut Lines<impl AsyncBufRead + Unpin>,
        ending: Option<&Ending>,
    ) -> std::io::Result<Next> {
        let Self { output, daemon, unsent, .. } = self;
        let (to, from) = daemon.as_mut().map(|link| (&link.daemon.to, &mut link.daemon.from)).unzip();
        let (has_room, has_unsent) = (unsent.len() < UNSENT_MOST, !unsent.is_empty());
        Ok(tokio::select! {
            () = output.closed() => Next::Over,
            heard = hear(from) => Next::Heard(heard),
            permit = room(to), if has_unsent => {
                if let (Some(permit), Some(frame)) = (permit, unsent.pop_front()) {
                    permit.send(frame);
                }
                Next::Sent
            }
            line = lines.next(), if has_room && ending.is_none() => Next::Line(line?),
            () = patience(ending) => Next::Over,
        })
    }

    async fn line(&mut self, line: Line) {
        let message = match line {
            Line::Text(line) if line.iter().all(u8::is_ascii_whitespace) => return,
            Line::Text(line) => Message::parse(line),
            Line::TooLong => Err(Garbage::TooLong),
        };
        let message = match message {
            Ok(message) => message,
            Err(garbage) => return self.output.line(garbage.answer()).await,
        };
        match step(&message) {
            Step::Answer(line) => self.say(line).await,
            Step::Ask(asked, question) => self.ask(asked, &question).await,
            Step::Cancel(id) => self.waiting.retain(|_, asked| asked.id.key != id.key),
            Step::Nothing => {}
        }
    }

    async fn ask(&mut self, asked: Asked, question: &Question) {
        if self.waiting.values().any(|waiting| waiting.id.key == asked.id.key) {
            return self.output.line(Garbage::IdInUse.answer_to(&asked.id)).await;
        }
        let token = match self.settings.credentials.own.now() {
            Ok(token) => token,
            Err(problem) => return self.say(asked.error(401, &problem.to_string())).await,
        };
        self.connect(token).await;
        self.asked += 1;
        let request_id = format!("r-{}", self.asked);
        self.unsent.push_back(dialect::question(&request_id, question));
        self.waiting.insert(request_id, asked);
    }

    /// Sees to it that there is a connection. One that was opened with another token is left as soon as nobody waits for
    /// an answer on it.
    async fn connect(&mut self, token: Option<Zeroizing<String>>) {
        let is_former = |link: &mut Link| link.token != token;
        if self.waiting.is_empty()
            && let Some(former) = self.daemon.take_if(is_former)
        {
            (self.notes)("the token has changed: connecting anew");
            former.daemon.leave(FAREWELL).await;
        }
        if self.daemon.is_none() {
            self.dial(token);
        }
    }

    fn dial(&mut self, token: Option<Zeroizing<String>>) {
        let daemon = Daemon::start(&self.settings, token.as_deref().map(String::as_str));
        self.daemon = Some(Link { daemon, token });
    }

    async fn heard(&mut self, heard: Heard) {
        let text = match heard {
            Heard::Frame(text) => text,
            Heard::Ended(end) => return self.ended(&end).await,
        };
        let Some(frame) = Frame::read(&text) else { return (self.notes)("the daemon sent what is no frame") };
        let Some(asked) = frame.request_id().and_then(|id| self.waiting.get_mut(id)) else {
            // Nobody waits for it (any more): only a complaint is worth a line.
            if let Some(complaint) = frame.complaint() {
                (self.notes)(&format!("the daemon complains: {complaint}"));
            }
            return;
        };
        match frame.said(asked) {
            Said::News(line) => self.say(line).await,
            Said::Answer(line) => {
                frame.request_id().and_then(|id| self.waiting.remove(id));
                self.say(line).await;
            }
            Said::Nothing => {}
        }
    }

    /// The connection is over: everybody who waits is told. Nothing is asked anew, for what was called may have been done.
    async fn ended(&mut self, end: &End) {
        self.daemon = None;
        self.unsent.clear();
        (self.notes)(&end.to_string());
        for asked in std::mem::take(&mut self.waiting).into_values() {
            self.say(asked.error(end.code(), &end.to_string())).await;
        }
    }

    async fn say(&self, line: String) {
        self.output.line(one_line(Bytes::from(line))).await;
    }
}

/// Standard input is over, and some calls are not.
struct Ending {
    begun: Instant,
    last: Instant,
}

impl Ending {
    fn new() -> Self {
        let now = Instant::now();
        Self { begun: now, last: now }
    }

    fn sign_of_life(&mut self) {
        self.last = Instant::now();
    }
}

async fn patience(ending: Option<&Ending>) {
    match ending {
        Some(ending) => sleep_until((ending.last + LAST_SILENCE).min(ending.begun + LAST_MOST)).await,
        None => pending().await,
    }
}

async fn hear(from: Option<&mut mpsc::Receiver<Heard>>) -> Option<Heard> {
    match from {
        Some(from) => from.recv().await,
        None => pending().await,
    }
}

/// Room for one frame. `None`: the connection is ending, and `hear` says how.
async fn room(to: Option<&mpsc::Sender<String>>) -> Option<mpsc::Permit<'_, String>> {
    match to {
        Some(to) => match to.reserve().await {
            Ok(permit) => Some(permit),
            Err(_) => pending().await,
        },
        None => pending().await,
    }
}

fn gone() -> End {
    End::Closed { code: None, reason: String::new() }
}
