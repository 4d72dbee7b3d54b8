//! Messages on their way to the client: passed on as they come, but for lists of tools of which the client's policy shows
//! only some. Looked at only to know which call they answer.

use crate::failure::Failure;
use crate::line::Cut;
use crate::ws::dial::FromServer;
use crate::ws::dialect::Answer;
use crate::ws::ending::Ending;
use crate::ws::receive::{Fault, Item};
use crate::ws::tunnel::Tunnel;
use crate::ws::words;
use bytes::BytesMut;
use hallpass_core::policy::Ask;
use hallpass_core::tool_sieve::{Expected, ToolSieve};
use hallpass_core::{Denial, Verified, authorize, narrowing};
use std::sync::atomic::Ordering;

impl Tunnel {
    /// Everything that the server sends.
    pub(super) async fn down(&self, from: &mut FromServer) -> Ending {
        loop {
            let sent = match from.next().await {
                Ok(Item::Text(text)) => match self.pass(text).await {
                    Ok(()) => continue,
                    Err(ending) => return ending,
                },
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

    async fn pass(&self, text: BytesMut) -> Result<(), Ending> {
        let verified = self.still_good(&self.about.verified).map_err(refused)?;
        // Where nobody waits, nothing is looked for.
        let answer = if self.calls.is_empty() { None } else { self.dialect.answer(&text) };
        let denied = answer.as_ref().and_then(|answer| self.denied_now(&verified, answer));
        let text = match &denied {
            Some((_, refusal)) => BytesMut::from(refusal.as_bytes()),
            None => self.narrowed(&verified, text, answer.as_ref())?,
        };
        let bytes = text.len();
        let sent = self.to_client.lock().await.text(text).await;
        sent.map_err(|_| Ending::ClientFault(Fault::Gone))?;
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
        match (answer, denied) {
            (Some(answer), Some((denial, _))) => self.calls.refused(&answer.id, &denial),
            (Some(answer), None) => self.calls.answered(&answer.id, answer.outcome, bytes),
            (None, _) => {}
        }
        Ok(())
    }

    /// Why the call that was answered could not be made any more, and what its caller is told instead of the answer.
    fn denied_now(&self, verified: &Verified, answer: &Answer) -> Option<(Denial, String)> {
        let (asked, request_id) = self.calls.asked(&answer.id)?;
        let denial = authorize(verified, &self.about.call(asked.as_ask())).err()?;
        let calls_tool = matches!(asked.as_ask(), Ask::Tool(_));
        let refusal =
            words::refused_message(self.dialect, Some(&answer.id), calls_tool, &denial, &request_id)?;
        Some((denial, refusal))
    }

    /// What the caller's policy shows of a message, by what is in force now.
    fn narrowed(
        &self,
        verified: &Verified,
        text: BytesMut,
        answer: Option<&Answer>,
    ) -> Result<BytesMut, Ending> {
        let Some(policy) = narrowing(verified, &self.about.server) else { return Ok(text) };
        let caches = answer.is_some_and(|answer| self.calls.caches(&answer.id));
        let expected = Expected { list: true, caches };
        let mut sieve = ToolSieve::new(policy.clone(), self.about.server.clone(), expected);
        sieve.take_form(self.dialect.form());
        let mut shown = Vec::with_capacity(text.len());
        let read = sieve.text(&text, &mut shown).and_then(|()| sieve.end());
        read.map_err(|unreadable| Ending::ServerFailed(unreadable.into()))?;
        Ok(BytesMut::from(&shown[..]))
    }
}

fn refused(denial: Denial) -> Ending {
    Ending::Cut(Cut::Denied(denial))
}
