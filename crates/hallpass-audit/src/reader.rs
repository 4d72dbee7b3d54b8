//! Records in order, for whoever shows or exports them. Verifies nothing: see [`crate::verify`].

use crate::files;
use crate::record;
use crate::segments::{self, Lines, Next, Place};
use std::io;
use std::path::{Path, PathBuf};

/// Reads lines from some record on. At the end it can be asked again later, when there may be more.
#[derive(Debug)]
pub struct Reader {
    log: PathBuf,
    from: u64,
    lines: Option<Lines>,
    /// Behind the last whole line.
    place: Place,
    /// The segment behind this one, once there is one: nothing is appended to this one then.
    next: Option<u64>,
}

impl Reader {
    /// From record `seq` on, or from the first that is there.
    pub fn lines_from(dir: &Path, seq: u64) -> io::Result<Self> {
        let place = match segment_of(dir, seq)? {
            Some(segment) => match segments::place_before(dir, segment, seq) {
                // Pruned this very moment.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Place { segment, offset: 0 },
                place => place?,
            },
            None => Place { segment: seq, offset: 0 },
        };
        Ok(Self { log: dir.to_owned(), from: seq, lines: None, place, next: None })
    }

    /// The next record: its number and its line.
    pub fn next_line(&mut self) -> io::Result<Option<(u64, &str)>> {
        let Some(seq) = self.find()? else { return Ok(None) };
        let line = self.lines.as_ref().map_or(&[][..], Lines::line);
        let line = std::str::from_utf8(line).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(Some((seq, line)))
    }

    /// Does not return before what was read is on the disk: so nobody builds on what a power cut takes away. The segments
    /// before were synced when they were closed.
    pub fn sync(&self) -> io::Result<()> {
        match files::open(&segments::path(&self.log, self.place.segment)) {
            // Pruned meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            file => file?.sync_data(),
        }
    }

    fn find(&mut self) -> io::Result<Option<u64>> {
        loop {
            let Some(lines) = self.reading()? else { return Ok(None) };
            if lines.next()? != (Next::Line { whole: true }) {
                // The end, or a line that is being written: from here again next time.
                self.lines = None;
                if self.move_on()? {
                    continue;
                }
                return Ok(None);
            }
            let seq = record::head(lines.line()).map_err(io::Error::other)?.seq;
            self.place = lines.place();
            if seq >= self.from {
                self.from = seq + 1;
                return Ok(Some(seq));
            }
        }
    }

    fn reading(&mut self) -> io::Result<Option<&mut Lines>> {
        while self.lines.is_none() {
            match Lines::from_place(&self.log, self.place) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if !self.find_place()? {
                        return Ok(None);
                    }
                }
                lines => self.lines = Some(lines?),
            }
        }
        Ok(self.lines.as_mut())
    }

    /// Into the segment that holds what is wanted, where this one was pruned or never was; false where there is none.
    fn find_place(&mut self) -> io::Result<bool> {
        let found = segment_of(&self.log, self.from)?.filter(|segment| *segment != self.place.segment);
        let Some(segment) = found else { return Ok(false) };
        (self.place, self.next) = (Place { segment, offset: 0 }, None);
        Ok(true)
    }

    /// Into the segment behind this one. What was appended to this one before that began is read first.
    fn move_on(&mut self) -> io::Result<bool> {
        if let Some(segment) = self.next.take() {
            self.place = Place { segment, offset: 0 };
            return Ok(true);
        }
        self.next = segments::list(&self.log)?.into_iter().find(|first| *first > self.place.segment);
        Ok(self.next.is_some())
    }
}

/// The segment that holds this record, or the first that is there.
fn segment_of(dir: &Path, seq: u64) -> io::Result<Option<u64>> {
    let firsts = segments::list(dir)?;
    let due = firsts.iter().rposition(|first| *first <= seq).unwrap_or(0);
    Ok(firsts.get(due).copied())
}

impl Iterator for Reader {
    type Item = io::Result<(u64, String)>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.next_line().map(|line| line.map(|(seq, line)| (seq, line.to_owned())));
        line.transpose()
    }
}
