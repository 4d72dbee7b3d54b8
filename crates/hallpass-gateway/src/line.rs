//! One client connection and the call that it carries. From outside, a call whose caller is no longer good is cut
//! here, even while the client is not reading. Judges nothing of its own.

use crate::credential::seconds_of;
use crate::entrance::Entrance;
use crate::worker::{Shared, Worker};
use crate::ws::Opening;
use futures_util::task::AtomicWaker;
use hallpass_core::{
    Ask, Call, Denial, Permit, Policy, ServerName, Snapshot, UnixTime, Verified, authorize, narrowing,
};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use tokio::time::Instant;

/// Why the gateway itself ends a call.
#[derive(Clone, Debug)]
pub(crate) enum Cut {
    /// What is in force now refuses the caller.
    Denied(Denial),
    /// The gateway is stopping.
    Shutdown,
}

/// One connection. HTTP/1.1 answers requests in order, so it carries at most one call at a time.
pub(crate) struct Line {
    worker: Arc<Worker>,
    entrance: Arc<Entrance>,
    /// The WebSocket that comes after HTTP, once its 101 is on its way.
    opening: Mutex<Option<Box<Opening>>>,
    address: String,
    call: Mutex<Option<Held>>,
    waker: AtomicWaker,
}

/// What a call asked for, kept for as long as it lasts.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Protocol,
    Tool(Box<str>),
    Other,
}

impl Asked {
    pub(crate) fn of(ask: Ask<'_>) -> Self {
        match ask {
            Ask::Protocol => Self::Protocol,
            Ask::Tool(tool) => Self::Tool(tool.into()),
            Ask::Other => Self::Other,
        }
    }

    pub(crate) fn as_ask(&self) -> Ask<'_> {
        match self {
            Self::Protocol => Ask::Protocol,
            Self::Tool(tool) => Ask::Tool(tool),
            Self::Other => Ask::Other,
        }
    }
}

/// The call that a line carries.
struct Held {
    verified: Verified,
    server: ServerName,
    asked: Asked,
    /// The policy by which lists of tools in the answer are filtered.
    narrowing: Option<Arc<Policy>>,
    /// Only waits for messages of the server: nothing is lost if it ends.
    listens: bool,
    /// The answer's head is on its way: from now on only hanging up can end it.
    answering: bool,
    /// When somebody has to look at the answer, whose last piece is held for the log.
    look_at: Option<Instant>,
    cut: Option<Cut>,
}

impl Line {
    pub(crate) fn new(worker: Arc<Worker>, entrance: Arc<Entrance>, peer: SocketAddr) -> Arc<Self> {
        let (call, opening, waker) = (Mutex::new(None), Mutex::new(None), AtomicWaker::new());
        let line = Arc::new(Self { worker, entrance, opening, address: peer.to_string(), call, waker });
        line.shared().lines.add(&line);
        line
    }

    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }

    pub(crate) fn shared(&self) -> &Shared {
        self.worker.shared()
    }

    /// The listener by which it came.
    pub(crate) fn entrance(&self) -> &Entrance {
        &self.entrance
    }

    /// From here on it is a WebSocket, as soon as the answer is sent.
    pub(crate) fn becomes(&self, opening: Opening) {
        *self.opening.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(opening));
    }

    pub(crate) fn take_opening(&self) -> Option<Box<Opening>> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Puts a call under watch until the hold is dropped.
    pub(crate) fn hold(self: &Arc<Self>, permit: &Permit, asked: Asked, listens: bool) -> Hold {
        let (verified, server) = (permit.verified().clone(), permit.server().clone());
        *self.lock() = Some(Held {
            verified,
            server,
            asked,
            narrowing: None,
            listens,
            answering: false,
            look_at: None,
            cut: None,
        });
        Hold(Arc::clone(self))
    }

    /// Ready as soon as the client must be hung up on. Polled with the connection, by the same task.
    pub(crate) fn poll_hang_up(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        match &*self.lock() {
            Some(held) if held.answering && held.cut.is_some() => Poll::Ready(()),
            Some(_) | None => Poll::Pending,
        }
    }

    /// Cuts the call if `snapshot` no longer lets its caller make it. Else it is held by what `snapshot` says of the caller,
    /// who may have got an earlier end.
    fn examine(&self, snapshot: &Snapshot, now: UnixTime) {
        self.cut_if(|held| held.judge_again(snapshot, now).err().map(Cut::Denied));
    }

    /// Cuts the call if it only listens: it would otherwise hold up a shutdown for nothing.
    pub(crate) fn cut_listener(&self) {
        self.cut_if(|held| held.listens.then_some(Cut::Shutdown));
    }

    /// Cuts the call.
    pub(crate) fn cut_for_shutdown(&self) {
        self.cut_if(|_| Some(Cut::Shutdown));
    }

    fn cut_if(&self, reason: impl FnOnce(&mut Held) -> Option<Cut>) {
        let mut call = self.lock();
        let Some(held) = call.as_mut().filter(|held| held.cut.is_none()) else { return };
        held.cut = reason(held);
        let cut = held.cut.is_some();
        drop(call);
        if cut {
            self.waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Held>> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Whether the call may go on by what is in force now.
    fn judge_again(&mut self, snapshot: &Snapshot, now: UnixTime) -> Result<(), Denial> {
        let call = Call { server: &self.server, path_client: None, ask: self.asked.as_ask() };
        self.verified = self.verified.judge_again(snapshot, now)?;
        authorize(&self.verified, &call)?;
        // An answer that has not begun is filtered by what is in force then.
        if self.answering { self.check_narrowing() } else { Ok(()) }
    }

    /// What lists tools, or could, must not go on to show what another policy showed.
    fn check_narrowing(&self) -> Result<(), Denial> {
        let Some(now) = narrowing(&self.verified, &self.server) else { return Ok(()) };
        let is_same = self.narrowing.as_ref().is_some_and(|then| then.shows_same_tools_as(now));
        match self.asked {
            Asked::Protocol if !is_same => Err(Denial::PolicyChanged {
                client: self.verified.client().map(|client| client.name.clone()),
            }),
            Asked::Protocol | Asked::Tool(_) | Asked::Other => Ok(()),
        }
    }
}

/// A call under watch.
pub(crate) struct Hold(Arc<Line>);

impl Hold {
    /// Looks again, by what is in force now: something may have been published between the decision and the hold.
    pub(crate) fn examine(&self) {
        let shared = self.0.shared();
        self.0.examine(shared.gate.in_force().snapshot(), seconds_of(shared.now_ms()));
    }

    /// Waits until the call is cut.
    pub(crate) async fn cut(&self) -> Cut {
        poll_fn(|cx| {
            self.0.waker.register(cx.waker());
            self.reason().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Why the call was cut, if it was.
    pub(crate) fn reason(&self) -> Option<Cut> {
        self.0.lock().as_ref().and_then(|held| held.cut.clone())
    }

    pub(crate) fn shared(&self) -> &Shared {
        self.0.shared()
    }

    /// Wakes the connection at that time, or up to [`Limits::watch_every`](crate::Limits) later: a timer for each answer
    /// would cost more.
    pub(crate) fn wake_at(&self, time: Instant) {
        if let Some(held) = self.0.lock().as_mut() {
            held.look_at = Some(time);
        }
    }

    /// The policy by which lists of tools in the answer have to be filtered, if they have to be.
    pub(crate) fn narrow(&self) -> Option<Arc<Policy>> {
        let mut call = self.0.lock();
        let held = call.as_mut()?;
        held.narrowing = narrowing(&held.verified, &held.server).cloned();
        held.narrowing.clone()
    }

    /// The answer is here, and its head does not go out yet.
    pub(crate) fn not_begun(&self) {
        if let Some(held) = self.0.lock().as_mut() {
            held.answering = false;
        }
    }

    /// The answer's head goes out. Returns why it must not, if the call was cut, or its policy changed, at the last moment.
    pub(crate) fn begin_answer(&self) -> Result<(), Cut> {
        let mut call = self.0.lock();
        let Some(held) = call.as_mut() else { return Ok(()) };
        held.answering = true;
        match &held.cut {
            Some(cut) => Err(cut.clone()),
            None => held.check_narrowing().map_err(Cut::Denied),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

/// All open connections.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<Weak<Line>>>);

impl Lines {
    fn add(&self, line: &Arc<Line>) {
        let mut lines = self.lock();
        // Swept only when the list would have to grow, so that the cost per connection stays constant.
        if lines.len() == lines.capacity() {
            lines.retain(|line| line.strong_count() > 0);
            let room = lines.len().max(16);
            lines.reserve(room);
        }
        lines.push(Arc::downgrade(line));
    }

    /// Cuts every call that `snapshot` no longer allows.
    pub(crate) fn examine(&self, snapshot: &Snapshot, now: UnixTime) {
        for line in self.open() {
            line.examine(snapshot, now);
        }
    }

    /// Cuts every call.
    pub(crate) fn cut_all(&self, denial: &Denial) {
        for line in self.open() {
            line.cut_if(|_| Some(Cut::Denied(denial.clone())));
        }
    }

    /// Cuts every call whose credential has run out. Cheaper than [`Lines::examine`], for looking often.
    pub(crate) fn examine_times(&self, snapshot: &Snapshot, now: UnixTime) {
        // A grace period that was seen to be over is over, also for a stream that the clock then gives more time.
        let latest = snapshot.grace().map_or(now, |grace| grace.see(now));
        for line in self.open() {
            let due = line.lock().as_ref().is_some_and(|held| held.verified.refused_from() <= latest);
            if due {
                line.examine(snapshot, now);
            }
        }
    }

    /// Wakes every connection that asked for it, and all that asked if nothing is held any more.
    pub(crate) fn wake_due(&self, now: Instant, holds: bool) {
        for line in self.open() {
            let is_due = |time: &mut Instant| *time <= now || !holds;
            let due = line.lock().as_mut().and_then(|held| held.look_at.take_if(is_due));
            if due.is_some() {
                line.waker.wake();
            }
        }
    }

    /// A copy, so that no connection waits for a long look at the others.
    fn open(&self) -> Vec<Arc<Line>> {
        let mut lines = self.lock();
        lines.retain(|line| line.strong_count() > 0);
        lines.iter().filter_map(Weak::upgrade).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Line>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
