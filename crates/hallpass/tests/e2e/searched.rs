//! Which files of a test's folder hold secrets because they belong there, and which are ours to be searched.
//! Reads, and changes nothing.

use std::fs;
use std::path::{Path, PathBuf};

use hallpass_core::encoding::decode_hex;
use hallpass_core::keys::Algorithm;
use hallpass_store::{KeyRow, SHARED_SECRETS, SealKey, Store};

use crate::program::canary::Canaries;

/// Larger files of a user's hold no token that a test put there.
const USERS_FILE_MOST: u64 = 1 << 20;
/// What a home derives from `seal.key`.
const DERIVED: [&str; 3] = [SHARED_SECRETS, "audit arguments", "session ids"];

/// The files of a test.
#[derive(Default)]
pub(crate) struct Files {
    /// The user's: tokens and secrets stand there as they should.
    pub(crate) users: Vec<PathBuf>,
    pub(crate) homes: Vec<PathBuf>,
    /// Those of homes that hold secrets.
    pub(crate) secret: Vec<PathBuf>,
    /// All others of homes: our program wrote them.
    pub(crate) ours: Vec<PathBuf>,
}

impl Files {
    /// What is in the folder, or in the folders in it.
    pub(crate) fn of(folder: &Path) -> Self {
        let mut files = Self::default();
        files.look(folder, None);
        files
    }

    fn look(&mut self, folder: &Path, home: Option<&Path>) {
        let is_home = ["hallpass.db", "seal.key"].iter().any(|name| folder.join(name).exists());
        let home = home.or(is_home.then_some(folder));
        if is_home {
            self.homes.push(folder.to_owned());
        }
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
            if kind.is_dir() && entry.file_name() != ".git" {
                self.look(&path, home);
            } else if kind.is_file() {
                self.sort_in(path, home);
            }
        }
    }

    fn sort_in(&mut self, path: PathBuf, home: Option<&Path>) {
        let Some(home) = home else { return self.users.push(path) };
        // Nothing but zeros, megabytes of them, for the day when the disk is full.
        if path.ends_with("reserve") {
            return;
        }
        // `seal.new` is what `seal.key` is called until it is whole.
        let keys = ["seal.key", "seal.new", "admin.token"].map(|name| home.join(name));
        let belongs = path.starts_with(home.join("tokens")) || keys.contains(&path);
        if belongs { self.secret.push(path) } else { self.ours.push(path) }
    }

    /// What stands in the user's files and in those of the homes that hold secrets.
    pub(crate) fn add_to(&self, canaries: &mut Canaries) {
        let is_small = |path: &&PathBuf| fs::metadata(path).is_ok_and(|meta| meta.len() <= USERS_FILE_MOST);
        for text in self.users.iter().filter(is_small).filter_map(|path| fs::read(path).ok()) {
            canaries.add_tokens_in(&text);
            canaries.add_named_secrets_in(&text);
        }
        for (path, bytes) in self.secret.iter().filter_map(|path| Some((path, fs::read(path).ok()?))) {
            match path.file_name().and_then(|name| name.to_str()) {
                Some("seal.key") => canaries.add_secret(&bytes),
                Some("admin.token") => canaries.add_secret(bytes.trim_ascii()),
                _ => canaries.add_tokens_in(&bytes),
            }
        }
    }
}

/// The keys of a home that it keeps sealed, and those that it derives. Of one that is not whole, nothing.
pub(crate) async fn add_sealed(home: &Path, canaries: &mut Canaries) {
    let Ok(seal) = SealKey::load(&home.join("seal.key")) else { return };
    for purpose in DERIVED {
        canaries.add_secret(&*seal.derive(purpose));
    }
    let Ok(store) = Store::open(&home.join("hallpass.db")).await else { return };
    for row in store.keys().await.unwrap_or_default() {
        let purpose = format!("{} signing key {}", row.algorithm.as_str(), row.kid);
        if let Ok(key) = seal.open(&purpose, &row.sealed) {
            canaries.add_secret(private_part(&row, &key));
        }
    }
    let log_key = store.setting("log_key").await.ok().flatten().and_then(|sealed| decode_hex(&sealed));
    if let Some(Ok(seed)) = log_key.map(|sealed| seal.open("log key", &sealed)) {
        canaries.add_secret(&seed);
    }
    store.close().await;
}

/// A key of RFC 5915 holds its public half, too, which is no secret: 32 bytes behind the first 7 are.
fn private_part<'a>(row: &KeyRow, key: &'a [u8]) -> &'a [u8] {
    match row.algorithm {
        Algorithm::Es256 => key.get(7..39).expect("a key of RFC 5915"),
        Algorithm::EdDsa | Algorithm::Ed25519 | Algorithm::Hs256 => key,
    }
}
