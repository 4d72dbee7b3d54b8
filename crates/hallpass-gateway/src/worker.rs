//! One thread that serves connections, with its own reactor and its own pool of connections to the servers. Nothing
//! but the snapshot, the log's channel and a few counts is shared between workers.

use crate::config::{Clock, Limits, Random};
use crate::credential::Gate;
use crate::entrance::Entrance;
use crate::forward::HttpRoute;
use crate::freshness::Freshness;
use crate::line::{Line, Lines};
use crate::log_state::LogState;
use crate::record::{Entry, Noticed, Notices};
use crate::routes::Routes;
use crate::session::Introductions;
use crate::tally::Tallies;
use crate::upstream::{self, Connector, Pool};
use crate::ws::SocketRoute;
use crate::{serve, ws};
use futures_util::FutureExt as _;
use hallpass_core::ServerName;
use hallpass_core::arguments::Keeping;
use hallpass_core::session::SessionKey;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::future::{Future as _, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

/// What all workers look at.
pub(crate) struct Shared {
    pub(crate) routes: Routes<HttpRoute>,
    pub(crate) sockets: Routes<SocketRoute>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) session_key: SessionKey,
    pub(crate) random: Random,
    pub(crate) clock: Clock,
    pub(crate) events: mpsc::Sender<Entry>,
    pub(crate) log: LogState,
    pub(crate) arguments: Keeping,
    pub(crate) limits: Limits,
    pub(crate) freshness: Arc<Freshness>,
    pub(crate) lines: Lines,
    pub(crate) tallies: Arc<Tallies>,
    pub(crate) introductions: Introductions,
}

impl Shared {
    pub(crate) fn now_ms(&self) -> i64 {
        (self.clock)()
    }

    /// The server that `/mcp` means: there is one if there is just one.
    pub(crate) fn only_server(&self) -> Option<&ServerName> {
        let mut names = self.routes.names().chain(self.sockets.names());
        names.next().filter(|_| names.next().is_none())
    }
}

/// Whether connections may go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Open,
    /// Answers may end, nothing begins.
    Draining,
    /// Everything is cut.
    Ended,
}

/// A connection that was accepted, with its share of the most that may be open.
pub(crate) struct Accepted {
    pub(crate) stream: std::net::TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) entrance: Arc<Entrance>,
    pub(crate) share: OwnedSemaphorePermit,
}

/// What the connections of one thread have in common.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    connector: Connector,
    pool: Pool,
    notices: Notices,
    request_prefix: String,
    requests: AtomicU64,
    http: http1::Builder,
}

impl Worker {
    pub(crate) fn new(
        shared: Arc<Shared>,
        connector: Connector,
        notices: Notices,
        request_prefix: String,
    ) -> Self {
        let limits = &shared.limits;
        let pool = upstream::pool(connector.clone(), limits);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_headers(limits.head_fields)
            .max_header_size(limits.head_bytes)
            .max_buf_size(limits.head_bytes.max(8 << 10) * 2);
        Self { shared, connector, pool, notices, request_prefix, requests: AtomicU64::new(0), http }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// How this thread hears what is written.
    pub(crate) fn notices(&self) -> Notices {
        self.notices.clone()
    }

    /// Unlike that of any other request.
    pub(crate) fn next_request_id(&self) -> String {
        format!("{}{}", self.request_prefix, self.requests.fetch_add(1, Ordering::Relaxed))
    }
}

/// Serves the connections that are dealt to this thread until the gateway ends.
pub(crate) async fn run(
    worker: Arc<Worker>,
    mut dealt: mpsc::UnboundedReceiver<Accepted>,
    noticed: Noticed,
    open: Arc<AtomicUsize>,
    phase: watch::Receiver<Phase>,
) {
    tokio::spawn(noticed.pass_on());
    // Each connection keeps a sender: when the last one is gone, `recv` returns.
    let (alive, mut all_gone) = mpsc::channel::<()>(1);
    while let Some(accepted) = dealt.recv().await {
        let (worker, phase, alive) = (Arc::clone(&worker), phase.clone(), alive.clone());
        let counted = Counted::new(Arc::clone(&open));
        tokio::spawn(async move {
            connection(worker, accepted, phase).await;
            drop((counted, alive));
        });
    }
    drop(alive);
    let _ = all_gone.recv().await;
}

/// One connection, from first to last request. Ends early if its call is cut or the gateway stops.
async fn connection(worker: Arc<Worker>, accepted: Accepted, mut phase: watch::Receiver<Phase>) {
    let _share = accepted.share;
    let Ok(stream) = TcpStream::from_std(accepted.stream) else { return };
    let line = Line::new(Arc::clone(&worker), accepted.entrance, accepted.peer);
    http(&worker, &line, stream, &mut phase).await;
    if let Some(opening) = line.take_opening() {
        // In a place of its own: a connection that stays with HTTP needs no room for it.
        Box::pin(ws::serve(&line, *opening, phase)).await;
    }
}

/// Serves HTTP until the connection ends, or becomes a WebSocket.
async fn http(worker: &Worker, line: &Arc<Line>, stream: TcpStream, phase: &mut watch::Receiver<Phase>) {
    let service = service_fn(|request| serve::answer(Arc::clone(line), request));
    let mut serving = pin!(worker.http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let mut seen = Phase::Open;
    loop {
        // Looked at in the same task and before the connection itself, which does not ask for more of an answer
        // while the client is not reading.
        let end = poll_fn(|cx| match line.poll_hang_up(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => serving.as_mut().poll(cx).map(|_| ()),
        });
        tokio::select! {
            biased;
            now = next_phase(phase, seen) => seen = now,
            () = end => return,
        }
        match seen {
            Phase::Open => {}
            Phase::Draining => {
                line.cut_listener();
                serving.as_mut().graceful_shutdown();
            }
            Phase::Ended => {
                line.cut_for_shutdown();
                // Once more, so that a call that still waits for its answer is told, and recorded as cut.
                let _ = serving.as_mut().now_or_never();
                return;
            }
        }
    }
}

/// Waits until the phase is another one than was seen.
pub(crate) async fn next_phase(phase: &mut watch::Receiver<Phase>, seen: Phase) -> Phase {
    // A gateway that was dropped without a word has ended.
    phase.wait_for(|phase| *phase != seen).await.map_or(Phase::Ended, |phase| *phase)
}

/// Counts a connection for as long as it is open.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: Arc<AtomicUsize>) -> Self {
        Self(count)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
