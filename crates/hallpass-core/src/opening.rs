//! Whether a document is JSON that can hold something, by its first bytes. Not by its media type: some readers do not
//! look at that.

use crate::json_walk::is_space;
use crate::tool_sieve::Unreadable;

/// What is known of a document so far.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Opening {
    /// Nothing yet but white space.
    Undecided {
        /// And marks of another encoding.
        odd: bool,
    },
    /// An object or a list.
    Json,
    /// What neither begins holds no message.
    Other,
}

impl Default for Opening {
    fn default() -> Self {
        Self::Undecided { odd: false }
    }
}

impl Opening {
    /// What is known once this byte has come.
    pub(crate) fn at(self, byte: u8) -> Result<Self, Unreadable> {
        let Self::Undecided { odd } = self else { return Ok(self) };
        match byte {
            byte if is_space(byte) => Ok(self),
            // Zeros and byte order marks: some readers take what follows for JSON in UTF-16 or UTF-32.
            0 | 0xef | 0xbb | 0xbf | 0xfe | 0xff => Ok(Self::Undecided { odd: true }),
            b'{' | b'[' if odd => Err(Unreadable),
            b'{' | b'[' => Ok(Self::Json),
            _ => Ok(Self::Other),
        }
    }
}
