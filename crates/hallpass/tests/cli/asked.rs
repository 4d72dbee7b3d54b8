//! A person at a terminal: says yes, says no, or interrupts. Whoever is not answered has changed nothing.

use crate::stage::{CLAUDE, Picture, Stage};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::Child;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);
const QUESTION: &str = "do this? [y/N] ";

/// A command that asks, and the terminal that it asks at.
pub(crate) struct Asking {
    terminal: File,
    child: Child,
}

impl Asking {
    /// Returns once the question stands on standard error.
    pub(crate) async fn start(stage: &Stage, arguments: &[&str]) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&terminal).expect("a terminal of ours");
        unlockpt(&terminal).expect("a terminal to open");
        let name = ptsname(&terminal, Vec::new()).expect("a name").into_string().expect("UTF-8");
        let stdin = File::options().read(true).write(true).open(name).expect("the other end");
        let mut command = stage.hallpass.command(arguments);
        command.stdin(Stdio::from(stdin)).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program");
        let mut said = Vec::new();
        let stderr = child.stderr.as_mut().expect("a pipe");
        while !said.ends_with(QUESTION.as_bytes()) {
            let read =
                timeout(PATIENCE, stderr.read_buf(&mut said)).await.expect("a question").expect("a pipe");
            assert!(read > 0, "it did not ask: {}", String::from_utf8_lossy(&said));
        }
        Self { terminal: terminal.into(), child }
    }

    pub(crate) async fn answer(mut self, word: &str) -> (ExitStatus, String) {
        writeln!(self.terminal, "{word}").expect("a terminal");
        self.end().await
    }

    pub(crate) async fn interrupt(self) -> (ExitStatus, String) {
        let id = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        kill_process(id.expect("a running child"), Signal::INT).expect("a child to signal");
        self.end().await
    }

    async fn end(mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        let stderr = self.child.stderr.as_mut().expect("a pipe");
        timeout(PATIENCE, stderr.read_to_string(&mut rest)).await.expect("an end").expect("UTF-8");
        (self.child.wait().await.expect("an end"), rest)
    }
}

const ASKING: [&[&str]; 4] = [
    &["rotate", "claude"],
    &["rotate", "--all", "--wait"],
    &["rotate", "claude", "--now"],
    &["rotate", "claude", "--print"],
];

async fn stage() -> (Stage, Picture) {
    let stage = Stage::applied().await;
    let picture = stage.picture().await;
    (stage, picture)
}

#[tokio::test]
async fn an_answer_that_is_no_yes_changes_nothing() {
    let (stage, before) = stage().await;
    for command in ASKING {
        for word in ["n", "", "yess"] {
            let (status, said) = Asking::start(&stage, command).await.answer(word).await;
            assert_eq!(status.code(), Some(1), "{command:?} {word:?}: {said}");
            assert_eq!(said, "error: nothing was changed: the answer was no\n", "{command:?}");
            stage.picture().await.assert_same(&before, &command.join(" "));
        }
    }
}

#[tokio::test]
async fn an_interrupt_at_the_question_changes_nothing_and_frees_the_lock() {
    let (stage, before) = stage().await;
    for command in ASKING {
        let (status, _) = Asking::start(&stage, command).await.interrupt().await;
        assert_eq!(status.signal(), Some(Signal::INT.as_raw()), "{command:?}");
        stage.picture().await.assert_same(&before, &command.join(" "));
    }
    stage.hallpass.must(&["rotate", "claude", "--yes"]).await;
}

#[tokio::test]
async fn a_yes_does_it() {
    let (stage, _) = stage().await;
    let token = stage.token(CLAUDE);
    let (status, said) = Asking::start(&stage, &["rotate", "claude"]).await.answer("y").await;
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
    assert_ne!(stage.token(CLAUDE), token);
}

/// Whoever was revoked before the question knows what `issue` is for; whoever is revoked while it stands does not.
#[tokio::test]
async fn no_token_is_printed_for_whom_another_cut_off_meanwhile() {
    let (stage, _) = stage().await;
    for command in ["rotate", "issue"] {
        let asking = Asking::start(&stage, &[command, "claude", "--print"]).await;
        stage.hallpass.must(&["revoke", "claude", "--reason", "lost"]).await;
        let (status, said) = asking.answer("y").await;
        assert_eq!(status.code(), Some(1), "{command}: {said}");
        assert!(said.contains("`claude` was revoked while this was being planned"), "{command}: {said}");
        let shown = stage.document(&["show", "claude"]).await;
        assert_eq!(shown["tokens"][0]["state"], "revoked", "{command}: {shown}");
        stage.hallpass.must(&["issue", "claude", "--print", "--yes"]).await;
    }
}

/// The plan is made and shown, and while a person thinks, another cuts the client off.
#[tokio::test]
async fn what_others_decided_while_a_person_thought_stands() {
    let (stage, _) = stage().await;
    let token = stage.token(CLAUDE);
    let asking = Asking::start(&stage, &["rotate", "claude"]).await;
    stage.hallpass.must(&["revoke", "claude", "--reason", "lost"]).await;
    let (status, said) = asking.answer("y").await;
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("`claude` was revoked while this was being planned"), "{said}");
    assert_eq!(stage.token(CLAUDE), token);
    stage.hallpass.must(&["issue", "claude", "--yes"]).await;
    let asking = Asking::start(&stage, &["rotate", "claude"]).await;
    stage.hallpass.must(&["disable", "claude", "--reason", "on leave"]).await;
    let (status, _) = asking.answer("y").await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(stage.document(&["show", "claude"]).await["enabled"], false, "it stays disabled");
}
