//! Keeps a checkpoint now and then, and copies it to where the log's writer has no hand in it. What was copied out shows
//! later whether anything before it was changed or taken away, even by who holds the log's key.

use super::printer::Printer;
use crate::audit::Audit;
use crate::output::note;
use hallpass_core::audit_settings::CheckpointTo;
use rustix::fs::OFlags;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long a copy is waited for: a share of another machine may be gone.
const COPIED_WITHIN: Duration = Duration::from_secs(5);

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

    pub(super) async fn drop_if_due(&mut self, printer: &Printer) {
        if Instant::now() >= self.due {
            self.drop(printer).await;
        }
    }

    /// One that would say the same as the last is not copied again.
    pub(super) async fn drop(&mut self, printer: &Printer) {
        self.due = Instant::now() + self.how.every;
        match self.try_drop(printer).await {
            Ok(checkpoint) => {
                self.last = checkpoint;
                self.said.clear();
            }
            Err(why) => self.say(format!("the log's checkpoint is not kept elsewhere: {why}")),
        }
    }

    async fn try_drop(&self, printer: &Printer) -> Result<String, String> {
        let audit = Arc::clone(&self.audit);
        let kept = tokio::task::spawn_blocking(move || audit.checkpoint(true)).await;
        let checkpoint = kept.map_err(|_| "it was given up")?.map_err(|fault| fault.to_string())?;
        match &self.how.to {
            Some(to) if checkpoint != self.last => copy(&checkpoint, to, printer).await?,
            Some(_) | None => {}
        }
        Ok(checkpoint)
    }

    fn say(&mut self, text: String) {
        if self.said != text {
            note(&text);
            self.said = text;
        }
    }
}

async fn copy(checkpoint: &str, to: &CheckpointTo, printer: &Printer) -> Result<(), String> {
    match to {
        // One line, as everything else there.
        CheckpointTo::Stdout => {
            let line = format!("{}\n", json!({ "checkpoint": checkpoint }));
            if printer.lines(line) { Ok(()) } else { Err("nobody reads standard output".into()) }
        }
        CheckpointTo::File(file) => {
            let (text, path) = (checkpoint.to_owned(), file.clone());
            let appended = tokio::task::spawn_blocking(move || append(&text, &path));
            let appended = timeout(COPIED_WITHIN, appended).await;
            let appended = appended.map_err(|_| format!("`{}` takes too long", file.display()))?;
            let appended = appended.map_err(|_| "it was given up")?;
            appended.map_err(|error| format!("`{}`: {error}", file.display()))
        }
    }
}

/// For whoever keeps the file, so not only for us. Only to a file: a pipe that nobody reads would be waited for.
fn append(checkpoint: &str, file: &Path) -> std::io::Result<()> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let mut file =
        OpenOptions::new().append(true).create(true).mode(0o644).custom_flags(nonblocking).open(file)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    file.write_all(checkpoint.as_bytes())?;
    file.sync_all()
}
