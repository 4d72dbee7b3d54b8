//! Watches calls go by: when each token was used and from where, who uses the shared secret, and what is odd about it.
//! Time comes from the events. What it holds is bounded by the registry and by fixed numbers, not by what callers say.

use crate::event::{Event, Outcome};
use crate::legacy_callers::LegacyCallers;
use crate::name::ClientName;
use crate::snapshot::{Snapshot, TokenState};
use crate::time::UnixTime;
use crate::token_sightings::{Token, from, ip_of};
use crate::uses::{LegacyUse, TokenUse, Warning, WarningKind};
use crate::warnings::{Oddity, Warnings};
use std::collections::HashMap;
use std::sync::Arc;

/// Whoever makes several calls at once may have read the former token an instant before the new one: so long after the
/// successor's first use, in milliseconds, it is no accident any more.
pub const CHANGE_OVER_MS: i64 = 5000;
/// A token that nobody knows may have been issued this very moment, in milliseconds: what is in force follows a little
/// later.
pub const SETTLED_MS: i64 = 2000;
/// How many such tokens are waited for at once; more are judged without.
const SUSPECTS_MOST: usize = 256;

/// All that is watched.
#[derive(Debug, Default)]
pub struct Sightings {
    tokens: HashMap<Arc<str>, Token>,
    of_client: HashMap<ClientName, Vec<Arc<str>>>,
    warnings: Warnings,
    legacy: LegacyCallers,
    dirty: Vec<Arc<str>>,
    /// Refused as unknown, with the time of it.
    suspects: Vec<(Event, i64)>,
}

/// What came of a look at some events.
#[derive(Debug, Default)]
pub struct Noticed {
    /// Tokens that were used for the first time.
    pub first_uses: Vec<FirstSighting>,
    /// All that was odd.
    pub odd: Vec<Oddity>,
    /// What has to be written into the log.
    pub told: Vec<Event>,
}

/// A token that was used for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstSighting {
    /// Whose it is.
    pub client: ClientName,
    /// Its public handle.
    pub jti: String,
    /// When.
    pub at: UnixTime,
}

/// Rows that were kept about some tokens.
#[derive(Debug, Default)]
pub struct Kept {
    /// Their uses.
    pub tokens: Vec<TokenUse>,
    /// What was odd about them.
    pub warnings: Vec<Warning>,
}

/// Rows that changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Dirty {
    /// Of tokens.
    pub tokens: Vec<TokenUse>,
    /// Of the shared secret.
    pub legacy: Vec<LegacyUse>,
    /// Of what is odd.
    pub warnings: Vec<Warning>,
}

impl Dirty {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.legacy.is_empty() && self.warnings.is_empty()
    }
}

/// A call with a good token.
struct Call<'a> {
    event: &'a Event,
    ended_ms: i64,
    snapshot: &'a Snapshot,
}

/// What an event says to this module.
#[derive(Debug, PartialEq, Eq)]
enum Matter<'a> {
    /// A good token was used.
    Use { client: &'a str, jti: &'a str },
    /// The shared secret was shown.
    SharedSecret,
    /// A token was refused in a way that is odd in itself.
    Odd(WarningKind, &'a str),
    /// Nothing.
    Nothing,
}

impl<'a> Matter<'a> {
    fn of(event: &'a Event) -> Self {
        if !event.is_call() {
            return Self::Nothing;
        }
        if event.legacy {
            return Self::SharedSecret;
        }
        let Some(jti) = event.jti.as_deref() else { return Self::Nothing };
        if event.outcome != Outcome::Refused {
            return event.client.as_deref().map_or(Self::Nothing, |client| Self::Use { client, jti });
        }
        // As `Denial::code` names them.
        match event.reason.as_deref() {
            Some("other_clients_path") => Self::Odd(WarningKind::OtherClientsPath, jti),
            Some("unknown_token") => Self::Odd(WarningKind::UnknownToken, jti),
            Some("other_token_of_known_id") => Self::Odd(WarningKind::OtherTokenOfKnownId, jti),
            Some(_) | None => Self::Nothing,
        }
    }
}

impl Sightings {
    /// Takes the rows that were kept about the shared secret's callers and about tokens that nobody knows.
    pub fn begin(&mut self, legacy: Vec<LegacyUse>, unknown: Vec<Warning>) {
        self.legacy.know(legacy);
        self.warnings.know(unknown);
    }

    /// The tokens of these events about which nothing is known here yet: [`Sightings::know`] wants to be told of them first.
    pub fn unknown_in<'a>(&self, events: impl IntoIterator<Item = &'a Event>) -> Vec<&'a str> {
        let jti = |event: &'a Event| match Matter::of(event) {
            // Nothing can be kept about a token that nobody knows.
            Matter::Odd(WarningKind::UnknownToken, _) | Matter::SharedSecret | Matter::Nothing => None,
            Matter::Use { jti, .. } | Matter::Odd(_, jti) => Some(jti),
        };
        let mut unknown: Vec<_> =
            events.into_iter().filter_map(jti).filter(|jti| !self.tokens.contains_key(*jti)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }

    /// Takes what was kept about `asked` and about the other live tokens of the same clients.
    pub fn know(&mut self, asked: &[&str], kept: Kept) {
        self.warnings.know(kept.warnings);
        for usage in kept.tokens {
            let jti: Arc<str> = usage.jti.as_str().into();
            if self.tokens.contains_key(&jti) {
                continue;
            }
            self.of_client.entry(usage.client.clone()).or_default().push(Arc::clone(&jti));
            self.tokens.insert(jti, Token::kept(usage));
        }
        for jti in asked {
            self.tokens.entry((*jti).into()).or_default();
        }
    }

    /// Looks at one event. `snapshot`: what is in force at about that time.
    pub fn see(&mut self, event: &Event, snapshot: &Snapshot, noticed: &mut Noticed) {
        let took_ms = event.duration_us.map_or(0, |micros| i64::try_from(micros / 1000).unwrap_or(i64::MAX));
        let ended_ms = event.at_ms.saturating_add(took_ms);
        match Matter::of(event) {
            Matter::Nothing => {}
            Matter::SharedSecret => {
                let address = event.address.as_deref().and_then(ip_of).map(|ip| ip.to_string());
                self.legacy.count(event, address.as_deref(), ended_ms);
            }
            Matter::Use { client, jti } => {
                let Ok(client) = ClientName::new(client) else { return };
                self.used(&client, jti, &Call { event, ended_ms, snapshot }, noticed);
            }
            Matter::Odd(WarningKind::UnknownToken, _) if self.suspects.len() < SUSPECTS_MOST => {
                self.suspects.push((event.clone(), ended_ms));
            }
            Matter::Odd(WarningKind::UnknownToken, _) => self.unknown(event, ended_ms, snapshot, noticed),
            Matter::Odd(kind, jti) => {
                let client = snapshot.token(jti).map(|record| record.client.clone());
                let detail = refused_in_words(kind, event);
                self.odd(
                    Oddity { kind, jti: jti.to_owned(), client, at_ms: ended_ms, detail },
                    event,
                    noticed,
                );
            }
        }
    }

    fn used(&mut self, client: &ClientName, jti: &str, call: &Call<'_>, noticed: &mut Noticed) {
        let Call { event, ended_ms, .. } = *call;
        let mut odd = Vec::new();
        if let Some(detail) = self.after_its_successor(client, jti, call) {
            odd.push((WarningKind::Superseded, detail));
        }
        let jti: Arc<str> = jti.into();
        let token = self.tokens.entry(Arc::clone(&jti)).or_default();
        odd.extend(token.oddities(event, ended_ms));
        if token.usage.is_none() {
            let at = UnixTime::from_seconds(event.at_ms.div_euclid(1000));
            noticed.first_uses.push(FirstSighting { client: client.clone(), jti: jti.to_string(), at });
            self.of_client.entry(client.clone()).or_default().push(Arc::clone(&jti));
        }
        token.note(client, &jti, event, ended_ms);
        if !std::mem::replace(&mut token.dirty, true) {
            self.dirty.push(Arc::clone(&jti));
        }
        for (kind, detail) in odd {
            let client = Some(client.clone());
            self.odd(Oddity { kind, jti: jti.to_string(), client, at_ms: ended_ms, detail }, event, noticed);
        }
    }

    /// Whether the token has a successor that was used well before this call began.
    fn after_its_successor(&self, client: &ClientName, jti: &str, call: &Call<'_>) -> Option<String> {
        let Call { event, snapshot, .. } = *call;
        let TokenState::Superseded { until } = snapshot.token(jti)?.state else { return None };
        let is_successor = |other: &str| match snapshot.token(other).map(|record| record.state) {
            Some(TokenState::Pending | TokenState::Active) => true,
            Some(TokenState::Superseded { until: later }) => later > until,
            Some(TokenState::Revoked { .. }) | None => false,
        };
        let was_used = |other: &str| {
            let usage = self.tokens.get(other).and_then(|token| token.usage.as_ref());
            usage.is_some_and(|usage| usage.first_ms.saturating_add(CHANGE_OVER_MS) < event.at_ms)
        };
        let others = self.of_client.get(client).into_iter().flatten();
        let successor =
            others.into_iter().find(|other| &***other != jti && was_used(other) && is_successor(other))?;
        Some(format!("used{} after its successor `{successor}`, good until {until}", from(event)))
    }

    /// Looks again at tokens that were unknown a while ago. `now_ms`: the time it is; `i64::MAX` for the last time.
    pub fn settle(&mut self, now_ms: i64, snapshot: &Snapshot, noticed: &mut Noticed) {
        // Either way: a clock that was set back must not hide anything.
        let is_settled = |(_, at_ms): &mut (Event, i64)| at_ms.abs_diff(now_ms) >= SETTLED_MS.unsigned_abs();
        for (event, at_ms) in self.suspects.extract_if(.., is_settled).collect::<Vec<_>>() {
            self.unknown(&event, at_ms, snapshot, noticed);
        }
    }

    /// Whether [`Sightings::settle`] has something to look at.
    pub fn is_settled(&self) -> bool {
        self.suspects.is_empty()
    }

    fn unknown(&mut self, event: &Event, at_ms: i64, snapshot: &Snapshot, noticed: &mut Noticed) {
        let Some(jti) = event.jti.as_deref().filter(|jti| snapshot.token(jti).is_none()) else { return };
        let kind = WarningKind::UnknownToken;
        let detail = refused_in_words(kind, event);
        let odd = Oddity { kind, jti: jti.to_owned(), client: None, at_ms, detail };
        self.odd(odd, event, noticed);
    }

    fn odd(&mut self, odd: Oddity, event: &Event, noticed: &mut Noticed) {
        if self.warnings.count(&odd) {
            noticed.told.push(told(&odd, event));
        }
        noticed.odd.push(odd);
    }

    /// The rows that changed since [`Sightings::written`].
    pub fn dirty(&self) -> Dirty {
        let usage = |jti| self.tokens.get(jti).and_then(|token| token.usage.clone());
        Dirty {
            tokens: self.dirty.iter().filter_map(usage).collect(),
            legacy: self.legacy.dirty(),
            warnings: self.warnings.dirty(),
        }
    }

    /// All that is dirty was kept.
    pub fn written(&mut self) {
        for jti in self.dirty.drain(..) {
            if let Some(token) = self.tokens.get_mut(&jti) {
                token.dirty = false;
            }
        }
        self.legacy.written();
        self.warnings.written();
    }

    /// From where a client's tokens were used counts no more: it was disabled for that, and may begin afresh.
    pub fn forget_places(&mut self, client: &ClientName) {
        for jti in self.of_client.get(client).into_iter().flatten() {
            if let Some(token) = self.tokens.get_mut(jti) {
                token.forget_places();
            }
        }
    }

    /// Forgets the clients that have been idle since `before_ms` and whose rows are kept. They can be known again.
    pub fn forget_idle(&mut self, before_ms: i64) {
        let is_idle = |token: &Token| {
            !token.dirty && token.usage.as_ref().is_none_or(|usage| usage.last_ms < before_ms)
        };
        let tokens = &self.tokens;
        let mut idle = Vec::new();
        self.of_client.retain(|_, handles| {
            let stays = handles.iter().filter_map(|jti| tokens.get(jti)).any(|token| !is_idle(token));
            if !stays {
                idle.append(handles);
            }
            stays
        });
        idle.extend(
            self.tokens.iter().filter(|(_, token)| token.usage.is_none()).map(|(jti, _)| Arc::clone(jti)),
        );
        for jti in idle {
            self.tokens.remove(&jti);
            self.warnings.forget(&jti);
        }
    }
}

/// The line in the log. Its address and the rest are those of the call that was odd.
fn told(odd: &Oddity, event: &Event) -> Event {
    Event {
        client: odd.client.as_ref().map(|name| name.as_str().to_owned()),
        jti: Some(odd.jti.clone()),
        server: event.server.clone(),
        reason: Some(format!("{}: {}", odd.kind.as_str(), odd.detail)),
        client_info: event.client_info.clone(),
        user_agent: event.user_agent.clone(),
        address: event.address.clone(),
        request_id: event.request_id.clone(),
        ..Event::new(odd.at_ms, "warning", Outcome::Done)
    }
}

fn refused_in_words(kind: WarningKind, event: &Event) -> String {
    let from = from(event);
    match kind {
        WarningKind::OtherClientsPath => format!("shown{from} on another client's path, and refused"),
        WarningKind::UnknownToken => {
            format!("a key of ours signed a token{from} that nobody here knows; it was refused")
        }
        WarningKind::OtherTokenOfKnownId => {
            format!("a key of ours signed another token{from} under a known `jti`; it was refused")
        }
        WarningKind::TwoPrograms
        | WarningKind::TwoAddresses
        | WarningKind::AfterSilence
        | WarningKind::Superseded => format!("odd{from}"),
    }
}
