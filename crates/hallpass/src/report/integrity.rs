//! Where the report gets the log's checkpoint from. The one place to change when the log itself can be asked.

use crate::fault::{Doing, Fault, Result};
use crate::home::Home;
use hallpass_core::report::Integrity;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// More than a note with some signatures has.
const MOST: u64 = 64 << 10;

/// The newest checkpoint in the home, and the public key beside it. `None`: there is no log with proofs.
pub(super) fn read(home: &Home) -> Result<Option<Integrity>> {
    let folder = home.folder().join("audit");
    let Some(checkpoint) = text(&folder.join("checkpoint"))? else { return Ok(None) };
    let vkey = text(&folder.join("vkey"))?;
    Integrity::read(&checkpoint, vkey.as_deref()).map(Some).map_err(|fault| {
        Fault::new(format!("the checkpoint `{}`: {fault}", folder.join("checkpoint").display()))
            .hint("look at the log: `hallpass doctor`")
    })
}

fn text(path: &Path) -> Result<Option<String>> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Fault::new(format!("cannot read `{}`: {error}", path.display()))),
    };
    let mut text = String::new();
    file.take(MOST).read_to_string(&mut text).doing(format!("cannot read `{}`", path.display()))?;
    Ok(Some(text))
}
