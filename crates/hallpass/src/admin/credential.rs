//! The credential of the admin listener: a text of its own in the home, made when it is first needed. No client has it.

use crate::atomic_file::{Original, replace, target_of};
use crate::fault::{Fault, Result};
use crate::installation::Installation;
use hallpass_core::encoding::hex;
use hallpass_core::{Bearer, TokenDigest};
use http::{HeaderMap, header};
use zeroize::Zeroizing;

/// What it begins with, so that a search for lost secrets finds it.
const PREFIX: &str = "hallpass-admin-";
const RANDOM_BYTES: usize = 32;

/// What tells the credential from any other text. Not the text itself.
pub(crate) struct Credential(TokenDigest);

impl Credential {
    /// The credential of this home.
    pub(crate) fn of(installation: &Installation) -> Result<Self> {
        let path = installation.home.admin_token();
        let original = Original::read(&path)?;
        let shown = path.display();
        if original.is_open_to_others() {
            return Err(Fault::new(format!("`{shown}` is open to others"))
                .hint(format!("delete it, and the next `hallpass serve` makes a new one: `rm {shown}`")));
        }
        if !original.exists() {
            let text = make()?;
            replace(&target_of(&path)?, &original, text.as_bytes(), true, &installation.tag)
                .map_err(|_| Fault::new(format!("cannot write `{shown}`")))?;
            return Ok(Self(TokenDigest::of(text.trim_end())));
        }
        let bytes = Zeroizing::new(original.bytes);
        let text = std::str::from_utf8(&bytes).unwrap_or_default().trim_end();
        let is_whole = text.strip_prefix(PREFIX).is_some_and(|rest| rest.len() == 2 * RANDOM_BYTES);
        if !is_whole {
            return Err(Fault::new(format!("`{shown}` does not hold a credential of ours"))
                .hint(format!("delete it, and the next `hallpass serve` makes a new one: `rm {shown}`")));
        }
        Ok(Self(TokenDigest::of(text)))
    }

    /// Whether the request shows it: exactly one `Authorization`, with `Bearer`.
    pub(crate) fn is_shown(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get_all(header::AUTHORIZATION).iter().map(http::HeaderValue::as_bytes);
        // Digests are compared: neither their time nor the text's length tells anything.
        Bearer::from_authorization(shown).is_ok_and(|shown| shown.digest().matches(&self.0))
    }
}

fn make() -> Result<Zeroizing<String>> {
    let mut random = Zeroizing::new([0; RANDOM_BYTES]);
    aws_lc_rs::rand::fill(random.as_mut_slice()).map_err(|_| Fault::new("no random bytes"))?;
    let digits = Zeroizing::new(hex(random.as_slice()));
    Ok(Zeroizing::new(format!("{PREFIX}{}\n", *digits)))
}
