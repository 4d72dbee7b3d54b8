//! Messages on their way to the client: passed on as they come, and looked at only to know which call they answer.

use crate::failure::Failure;
use crate::ws::dial::FromServer;
use crate::ws::ending::Ending;
use crate::ws::receive::{Fault, Item};
use crate::ws::tunnel::Tunnel;
use bytes::BytesMut;
use std::sync::atomic::Ordering;

impl Tunnel {
    /// Everything that the server sends.
    pub(super) async fn down(&self, from: &mut FromServer) -> Ending {
        loop {
            let sent = match from.next().await {
                Ok(Item::Text(text)) => self.pass(text).await,
                Ok(Item::Ping(payload)) => self.to_client.lock().await.ping(payload).await,
                Ok(Item::Pong(payload)) if payload == self.probe[..] => continue,
                Ok(Item::Pong(payload)) => self.to_client.lock().await.pong(payload).await,
                Ok(Item::Close(close)) => return Ending::ServerClosed(close),
                Err(_) => return Ending::ServerFailed(Failure::BrokeOff),
            };
            if sent.is_err() {
                return Ending::ClientFault(Fault::Gone);
            }
        }
    }

    async fn pass(&self, text: BytesMut) -> std::io::Result<()> {
        let bytes = text.len();
        // Where nobody waits, nothing is looked for.
        let answer = if self.calls.is_empty() { None } else { self.dialect.answer(&text) };
        self.to_client.lock().await.text(text).await?;
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
        if let Some(answer) = answer {
            self.calls.answered(&answer.id, answer.outcome, bytes);
        }
        Ok(())
    }
}
