//! The shared secret on its way in: from a variable or a file, checked, and never shown.

use crate::cli::SecretPlace;
use crate::environment;
use crate::fault::{Fault, Result};
use crate::given_file;
use crate::installation::Installation;
use hallpass_core::grace::{SecretTag, TagKey};
use hallpass_core::snapshot::Authority;
use hallpass_core::{Bearer, Denial, check_signature};
use hallpass_store::SHARED_SECRETS;
use std::fmt;
use std::path::Path;
use zeroize::Zeroizing;

/// The largest file that is read.
const MOST: usize = 64 << 10;
/// Fewer characters can be guessed by whoever can reach the gateway.
const STRONG: usize = 16;

/// A secret that can be shown as `Authorization: Bearer SECRET`.
#[derive(Clone)]
pub struct SharedSecret {
    text: Zeroizing<String>,
    /// What it was read from, in words.
    place: String,
}

impl SharedSecret {
    /// Reads it from where it is.
    pub fn read(place: &SecretPlace) -> Result<Self> {
        match (&place.secret_env, &place.secret_file) {
            (Some(variable), _) => Self::of_variable(variable),
            (None, Some(file)) => Self::of_file(file),
            (None, None) => Err(Fault::usage("the secret is named by nothing")
                .hint("`--secret-env NAME` or `--secret-file FILE`")),
        }
    }

    fn of_variable(variable: &str) -> Result<Self> {
        // A secret that was typed here by mistake is not repeated: it has small letters, which names of variables have not.
        let place = if variable.contains(|c: char| c.is_ascii_lowercase()) {
            "the variable that `--secret-env` names".to_owned()
        } else {
            format!("the variable `{}`", variable.escape_debug())
        };
        if variable.is_empty() || !variable.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(Fault::usage("`--secret-env` wants the name of an environment variable").hint(
                "the name, not the secret itself: arguments can be read by every program of this machine",
            ));
        }
        let Some(text) = environment::variable(variable) else {
            return Err(empty(&place, "is empty or not set"));
        };
        let text = text.into_string().map_err(|_| unusable(&place, "is no text"))?;
        Self::check(Zeroizing::new(text), place)
    }

    fn of_file(file: &Path) -> Result<Self> {
        let (place, read) = if file == Path::new("-") {
            ("standard input".to_owned(), given_file::read_text(std::io::stdin().lock(), MOST))
        } else {
            let opened = given_file::regular_or_open(file);
            (
                format!("the file `{}`", file.display()),
                opened.and_then(|opened| given_file::read_text(opened, MOST)),
            )
        };
        let text = read.map_err(|error| {
            Fault::new(format!("cannot read {place}: {error}"))
                .hint("a file that holds the secret and nothing else, or `-` for standard input")
        })?;
        // An editor ends the last line; that is no part of the secret.
        let text =
            text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
        Self::check(Zeroizing::new(text.to_owned()), place)
    }

    /// Takes a text if a client can show it. An empty one never means that anybody is let in.
    pub fn check(text: Zeroizing<String>, place: String) -> Result<Self> {
        if text.trim().is_empty() {
            return Err(empty(&place, "holds nothing"));
        }
        match Bearer::new(&text) {
            Ok(_) => Ok(Self { text, place }),
            Err(Denial::TokenTooLong) => Err(unusable(&place, "is longer than 8192 bytes")),
            Err(_) if text.trim() != text.as_str() => Err(unusable(&place, "begins or ends with a blank")),
            Err(_) => Err(unusable(&place, "has characters that stand in no `Authorization: Bearer` header")),
        }
    }

    /// By what it is told from any other text.
    pub fn tag(&self, key: &TagKey) -> SecretTag {
        key.tag(self.text.as_bytes())
    }

    /// What should be said about it, if anything.
    pub fn weakness(&self) -> Option<String> {
        let length = self.text.len();
        (length < STRONG).then(|| {
            format!(
                "note: the secret has only {length} characters: whoever can reach the gateway can try to guess it, so keep the period short"
            )
        })
    }

    /// Refuses a client's token: as a shared secret it would go on to work after it was revoked.
    pub fn check_is_no_token(&self, authority: &Authority) -> Result<()> {
        let signed = Bearer::new(&self.text).and_then(|bearer| check_signature(&bearer, authority));
        if signed.is_err() {
            return Ok(());
        }
        Err(Fault::new(format!("what is in {} is a client's token, not a shared secret", self.place))
            .hint("clients with tokens need no grace period; a former set-up's token is taken over with `hallpass adopt`"))
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(..)")
    }
}

/// The key under which this home tells shared secrets apart.
pub fn tag_key(installation: &Installation) -> TagKey {
    TagKey::new(&installation.seal.derive(SHARED_SECRETS))
}

fn empty(place: &str, what: &str) -> Fault {
    Fault::new(format!("{place} {what}: no secret is no permission"))
        .hint("put the secret there that your clients show now")
}

fn unusable(place: &str, what: &str) -> Fault {
    Fault::new(format!("the secret in {place} {what}: no client could show it")).hint(
        "it is shown as `Authorization: Bearer SECRET`, of A-Z, a-z, 0-9 and `-._~+/=`; clients that cannot do so have to move at once",
    )
}
