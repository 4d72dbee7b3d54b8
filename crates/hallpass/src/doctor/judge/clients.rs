//! Clients that have nothing good to show.

use crate::doctor::facts::{ClientFacts, Opened};
use crate::doctor::finding::{Finding, Lost, Mend, What};
use crate::plan::TokenStep;
use hallpass_core::UnixTime;
use hallpass_core::claims::LEEWAY;

/// Those of whom nothing is told yet: a file that cannot be read, say, is the cause and not another trouble.
pub(super) fn judge(opened: &Opened, told: &[Finding], now: UnixTime) -> Vec<Finding> {
    let is_told = |client: &ClientFacts| {
        told.iter().any(|finding| {
            finding.client.as_ref() == Some(&client.row.name)
                && !matches!(finding.what, What::WouldCommit | What::Synced { .. } | What::Copy { .. })
        })
    };
    let mut findings: Vec<Finding> = opened.clients.iter().filter_map(|client| ahead(client, now)).collect();
    let rest = opened.clients.iter().filter(|client| !is_told(client) && ahead(client, now).is_none());
    findings.extend(rest.filter_map(lost));
    findings
}

/// A token that is not accepted yet.
fn ahead(client: &ClientFacts, now: UnixTime) -> Option<Finding> {
    let at = client.live.as_ref()?.issued_at;
    let name = &client.row.name;
    (at.since(now) > LEEWAY)
        .then(|| Finding::error(What::IssuedAhead { at }, Mend::Issue(name.clone())).of(name))
}

fn lost(client: &ClientFacts) -> Option<Finding> {
    let name = &client.row.name;
    let (what, mend) = match &client.step {
        Ok((TokenStep::Issue { .. }, standing)) => {
            let why = match &client.live {
                Some(live) if standing.holds(live) => return None,
                Some(_) => Lost::NotThere,
                None => Lost::NoneInForce,
            };
            (What::PlaceLost { why }, Mend::Issue(name.clone()))
        }
        Ok((TokenStep::PutRight, _)) => (What::EntryLost, Mend::Apply),
        Ok((
            TokenStep::Keep { .. }
            | TokenStep::KeepPrinted { .. }
            | TokenStep::Rotate(_)
            | TokenStep::LeftRevoked { .. }
            | TokenStep::LeftCrowded { .. },
            _,
        )) => return None,
        // Where it never had a token, nothing was lost.
        Err(_) if !client.has_tokens => return None,
        Err(why) => (What::PlaceLost { why: Lost::NoPlace(why.clone()) }, Mend::Remove(name.clone())),
    };
    let finding = Finding::error(what, mend).of(name);
    Some(match &client.place {
        Some(place) => finding.at(&place.file),
        None => finding,
    })
}
