//! Keeps a checkpoint now and then, and copies it to where the log's writer has no hand in it. What was copied out shows
//! later whether anything before it was changed or taken away, even by who holds the log's key.

use crate::audit::Audit;
use crate::output::{note, print_line};
use hallpass_core::audit_settings::CheckpointTo;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often, and to where.
#[derive(Clone, Debug)]
pub struct Anchoring {
    /// How often.
    pub every: Duration,
    /// To where; none: it is kept beside the log only.
    pub to: Option<CheckpointTo>,
}

pub(super) struct Anchor {
    audit: Arc<Audit>,
    how: Anchoring,
    due: Instant,
    last: String,
    said: String,
}

impl Anchor {
    pub(super) fn new(audit: Arc<Audit>, how: Anchoring) -> Self {
        let due = Instant::now() + how.every;
        Self { audit, how, due, last: String::new(), said: String::new() }
    }

    /// When the next is due.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    pub(super) async fn drop_if_due(&mut self) {
        if Instant::now() >= self.due {
            self.drop().await;
        }
    }

    /// One that would say the same as the last is not copied again.
    pub(super) async fn drop(&mut self) {
        self.due = Instant::now() + self.how.every;
        let (audit, how, last) = (Arc::clone(&self.audit), self.how.clone(), self.last.clone());
        let dropped = tokio::task::spawn_blocking(move || -> Result<String, String> {
            let checkpoint = audit.checkpoint(true).map_err(|fault| fault.to_string())?;
            if checkpoint != last
                && let Some(to) = &how.to
            {
                copy(&checkpoint, to)?;
            }
            Ok(checkpoint)
        });
        match dropped.await.unwrap_or_else(|_| Err("it was given up".into())) {
            Ok(checkpoint) => {
                self.last = checkpoint;
                self.said.clear();
            }
            Err(why) => self.say(format!("the log's checkpoint is not kept elsewhere: {why}")),
        }
    }

    fn say(&mut self, text: String) {
        if self.said != text {
            note(&text);
            self.said = text;
        }
    }
}

fn copy(checkpoint: &str, to: &CheckpointTo) -> Result<(), String> {
    match to {
        // One line, as everything else there.
        CheckpointTo::Stdout => {
            print_line(&json!({ "checkpoint": checkpoint }).to_string());
            Ok(())
        }
        CheckpointTo::File(file) => {
            append(checkpoint, file).map_err(|error| format!("`{}`: {error}", file.display()))
        }
    }
}

/// For whoever keeps the file, so not only for us.
fn append(checkpoint: &str, file: &Path) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).mode(0o644).open(file)?;
    file.write_all(checkpoint.as_bytes())?;
    file.sync_all()
}
