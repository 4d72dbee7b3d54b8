//! Session ids bound to the caller that was given them: the upstream's id and a MAC over id, caller and server.
//! Nothing is stored, and an id is worth nothing to another caller.

use crate::encoding::{base64url, decode_base64url, hex};
use crate::judge::Principal;
use crate::name::ServerName;
use aws_lc_rs::{constant_time, hmac};
use std::fmt;

const MAC_BYTES: usize = 16;
const MAC_TEXT: usize = 22;

/// Tells one bound id from all others, and is worth nothing without the id: its MAC.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionTag([u8; MAC_BYTES]);

impl fmt::Debug for SessionTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionTag(..)")
    }
}

/// The key that binds session ids. Kept across restarts, so that sessions live on.
pub struct SessionKey(hmac::Key);

impl SessionKey {
    /// A key of 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The id that the caller is shown for the upstream's `id`: `id.mac`, visible ASCII as long as `id` is.
    pub fn bind(&self, id: &str, principal: Principal<'_>, server: &ServerName) -> (String, SessionTag) {
        let mac = self.mac(id, principal, server);
        (format!("{id}.{}", base64url(&mac)), SessionTag(mac))
    }

    /// The upstream's id behind what a caller showed, if that caller was given it for that server.
    pub fn open<'a>(
        &self,
        shown: &'a str,
        principal: Principal<'_>,
        server: &ServerName,
    ) -> Option<(&'a str, SessionTag)> {
        let (id, mac) = shown.split_at_checked(shown.len().checked_sub(MAC_TEXT + 1)?)?;
        let mac = decode_base64url(mac.strip_prefix('.')?.as_bytes())?;
        let ours = self.mac(id, principal, server);
        constant_time::verify_slices_are_equal(&mac, &ours).ok().map(|()| (id, SessionTag(ours)))
    }

    /// A fresh id for a session that the gateway itself opens at a server: 55 letters, digits, `-` and `_`. Whoever has
    /// the key can tell for which caller it was made.
    pub fn mint(&self, random: &[u8; 16], principal: Principal<'_>, server: &ServerName) -> String {
        let id = hex(random);
        format!("{id}-{}", base64url(&self.mac(&id, principal, server)))
    }

    /// Whether an id was made for this caller and server.
    pub fn is_minted(&self, id: &str, principal: Principal<'_>, server: &ServerName) -> bool {
        let Some((id, mac)) = id.split_once('-') else { return false };
        let mac = decode_base64url(mac.as_bytes()).unwrap_or_default();
        constant_time::verify_slices_are_equal(&mac, &self.mac(id, principal, server)).is_ok()
    }

    fn mac(&self, id: &str, principal: Principal<'_>, server: &ServerName) -> [u8; MAC_BYTES] {
        let mut context = hmac::Context::with_key(&self.0);
        let principal = principal.to_string();
        // Principals and names cannot hold a slash, so the three parts cannot be shifted against each other.
        for part in [principal.as_str(), "/", server.as_str(), "/", id] {
            context.update(part.as_bytes());
        }
        let mut mac = [0; MAC_BYTES];
        mac.copy_from_slice(&context.sign().as_ref()[..MAC_BYTES]);
        mac
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::SessionKey;
    use crate::judge::Principal;
    use crate::name::{ClientName, ServerName};

    #[test]
    fn a_session_id_opens_for_the_client_and_server_it_was_bound_to() {
        let key = SessionKey::new(&[7; 32]);
        let (ann, bob) = (ClientName::new("ann").unwrap(), ClientName::new("bob").unwrap());
        let (ann, bob) = (Principal::Client(&ann), Principal::Client(&bob));
        let (docs, files) = (ServerName::new("docs").unwrap(), ServerName::new("files").unwrap());
        let (shown, tag) = key.bind("abc.def", ann, &docs);
        assert_eq!(key.open(&shown, ann, &docs), Some(("abc.def", tag)));
        assert_ne!(key.bind("abc.def", bob, &docs).1, tag);
        assert_eq!(key.open(&shown, bob, &docs), None);
        assert_eq!(key.open(&shown, ann, &files), None);
        assert_eq!(SessionKey::new(&[8; 32]).open(&shown, ann, &docs), None);
        for bad in [
            "",
            ".",
            "abc.def",
            "x",
            &shown[1..],
            &format!("{shown}A"),
            "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
        ] {
            assert_eq!(key.open(bad, ann, &docs), None, "{bad}");
        }
    }
    #[test]
    fn a_minted_id_is_a_label_that_says_for_whom_it_was_made() {
        let key = SessionKey::new(&[7; 32]);
        let (ann, bob) = (ClientName::new("ann").unwrap(), ClientName::new("bob").unwrap());
        let (ann, bob) = (Principal::Client(&ann), Principal::Client(&bob));
        let docs = ServerName::new("docs").unwrap();
        let id = key.mint(&[3; 16], ann, &docs);
        assert_eq!(crate::hello::SessionLabel::new(&id).unwrap().as_str().len(), 55);
        assert!(key.is_minted(&id, ann, &docs));
        assert!(!key.is_minted(&id, bob, &docs));
        assert!(!key.is_minted(&id[..54], ann, &docs));
        assert_ne!(id, key.mint(&[4; 16], ann, &docs));
    }
}
