//! The origin's example in a folder of its own, and pictures of files before and after. Asserts on nothing by itself
//! but that two pictures are the same.

use crate::program::{Hallpass, Outcome};
use hallpass::home::Home;
use hallpass::installation::Installation;
use hallpass_core::Event;
use hallpass_store::{Store, StoreFault};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

pub(crate) const VSCODE1: &str = "config/daemon/mcp-config.augmentcode.vscode1.json";
pub(crate) const VSCODE2: &str = "config/daemon/mcp-config.augmentcode.vscode2.json";
pub(crate) const CLAUDE: &str = "config/daemon/mcp-config.claude.json";

/// Each client of the example: its name, its file, its entry.
pub(crate) const CLIENTS: [(&str, &str, &str); 3] = [
    ("vscode1", VSCODE1, "EXAI-WS-VSCode1"),
    ("vscode2", VSCODE2, "EXAI-WS-VSCode2"),
    ("claude", CLAUDE, "exai-mcp"),
];

pub(crate) struct Stage {
    pub(crate) hallpass: Hallpass,
}

impl Stage {
    /// A user's folder with nothing in it, and no home.
    pub(crate) fn empty() -> Self {
        Self { hallpass: Hallpass::new() }
    }

    /// The example, and no home yet.
    pub(crate) fn example() -> Self {
        let stage = Self::empty();
        for file in ["hallpass.toml", VSCODE1, VSCODE2, CLAUDE] {
            let path = stage.hallpass.write(file, &text(&example_folder().join(file)));
            mode(&path, 0o644);
        }
        stage
    }

    /// The example and a home.
    pub(crate) async fn founded() -> Self {
        let stage = Self::example();
        stage.hallpass.must(&["init"]).await;
        stage
    }

    /// The example, applied.
    pub(crate) async fn applied() -> Self {
        let stage = Self::founded().await;
        stage.hallpass.must(&["apply", "--yes"]).await;
        stage
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.hallpass.user().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        text(&self.file(name))
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).expect("JSON")
    }

    /// Rewrites a file of the user's.
    pub(crate) fn edit(&self, name: &str, change: impl FnOnce(String) -> String) {
        let changed = change(self.text(name));
        overwrite(&self.file(name), &changed);
    }

    /// Replaces a part of a file that must be there.
    pub(crate) fn swap(&self, name: &str, old: &str, new: &str) {
        self.edit(name, |text| {
            assert!(text.contains(old), "`{old}` is in {name}");
            text.replace(old, new)
        });
    }

    /// The token in a file of the example.
    pub(crate) fn token(&self, file: &str) -> Option<String> {
        let (_, _, entry) = CLIENTS.iter().find(|(_, of, _)| *of == file).expect("a file of the example");
        let value = self.json(file)["mcpServers"][entry]["env"]["EXAI_JWT_TOKEN"].clone();
        value.as_str().map(str::to_owned)
    }

    /// `--json` output of a command that must succeed.
    pub(crate) async fn document(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        serde_json::from_str(&self.hallpass.must(&arguments).await).expect("one JSON document")
    }

    /// Runs, and puts `USER` and `HOME` in the place of the folders' names.
    pub(crate) async fn said(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.hallpass.run(arguments).await;
        Outcome { stdout: self.neutral(&outcome.stdout), stderr: self.neutral(&outcome.stderr), ..outcome }
    }

    pub(crate) fn neutral(&self, text: &str) -> String {
        let name = |path: PathBuf| path.to_str().expect("UTF-8").to_owned();
        text.replace(&name(self.hallpass.user()), "USER").replace(&name(self.hallpass.home()), "HOME")
    }

    /// Everything there is, but for the locks. The database is brought to rest first: a command that has ended may have
    /// left its last pages in the log beside it.
    pub(crate) async fn picture(&self) -> Picture {
        if let Ok(store) = self.store().await {
            store.close().await;
        }
        let mut seen = self.look();
        seen.retain(|path, _| {
            let name = path.to_string_lossy();
            !["hallpass.db-wal", "hallpass.db-shm", "/lock", "/serve.lock"]
                .iter()
                .any(|end| name.ends_with(end))
        });
        // Its times move when one of those comes or goes.
        if let Some(home) = seen.get_mut(&self.hallpass.home()) {
            home.changed = (0, 0);
        }
        Picture(seen)
    }

    pub(crate) async fn store(&self) -> Result<Store, StoreFault> {
        Store::open(&self.hallpass.home().join("hallpass.db")).await
    }

    /// Names of files that are temporary by their look.
    /// Writes records into the log, as the gateway does, and into its view.
    pub(crate) async fn log(&self, events: &[Event]) {
        let home = Home::locate(Some(&self.hallpass.home())).expect("a home");
        let installation = Installation::open(&home).await.expect("the home");
        installation.audit.take_acts().await.expect("acts in the log");
        let records: Vec<String> = events.iter().map(Event::json_line).collect();
        installation.audit.append(&records, true).expect("records");
        hallpass::audit::bring_up(&installation.audit, None).await.expect("the view");
        installation.store.close().await;
    }

    pub(crate) fn leftovers(&self) -> Vec<PathBuf> {
        self.look().into_keys().filter(|path| path.extension().is_some_and(|end| end == "tmp")).collect()
    }

    fn look(&self) -> BTreeMap<PathBuf, Seen> {
        let mut seen = BTreeMap::new();
        for folder in [self.hallpass.user(), self.hallpass.home()] {
            look(&folder, &mut seen);
        }
        seen
    }
}

/// Files, folders and links with all that an editor or a backup could notice.
#[derive(PartialEq)]
pub(crate) struct Picture(BTreeMap<PathBuf, Seen>);

#[derive(PartialEq)]
struct Seen {
    mode: u32,
    inode: u64,
    changed: (i64, i64),
    content: Vec<u8>,
}

impl Picture {
    /// The paths where the two differ.
    pub(crate) fn differences(&self, other: &Self) -> Vec<PathBuf> {
        let paths = self.0.keys().chain(other.0.keys());
        let mut paths: Vec<_> =
            paths.filter(|path| self.0.get(*path) != other.0.get(*path)).cloned().collect();
        paths.sort();
        paths.dedup();
        paths
    }

    pub(crate) fn assert_same(&self, other: &Self, after: &str) {
        assert_eq!(self.differences(other), Vec::<PathBuf>::new(), "changed by {after}");
    }
}

fn look(path: &Path, seen: &mut BTreeMap<PathBuf, Seen>) {
    let Ok(meta) = fs::symlink_metadata(path) else { return };
    let content = if meta.is_symlink() {
        fs::read_link(path).expect("a link").into_os_string().into_encoded_bytes()
    } else if meta.is_file() {
        fs::read(path).expect("a file")
    } else {
        Vec::new()
    };
    let (mode, inode, changed) = (meta.mode(), meta.ino(), (meta.mtime(), meta.mtime_nsec()));
    seen.insert(path.to_owned(), Seen { mode, inode, changed, content });
    if meta.is_dir() && path.file_name().is_none_or(|name| name != ".git") {
        for entry in fs::read_dir(path).expect("a folder") {
            look(&entry.expect("an entry").path(), seen);
        }
    }
}

/// The folder with the example as it is shipped.
pub(crate) fn example_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("example")
}

pub(crate) fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Writes into the file itself, so that links and modes stay.
#[expect(clippy::disallowed_methods, reason = "a test's own files need no atomic write")]
pub(crate) fn overwrite(path: &Path, text: impl AsRef<[u8]>) {
    fs::write(path, text).expect("a file");
}

pub(crate) fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

pub(crate) fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").mode() & 0o777
}

/// Runs another program, which must succeed.
pub(crate) fn run(folder: &Path, program: &str, arguments: &[&str]) {
    let ran =
        std::process::Command::new(program).args(arguments).current_dir(folder).output().expect(program);
    assert!(ran.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
}
