//! Files that cannot be worked on, and files that show a token to others.

use crate::doctor::facts::{FileFacts, Opened, Role, Synced, Trouble};
use crate::doctor::finding::{Finding, Holds, Mend, Severity, What};
use hallpass_core::{ClientName, UnixTime};
use std::path::Path;

/// Those that hallpass leaves alone as they are. It matters most where a token was placed.
pub(super) fn closed_to_us(opened: &Opened) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in opened.files.iter().filter(|file| !matches!(file.role, Role::CopyOf(_))) {
        let client = opened.of_file(file).next().map(|client| &client.row.name);
        let found = [open_folder(opened, file), file.trouble.as_ref().map(|trouble| closed(file, trouble))];
        for finding in found.into_iter().flatten() {
            let severity = if client.is_some() { Severity::Error } else { finding.severity };
            let finding = Finding { severity, client: client.cloned(), ..finding };
            findings.push(finding.at(&file.path));
        }
    }
    findings
}

/// Where it holds something of ours, or where a link leads into it.
fn open_folder(opened: &Opened, file: &FileFacts) -> Option<Finding> {
    let folder = file.open_folder.as_ref()?;
    let matters = opened.of_file(file).next().is_some()
        || !file.tokens.is_empty()
        || !file.entries.is_empty()
        || file.path != file.real;
    let what = What::FolderOpen { folder: folder.clone(), holds: Holds::File };
    matters.then(|| Finding::warning(what, Mend::Permit { change: "o-w", path: folder.clone() }))
}

fn closed(file: &FileFacts, trouble: &Trouble) -> Finding {
    match trouble {
        Trouble::OpenLink(folder) => {
            let what = What::FolderOpen { folder: folder.clone(), holds: Holds::Link };
            Finding::warning(what, Mend::Permit { change: "o-w", path: folder.clone() })
        }
        Trouble::LinkToNowhere => Finding::warning(What::LinkToNowhere, Mend::Delete(file.path.clone())),
        Trouble::Special => Finding::warning(What::Special, Mend::Delete(file.real.clone())),
        Trouble::Unreadable { why, own_uid, stopped_by, is_own, is_folder } => {
            let path = stopped_by.clone();
            let mend = match (is_own, is_folder) {
                (false, _) => Mend::Own { uid: *own_uid, path },
                (true, true) => Mend::Permit { change: "u+rx", path },
                (true, false) => Mend::Permit { change: "u+r", path },
            };
            Finding::warning(What::Unreadable { why: why.clone() }, mend)
        }
        Trouble::Unparsable { why, line } => {
            let mend = Mend::Edit { file: file.real.clone(), line: Some(*line as u64) };
            Finding::warning(What::Unparsable { why: why.clone() }, mend)
        }
    }
}

/// Those with a token in force that git, a sync program or other users of the machine get to see.
pub(super) fn exposed(opened: &Opened, now: UnixTime) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in opened.files.iter().filter(|file| !matches!(file.role, Role::CopyOf(_))) {
        let Some(token) = file.tokens.iter().find_map(|token| token.good(now)) else { continue };
        if file.would_commit {
            let mend = Mend::Ignore(file.real.clone());
            findings.push(Finding::error(What::WouldCommit, mend).of(&token.client).at(&file.path));
        }
        if let Some(synced) = file.synced.as_ref().filter(|_| file.role == Role::Config) {
            findings.push(carried(file, synced, &token.client));
        }
        if file.mode & 0o077 != 0 {
            findings.extend(open_to_others(opened, file, now));
        }
    }
    findings
}

fn carried(file: &FileFacts, synced: &Synced, client: &ClientName) -> Finding {
    let what = What::Synced { service: synced.service, root: synced.root.clone(), whole_home: false };
    let name = file.real.file_name().unwrap_or_default().to_string_lossy();
    let mend = Mend::out_of(synced, &file.real, format!("{client}-{name}"));
    Finding::warning(what, mend).of(client).at(&file.path)
}

/// A token that others could read is replaced, with its file closed; where it is not in its place, the file is closed.
fn open_to_others(opened: &Opened, file: &FileFacts, now: UnixTime) -> Vec<Finding> {
    let mut clients: Vec<&ClientName> = file
        .tokens
        .iter()
        .filter(|token| token.good(now).is_some())
        .filter_map(|token| opened.at_place(file, token.key.as_ref()))
        .map(|client| &client.row.name)
        .collect();
    clients.dedup();
    let what = What::FileOpen { mode: file.mode };
    if clients.is_empty() {
        let mend = Mend::Permit { change: "go-rwx", path: file.real.clone() };
        return vec![Finding::error(what, mend).at(&file.path)];
    }
    let of_client = |client: &ClientName| {
        Finding::error(what.clone(), Mend::Issue(client.clone())).of(client).at(&file.path)
    };
    clients.into_iter().map(of_client).collect()
}

impl Mend {
    /// What keeps a file or folder from being carried elsewhere.
    pub(super) fn out_of(synced: &Synced, path: &Path, name: String) -> Self {
        use crate::doctor::synced::Service;
        let inside = path.strip_prefix(&synced.root).unwrap_or(path);
        match synced.service {
            Service::Syncthing => Self::LeaveOut { root: synced.root.clone(), inside: inside.to_owned() },
            Service::Dropbox
            | Service::OneDrive
            | Service::ICloud
            | Service::GoogleDrive
            | Service::CloudStorage => Self::MoveOut { path: path.to_owned(), name },
        }
    }
}
