//! One token as it is seen: its last use, from where, by which program; and what of that is odd. Knows no registry.

use crate::event::Event;
use crate::name::ClientName;
use crate::uses::{TokenUse, WarningKind};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

/// After so many milliseconds without a use, the next one is odd.
pub const SILENCE_MS: i64 = 30 * 86_400_000;
/// Two addresses count as "at once" if their calls are no further apart, in milliseconds.
pub const AT_ONCE_MS: i64 = 60_000;
/// Addresses of a token that are remembered.
const PLACES: usize = 4;
/// As much as is quoted of what callers say of themselves, in characters.
const QUOTED_MOST: usize = 48;

/// A token as it is seen.
#[derive(Debug, Default)]
pub(crate) struct Token {
    pub(crate) usage: Option<TokenUse>,
    address: Option<IpAddr>,
    places: [Option<Place>; PLACES],
    /// Its row has to be kept.
    pub(crate) dirty: bool,
}

/// From where a token was used, and for how long up to now.
#[derive(Clone, Copy, Debug)]
struct Place {
    machine: IpAddr,
    from_ms: i64,
    until_ms: i64,
}

impl Token {
    /// From a row that was kept. Where it was seen long ago says nothing about now.
    pub(crate) fn kept(usage: TokenUse) -> Self {
        let address = usage.address.as_deref().and_then(|address| address.parse().ok());
        Self { usage: Some(usage), address, ..Self::default() }
    }

    /// From where it was used counts no more.
    pub(crate) fn forget_places(&mut self) {
        self.places = [None; PLACES];
    }

    /// What is odd about this use, measured by those before it.
    pub(crate) fn oddities(&self, event: &Event, ended_ms: i64) -> Vec<(WarningKind, String)> {
        let mut odd = Vec::new();
        let Some(usage) = &self.usage else { return odd };
        let silent_ms = event.at_ms.saturating_sub(usage.last_ms);
        if silent_ms >= SILENCE_MS {
            let days = silent_ms / 86_400_000;
            odd.push((
                WarningKind::AfterSilence,
                format!("used{} after {days} days of silence", from(event)),
            ));
        }
        if let (Some(before), Some(now)) = (&usage.client_info, &event.client_info)
            && program_name(before) != program_name(now)
        {
            let detail = format!("{} and {}", quoted(before), quoted(now));
            odd.push((WarningKind::TwoPrograms, detail));
        }
        if let Some(detail) = self.elsewhere(event, ended_ms) {
            odd.push((WarningKind::TwoAddresses, detail));
        }
        odd
    }

    fn elsewhere(&self, event: &Event, ended_ms: i64) -> Option<String> {
        let ip = event.address.as_deref().and_then(ip_of)?;
        let at_once = |place: &&Place| {
            place.machine != machine_of(ip)
                && event.at_ms <= place.until_ms.saturating_add(AT_ONCE_MS)
                && place.from_ms <= ended_ms.saturating_add(AT_ONCE_MS)
        };
        let other = self.places.iter().flatten().find(at_once)?;
        let apart = (event.at_ms.saturating_sub(other.until_ms)).max(0) / 1000;
        Some(format!("`{}` and `{ip}` within {apart} s", other.machine))
    }

    /// Takes the use into the row.
    pub(crate) fn note(&mut self, client: &ClientName, jti: &str, event: &Event, ended_ms: i64) {
        let ip = event.address.as_deref().and_then(ip_of);
        if let Some(ip) = ip {
            self.note_place(Place { machine: machine_of(ip), from_ms: event.at_ms, until_ms: ended_ms });
        }
        let usage = self.usage.get_or_insert_with(|| TokenUse {
            jti: jti.to_owned(),
            client: client.clone(),
            first_ms: event.at_ms,
            last_ms: ended_ms,
            calls: 0,
            server: None,
            address: None,
            user_agent: None,
            client_info: None,
        });
        usage.first_ms = usage.first_ms.min(event.at_ms);
        usage.last_ms = ended_ms;
        usage.calls = usage.calls.saturating_add(1);
        if ip.is_some() && self.address != ip {
            self.address = ip;
            usage.address = ip.map(|ip| ip.to_string());
        }
        keep(&mut usage.server, event.server.as_deref());
        keep(&mut usage.user_agent, event.user_agent.as_deref());
        keep(&mut usage.client_info, event.client_info.as_deref());
    }

    fn note_place(&mut self, now: Place) {
        let known =
            self.places.iter().position(|place| place.is_some_and(|place| place.machine == now.machine));
        let oldest = || {
            let since = |place: &Option<Place>| place.map_or(i64::MIN, |place| place.until_ms);
            (0..PLACES).min_by_key(|index| since(&self.places[*index])).unwrap_or_default()
        };
        let index = known.unwrap_or_else(oldest);
        let goes_on = self.places[index].filter(|place| {
            place.machine == now.machine && now.from_ms <= place.until_ms.saturating_add(AT_ONCE_MS)
        });
        self.places[index] = Some(match goes_on {
            Some(before) => Place {
                from_ms: before.from_ms.min(now.from_ms),
                until_ms: before.until_ms.max(now.until_ms),
                ..now
            },
            None => now,
        });
    }
}

/// Takes over what is said; what is not said this time stays as it was.
fn keep(kept: &mut Option<String>, said: Option<&str>) {
    if said.is_some() && kept.as_deref() != said {
        *kept = said.map(str::to_owned);
    }
}

/// ` from ADDRESS`, as words.
pub(crate) fn from(event: &Event) -> String {
    event.address.as_deref().and_then(ip_of).map_or_else(String::new, |ip| format!(" from `{ip}`"))
}

/// The address without its port.
pub(crate) fn ip_of(address: &str) -> Option<IpAddr> {
    let ip = address.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| address.parse());
    ip.ok().map(|ip| ip.to_canonical())
}

/// All loopback addresses are one machine.
fn machine_of(ip: IpAddr) -> IpAddr {
    if ip.is_loopback() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { ip }
}

/// Without its version: an update is no other program.
fn program_name(client_info: &str) -> &str {
    client_info.rsplit_once('/').map_or(client_info, |(name, _)| name)
}

/// What a caller says of itself stays on its line and in its quotes.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(QUOTED_MOST).collect();
    format!("`{}`", short.escape_debug())
}
