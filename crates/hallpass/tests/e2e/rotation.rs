//! `hallpass rotate --all` while fifty clients call without pause: six over bridges that run all the time, the others
//! with a token that they read from their file now and then. Nobody notices.

use std::{
    collections::BTreeMap,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{caller::Caller, program::Hallpass, program::Serving, recorder::Recorder};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
const BRIDGES: usize = 6;
const CLIENTS: usize = 50;
/// Long enough for a raw client to come by its file on a slow machine, short enough to be waited for.
const OVERLAP: Duration = Duration::from_secs(10);
/// How many calls a raw client makes before it looks into its file again.
const CALLS_PER_READ: usize = 5;
const PATIENCE: Duration = Duration::from_mins(1);

fn name(number: usize) -> String {
    if number < BRIDGES { format!("bridge{number}") } else { format!("raw{number}") }
}

/// A home with fifty clients, each with its token.
async fn home(url: &str) -> Hallpass {
    let program = Hallpass::new();
    let mut roster = format!("[servers.docs]\nurl = \"{url}\"\n");
    for number in 0..CLIENTS {
        let name = name(number);
        let how = if number < BRIDGES {
            "app = \"claude-desktop\"".to_owned()
        } else {
            program.write(
                format!("{name}.json"),
                r#"{ "mcpServers": { "docs": { "command": "x", "env": { "TOKEN": "" } } } }"#,
            );
            "app = \"json\"\nenv = \"TOKEN\"".to_owned()
        };
        roster.push_str(&["[clients.", &name, "]\n", &how, "\nconfig = \"", &name, ".json\"\n"].concat());
    }
    program.write("hallpass.toml", &roster);
    program.must(&["init"]).await;
    program.must(&["apply", "--yes"]).await;
    program
}

/// The client's token where the client itself finds it.
fn token(program: &Hallpass, number: usize) -> String {
    let name = name(number);
    if number < BRIDGES {
        let file = program.home().join("tokens").join(name);
        return std::fs::read_to_string(file).expect("a token file").trim_end().to_owned();
    }
    let text = std::fs::read_to_string(program.user().join(format!("{name}.json"))).expect("a file");
    let config: Value = serde_json::from_str(&text).expect("a configuration that is whole at every moment");
    config["mcpServers"]["docs"]["env"]["TOKEN"].as_str().expect("a token").to_owned()
}

/// What all clients have in common.
struct Traffic {
    program: Hallpass,
    gateway: Serving,
    stop: AtomicBool,
    calls: Vec<AtomicUsize>,
}

impl Traffic {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    /// Waits until each client has made so many more calls.
    async fn more(&self, calls: usize) {
        let goals: Vec<usize> = self.calls.iter().map(|made| made.load(Ordering::SeqCst) + calls).collect();
        let reached = timeout(PATIENCE, async {
            for (made, goal) in self.calls.iter().zip(goals) {
                while made.load(Ordering::SeqCst) < goal {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        });
        reached.await.expect("every client's calls go on");
    }
}

/// Calls over HTTP with the token of its file, which it reads again now and then. Returns what failed.
async fn raw(traffic: Arc<Traffic>, number: usize) -> Vec<String> {
    let mut failed = Vec::new();
    while traffic.goes_on() {
        let mut caller = Caller::new(&traffic.gateway, &token(&traffic.program, number)).await;
        for _ in 0..CALLS_PER_READ {
            let reply = caller.ask(CALL).await;
            traffic.calls[number].fetch_add(1, Ordering::SeqCst);
            if reply.status() != 200 {
                failed.push(format!(
                    "{}: {} {}",
                    name(number),
                    reply.status(),
                    reply.says("error_description")
                ));
                // A refused connection is closed.
                break;
            }
        }
    }
    failed
}

/// `hallpass connect`, started once.
struct Bridge {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Bridge {
    fn start(traffic: &Traffic, number: usize) -> Self {
        let mut command = traffic.program.command(&["connect", "docs", "--client", &name(number)]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the bridge starts");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, input, output }
    }

    async fn ask(&mut self) -> String {
        self.input.write_all(format!("{CALL}\n").as_bytes()).await.expect("the bridge reads");
        let line = timeout(PATIENCE, self.output.next_line()).await.expect("an answer in time");
        line.expect("the bridge writes").expect("a line before the end")
    }
}

/// Calls over one bridge from first to last. Returns what failed.
async fn bridged(traffic: Arc<Traffic>, number: usize) -> Vec<String> {
    let mut bridge = Bridge::start(&traffic, number);
    let mut failed = Vec::new();
    while traffic.goes_on() {
        let answer = bridge.ask().await;
        if answer != ANSWER {
            failed.push(format!("{}: {answer}", name(number)));
        }
        traffic.calls[number].fetch_add(1, Ordering::SeqCst);
    }
    if bridge.child.try_wait().expect("a child").is_some() {
        failed.push(format!("{}: the bridge has ended", name(number)));
    }
    failed
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_clients_call_without_pause_and_no_call_fails() {
    let mut server = Recorder::start().await;
    let program = home(&server.url()).await;
    let answering = tokio::spawn(async move {
        loop {
            server.next().await.respond("200 OK", &["Content-Type: application/json"], ANSWER.as_bytes());
        }
    });
    let gateway = program.serve().await;
    let calls = (0..CLIENTS).map(|_| AtomicUsize::new(0)).collect();
    let traffic = Arc::new(Traffic { program, gateway, stop: false.into(), calls });
    let old: BTreeMap<usize, String> =
        (0..CLIENTS).map(|number| (number, token(&traffic.program, number))).collect();
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        if number < BRIDGES {
            clients.spawn(bridged(Arc::clone(&traffic), number));
        } else {
            clients.spawn(raw(Arc::clone(&traffic), number));
        }
    }
    traffic.more(20).await;
    let started = Instant::now();
    let overlap = format!("{}s", OVERLAP.as_secs());
    let said = traffic.program.must(&["rotate", "--all", "--yes", "--overlap", &overlap]).await;
    let rotated = Instant::now();
    eprintln!("`hallpass rotate --all` of {CLIENTS} clients took {:?}", started.elapsed());
    assert_eq!(said.matches(": rotated").count(), CLIENTS, "{said}");
    // By now each has read its file again.
    traffic.more(2 * CALLS_PER_READ).await;
    for (number, old) in &old {
        assert_ne!(token(&traffic.program, *number), *old, "{}", name(*number));
    }
    for (number, old) in &old {
        let mut caller = Caller::new(&traffic.gateway, old).await;
        let mut reply = caller.ask(CALL).await;
        while reply.status() == 200 {
            assert!(rotated.elapsed() < OVERLAP + PATIENCE, "`{}` goes on with its old token", name(*number));
            tokio::time::sleep(Duration::from_millis(50)).await;
            reply = caller.ask(CALL).await;
        }
        let told = reply.says("error_description");
        assert!(told.starts_with("this token was replaced by a newer one on 2"), "{told}");
    }
    eprintln!("each old token was refused {:?} after `hallpass rotate` had returned", rotated.elapsed());
    traffic.more(2 * CALLS_PER_READ).await;
    traffic.stop.store(true, Ordering::SeqCst);
    let failed: Vec<String> = clients.join_all().await.into_iter().flatten().collect();
    assert_eq!(failed, Vec::<String>::new());
    let made: usize = traffic.calls.iter().map(|made| made.load(Ordering::SeqCst)).sum();
    eprintln!("{made} calls of {CLIENTS} clients, none failed");
    answering.abort();
}
