//! `revoke`: with 1,000 streams open and 200 calls a second under way, another process revokes a client. How long after
//! that command has returned is its last call still answered, and when does each of its streams end?

use crate::home::{Gateway, Home};
use crate::upstream;
use crate::wire::Wire;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

const CLIENTS: usize = 100;
const STREAMS_EACH: usize = 10;
const ROUNDS: usize = 100;
/// One by the client that is revoked, one by another: 200 calls a second.
const BETWEEN_CALLS: Duration = Duration::from_millis(10);
/// Each stream is a socket at either end, in either process.
const FILES: u64 = 4 * (CLIENTS * STREAMS_EACH) as u64;
const PATIENCE: Duration = Duration::from_secs(20);
/// The goals, for the 99th percentile.
const CALL_GOAL: Duration = Duration::from_millis(300);
const STREAM_GOAL: Duration = Duration::from_secs(1);

/// Measures and prints; fails if a goal is missed, or if anybody else notices anything.
pub fn run(rounds: Option<&str>) -> ExitCode {
    let rounds = match rounds.map_or(Ok(ROUNDS), str::parse) {
        Ok(rounds) if rounds > 0 => rounds,
        _ => return fail("the number of rounds is not a number"),
    };
    if let Err(why) = allow_files() {
        return fail(&why);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(measure(rounds))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(why: &str) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::FAILURE
}

/// The gateway inherits it.
fn allow_files() -> Result<(), String> {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    match getrlimit(Resource::Nofile).current {
        Some(files) if files < FILES => {
            Err(format!("{files} files may be open, and this needs {FILES}\nhint: `ulimit -n {FILES}`"))
        }
        _ => Ok(()),
    }
}

async fn measure(rounds: usize) -> io::Result<bool> {
    let clients: Vec<String> = (0..CLIENTS).map(|number| format!("c{number}")).collect();
    let home = Home::make(&clients, &upstream::start().await?).await?;
    let gateway = Arc::new(home.serve().await?);
    let (ends, mut ended) = mpsc::unbounded_channel();
    let open = async |client: usize| -> io::Result<()> {
        for _ in 0..STREAMS_EACH {
            let mut wire = Wire::connect(&gateway.address).await?;
            wire.listen(&home.token(&clients[client])?).await?;
            let ends = ends.clone();
            tokio::spawn(async move {
                wire.ended().await;
                let _over = ends.send((client, Instant::now()));
            });
        }
        Ok(())
    };
    for client in 0..CLIENTS {
        open(client).await?;
    }
    println!(
        "{} streams of {CLIENTS} clients are open, {} calls a second",
        CLIENTS * STREAMS_EACH,
        2000 / BETWEEN_CALLS.as_millis()
    );
    let (mut calls, mut streams, mut commands) = (Vec::new(), Vec::new(), Vec::new());
    let mut unharmed = true;
    for round in 0..rounds {
        let (client, other) = (round % CLIENTS, (round + CLIENTS / 2) % CLIENTS);
        let victim = Calling::start(&gateway, home.token(&clients[client])?);
        let bystander = Calling::start(&gateway, home.token(&clients[other])?);
        // Both are under way.
        victim.answered(20).await?;
        let began = Instant::now();
        home.run(&["revoke", &clients[client], "--reason", "bench"]).await?;
        let returned = Instant::now();
        commands.push(returned - began);
        for _ in 0..STREAMS_EACH {
            let (whose, at) = timeout(PATIENCE, ended.recv()).await?.ok_or(io::ErrorKind::BrokenPipe)?;
            unharmed &= whose == client;
            streams.push(at.saturating_duration_since(returned));
        }
        let last = victim.refused().await?;
        calls.push(last.map_or(Duration::ZERO, |last| last.saturating_duration_since(returned)));
        bystander.answered(5).await?;
        unharmed &= bystander.stop().await?;
        home.run(&["issue", &clients[client], "--yes"]).await?;
        open(client).await?;
        unharmed &= ended.try_recv().is_err();
    }
    let commands = Figures::of(commands);
    println!("{rounds:3} rounds                                      median       p99   longest");
    println!("the command itself                         {commands}");
    let (calls, streams) = (Figures::of(calls), Figures::of(streams));
    println!("its last answer after the command returned {calls}");
    println!("its streams' end after the command returned{streams}");
    let met = calls.p99 <= CALL_GOAL && streams.p99 <= STREAM_GOAL;
    println!(
        "goals: last answer at most {CALL_GOAL:?}, end of streams at most {STREAM_GOAL:?} (p99): {}; other clients: {}",
        if met { "met" } else { "missed" },
        if unharmed { "no call refused, no stream ended" } else { "not left alone" }
    );
    Ok(met && unharmed)
}

/// A client that calls every few milliseconds until it is refused or stopped.
struct Calling {
    calls: JoinHandle<io::Result<Called>>,
    answered: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

/// When its last call was answered well, and whether one was refused.
struct Called {
    last: Option<Instant>,
    refused: bool,
}

impl Calling {
    fn start(gateway: &Arc<Gateway>, token: String) -> Self {
        let (answered, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (gateway, count, stopped) = (Arc::clone(gateway), Arc::clone(&answered), Arc::clone(&stop));
        let calls = tokio::spawn(async move {
            let mut wire = Wire::connect(&gateway.address).await?;
            let mut ticks = interval(BETWEEN_CALLS);
            let mut last = None;
            while !stopped.load(Ordering::Relaxed) {
                ticks.tick().await;
                let (status, reusable) = wire.call(&token).await?;
                if status != 200 {
                    return Ok(Called { last, refused: true });
                }
                last = Some(Instant::now());
                count.fetch_add(1, Ordering::Relaxed);
                if !reusable {
                    wire = Wire::connect(&gateway.address).await?;
                }
            }
            Ok(Called { last, refused: false })
        });
        Self { calls, answered, stop }
    }

    /// Waits for so many more answers.
    async fn answered(&self, more: usize) -> io::Result<()> {
        let goal = self.answered.load(Ordering::Relaxed) + more;
        let waiting = async {
            while self.answered.load(Ordering::Relaxed) < goal && !self.calls.is_finished() {
                tokio::time::sleep(BETWEEN_CALLS).await;
            }
        };
        Ok(timeout(PATIENCE, waiting).await?)
    }

    /// Waits for the refusal; returns the last answer before it.
    async fn refused(self) -> io::Result<Option<Instant>> {
        let called = timeout(PATIENCE, self.calls).await?.map_err(io::Error::other)??;
        Ok(called.last)
    }

    /// Ends it. Returns whether every call was answered.
    async fn stop(self) -> io::Result<bool> {
        self.stop.store(true, Ordering::Relaxed);
        let called = timeout(PATIENCE, self.calls).await?.map_err(io::Error::other)??;
        Ok(!called.refused)
    }
}

/// What is printed of many durations.
struct Figures {
    median: Duration,
    p99: Duration,
    longest: Duration,
}

impl Figures {
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort();
        let at = |share: usize| all[(all.len() * share).div_ceil(100).clamp(1, all.len()) - 1];
        Self { median: at(50), p99: at(99), longest: at(100) }
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for figure in [self.median, self.p99, self.longest] {
            write!(f, " {:6.1} ms", figure.as_secs_f64() * 1e3)?;
        }
        Ok(())
    }
}
