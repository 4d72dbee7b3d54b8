//! Which files clients read on this machine, and what is in them.

use super::home::carried;
use super::real;
use crate::doctor::copies::is_copy;
use crate::doctor::document::{Document, Start, roots};
use crate::doctor::facts::{AddressSeen, EntrySeen, FileFacts, Role, TokenSeen, Trouble};
use crate::doctor::look::{Looked, line_of, line_of_client, look, program};
use crate::environment;
use crate::fault::Result;
use crate::git::{self, GitView};
use crate::home::{Home, SHIM};
use crate::scan::{Candidate, search, whose};
use crate::target::{candidates, expanded, former_files};
use hallpass_clients::{Client, EditError, app, clients};
use hallpass_core::{Snapshot, TokenDigest, UnixTime};
use hallpass_store::{ClientRow, PlacementRow, Store};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What files are looked at with.
pub(super) struct Looking<'a> {
    pub(super) home: &'a Home,
    pub(super) store: &'a Store,
    pub(super) snapshot: &'a Snapshot,
    pub(super) own_program: &'a Path,
    pub(super) now: UnixTime,
}

/// A path at which a client's file may be.
struct Spot {
    path: PathBuf,
    role: Role,
    apps: Vec<&'static Client>,
}

impl Looking<'_> {
    /// Where tokens were placed, where any client that is known would look, and what lies beside those.
    pub(super) async fn files(
        &self,
        rows: &[ClientRow],
        placements: &[PlacementRow],
    ) -> Result<Vec<FileFacts>> {
        let mut files: Vec<FileFacts> = Vec::new();
        let mut beside = Vec::new();
        for spot in spots(rows, placements) {
            beside.extend(copies_of(&spot.path));
            let Some(looked) = look(&spot.path) else { continue };
            // Some programs read the file of another, and two ways lead to one file.
            match files.iter_mut().find(|file| file.real == looked.real && file.trouble.is_none()) {
                Some(file) => file.apps.extend(spot.apps),
                None => files.push(self.read(spot, looked).await?),
            }
        }
        let mut seen: HashSet<PathBuf> = files.iter().map(|file| file.real.clone()).collect();
        for (path, of) in beside.into_iter().filter(|(path, _)| seen.insert(path.clone())) {
            let spot = Spot { path, role: Role::CopyOf(of), apps: Vec::new() };
            if let Some(looked) = look(&spot.path) {
                let file = self.read(spot, looked).await?;
                files.extend((!file.tokens.is_empty()).then_some(file));
            }
        }
        Ok(files)
    }

    async fn read(&self, spot: Spot, looked: Looked) -> Result<FileFacts> {
        let Looked { real, trouble, mode, open_folder, bytes } = looked;
        let mut file = FileFacts {
            path: spot.path,
            real,
            role: spot.role,
            apps: spot.apps,
            trouble,
            mode,
            open_folder,
            would_commit: false,
            synced: None,
            tokens: Vec::new(),
            entries: Vec::new(),
            addresses: Vec::new(),
        };
        let document = self.document(&mut file, &bytes);
        let mut found = Vec::new();
        // In memory: nothing can fail.
        let _ = search(&bytes[..], &mut Vec::new(), |candidate| found.push(candidate));
        for Candidate { token, line } in found {
            if let Some(whose) = whose(self.store, self.snapshot, &token).await? {
                let key = document.key_of(&token).cloned();
                file.tokens.push(TokenSeen { digest: TokenDigest::of(&token), line, key, whose });
            }
        }
        self.add_entries(&mut file, &document, &bytes);
        if file.tokens.iter().any(|token| token.good(self.now).is_some()) {
            file.would_commit = git::view(&file.real) == GitView::WouldCommit;
            file.synced = carried(&file.real);
        }
        Ok(file)
    }

    /// Reads it as one of its programs would, and notes if none could. What it says matters only if it may be about us.
    fn document(&self, file: &mut FileFacts, bytes: &[u8]) -> Document {
        if file.trouble.is_some() || file.role != Role::Config {
            return Document::default();
        }
        let dialects: Vec<_> = file.apps.iter().filter_map(|app| app.dialect()).collect();
        let mut refused = None;
        for dialect in dialects {
            match roots(bytes, dialect) {
                Ok(roots) if self.may_be_about_us(bytes) => return Document::read(bytes, dialect, &roots),
                Ok(_) => return Document::default(),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        file.trouble = refused.map(|error| unparsable(&error));
        Document::default()
    }

    fn may_be_about_us(&self, bytes: &[u8]) -> bool {
        let home = self.home.folder().to_string_lossy();
        let signs = ["eyJ", "--client", "/mcp", SHIM, &home];
        signs.iter().any(|sign| memchr::memmem::find(bytes, sign.as_bytes()).is_some())
    }

    fn add_entries(&self, file: &mut FileFacts, document: &Document, bytes: &[u8]) {
        let ours = document.starts.iter().filter(|start| self.is_of_this_home(start));
        file.entries.extend(ours.map(|start| {
            let path = Path::new(&start.program);
            EntrySeen {
                key: start.key.clone(),
                line: line_of_client(bytes, &start.client),
                client: start.client.clone(),
                program: path.is_absolute().then(|| program(path, self.own_program)),
            }
        }));
        file.addresses.extend(document.addresses().map(|(key, authority)| AddressSeen {
            key: key.clone(),
            line: line_of(bytes, authority),
            authority: authority.to_owned(),
            answers: true,
        }));
    }

    fn is_of_this_home(&self, start: &Start) -> bool {
        match &start.home {
            Some(home) => real(Path::new(home)) == real(self.home.folder()),
            None => self.home.is_default(),
        }
    }
}

/// Where tokens were placed, and where clients look.
fn spots(rows: &[ClientRow], placements: &[PlacementRow]) -> Vec<Spot> {
    let mut spots: BTreeMap<PathBuf, Spot> = BTreeMap::new();
    let mut add = |path: PathBuf, role, app: Option<&'static Client>| {
        let spot = spots.entry(path.clone()).or_insert_with(|| Spot { path, role, apps: Vec::new() });
        spot.apps.extend(app);
    };
    for row in placements {
        let app = rows.iter().find(|client| client.name == row.client).and_then(|row| app(&row.app));
        if let Some(file) = &row.token_file {
            add(file.into(), Role::TokenFile, None);
        }
        if row.token_file.as_ref() != Some(&row.file) {
            add(PathBuf::from(&row.file), Role::Config, app);
        }
    }
    let project = project();
    for client in clients() {
        let own = candidates(client, project.as_deref()).into_iter().map(|candidate| candidate.path);
        for path in own.chain(former_files(client)) {
            for path in expanded(Path::new(&path)) {
                add(path, Role::Config, Some(client));
            }
        }
    }
    spots.into_values().collect()
}

fn unparsable(error: &EditError) -> Trouble {
    Trouble::Unparsable { why: error.to_string(), line: error.at().map_or(1, |at| at.line) }
}

/// The folder in which we are, unless it is the user's own, which is no project.
fn project() -> Option<String> {
    let folder = std::env::current_dir().ok()?;
    let is_home = environment::variable("HOME").is_some_and(|home| real(Path::new(&home)) == real(&folder));
    (!is_home).then(|| folder.to_str().map(str::to_owned)).flatten()
}

/// What has the look of a copy beside a file, and of what.
fn copies_of(path: &Path) -> Vec<(PathBuf, PathBuf)> {
    let real = crate::atomic_file::target_of(path).unwrap_or_else(|_| path.to_owned());
    let (Some(folder), Some(of)) = (real.parent(), real.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_one = |entry: &fs::DirEntry| {
        entry.file_type().is_ok_and(|kind| kind.is_file())
            && entry.file_name().to_str().is_some_and(|name| is_copy(name, of))
    };
    entries.filter(is_one).map(|entry| (entry.path(), real.clone())).collect()
}
