//! The running gateway: its threads, what is in force, and its end. Serves no request itself.

use crate::config::{Clock, GatewayConfig, Upstream};
use crate::credential::{Gate, seconds_of};
use crate::door::Door;
use crate::entrance::Entrance;
use crate::freshness::Freshness;
use crate::line::Lines;
use crate::record::{Entry, Notices};
use crate::routes::Routes;
use crate::session::Introductions;
use crate::tally::Tallies;
use crate::upstream;
use crate::view::View;
use crate::worker::{self, Accepted, Phase, Shared, Worker};
use hallpass_core::{Denial, Grace, ServerName, Snapshot};
use rustls::ClientConfig;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

/// How long to wait after accepting failed, as it does when the process has run out of files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A running gateway.
pub struct Gateway {
    shared: Arc<Shared>,
    local_addr: SocketAddr,
    phase: watch::Sender<Phase>,
    revision: watch::Sender<i64>,
    threads: Vec<JoinHandle<()>>,
    all_gone: mpsc::Receiver<()>,
}

impl Gateway {
    /// Starts its threads. What it cannot serve is an error here, not later.
    pub fn start(
        listener: std::net::TcpListener,
        config: GatewayConfig,
        snapshot: Arc<Snapshot>,
        clock: Clock,
        events: mpsc::Sender<Entry>,
    ) -> io::Result<Self> {
        let local_addr = listener.local_addr()?;
        let is_socket = |upstream: &Upstream| matches!(upstream.url.scheme_str(), Some("ws" | "wss"));
        let (sockets, servers) = config.servers.into_iter().partition(|(_, upstream)| is_socket(upstream));
        let (routes, sockets) = (Routes::new(servers)?, Routes::new(sockets)?);
        let tls = upstream::tls(routes.need_tls() || sockets.need_tls())?;
        let doors = Doors { hosts: config.hosts, origins: config.origins };
        let mut listeners = vec![doors.listen(listener, None)?];
        for entrance in config.entrances {
            if !sockets.contains(&entrance.server) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "a listener for no WebSocket server",
                ));
            }
            listeners.push(doors.listen(entrance.listener, Some(entrance.server))?);
        }
        let (revision, _) = watch::channel(snapshot.revision());
        let shared = Arc::new(Shared {
            routes,
            sockets,
            gate: Arc::new(Gate::new(snapshot)),
            session_key: config.session_key,
            random: config.random,
            clock,
            events,
            log: config.log,
            arguments: config.arguments,
            limits: config.limits,
            freshness: Arc::new(Freshness::new()),
            lines: Lines::default(),
            tallies: Arc::new(Tallies::new()),
            introductions: Introductions::new(),
        });
        let (phase, _) = watch::channel(Phase::Open);
        let (alive, all_gone) = mpsc::channel(1);
        let mut gateway = Self { shared, local_addr, phase, revision, threads: Vec::new(), all_gone };
        let desks = (0..config.workers.max(1))
            .map(|number| gateway.start_worker(number, &config.request_prefix, &tls, alive.clone()))
            .collect::<io::Result<Vec<_>>>()?;
        drop(alive);
        gateway.start_accepting(listeners, desks)?;
        Ok(gateway)
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// A look at it from outside.
    pub fn view(&self) -> View {
        View::of(&self.shared)
    }

    /// Puts a snapshot in force for every call from now on, and cuts the calls and streams that it no longer allows.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        let shared = &self.shared;
        // First in force, then the look at what is open: a call that begins in between sees the new one.
        shared.gate.publish(snapshot);
        let in_force = shared.gate.in_force();
        shared.lines.examine(in_force.snapshot(), seconds_of(shared.now_ms()));
        shared.tallies.keep_only(|client| in_force.snapshot().client(client).is_some());
        self.revision.send_replace(in_force.snapshot().revision());
    }

    /// The revision in force. It moves once everything that the new one no longer allows is cut.
    pub fn revision(&self) -> watch::Receiver<i64> {
        self.revision.subscribe()
    }

    /// What is in force is known to be what the store held at that instant: when the look began, not when it ended. Once
    /// that is longer ago than [`Limits::stale_after`](crate::Limits), everything is refused.
    pub fn confirm(&self, seen_at: Instant) {
        self.shared.freshness.confirm(seen_at);
    }

    /// The grace period in force, running or over, with the highest time that was seen during it.
    pub fn grace(&self) -> Option<Arc<Grace>> {
        self.shared.gate.in_force().snapshot().grace().map(Arc::clone)
    }

    /// Whether everything is refused because nobody has said so for too long.
    pub fn is_stale(&self) -> bool {
        self.shared.freshness.is_stale(&self.shared.limits)
    }

    /// Stops accepting, lets answers end for as long as `patience` lasts, cuts the rest and ends the threads.
    /// Streams that only listen are cut at once.
    pub async fn shutdown(mut self, patience: Duration) {
        self.phase.send_replace(Phase::Draining);
        let _ = tokio::time::timeout(patience, self.all_gone.recv()).await;
        self.phase.send_replace(Phase::Ended);
        let _ = self.all_gone.recv().await;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }

    fn start_worker(
        &mut self,
        number: usize,
        request_prefix: &str,
        tls: &ClientConfig,
        alive: mpsc::Sender<()>,
    ) -> io::Result<Desk> {
        let runtime = runtime()?;
        let connector = upstream::connector(tls, &self.shared.limits);
        let prefix = format!("{request_prefix}-{number}-");
        let (notices, coming) = Notices::new();
        let worker = Arc::new(Worker::new(Arc::clone(&self.shared), connector, notices, prefix));
        let (deal, dealt) = mpsc::unbounded_channel();
        let desk = Desk { deal, open: Arc::default() };
        let serving = worker::run(worker, dealt, coming, Arc::clone(&desk.open), self.phase.subscribe());
        self.start_thread(&format!("gateway-{number}"), move || {
            runtime.block_on(serving);
            // A name look-up that hangs must not hold up the end.
            runtime.shutdown_background();
            drop(alive);
        })?;
        Ok(desk)
    }

    fn start_accepting(&mut self, listeners: Vec<Listening>, desks: Vec<Desk>) -> io::Result<()> {
        let runtime = runtime()?;
        let listeners = {
            let _inside = runtime.enter();
            let listen = |(listener, entrance)| Ok((TcpListener::from_std(listener)?, entrance));
            listeners.into_iter().map(listen).collect::<io::Result<Vec<_>>>()?
        };
        let (shared, mut phase) = (Arc::clone(&self.shared), self.phase.subscribe());
        self.start_thread("gateway-accept", move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = phase.wait_for(|phase| *phase != Phase::Open) => {}
                    () = accept_all(listeners, desks, shared.limits.connections) => {}
                    () = watch_times(&shared) => {}
                }
                // Tokens run out while the last answers end, too.
                tokio::select! {
                    _ = phase.wait_for(|phase| *phase == Phase::Ended) => {}
                    () = watch_times(&shared) => {}
                }
            });
        })
    }

    fn start_thread(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(thread::Builder::new().name(name.to_owned()).spawn(work)?);
        Ok(())
    }
}

/// Where a worker takes its connections from.
struct Desk {
    deal: mpsc::UnboundedSender<Accepted>,
    open: Arc<AtomicUsize>,
}

/// A listener, and what it leads to.
type Listening = (std::net::TcpListener, Arc<Entrance>);

/// Names that every listener may be dialled by, besides its own.
struct Doors {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Doors {
    fn listen(&self, listener: std::net::TcpListener, only: Option<ServerName>) -> io::Result<Listening> {
        listener.set_nonblocking(true)?;
        let door = Door::new(listener.local_addr()?, &self.hosts, &self.origins);
        Ok((listener, Arc::new(Entrance::new(door, only))))
    }
}

/// Takes the desks along: with them, the workers learn that nothing comes any more.
async fn accept_all(listeners: Vec<(TcpListener, Arc<Entrance>)>, desks: Vec<Desk>, most: usize) {
    let room = Arc::new(Semaphore::new(most));
    let accepting = listeners.iter().map(|(listener, entrance)| accept(listener, entrance, &desks, &room));
    futures_util::future::join_all(accepting).await;
}

async fn accept(listener: &TcpListener, entrance: &Arc<Entrance>, desks: &[Desk], room: &Arc<Semaphore>) {
    while let Ok(share) = Arc::clone(room).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Small messages both ways: waiting to fill a packet only costs time.
                let _ = stream.set_nodelay(true);
                let Ok(stream) = stream.into_std() else { continue };
                deal(desks, Accepted { stream, peer, entrance: Arc::clone(entrance), share });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// To the worker with the fewest connections.
fn deal(desks: &[Desk], accepted: Accepted) {
    let Some(desk) = desks.iter().min_by_key(|desk| desk.open.load(Ordering::Relaxed)) else { return };
    desk.open.fetch_add(1, Ordering::Relaxed);
    let _ = desk.deal.send(accepted);
}

/// Wakes answers that have waited long enough for the log. Cuts the streams whose credentials run out, and all of them when what is in force is no longer known.
async fn watch_times(shared: &Shared) {
    loop {
        tokio::time::sleep(shared.limits.watch_every).await;
        shared.lines.wake_due(Instant::now(), shared.log.holds());
        // A fault in the clock that was handed in must not end the watch.
        let _ = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let now = seconds_of(shared.now_ms());
            if shared.freshness.is_stale(&shared.limits) {
                shared.lines.cut_all(&Denial::Stale);
            }
            shared.lines.examine_times(shared.gate.in_force().snapshot(), now);
        }));
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}
