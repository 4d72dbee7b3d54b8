//! The gateway's log as an operator follows it: `hallpass log --follow --json`.

use std::time::Duration;

use hallpass::fault::{Doing as _, Fault, Result};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// The gateway writes a record within 5 s.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Log {
    lines: Lines<BufReader<ChildStdout>>,
    seen: Vec<Value>,
    _follower: Child,
}

impl Log {
    /// `command`: the follower.
    pub(crate) fn follow(mut command: Command) -> Result<Self> {
        let mut follower = command.spawn().doing("cannot start `hallpass log`")?;
        let out = follower.stdout.take().ok_or_else(|| Fault::new("no output of `hallpass log`"))?;
        Ok(Self { lines: BufReader::new(out).lines(), seen: Vec::new(), _follower: follower })
    }

    /// Waits for a call of this client that ended so; false if none comes.
    pub(crate) async fn names(&mut self, client: &str, outcome: &str) -> Result<bool> {
        let wanted = |event: &Value| event["client"] == client && event["outcome"] == outcome;
        if self.seen.iter().any(wanted) {
            return Ok(true);
        }
        let arrives = timeout(PATIENCE, async {
            while let Some(line) = self.lines.next_line().await.doing("`hallpass log`")? {
                let event: Value = serde_json::from_str(&line).doing("a line of `hallpass log`")?;
                let found = wanted(&event);
                self.seen.push(event);
                if found {
                    return Ok(true);
                }
            }
            Err(Fault::new("`hallpass log` ended"))
        });
        arrives.await.unwrap_or(Ok(false))
    }
}
