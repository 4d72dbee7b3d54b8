//! Segments: which there are, and the lines in them, one after the other. Judges nothing.

use crate::files;
use crate::record::MOST_BYTES;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

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
