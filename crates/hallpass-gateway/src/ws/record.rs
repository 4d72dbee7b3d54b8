//! The records of a connection: one for its opening, one for each call, one for its end. Each names the caller.

use crate::flight::Flight;
use crate::ws::dialect::Message;
use crate::ws::ending::Epilogue;
use crate::ws::gate::Guest;
use crate::ws::tunnel::Tunnel;
use crate::ws::upgrade::Opening;
use hallpass_core::hello::SessionLabel;
use hallpass_core::policy::Ask;
use hallpass_core::{Call, ClientName, Denial, Outcome, ServerName, Verified};
use http::StatusCode;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use tokio::time::Instant;

/// What all records of a connection say.
pub(crate) struct About {
    pub(super) server: ServerName,
    path_client: Option<ClientName>,
    session: Option<SessionLabel>,
    user_agent: Option<String>,
    /// Said once, at MCP's `initialize`.
    client_info: OnceLock<String>,
    /// Who opened it, as it was judged then.
    pub(super) verified: Verified,
    started: Instant,
}

impl About {
    /// The opening is over, and so is its record.
    pub(super) fn new(mut opening: Opening, guest: &Guest) -> Self {
        opening.flight.answered(StatusCode::SWITCHING_PROTOCOLS);
        opening.flight.ended(Outcome::Ok, None);
        Self {
            session: guest.session.clone(),
            verified: guest.known.verified.clone(),
            client_info: OnceLock::new(),
            started: Instant::now(),
            server: opening.server,
            path_client: opening.path_client,
            user_agent: opening.user_agent,
        }
    }

    /// A call on this connection.
    pub(super) fn call<'a>(&'a self, ask: Ask<'a>) -> Call<'a> {
        let path_client = self.path_client.as_ref().map(ClientName::as_str);
        Call { server: &self.server, path_client, ask }
    }

    /// What the program says of itself, if it says it here.
    pub(super) fn learn(&self, client_info: Option<&str>) {
        if let Some(client_info) = client_info {
            let _ = self.client_info.set(client_info.to_owned());
        }
    }

    fn tell(&self, flight: &mut Flight, verified: &Verified) {
        flight.server(&self.server);
        flight.caller(verified);
        flight.program(self.user_agent.as_deref(), self.client_info.get().map(String::as_str));
        if let Some(session) = &self.session {
            flight.session(session);
        }
    }
}

impl Tunnel {
    /// Opens the record of a call.
    pub(super) async fn record(
        &self,
        message: &mut Message,
        verified: &Verified,
        bytes: usize,
    ) -> Result<Flight, Denial> {
        let request_id = self.line.worker().next_request_id();
        let method = message.method.as_deref().unwrap_or("message");
        let mut flight = Flight::begin(&self.line, method, &request_id).await?;
        self.about.tell(&mut flight, verified);
        if let Ask::Tool(tool) = message.asked.as_ask() {
            flight.tool(tool);
        }
        flight.arguments(std::mem::take(&mut message.arguments));
        flight.received(bytes);
        Ok(flight)
    }

    /// Writes the record of the end. There is nobody left to refuse if the log takes none.
    pub(super) async fn record_end(&self, epilogue: &Epilogue) {
        let request_id = self.line.worker().next_request_id();
        let Ok(mut flight) = Flight::begin(&self.line, "close", &request_id).await else { return };
        self.about.tell(&mut flight, &self.about.verified);
        flight.end_of_connection(self.about.started);
        flight.received_in_all(self.bytes_in.load(Ordering::Relaxed));
        flight.sent(self.bytes_out.load(Ordering::Relaxed));
        flight.ended(epilogue.outcome, epilogue.reason);
        if let Some(close) = &epilogue.to_client {
            flight.closed(close.code);
        }
    }
}
