//! Who calls, by the credential in a request's head. What it may do is not looked at.

use crate::credential::{Shown, seconds_of};
use crate::flight::Flight;
use crate::line::Line;
use crate::tally::Tally;
use hallpass_core::{ClientName, Denial, Verified, judge, judge_shared};
use http::HeaderMap;

/// Who opens a connection, and its place among that caller's calls and streams.
pub(crate) struct Known {
    pub(crate) verified: Verified,
    /// What was in force when it was verified.
    pub(crate) edition: u64,
    pub(crate) tally: Tally,
}

impl Known {
    /// Counts a caller's connection.
    pub(crate) fn count(line: &Line, verified: Verified, edition: u64) -> Result<Self, Denial> {
        let shared = line.shared();
        let tally = shared.tallies.take(verified.principal(), shared.limits.calls_per_client)?;
        Ok(Self { verified, edition, tally })
    }
}

/// Who opens a connection, by the credential in its head.
pub(crate) fn know(
    line: &Line,
    flight: &mut Flight,
    headers: &HeaderMap,
    path_client: Option<&ClientName>,
) -> Result<Known, Denial> {
    let (verified, edition) = verify(line, flight, headers, path_client)?;
    Known::count(line, verified, edition)
}

/// Who calls, by the credential in the head and what is in force now.
pub(crate) fn verify(
    line: &Line,
    flight: &mut Flight,
    headers: &HeaderMap,
    path_client: Option<&ClientName>,
) -> Result<(Verified, u64), Denial> {
    let shared = line.shared();
    let in_force = shared.gate.in_force();
    let (snapshot, now) = (in_force.snapshot(), seconds_of(shared.now_ms()));
    let verified = match in_force.shown(headers)? {
        Shown::Token(signed) => {
            flight.signed(&signed);
            judge(&signed, snapshot, now)?
        }
        Shown::Shared(secret) => {
            flight.legacy(path_client);
            judge_shared(&secret, path_client.map(ClientName::as_str), snapshot, now)?
        }
    };
    flight.verified(&verified);
    Ok((verified, in_force.edition()))
}
