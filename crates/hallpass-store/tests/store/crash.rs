//! Killed at any moment, the store is as before a change or as after it. The other process is this test binary again.

use crate::scene::{NOW, Scene, act, client, mint, placement};
use hallpass_core::keys::{Algorithm, KeyId};
use hallpass_core::snapshot::TokenState;
use hallpass_store::{SealKey, SigningKey, Store};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};

/// Another process that has the database open.
pub(crate) struct Child {
    process: std::process::Child,
    output: BufReader<ChildStdout>,
}

impl Child {
    /// Starts `work` on the database.
    pub(crate) fn start(work: &str, database: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::the_other_process", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = process.stdin.take().unwrap();
        writeln!(input, "{work}\n{}", database.display()).unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    pub(crate) fn wait_for_end(&mut self) {
        assert!(self.process.wait().unwrap().success());
    }

    /// Reads until it has said `done` this often.
    fn wait_for(&mut self, times: usize) {
        let lines = self.output.by_ref().lines().map(Result::unwrap);
        assert_eq!(lines.filter(|line| line.ends_with("done")).take(times).count(), times);
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[tokio::test]
#[ignore = "not a test: what the other process does"]
async fn the_other_process() {
    let mut lines = std::io::stdin().lines().map(Result::unwrap);
    let (Some(work), Some(database)) = (lines.next(), lines.next().map(PathBuf::from)) else { return };
    let store = Store::open(&database).await.unwrap();
    match work.as_str() {
        "revoke" => {
            store.revoke_client("ann", NOW, "lost", &act("revoke", "ann")).await.unwrap();
        }
        "issue" => issue_for_ever(&store, &database).await,
        "stop half-way" => stop_half_way(&database).await,
        other => panic!("{other}"),
    }
}

async fn issue_for_ever(store: &Store, database: &Path) {
    let seal = SealKey::load(&database.with_file_name("seal.key")).unwrap();
    let sealed = store.keys().await.unwrap().remove(0).sealed;
    let key = SigningKey::from_sealed(KeyId::new("hp-1").unwrap(), Algorithm::Es256, &sealed, &seal).unwrap();
    for number in 0.. {
        let name = format!("client-{number}");
        store.put_client(&client(&name), None).await.unwrap();
        let token = mint(&key, &name, NOW);
        store.add_pending(&token.row).await.unwrap();
        store.activate(token.jti(), NOW, Some(&placement(&name)), &act("issue", &name)).await.unwrap();
        println!("\ndone");
    }
}

/// Everything but the commit.
async fn stop_half_way(database: &Path) {
    use sqlx::ConnectOptions as _;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
    let mut connection = options.connect().await.unwrap();
    // A cache this small spills: pages that were never committed get into the files.
    let sql = "PRAGMA cache_size = 1; BEGIN IMMEDIATE;
        UPDATE token SET state = 'active', ended_at = NULL; DELETE FROM placement;
        UPDATE client SET subject = hex(randomblob(20000)); UPDATE revision SET number = number + 1;";
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    println!("\ndone");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_process_that_is_killed_before_it_commits_leaves_the_old_state() {
    let (scene, tokens) = Scene::with_clients(&["ann", "bob"]).await;
    scene.store.put_placement(&placement("bob")).await.unwrap();
    scene.store.revoke_client("ann", NOW, "lost", &act("revoke", "ann")).await.unwrap();
    let revision = scene.revision().await;
    let mut child = Child::start("stop half-way", &scene.file());
    child.wait_for(1);
    assert_eq!(scene.revision().await, revision, "not seen before it is committed");
    child.kill();
    for store in [&scene.store, &scene.another().await] {
        let state = store.token(tokens[0].jti()).await.unwrap().unwrap().state;
        assert_eq!(state, TokenState::Revoked { at: NOW });
        assert_eq!(store.placements().await.unwrap().len(), 1);
        assert_eq!(store.client("ann").await.unwrap(), Some(client("ann")));
    }
    assert_eq!(scene.revision().await, revision);
    scene.store.revoke_client("bob", NOW, "lost", &act("revoke", "bob")).await.unwrap();
}

#[tokio::test]
async fn a_process_that_is_killed_while_it_issues_leaves_each_step_whole() {
    let scene = Scene::new().await;
    let mut child = Child::start("issue", &scene.file());
    child.wait_for(3);
    child.kill();
    let store = scene.another().await;
    let issued = scene.acts().await.len();
    let tokens = store.tokens().await.unwrap();
    assert!(issued >= 3, "what was acknowledged is there");
    let active = tokens.iter().filter(|token| token.state == TokenState::Active).count();
    assert_eq!(active, issued, "active with its act, or neither");
    assert_eq!(store.placements().await.unwrap().len(), issued);
    assert_eq!(store.pending().await.unwrap().len(), tokens.len() - active);
    assert!(tokens.len() - active <= 1);
}
