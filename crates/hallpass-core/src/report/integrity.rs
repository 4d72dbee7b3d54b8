//! The log's newest checkpoint, as a report repeats it. Verifies nothing: whoever reads a report verifies it with the public
//! key that he has from elsewhere.

use serde::Serialize;
use std::fmt;

/// A checkpoint (C2SP tlog-checkpoint, a signed note) and the public key that is said to verify it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Integrity {
    /// The log's name.
    pub origin: String,
    /// How many records it vouches for: the first has number 0.
    pub size: u64,
    /// The root of the tree over them, in base64.
    pub root: String,
    /// The whole note.
    pub checkpoint: String,
    /// The public key, as in `vkey` beside the log.
    pub vkey: Option<String>,
}

/// Why a text is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntegrityFault {
    /// Too short, or its lines are not those of a checkpoint.
    Form,
    /// The number of records is none.
    Size,
    /// No signature below it.
    Unsigned,
}

impl fmt::Display for IntegrityFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "it has not the lines of a checkpoint",
            Self::Size => "its number of records cannot be read",
            Self::Unsigned => "it is not signed",
        })
    }
}

impl Integrity {
    /// Takes apart what stands in the file `checkpoint`.
    pub fn read(checkpoint: &str, vkey: Option<&str>) -> Result<Self, IntegrityFault> {
        let (body, signatures) = checkpoint.split_once("\n\n").ok_or(IntegrityFault::Form)?;
        let mut lines = body.lines();
        let mut line = || lines.next().filter(|line| !line.is_empty()).ok_or(IntegrityFault::Form);
        let (origin, size, root) = (line()?, line()?, line()?);
        if !signatures.lines().any(|line| line.starts_with("\u{2014} ")) {
            return Err(IntegrityFault::Unsigned);
        }
        Ok(Self {
            origin: origin.to_owned(),
            size: size.parse().map_err(|_| IntegrityFault::Size)?,
            root: root.to_owned(),
            checkpoint: checkpoint.to_owned(),
            vkey: vkey.map(|vkey| vkey.trim().to_owned()).filter(|vkey| !vkey.is_empty()),
        })
    }

    /// Whether it vouches for the record with this number.
    pub fn covers(&self, seq: u64) -> bool {
        seq < self.size
    }
}

#[cfg(test)]
mod tests {
    use super::{Integrity, IntegrityFault};

    const NOTE: &str = "hallpass.local/ab12cd34/main\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\u{2014} hallpass.local/ab12cd34/main Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

    #[test]
    fn a_checkpoint_is_taken_apart_and_what_is_none_is_not() {
        let read = Integrity::read(NOTE, Some("key\n")).unwrap();
        assert_eq!((read.origin.as_str(), read.size), ("hallpass.local/ab12cd34/main", 7));
        assert_eq!((read.checkpoint.as_str(), read.vkey.as_deref()), (NOTE, Some("key")));
        assert!(read.covers(0) && read.covers(6) && !read.covers(7));
        assert_eq!(Integrity::read(NOTE, Some("\n")).unwrap().vkey, None);
        for (text, fault) in [
            ("", IntegrityFault::Form),
            ("a\n7\n\n\u{2014} x\n", IntegrityFault::Form),
            ("a\nmany\nr\n\n\u{2014} x\n", IntegrityFault::Size),
            ("a\n7\nr\n\nno signature\n", IntegrityFault::Unsigned),
        ] {
            assert_eq!(Integrity::read(text, None), Err(fault), "{text}");
        }
    }
}
