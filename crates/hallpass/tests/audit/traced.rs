//! A process under `strace`. Without it, or where it may not trace, there is nothing to show.

use crate::program::{Hallpass, Serving};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A tracer at a running gateway; lets go of it when it is dropped.
pub(crate) struct Tracer {
    child: Child,
    /// What was traced.
    pub(crate) file: PathBuf,
}

impl Tracer {
    /// Returns once it has hold of every thread.
    pub(crate) async fn at(gateway: &Serving, file: &Path, arguments: &[&str]) -> Option<Self> {
        let mut command = Command::new("strace");
        command.args(["-f", "-p", &gateway.id().to_string(), "-o"]).arg(file).args(arguments);
        let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn().ok()?;
        let mut lines = BufReader::new(child.stderr.take()?).lines();
        let line = lines.next_line().await.ok()??;
        if !line.contains("attached") {
            return None;
        }
        // It must not stop for want of a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Some(Self { child, file: file.to_owned() })
    }

    /// Lets go, and returns what was traced.
    pub(crate) async fn end(mut self) -> String {
        let id = self.child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
        rustix::process::kill_process(id.expect("a child"), rustix::process::Signal::INT)
            .expect("a child to stop");
        self.child.wait().await.expect("a child to wait for");
        std::fs::read_to_string(&self.file).expect("what was traced")
    }
}

/// A command from its start to its end: what was traced.
pub(crate) async fn trace(
    program: &Hallpass,
    file: &Path,
    options: &[&str],
    arguments: &[&str],
) -> Option<String> {
    let mut all = vec!["-f", "-o", file.to_str()?];
    all.extend(options);
    all.push(env!("CARGO_BIN_EXE_hallpass"));
    all.extend(arguments);
    let output = program.outside("strace", &all).output().await.ok()?;
    output.status.success().then(|| std::fs::read_to_string(file).expect("what was traced"))
}
