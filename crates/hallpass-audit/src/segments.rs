//! Segments: which there are, and the lines in them, one after the other. Judges nothing.

use crate::files;
use crate::record::{self, MOST_BYTES};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// So many bytes are read rather than halved.
const NEAR: u64 = 64 << 10;

/// Where the segment is that begins with this record.
pub(crate) fn path(log: &Path, first: u64) -> PathBuf {
    log.join("segments").join(format!("{first:020}.jsonl"))
}

/// The first record of each segment, in order. What is called otherwise is no segment.
pub(crate) fn list(log: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(log.join("segments")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut firsts = Vec::new();
    for entry in entries {
        firsts.extend(entry?.file_name().to_str().and_then(first_of));
    }
    firsts.sort_unstable();
    Ok(firsts)
}

fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".jsonl")?;
    let plain = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// What comes next in the segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A segment begins, which says that it begins with this record.
    Segment(u64),
    /// A line, which is in the buffer without its newline.
    Line {
        /// Whether a newline ends it.
        whole: bool,
    },
    /// There is no more.
    End,
}

/// Reads segments line by line, whatever their length.
#[derive(Debug)]
pub(crate) struct Lines {
    log: PathBuf,
    firsts: std::vec::IntoIter<u64>,
    reader: Option<BufReader<File>>,
    segment: u64,
    offset: u64,
    line_at: u64,
    buffer: Vec<u8>,
}

impl Lines {
    pub(crate) fn new(log: &Path, firsts: Vec<u64>) -> Self {
        let (log, firsts) = (log.to_owned(), firsts.into_iter());
        Self { log, firsts, reader: None, segment: 0, offset: 0, line_at: 0, buffer: Vec::new() }
    }

    /// From within a segment.
    pub(crate) fn from_place(log: &Path, place: Place) -> io::Result<Self> {
        let mut lines = Self::new(log, Vec::new());
        lines.enter(place.segment)?;
        if let Some(reader) = &mut lines.reader {
            reader.seek(SeekFrom::Start(place.offset))?;
        }
        (lines.offset, lines.line_at) = (place.offset, place.offset);
        Ok(lines)
    }

    fn enter(&mut self, first: u64) -> io::Result<()> {
        let file = files::open(&path(&self.log, first))?;
        self.reader = Some(BufReader::with_capacity(256 << 10, file));
        (self.segment, self.offset, self.line_at) = (first, 0, 0);
        Ok(())
    }

    /// The next line is in [`Lines::line`] then.
    pub(crate) fn next(&mut self) -> io::Result<Next> {
        if let Some(reader) = &mut self.reader {
            let (taken, whole) = read_line(reader, &mut self.buffer)?;
            if taken > 0 {
                (self.line_at, self.offset) = (self.offset, self.offset + taken);
                return Ok(Next::Line { whole });
            }
        }
        let Some(first) = self.firsts.next() else { return Ok(Next::End) };
        self.enter(first)?;
        Ok(Next::Segment(first))
    }

    pub(crate) fn line(&self) -> &[u8] {
        &self.buffer
    }

    /// Where the last line begins.
    pub(crate) fn line_place(&self) -> Place {
        Place { segment: self.segment, offset: self.line_at }
    }

    /// Where the last line ends.
    pub(crate) fn place(&self) -> Place {
        Place { segment: self.segment, offset: self.offset }
    }

    pub(crate) fn is_in_last_segment(&self) -> bool {
        self.firsts.len() == 0
    }
}

/// A place in the segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

/// A place in a segment from which a record is found soon: at or before it, and not far. By halves, so that the end of a
/// long segment costs no more than its beginning. Where that does not lead on, the best place so far.
pub(crate) fn place_before(log: &Path, segment: u64, seq: u64) -> io::Result<Place> {
    let file = files::open(&path(log, segment))?;
    let (mut low, mut high) = (0, file.metadata()?.len());
    let mut bytes = vec![0; 2 * MOST_BYTES + 2];
    while high - low > NEAR {
        let middle = low + (high - low) / 2;
        let length = file.read_at(&mut bytes, middle)?;
        let Some((at, found)) = first_head(&bytes[..length]) else { break };
        if found <= seq {
            low = middle + at as u64;
        } else {
            high = middle;
        }
    }
    Ok(Place { segment, offset: low })
}

/// Where the first line begins that begins and ends in here, and which record it is.
fn first_head(bytes: &[u8]) -> Option<(usize, u64)> {
    let at = memchr::memchr(b'\n', bytes)? + 1;
    let length = memchr::memchr(b'\n', &bytes[at..])?;
    Some((at, record::head(&bytes[at..at + length]).ok()?.seq))
}

/// How many bytes were taken, and whether a newline was the last. Of a line that is too long to be a record only as much
/// is kept as shows that it is.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<(u64, bool)> {
    line.clear();
    let mut taken = 0;
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok((taken, false));
        }
        let end = memchr::memchr(b'\n', bytes);
        let part = &bytes[..end.unwrap_or(bytes.len())];
        line.extend_from_slice(&part[..part.len().min(MOST_BYTES + 1 - line.len().min(MOST_BYTES + 1))]);
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        taken += used as u64;
        if end.is_some() {
            return Ok((taken, true));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{NEAR, Place, path, place_before};
    use crate::hash::Hash;
    use crate::record::{MOST_BYTES, seal};
    use std::fs;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's own files need no atomic write")]
    fn a_record_is_found_shortly_behind_the_place() {
        let log = tempfile::tempdir().unwrap();
        fs::create_dir(log.path().join("segments")).unwrap();
        let (mut text, mut begins) = (String::new(), Vec::new());
        for seq in 100..1100 {
            begins.push(text.len() as u64);
            let length = if seq % 97 == 0 { 15_000 } else { usize::try_from(seq).unwrap() % 300 };
            let body = format!(r#"{{"a":"{}"}}"#, "x".repeat(length));
            text += &seal(seq, &Hash::ZERO, "main", &body).unwrap();
            text.push('\n');
        }
        let file = path(log.path(), 100);
        fs::write(&file, &text).unwrap();
        for (seq, begin) in (100..).zip(&begins) {
            let Place { segment, offset } = place_before(log.path(), 100, seq).unwrap();
            assert!(segment == 100 && begins.contains(&offset) && offset <= *begin, "{seq} {offset}");
            assert!(begin - offset <= NEAR + MOST_BYTES as u64, "{seq} {offset}");
        }
        // A record that is not there yet, and lines that are no records.
        assert!(place_before(log.path(), 100, u64::MAX).unwrap().offset > text.len() as u64 - 2 * NEAR);
        fs::write(&file, "no record\n".repeat(50_000)).unwrap();
        assert_eq!(place_before(log.path(), 100, 500).unwrap().offset, 0);
    }
}
