//! Entries that start this program for nobody, or that start something else; and the link by which it is the shim.

use crate::doctor::facts::{EntrySeen, FileFacts, Opened, ProgramState, ShimLink};
use crate::doctor::finding::{Finding, Mend, Severity, What};

/// Those of this home.
pub(super) fn judge(opened: &Opened, shim: Option<&ShimLink>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &opened.files {
        for entry in &file.entries {
            findings.extend(of_nobody(opened, file, entry).or_else(|| moved(opened, file, entry)));
        }
    }
    findings.extend(shim.and_then(|shim| link(opened, shim)));
    findings
}

fn of_nobody(opened: &Opened, file: &FileFacts, entry: &EntrySeen) -> Option<Finding> {
    if opened.clients.iter().any(|client| client.row.name.as_str() == entry.client) {
        return None;
    }
    let what = What::StaleEntry { client: entry.client.clone(), key: entry.key.clone() };
    let mend = Mend::Edit { file: file.real.clone(), line: Some(entry.line as u64) };
    Some(Finding::warning(what, mend).at(&file.path))
}

fn moved(opened: &Opened, file: &FileFacts, entry: &EntrySeen) -> Option<Finding> {
    let program = entry.program.as_ref().filter(|program| program.state != ProgramState::Own)?;
    let what = What::ProgramMoved { program: program.clone(), key: entry.key.clone() };
    let own = opened.of_file(file).find(|client| client.row.name.as_str() == entry.client);
    let mend = match own {
        Some(_) => Mend::Apply,
        // A person put it in.
        None => Mend::Edit { file: file.real.clone(), line: Some(entry.line as u64) },
    };
    let finding = Finding::error(what, mend).at(&file.path);
    let severity = severity(program.state);
    Some(Finding { severity, client: own.map(|client| client.row.name.clone()), ..finding })
}

fn link(opened: &Opened, shim: &ShimLink) -> Option<Finding> {
    let state = shim.leads_to.state;
    let mend = Mend::Link { link: shim.path.clone(), program: opened.own_program.clone() };
    let finding = Finding::error(What::ShimLink { leads_to: shim.leads_to.clone() }, mend).at(&shim.path);
    (state != ProgramState::Own).then(|| Finding { severity: severity(state), ..finding })
}

fn severity(state: ProgramState) -> Severity {
    match state {
        ProgramState::Missing | ProgramState::NotExecutable => Severity::Error,
        ProgramState::Other | ProgramState::Own => Severity::Warning,
    }
}
