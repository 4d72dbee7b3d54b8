//! Runs the cases of first frames: each through the real listener, in the state that the case names.

use crate::file::{Case, Expect, Mode, State};
use crate::reason::class_of_code;
use crate::report::Result as CaseResult;
use crate::request;
use crate::run::{Run, TAKES, TIME_MOST, bounded, expected, not};
use crate::socket::{FirstFrameExchange, SocketWire};
use crate::stage::Stage;
use crate::watch::{Peak, leaves_trace};

impl<'a> Run<'a> {
    pub(crate) async fn first_frame(&mut self, case: &'a Case, stage: &Stage, frame: &str) -> CaseResult {
        let Some(server) = &case.state else { return not("it does not say in which state the server is") };
        let shown = request::tokens_in([frame].into_iter());
        let peak = Peak::begin();
        let mut takes = TAKES;
        let exchange = loop {
            takes -= 1;
            let Ok(snapshot) = stage.snapshot_with(&shown, server) else {
                return not("its registry cannot be built");
            };
            let sockets = match &mut self.sockets {
                Some(sockets) => sockets,
                None => match stage.snapshot(&[]).map(|empty| SocketWire::start(self.corpus.now, empty)) {
                    Ok(Ok(started)) => self.sockets.insert(started),
                    Ok(Err(error)) => return not(&format!("there is no listener: {error}")),
                    Err(error) => return not(&format!("its registry cannot be built: {error}")),
                },
            };
            match sockets.exchange(snapshot, frame).await {
                Ok(exchange) if exchange.took < TIME_MOST || takes == 0 => break exchange,
                Ok(exchange) => self.accepted += exchange.forwarded.len(),
                Err(error) => return not(&format!("wire: no answer: {error}")),
            }
        };
        self.accepted += exchange.forwarded.len();
        let mut findings = bounded("wire", exchange.took, &peak);
        findings.extend(let_in(case, server, &exchange));
        let secrets = shown.into_iter().chain([server.legacy_shared_token.as_str()]);
        let secrets: Vec<&str> = secrets.filter(|secret| !secret.is_empty()).collect();
        findings.extend(traces(&secrets, &exchange));
        CaseResult::from_findings(findings)
    }
}

/// A refused first frame gets no welcome and nobody is spoken to; an accepted one is greeted once, in the gateway's own
/// name.
fn let_in(case: &Case, server: &State, exchange: &FirstFrameExchange) -> Vec<String> {
    let event = &exchange.event;
    let (reason, passed) = (event.reason.as_deref().unwrap_or("-"), exchange.forwarded.len());
    let by = if event.legacy { Mode::Legacy } else { Mode::Jwt };
    let fits = match case.expect {
        Expect::Accept => {
            exchange.welcome && passed == 1 && server.expect_mode.is_none_or(|expected| expected == by)
        }
        Expect::Reject => {
            let mut reasons = case.reason.iter().chain(&case.reason_alt).peekable();
            let class = class_of_code(reason);
            let named = reasons.peek().is_none() || reasons.any(|reason| class == Some(reason));
            !exchange.welcome && passed == 0 && named
        }
    };
    if fits {
        return Vec::new();
    }
    let heard = exchange.heard.join(", then ");
    vec![format!(
        "wire: expected {}, got {heard} ({reason}), and the server behind heard {passed}",
        expected(case)
    )]
}

fn traces(secrets: &[&str], exchange: &FirstFrameExchange) -> Vec<String> {
    let event = format!("{}\n{}", exchange.event.json_line(), exchange.event.text_line());
    let texts = exchange.heard.iter().map(|text| ("answer", text)).chain([("record", &event)]);
    let texts = texts.chain(exchange.forwarded.iter().map(|text| ("hello to the server behind", text)));
    let left = texts.filter(|(_, text)| secrets.iter().any(|secret| leaves_trace(secret.as_bytes(), text)));
    left.map(|(place, _)| format!("wire: a piece of a credential is in the {place}")).collect()
}
