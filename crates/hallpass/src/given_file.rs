//! Opens and reads a file that a person named. What could be waited for without an end is refused, and no more is read
//! than was asked for.

use rustix::fs::OFlags;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use zeroize::Zeroizing;

/// A regular file and nothing else: for what later commands read again.
pub fn regular(path: &Path) -> io::Result<File> {
    // A pipe that nobody writes to opens at once in this mode, and is then looked at: there is no moment in between.
    let waits_for_nobody = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(waits_for_nobody).open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other(format!("it is {}, not a file", kind(&meta))))
    }
}

/// A regular file, or what the shell has opened already (`<(command)`, `/dev/stdin`): for what is read once.
pub fn regular_or_open(path: &Path) -> io::Result<File> {
    let is_open =
        path == Path::new("/dev/stdin") || path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd");
    if is_open { File::open(path) } else { regular(path) }
}

/// The first `most` bytes of it. Kept as a secret: who reads does not know what it is.
pub fn read(input: impl Read, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    // As large as it can get: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 32));
    input.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// [`read`] for what has to be text, and whole.
pub fn read_text(input: impl Read, most: usize) -> io::Result<Zeroizing<String>> {
    let bytes = read(input, most.saturating_add(1))?;
    if bytes.len() > most {
        return Err(io::Error::other(format!("it is larger than {most} bytes")));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| io::Error::other("it is not UTF-8 text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn kind(meta: &Metadata) -> &'static str {
    let kind = meta.file_type();
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}
