//! Runs the cases of one file and holds each outcome against what is expected. Builds no request and no verifier.

use crate::failure::Failure;
use crate::file::{Case, Corpus, Expect, HttpRequest, Input, Keys, TokenText};
use crate::library::{verdict, verdict_on_headers};
use crate::reason::class_of;
use crate::report::{Report, Result as CaseResult, note};
use crate::request;
use crate::socket::SocketWire;
use crate::stage::{Stage, not_told};
use crate::watch::{Canaries, Peak, foreign_sockets, leaves_trace};
use crate::wire::{Exchange, Wire};
use hallpass_core::{Denial, Signed};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// No case may take longer, whatever its size.
pub(crate) const TIME_MOST: Duration = Duration::from_millis(50);
/// A slow measurement is taken again before it is believed: the machine has other work.
pub(crate) const TAKES: usize = 5;
/// No case may make the process grow by more. Loose: it has other threads.
const GROWTH_MOST_KIB: u64 = 4096;

type Verdict = Result<Arc<Signed>, Denial>;

/// One file being run.
pub(crate) struct Run<'a> {
    pub(crate) corpus: &'a Corpus,
    stages: BTreeMap<&'a str, Result<Stage, String>>,
    wire: Option<Wire>,
    /// Started by the first case that needs it.
    pub(crate) sockets: Option<SocketWire>,
    /// What the first caller saw whose token no key had signed.
    uniform: Option<String>,
    pub(crate) accepted: usize,
    canaries: usize,
    not_carried: Vec<&'a str>,
}

impl<'a> Run<'a> {
    pub(crate) async fn start(corpus: &'a Corpus, keys: &Keys) -> Result<Self, Failure> {
        let stages: BTreeMap<_, _> = corpus
            .profiles
            .iter()
            .map(|(name, profile)| (name.as_str(), Stage::new(corpus, profile, keys)))
            .collect();
        let first = stages.values().find_map(|stage| stage.as_ref().ok()?.snapshot(&[]).ok());
        let config = &corpus.http_config;
        let wire = match first {
            Some(snapshot) => {
                let (hosts, origins) = (config.allowed_hosts.clone(), config.allowed_origins.clone());
                Some(Wire::start(corpus.now, hosts, origins, snapshot).await?)
            }
            None => None,
        };
        Ok(Self {
            corpus,
            stages,
            wire,
            sockets: None,
            uniform: None,
            accepted: 0,
            canaries: 0,
            not_carried: Vec::new(),
        })
    }

    pub(crate) async fn all(mut self, report: &mut Report) {
        for (name, profile) in &self.corpus.profiles {
            for what in not_told(profile) {
                note(format!("the profile `{name}`: {what}"));
            }
        }
        for (profile, stage) in &self.stages {
            if let Err(why) = stage {
                note(format!("the profile `{profile}` lets nobody in: {why}"));
            }
        }
        for case in &self.corpus.cases {
            let result = self.case(case).await;
            report.add(case, result);
        }
        self.end(report).await;
    }

    async fn end(self, report: &mut Report) {
        if let Some(finding) = self.foreign_sockets() {
            report.fault(finding);
        }
        let mut late = match self.wire {
            Some(wire) => wire.end().await.len(),
            None => 0,
        };
        if let Some(sockets) = self.sockets {
            late += sockets.end().await.len();
        }
        if late > 0 {
            report.fault(format!("the server behind saw {late} requests after their answers"));
        }
        note(format!("{} calls were accepted over the wire", self.accepted));
        note(format!("{} canaries listened where headers point to this machine", self.canaries));
        if !self.not_carried.is_empty() {
            let ids = self.not_carried.join(" ");
            note(format!("over the library only, for no header can carry them: {ids}"));
        }
    }

    async fn case(&mut self, case: &'a Case) -> CaseResult {
        let stage = match self.stages.remove_entry(case.profile.as_str()) {
            Some((name, Ok(stage))) => (name, stage),
            // What does not start accepts nobody.
            Some((name, Err(why))) => {
                self.stages.insert(name, Err(why.clone()));
                return not_started(case, &why);
            }
            None => return CaseResult::Not(vec![format!("there is no profile `{}`", case.profile)]),
        };
        let (name, stage) = stage;
        let result = match &case.input {
            Input::Token(text) => self.token(case, &stage, text).await,
            Input::Http(request) => self.http(case, &stage, request).await,
            Input::WsFirstFrame { value } => self.first_frame(case, &stage, value).await,
            Input::Unknown => CaseResult::Skipped("their kind of input is not known here"),
        };
        self.stages.insert(name, Ok(stage));
        result
    }

    async fn token(&mut self, case: &'a Case, stage: &Stage, text: &TokenText) -> CaseResult {
        let Some(token) = text.bytes() else { return not("its token cannot be put together") };
        let shown: Vec<&str> = std::str::from_utf8(&token).into_iter().collect();
        let Ok(snapshot) = stage.snapshot(&shown) else { return not("its registry cannot be built") };
        let canaries = Canaries::for_tokens([token.as_slice()]);
        let peak = Peak::begin();
        let (outcome, took) = timed(|| verdict(stage, &snapshot, &token));
        let mut findings = over_library(case, &outcome);
        findings.extend(bounded("library", took, &peak));
        if request::can_carry(&token) {
            if let Some(wire) = &self.wire {
                let request = request::with_token(&wire.address().to_string(), &token);
                let secrets = [token.as_slice()];
                findings
                    .extend(self.over_wire(case, stage, &shown, &request, &secrets, Some(&outcome)).await);
            }
        } else {
            self.not_carried.push(&case.id);
        }
        findings.extend(self.seen_by(&canaries));
        CaseResult::from_findings(findings)
    }

    async fn http(&mut self, case: &'a Case, stage: &Stage, http: &HttpRequest) -> CaseResult {
        let shown = request::tokens(http);
        let Ok(snapshot) = stage.snapshot(&shown) else { return not("its registry cannot be built") };
        let fields = http.headers.iter().flat_map(|(name, value)| [name, value]);
        // A line break would end the field, and the request would be another one.
        if fields.into_iter().any(|text| text.contains(['\r', '\n', '\0'])) {
            self.not_carried.push(&case.id);
            let outcome = verdict_on_headers(stage, &snapshot, &request::authorization(http));
            return CaseResult::from_findings(over_library(case, &outcome));
        }
        let canaries = Canaries::for_tokens(shown.iter().map(|token| token.as_bytes()));
        let secrets: Vec<&[u8]> = request::secrets(http).into_iter().map(str::as_bytes).collect();
        let request = request::of(http, &self.corpus.http_config);
        let mut findings = self.over_wire(case, stage, &shown, &request, &secrets, None).await;
        findings.extend(self.seen_by(&canaries));
        CaseResult::from_findings(findings)
    }

    fn seen_by(&mut self, canaries: &Canaries) -> Option<String> {
        self.canaries += canaries.count();
        if canaries.was_dialled() {
            return Some("a connection was opened to where the token's header points".to_owned());
        }
        // The kernel's table takes a while to read, so it is looked at where there is a reason to.
        if canaries.wanted { self.foreign_sockets() } else { None }
    }

    fn foreign_sockets(&self) -> Option<String> {
        let wire = self.wire.as_ref()?;
        let mut own = vec![wire.address(), wire.upstream_address()];
        own.extend(self.sockets.iter().flat_map(SocketWire::addresses));
        match foreign_sockets(&own) {
            Ok(foreign) if foreign.is_empty() => None,
            Ok(foreign) => Some(format!("the process has other sockets: {}", foreign.join(", "))),
            Err(error) => Some(format!("the process's sockets cannot be listed: {error}")),
        }
    }

    async fn over_wire(
        &mut self,
        case: &Case,
        stage: &Stage,
        shown: &[&str],
        request: &[u8],
        secrets: &[&[u8]],
        outcome: Option<&Verdict>,
    ) -> Vec<String> {
        let Some(wire) = &mut self.wire else { return vec!["there is no listener".into()] };
        let peak = Peak::begin();
        let mut takes = TAKES;
        let exchange = loop {
            takes -= 1;
            let Ok(snapshot) = stage.snapshot(shown) else {
                return vec!["its registry cannot be built".into()];
            };
            match wire.exchange(snapshot, request).await {
                Ok(exchange) if exchange.took < TIME_MOST || takes == 0 => break exchange,
                Ok(exchange) => self.accepted += exchange.forwarded.len(),
                Err(error) => return vec![format!("wire: no answer: {error}")],
            }
        };
        self.accepted += exchange.forwarded.len();
        let mut findings = bounded("wire", exchange.took, &peak);
        findings.extend(let_in(case, &exchange));
        findings.extend(traces(secrets, &exchange));
        findings.extend(outcome.and_then(|outcome| same_reason(outcome, &exchange)));
        if outcome.is_some_and(|outcome| outcome.as_ref().is_err_and(|denial| !class_of(denial).vouched)) {
            findings.extend(self.is_uniform(&exchange));
        }
        findings
    }

    /// Whoever shows what no key signed learns nothing from the answer.
    fn is_uniform(&mut self, exchange: &Exchange) -> Option<String> {
        // What is too large for a request's head has no answer of ours.
        exchange.event.as_ref()?;
        let answer = exchange.answer.as_ref()?.without_id();
        let uniform = self.uniform.get_or_insert_with(|| answer.clone());
        (*uniform != answer).then(|| format!("wire: expected the answer {uniform}, got {answer}"))
    }
}

pub(crate) fn not(why: &str) -> CaseResult {
    CaseResult::Not(vec![why.to_owned()])
}

fn not_started(case: &Case, why: &str) -> CaseResult {
    match case.expect {
        Expect::Reject => CaseResult::AsExpected,
        Expect::Accept => {
            CaseResult::Not(vec![format!("expected accept, but its profile lets nobody in: {why}")])
        }
    }
}

fn over_library(case: &Case, outcome: &Verdict) -> Vec<String> {
    let got = match outcome {
        Ok(signed) if case.expect == Expect::Accept => return claims(case, signed),
        Ok(_) => "accept".to_owned(),
        Err(denial) if case.expect == Expect::Reject && is_expected(case, denial) => return Vec::new(),
        Err(denial) => format!("reject ({}: {denial})", class_of(denial).name.unwrap_or("no class")),
    };
    vec![format!("library: expected {}, got {got}", expected(case))]
}

fn is_expected(case: &Case, denial: &Denial) -> bool {
    let mut reasons = case.reason.iter().chain(&case.reason_alt).peekable();
    let class = class_of(denial).name;
    reasons.peek().is_none() || reasons.any(|reason| class == Some(reason))
}

pub(crate) fn expected(case: &Case) -> String {
    match case.expect {
        Expect::Accept => "accept".to_owned(),
        Expect::Reject => {
            let reasons: Vec<_> = case.reason.iter().chain(&case.reason_alt).map(String::as_str).collect();
            format!("reject ({})", reasons.join(" or "))
        }
    }
}

fn claims(case: &Case, signed: &Signed) -> Vec<String> {
    let claims = signed.claims();
    let read = |name: &str| match name {
        "iss" => Some(Value::from(claims.issuer())),
        "sub" => Some(Value::from(claims.subject())),
        "aud" => Some(Value::from(claims.audience().collect::<Vec<_>>())),
        "exp" => Some(Value::from(claims.expires_at.seconds())),
        "iat" => Some(Value::from(claims.issued_at.seconds())),
        "nbf" => claims.not_before.map(|time| Value::from(time.seconds())),
        "jti" => claims.jti().map(Value::from),
        "client_id" => claims.client_id().map(Value::from),
        _ => None,
    };
    let differs = |wanted: &Value, got: Option<&Value>| match (wanted, got) {
        (Value::String(_), Some(Value::Array(list))) => list.as_slice() != std::slice::from_ref(wanted),
        (wanted, got) => got != Some(wanted),
    };
    let wrong = case.expect_claims.iter().filter(|(name, wanted)| differs(wanted, read(name).as_ref()));
    wrong.map(|(name, wanted)| format!("library: expected the claim `{name}` to be {wanted}")).collect()
}

/// A refusal gets no success and nothing passes; what is accepted passes once.
fn let_in(case: &Case, exchange: &Exchange) -> Vec<String> {
    let status = exchange.answer.as_ref().map(|answer| answer.status);
    let success = exchange.answer.as_ref().is_some_and(crate::wire::Answer::is_success);
    let passed = exchange.forwarded.len();
    let fits = match case.expect {
        Expect::Accept => success && passed == 1,
        Expect::Reject => !success && passed == 0,
    };
    if fits {
        return Vec::new();
    }
    let reason = exchange.event.as_ref().and_then(|event| event.reason.as_deref()).unwrap_or("-");
    vec![format!(
        "wire: expected {}, got status {status:?} ({reason}), and the server behind saw {passed}",
        expected(case)
    )]
}

fn traces(secrets: &[&[u8]], exchange: &Exchange) -> Vec<String> {
    let answer = exchange.answer.as_ref().map(|answer| format!("{}\r\n\r\n{}", answer.head, answer.body));
    let event = exchange.event.as_ref().map(|event| format!("{}\n{}", event.json_line(), event.text_line()));
    let behind = exchange.forwarded.iter().map(|head| ("request to the server behind", head.clone()));
    let texts = answer.map(|text| ("answer", text)).into_iter().chain(event.map(|text| ("record", text)));
    let left =
        texts.chain(behind).filter(|(_, text)| secrets.iter().any(|secret| leaves_trace(secret, text)));
    left.map(|(place, _)| format!("wire: a piece of the token is in the {place}")).collect()
}

/// The log of the listener names the reason that the library gave.
fn same_reason(outcome: &Verdict, exchange: &Exchange) -> Option<String> {
    let event = exchange.event.as_ref()?;
    let wanted = outcome.as_ref().err().map(Denial::code);
    let got = event.reason.as_deref();
    (wanted != got).then(|| format!("wire: the log says {got:?}, and the library said {wanted:?}"))
}

pub(crate) fn bounded(place: &str, took: Duration, peak: &Peak) -> Vec<String> {
    let slow = (took >= TIME_MOST).then(|| format!("{place}: it took {took:?}"));
    let growth = peak.growth_kib().filter(|growth| *growth > GROWTH_MOST_KIB);
    slow.into_iter()
        .chain(growth.map(|growth| format!("{place}: the process grew by {growth} KiB")))
        .collect()
}

fn timed<T>(work: impl Fn() -> T) -> (T, Duration) {
    for _ in 1..TAKES {
        let began = now();
        let value = work();
        let took = began.elapsed();
        if took < TIME_MOST {
            return (value, took);
        }
    }
    let began = now();
    (work(), began.elapsed())
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "how long a case took, which is part of what is expected")]
    Instant::now()
}
