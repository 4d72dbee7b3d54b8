//! Writes whole lines to standard output, one writer for all calls. Knows no JSON.

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

const WAITING_LINES: usize = 64;

/// The way to standard output. A call that is dropped while it waits has written nothing of its line.
pub(crate) struct Output {
    lines: mpsc::Sender<Bytes>,
    /// Rings for each line.
    pub(crate) progress: Notify,
}

impl Output {
    /// Starts the writer; it ends when the output is dropped or nobody reads any more.
    pub(crate) fn start(writer: impl AsyncWrite + Unpin + Send + 'static) -> (Self, JoinHandle<()>) {
        let (lines, waiting) = mpsc::channel(WAITING_LINES);
        let writer = tokio::spawn(async move {
            // An error means that the reader is gone: the closed channel tells the bridge.
            let _ = write_all(writer, waiting).await;
        });
        (Self { lines, progress: Notify::new() }, writer)
    }

    /// Nothing is said when the reader is gone: the bridge ends by itself then.
    pub(crate) async fn line(&self, line: Bytes) {
        self.progress.notify_one();
        let _ = self.lines.send(line).await;
    }

    /// Waits until nobody reads standard output any more.
    pub(crate) async fn closed(&self) {
        self.lines.closed().await;
    }
}

async fn write_all(
    mut writer: impl AsyncWrite + Unpin,
    mut lines: mpsc::Receiver<Bytes>,
) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(line) = lines.recv().await {
        append(&mut buffer, &line);
        // Lines that wait together are written together.
        while buffer.len() < 64 * 1024
            && let Ok(line) = lines.try_recv()
        {
            append(&mut buffer, &line);
        }
        writer.write_all(&buffer).await?;
        writer.flush().await?;
        buffer.clear();
        buffer.shrink_to(64 * 1024);
    }
    Ok(())
}

fn append(buffer: &mut Vec<u8>, line: &[u8]) {
    buffer.extend_from_slice(line);
    buffer.push(b'\n');
}
