//! Programs that lock their file by a folder beside it, `FILE.lock` (Cline, and whatever uses the `proper-lockfile` package).

use crate::clock;
use crate::fault::{Fault, Result};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// From then on a lock is taken for a leftover, in seconds: so do those programs.
const STALE: i64 = 10;
/// How long a lock that is kept up is waited for.
const LOOKS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(50);

/// Waits while another program holds its lock of `file`.
pub(super) fn wait(file: &Path) -> Result<()> {
    let mut name = file.as_os_str().to_owned();
    name.push(".lock");
    let lock = Path::new(&name);
    for _ in 0..LOOKS {
        if !is_held(lock) {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
    Err(Fault::new(format!("another program is writing `{}`: it keeps `{}`", file.display(), lock.display()))
        .hint("quit the client whose file it is, then run the command again"))
}

/// A folder there is a lock, unless it is old. A file of that name protects nothing.
fn is_held(lock: &Path) -> bool {
    std::fs::symlink_metadata(lock)
        .is_ok_and(|meta| meta.is_dir() && clock::now().seconds() - meta.mtime() < STALE)
}
