//! A gateway that is not there, does not answer, or is somewhere else than clients look for it.

use crate::doctor::facts::{AddressSeen, ClientFacts, FileFacts, Opened, Running};
use crate::doctor::finding::{Finding, Mend, What};
use crate::plan::TokenStep;
use hallpass_core::UnixTime;

/// Nothing, if no client relies on it.
pub(super) fn judge(opened: &Opened, now: UnixTime) -> Vec<Finding> {
    let relies = |client: &ClientFacts| {
        let leads = client.place.as_ref().is_some_and(|place| place.is_led_to_gateway);
        let is_good = client.live.as_ref().is_some_and(|live| live.is_good(now));
        leads && is_good && client.row.enabled
    };
    let has_address = opened.files.iter().any(|file| !file.addresses.is_empty());
    let Some(running) = &opened.gateway.running else {
        let is_needed = has_address || opened.clients.iter().any(relies);
        return is_needed.then(|| Finding::error(What::GatewayDown, Mend::Serve)).into_iter().collect();
    };
    // One that starts has not said where.
    let Some(authority) = &running.authority else { return Vec::new() };
    if !running.answers {
        let mend = restart(running, true);
        return vec![Finding::error(What::GatewaySilent { authority: authority.clone() }, mend)];
    }
    let mut findings: Vec<Finding> = endpoint(opened, authority).into_iter().collect();
    // Entries that are not as hallpass puts them are told, and put right, as such.
    let is_told = |file: &FileFacts| {
        opened.of_file(file).any(|client| matches!(client.step, Ok((TokenStep::PutRight, _))))
    };
    for file in opened.files.iter().filter(|file| !is_told(file)) {
        let lost = file.addresses.iter().find(|address| !address.answers && address.authority != *authority);
        findings.extend(lost.map(|address| elsewhere(opened, file, address, running, authority)));
    }
    findings
}

fn endpoint(opened: &Opened, authority: &str) -> Option<Finding> {
    let address = format!("http://{authority}");
    let noted = &opened.gateway.endpoint;
    if noted.as_ref() == Some(&address) {
        return None;
    }
    let file = opened.home.join("endpoint");
    let what = What::EndpointElsewhere { noted: noted.clone(), authority: authority.to_owned() };
    Some(Finding::error(what, Mend::Note { file: file.clone(), line: address }).at(file))
}

/// Where hallpass.toml says the same as the file, the gateway was started elsewhere.
fn elsewhere(
    opened: &Opened,
    file: &FileFacts,
    address: &AddressSeen,
    running: &Running,
    authority: &str,
) -> Finding {
    let is_configured = opened.gateway.configured == format!("http://{}", address.authority);
    let mend = if is_configured {
        restart(running, false)
    } else {
        Mend::Edit { file: file.real.clone(), line: Some(address.line as u64) }
    };
    let what = What::AddressElsewhere {
        key: address.key.clone(),
        named: address.authority.clone(),
        authority: authority.to_owned(),
    };
    let finding = Finding::error(what, mend).at(&file.path);
    match opened.of_file(file).next() {
        Some(client) => finding.of(&client.row.name),
        None => finding,
    }
}

/// Without its process nothing can be ended: another is started, which says who holds the home.
fn restart(running: &Running, is_hung: bool) -> Mend {
    running.pid.map_or(Mend::Serve, |pid| Mend::Restart { pid, is_hung })
}
