//! The seal: a key in a file of its own that keeps private keys and foreign secrets unreadable in the database.
//! It protects a copied database, not a copied home.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hkdf, rand};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// The key that seals.
pub struct SealKey(Zeroizing<[u8; KEY_BYTES]>);

/// What is wrong with the seal or with something sealed.
#[derive(Debug)]
pub enum SealFault {
    /// There is no key file.
    Missing,
    /// Others than the owner may read or write it.
    OthersCanRead {
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to another user.
    OtherOwner,
    /// It does not hold 32 bytes.
    WrongSize,
    /// It was sealed by another key, for another purpose, or was changed.
    NotOpened,
    /// What the file system said.
    Failed(String),
}

impl fmt::Display for SealFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it is not there"),
            Self::OthersCanRead { mode } => write!(f, "it is open to others (mode {mode:o})"),
            Self::OtherOwner => f.write_str("it belongs to another user"),
            Self::WrongSize => f.write_str("it does not hold a key of 32 bytes"),
            Self::NotOpened => f.write_str("it was not sealed by this home's `seal.key`, or was changed"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for SealFault {}

impl From<std::io::Error> for SealFault {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl SealKey {
    /// Makes a key file (0600) in the place of none.
    pub fn generate_file(path: &Path) -> Result<Self, SealFault> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(key.as_mut_slice()).map_err(|_| SealFault::Failed("no random bytes".into()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        // Complete under its name or not there at all: half a key would stand in the way of a new start.
        let unfinished = path.with_extension("new");
        let _ = std::fs::remove_file(&unfinished);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(key.as_slice())?;
        file.sync_all()?;
        // A link, not a rename: it never takes the place of a key that is there.
        let linked = std::fs::hard_link(&unfinished, path);
        std::fs::remove_file(&unfinished)?;
        linked?;
        File::open(folder)?.sync_all()?;
        Ok(Self(key))
    }

    /// Reads a key file. One that others can read is refused.
    pub fn load(path: &Path) -> Result<Self, SealFault> {
        // A pipe opens at once in this mode, and then does not hold 32 bytes.
        let waits_for_nobody = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let mut file = match OpenOptions::new().read(true).custom_flags(waits_for_nobody).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(SealFault::Missing),
            Err(error) => return Err(error.into()),
        };
        let meta = file.metadata()?;
        if meta.mode() & 0o077 != 0 {
            return Err(SealFault::OthersCanRead { mode: meta.mode() & 0o777 });
        }
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(SealFault::OtherOwner);
        }
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        if meta.len() != KEY_BYTES as u64 || file.read_exact(key.as_mut_slice()).is_err() {
            return Err(SealFault::WrongSize);
        }
        Ok(Self(key))
    }

    /// Seals `plain` for one purpose (AES-256-GCM; a random nonce stands in front).
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, SealFault> {
        // All the room at once: a vector that grows would leave a copy of the secret behind.
        let mut sealed = Vec::with_capacity(NONCE_BYTES + plain.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&[0; NONCE_BYTES]);
        sealed.extend_from_slice(plain);
        let (nonce, tag) = self
            .cipher()?
            .seal_in_place_separate_tag(Aad::from(purpose.as_bytes()), &mut sealed[NONCE_BYTES..])
            .map_err(|_| SealFault::Failed("it cannot be sealed".into()))?;
        sealed[..NONCE_BYTES].copy_from_slice(nonce.as_ref());
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what was sealed for the same purpose.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealFault> {
        let (nonce, rest) = sealed.split_at_checked(NONCE_BYTES).ok_or(SealFault::NotOpened)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealFault::NotOpened)?;
        let mut plain = Zeroizing::new(rest.to_vec());
        let opened = self.cipher()?.open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut plain);
        let length = opened.map_err(|_| SealFault::NotOpened)?.len();
        plain.truncate(length);
        Ok(plain)
    }

    /// A key of its own for one purpose.
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; KEY_BYTES]> {
        self.expand("derive ", purpose)
    }

    /// HKDF-SHA256. What seals and what is derived differ in `kind`, so that no purpose gives away the sealing key.
    fn expand(&self, kind: &str, purpose: &str) -> Zeroizing<[u8; KEY_BYTES]> {
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, b"hallpass").extract(self.0.as_slice());
        let info = [kind.as_bytes(), purpose.as_bytes()];
        let mut derived = Zeroizing::new([0; KEY_BYTES]);
        // 32 bytes is what HKDF-SHA256 gives at once: this cannot fail, and must not be papered over if it ever does.
        extracted
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|expanded| expanded.fill(derived.as_mut_slice()))
            .expect("HKDF-SHA256 gives 32 bytes");
        derived
    }

    fn cipher(&self) -> Result<RandomizedNonceKey, SealFault> {
        let key = self.expand("seal", "");
        RandomizedNonceKey::new(&AES_256_GCM, key.as_slice()).map_err(|_| SealFault::WrongSize)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(..)")
    }
}
