//! Messages on their way to the client: passed on as they come, but for lists of tools of which the client's policy shows
//! only some. Looked at only to know which call they answer.

use crate::failure::Failure;
use crate::line::{Asked, Cut};
use crate::record::Unwritten;
use crate::ws::calls::Passing;
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
        let edition = self.line.shared().gate.edition();
        let verified = self.still_good(&self.about.verified).map_err(refused)?;
        // Where nobody waits, nothing is looked for.
        let answer = if self.calls.is_empty() { None } else { self.dialect.answer(&text) };
        let denied = answer.as_ref().and_then(|answer| self.denied_now(&verified, answer));
        if let (Some(answer), Some((denial, refusal))) = (&answer, denied) {
            self.tell(BytesMut::from(refusal.as_bytes())).await?;
            self.calls.refused(&answer.id, &denial);
            return Ok(());
        }
        let text = self.narrowed(&verified, text, answer.as_ref())?;
        let passing = match answer {
            Some(answer) => self.recorded(answer, text.len(), &verified, edition).await?,
            None => None,
        };
        self.tell(text).await?;
        drop(passing);
        Ok(())
    }

    /// An answer is sent once its record is written. If what is in force changed meanwhile, it is judged once more.
    async fn recorded(
        &self,
        answer: Answer,
        bytes: usize,
        then: &Verified,
        edition: u64,
    ) -> Result<Option<Passing<'_>>, Ending> {
        let shared = self.line.shared();
        let asked = self.calls.asked(&answer.id).map(|(asked, _)| asked);
        let passing = self.calls.answered(&answer.id, answer.outcome, bytes, &shared.log);
        let (Some(asked), Some((passing, receipt))) = (asked, passing) else { return Ok(None) };
        if let Some(receipt) = receipt {
            let written = receipt.written(shared).await;
            written.map_err(|Unwritten| refused(Denial::NotRecorded))?;
        }
        if shared.gate.edition() != edition {
            self.judge_again(then, &asked).map_err(refused)?;
        }
        Ok(Some(passing))
    }

    fn judge_again(&self, then: &Verified, asked: &Asked) -> Result<(), Denial> {
        let now = self.still_good(&self.about.verified)?;
        authorize(&now, &self.about.call(asked.as_ask()))?;
        let shown = |verified| narrowing(verified, &self.about.server);
        let shows_more = match (shown(then), shown(&now)) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(then), Some(now)) => !then.shows_same_tools_as(now),
        };
        match asked {
            Asked::Protocol if shows_more => {
                Err(Denial::PolicyChanged { client: now.client().map(|client| client.name.clone()) })
            }
            Asked::Protocol | Asked::Tool(_) | Asked::Other => Ok(()),
        }
    }

    async fn tell(&self, text: BytesMut) -> Result<(), Ending> {
        let bytes = text.len() as u64;
        let sent = self.to_client.lock().await.text(text).await;
        sent.map_err(|_| Ending::ClientFault(Fault::Gone))?;
        self.bytes_out.fetch_add(bytes, Ordering::Relaxed);
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
