//! The last frame of a WebSocket connection: its code and its reason. Decides on neither.

use crate::ws::receive::Fault;

/// The longest reason, in bytes: a control frame holds no more.
const REASON_MOST: usize = 123;

/// Why a connection is closed, as the frame says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Close {
    pub(crate) code: u16,
    pub(crate) reason: Box<str>,
}

impl Close {
    /// Cuts a reason that is too long.
    pub(crate) fn new(code: u16, reason: &str) -> Self {
        Self { code, reason: reason[..reason.floor_char_boundary(REASON_MOST)].into() }
    }

    /// Reads a frame's payload. An empty one gives no reason.
    pub(crate) fn read(payload: &[u8]) -> Result<Option<Self>, Fault> {
        let fault = Fault::Protocol("a close without a reason that is one");
        let Some((code, reason)) = payload.split_first_chunk::<2>() else {
            return if payload.is_empty() { Ok(None) } else { Err(fault) };
        };
        let code = u16::from_be_bytes(*code);
        let reason = std::str::from_utf8(reason).map_err(|_| Fault::NotUtf8)?;
        if is_sent(code) { Ok(Some(Self::new(code, reason))) } else { Err(fault) }
    }

    /// The frame's payload.
    pub(crate) fn payload(&self) -> Vec<u8> {
        [&self.code.to_be_bytes()[..], self.reason.as_bytes()].concat()
    }
}

/// Whether a code may stand in a frame (RFC 6455 section 7.4).
fn is_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::Close;

    #[test]
    fn a_reason_that_is_too_long_is_cut_between_letters() {
        let close = Close::new(4003, &format!("x{}", "\u{e9}".repeat(100)));
        assert_eq!(close.payload().len(), 2 + 123);
        assert_eq!(Close::read(&close.payload()), Ok(Some(close)));
    }
}
