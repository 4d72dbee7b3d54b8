//! The store goes away while the gateway serves: moved, replaced, shut off, locked. Refused after the bound, said once,
//! recovered from without a restart, and nobody is let in meanwhile whom the newest known word cut off.

use std::{
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::{
    caller::Caller,
    installed::Installed,
    program::{Outcome, Serving},
    recorder::Recorder,
    wire::Wire,
};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
const BOUND: Duration = Duration::from_secs(2);
/// What a machine with much to do may add to it.
const SLOW: Duration = Duration::from_secs(10);
const SAID: &str = "the store cannot be read, calls will be refused if this goes on: ";
const REFUSED: &str = "every call is refused now: for too long nobody could see what is in force\n";
const BACK: &str = "the store can be read again\n";

/// A home with a short bound, and a server that answers everything.
struct Scene {
    installed: Installed,
    answering: JoinHandle<()>,
}

impl Scene {
    async fn new() -> Self {
        let mut server = Recorder::start().await;
        let rest = format!("[gateway]\nmax_stale = \"2s\"\n[servers.docs]\nurl = \"{}\"\n", server.url());
        let installed = Installed::with(&rest).await;
        let answering = tokio::spawn(async move {
            loop {
                server.next_ever().await.respond(
                    "200 OK",
                    &["Content-Type: application/json"],
                    ANSWER.as_bytes(),
                );
            }
        });
        Self { installed, answering }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.installed.program.home().join(name)
    }

    fn database(&self) -> PathBuf {
        self.file("hallpass.db")
    }

    async fn status(&self, gateway: &Serving, client: &str) -> u16 {
        Caller::new(gateway, &self.installed.token(client)).await.ask(CALL).await.status()
    }

    async fn revoke(&self, client: &str) -> Outcome {
        self.installed.program.run(&["revoke", client, "--reason", "laptop lost"]).await
    }

    /// Waits for this status of a client's calls. Until then they have the other.
    async fn turns(&self, gateway: &Serving, client: &str, before: u16, after: u16) -> Duration {
        let begun = Instant::now();
        loop {
            let status = self.status(gateway, client).await;
            if status == after {
                return begun.elapsed();
            }
            assert_eq!(status, before, "of {client}, on the way to {after}");
            assert!(begun.elapsed() < BOUND + SLOW, "{client} does not get {after}: {}", gateway.stderr());
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

async fn ready(gateway: &Serving) -> u16 {
    let host = gateway.address().strip_prefix("http://").expect("a loopback address");
    let mut wire = Wire::connect(host).await;
    wire.send(format!("GET /readyz HTTP/1.1\r\nHost: {host}\r\n\r\n")).await.expect("an open connection");
    wire.head().await.expect("an answer").status()
}

async fn says(gateway: &Serving, text: &str) {
    let said = timeout(SLOW, async {
        while !gateway.stderr().contains(text) {
            sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(said.await.is_ok(), "`{text}` is not in: {}", gateway.stderr());
}

fn rename(from: &Path, to: &Path) {
    std::fs::rename(from, to).expect("a file to move");
}

/// What `serve` said, without the lines on the log that cannot be written either.
fn said(outcome: &Outcome) -> Vec<&str> {
    let lines =
        outcome.stderr.lines().filter(|line| !line.starts_with("listening on ") && *line != "stopping");
    // The log, and what follows from its records, have troubles of their own at such moments.
    let of_the_log = ["the log cannot be written", "the first use of a token cannot be noted yet"];
    lines.filter(|line| !of_the_log.iter().any(|start| line.starts_with(start))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_moved_away_is_missed_and_found_again() {
    let scene = Scene::new().await;
    let gateway = scene.installed.serve().await;
    assert_eq!((scene.status(&gateway, "ann").await, ready(&gateway).await), (200, 200));
    let mut listener = Caller::new(&gateway, &scene.installed.token("bob")).await;
    let aside = scene.file("aside.db");
    rename(&scene.database(), &aside);
    let gone = Instant::now();
    assert_eq!(scene.status(&gateway, "ann").await, 200, "what was just seen still counts");
    scene.turns(&gateway, "ann", 200, 503).await;
    assert!(gone.elapsed() + Duration::from_millis(200) > BOUND, "refused too early: {:?}", gone.elapsed());
    eprintln!("refused {:?} after the database had gone, of {BOUND:?} allowed", gone.elapsed());
    let reply = listener.ask(CALL).await;
    assert_eq!((reply.status(), reply.says("error").as_str()), (503, "stale"));
    assert_eq!(ready(&gateway).await, 503);
    says(&gateway, REFUSED).await;
    let revoked = scene.revoke("ann").await;
    assert_eq!((revoked.code, revoked.stdout.as_str()), (Some(1), ""), "{revoked:#?}");
    let home = scene.installed.program.home();
    let lost = format!(
        "error: the database `{}` is gone, and this home was in use\nhint: ",
        home.join("hallpass.db").display()
    );
    assert!(revoked.stderr.starts_with(&lost), "{revoked:#?}");

    rename(&aside, &scene.database());
    scene.turns(&gateway, "ann", 503, 200).await;
    assert_eq!(ready(&gateway).await, 200);
    assert_eq!(scene.revoke("ann").await.code, Some(0));
    scene.turns(&gateway, "ann", 200, 401).await;
    scene.installed.logged("a refusal", |event| event["reason"] == "stale").await;
    let outcome = gateway.terminate().await;
    let missing = format!("{SAID}it is not there");
    let hint = "hint: put `hallpass.db` back in its place";
    assert_eq!(said(&outcome), [&*missing, hint, REFUSED.trim_end(), BACK.trim_end()], "{outcome:#?}");
    scene.installed.nothing_leaked().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_database_takes_its_place_and_nobody_notices() {
    let scene = Scene::new().await;
    let copy = scene.file("copy.db");
    std::fs::copy(scene.database(), &copy).expect("a copy");
    let gateway = scene.installed.serve().await;
    assert_eq!(scene.status(&gateway, "ann").await, 200);
    rename(&copy, &scene.database());
    let replaced = Instant::now();
    while replaced.elapsed() < BOUND + Duration::from_millis(500) {
        assert_eq!(scene.status(&gateway, "ann").await, 200);
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(scene.revoke("ann").await.code, Some(0));
    scene.turns(&gateway, "ann", 200, 401).await;
    assert_eq!(scene.status(&gateway, "bob").await, 200);
    scene.installed.logged("the revoked call", |event| event["reason"] == "revoked").await;
    assert_eq!(gateway.terminate().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_brings_no_revoked_token_back() {
    let scene = Scene::new().await;
    let (backup, aside) = (scene.file("backup.db"), scene.file("aside.db"));
    std::fs::copy(scene.database(), &backup).expect("a copy");
    let gateway = scene.installed.serve().await;
    assert_eq!(scene.revoke("ann").await.code, Some(0));
    scene.turns(&gateway, "ann", 200, 401).await;
    rename(&scene.database(), &aside);
    rename(&backup, &scene.database());
    says(&gateway, &format!("{SAID}it was set back: it knows nothing of revision ")).await;
    says(&gateway, "hint: what was revoked since would be good again: put the newer one back").await;
    scene.turns(&gateway, "ann", 401, 503).await;
    assert_eq!(scene.status(&gateway, "bob").await, 503);
    // Commands do not know what the gateway has in force: they count the old copy's revision up.
    for _ in 0..3 {
        scene.installed.program.must(&["issue", "carl", "--yes"]).await;
    }
    assert_eq!((scene.status(&gateway, "ann").await, scene.status(&gateway, "carl").await), (503, 503));
    rename(&aside, &scene.database());
    says(&gateway, BACK).await;
    scene.turns(&gateway, "bob", 503, 200).await;
    assert_eq!(scene.status(&gateway, "ann").await, 401);
    assert_eq!(gateway.terminate().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_homes_database_is_not_taken_for_this_ones() {
    let (scene, other) = (Scene::new().await, Scene::new().await);
    let aside = scene.file("aside.db");
    let gateway = scene.installed.serve().await;
    assert_eq!(scene.status(&gateway, "ann").await, 200);
    rename(&scene.database(), &aside);
    rename(&other.database(), &scene.database());
    says(&gateway, &format!("{SAID}it is the database of another home\nhint: put this home's own")).await;
    scene.turns(&gateway, "ann", 200, 503).await;
    let stranger = other.installed.token("ann");
    assert_eq!(Caller::new(&gateway, &stranger).await.ask(CALL).await.status(), 503);
    rename(&aside, &scene.database());
    scene.turns(&gateway, "ann", 503, 200).await;
    assert_eq!(Caller::new(&gateway, &stranger).await.ask(CALL).await.status(), 401);
    assert_eq!(gateway.terminate().await.code, Some(0));
}

/// The folder is what a path leads through: without it the file has no name any more. Root may look anyway, so the
/// gateway runs as nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_shut_is_noticed() {
    let scene = Scene::new().await;
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let home = scene.installed.program.home();
    let command = if rustix::process::geteuid().is_root() {
        give_away(home.parent().expect("a folder"));
        let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", env!("CARGO_BIN_EXE_hallpass")];
        scene.installed.program.outside("setpriv", &[&nobody[..], &serve].concat())
    } else {
        scene.installed.program.command(&serve)
    };
    let gateway = scene.installed.program.start(command).await;
    let token = scene.installed.token("ann");
    let status = async || Caller::new(&gateway, &token).await.ask(CALL).await.status();
    assert_eq!(status().await, 200);
    let folder = |mode| std::fs::set_permissions(&home, PermissionsExt::from_mode(mode)).expect("a mode");
    folder(0o000);
    says(&gateway, &format!("{SAID}Permission denied")).await;
    says(&gateway, REFUSED).await;
    assert_eq!(status().await, 503);
    folder(0o700);
    says(&gateway, BACK).await;
    says(&gateway, "the log can be written again\n").await;
    let over = timeout(SLOW, async { while status().await != 200 {} });
    assert!(over.await.is_ok(), "calls are refused still");
    let outcome = gateway.terminate().await;
    // The log said that it could not be written, and that it could again.
    assert_eq!((outcome.code, said(&outcome).len()), (Some(0), 4), "{outcome:#?}");
}

/// To `nobody`.
fn give_away(path: &Path) {
    chown(path, Some(65_534), Some(65_534)).expect("root may give files away");
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a folder") {
            give_away(&entry.expect("an entry").path());
        }
    }
}

/// A connection that knows nothing of the store.
pub(crate) async fn raw(database: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(database).connect().await.expect("a connection")
}

/// Somebody who writes for long stops the writers, who say so, and no reader.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_database_stops_writers_and_no_calls() {
    let scene = Scene::new().await;
    let gateway = scene.installed.serve().await;
    let mut locking = raw(&scene.database()).await;
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut locking).await.expect("the lock");
    let locked = Instant::now();
    let revoked = scene.revoke("ann").await;
    let took = locked.elapsed();
    assert_eq!((revoked.code, revoked.stdout.as_str()), (Some(1), ""), "{revoked:#?}");
    assert_eq!(
        revoked.stderr,
        "error: cannot revoke: another process keeps it locked\nhint: wait until it has ended, then run this command again\n"
    );
    assert!((Duration::from_secs(2)..SLOW).contains(&took), "{took:?}");
    while locked.elapsed() < 2 * BOUND {
        assert_eq!((scene.status(&gateway, "ann").await, ready(&gateway).await), (200, 200));
        sleep(Duration::from_millis(50)).await;
    }
    locking.close().await.expect("the end of the lock");
    assert_eq!(scene.revoke("ann").await.code, Some(0));
    scene.turns(&gateway, "ann", 200, 401).await;
    // Nothing that was called meanwhile is missing.
    scene.installed.logged("the revoked call", |event| event["reason"] == "revoked").await;
    let calls = scene.installed.log(&["--outcome", "ok", "--client", "ann"]).await.len();
    let outcome = gateway.terminate().await;
    let printed =
        outcome.stdout.lines().filter(|line| line.contains("client=ann") && line.contains(" ok ")).count();
    assert!(calls > 0 && calls == printed, "{calls} rows of {printed} calls");
    assert!(said(&outcome).is_empty(), "{outcome:#?}");
}
