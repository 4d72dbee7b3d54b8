//! From facts to findings. Opens nothing and knows no clock.

mod clients;
mod entries;
mod files;
mod gateway;
mod home;
mod tokens;

use super::facts::Facts;
use super::finding::Finding;
use hallpass_core::UnixTime;

/// All that is wrong, in the order in which to mend it: what comes first may stand in the way of the rest.
pub(crate) fn judge(facts: &Facts, now: UnixTime) -> Vec<Finding> {
    let mut findings = home::outside(facts);
    let Some(opened) = &facts.opened else { return findings };
    findings.extend(home::clock(opened, now));
    findings.extend(files::closed_to_us(opened));
    findings.extend(files::exposed(opened, now));
    findings.extend(home::carried(facts, opened, now));
    findings.extend(tokens::copies(opened, now));
    findings.extend(tokens::at_their_spots(opened, now));
    findings.extend(entries::judge(opened, facts.home.shim.as_ref()));
    findings.extend(clients::judge(opened, &findings, now));
    findings.extend(home::left_over(opened));
    findings.extend(gateway::judge(opened, now));
    findings
}
