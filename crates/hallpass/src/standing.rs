//! What stands in a client's files now: our token, somebody's value, or nothing. Changes nothing.

use crate::atomic_file::{Original, target_of};
use crate::fault::{Fault, Result};
use crate::target::{BridgeEntry, Shape, ShimCommand, Target, is_bridge_of};
use hallpass_clients::{EditError, Found, KeyPath};
use hallpass_core::{ClientName, TokenDigest};
use hallpass_store::TokenRow;
use std::path::Path;

/// What was found in the place of a client's token.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// The digest of what stands in the token's place, if it has the look of a token.
    pub token: Option<TokenDigest>,
    /// Something else stands in the token's place, and would be put back by `hallpass remove`.
    pub foreign: bool,
    /// Every entry is as it should be.
    pub entries_in_place: bool,
    /// The file that gets the token is readable by others.
    pub open_to_others: bool,
}

impl Standing {
    /// Whether exactly this token stands there, and everything around it is as it should be.
    pub fn is_complete_for(&self, token: &TokenRow) -> bool {
        self.holds(token) && self.entries_in_place && !self.open_to_others
    }

    /// Whether exactly this token stands there.
    pub fn holds(&self, token: &TokenRow) -> bool {
        self.token.is_some_and(|digest| digest.matches(&token.digest))
    }
}

/// Looks at the files of a target. `leaving`: clients that are removed before anything is written.
pub fn look(target: &Target, client: &ClientName, leaving: &[ClientName]) -> Result<Standing> {
    let file = target_of(&target.file)?;
    let original = Original::read(&file)?;
    match &target.shape {
        Shape::Variable { path, shim } => {
            let (token, foreign) = match read_text(target, &original, path)? {
                Some(text) if text.is_empty() => (None, false),
                Some(text) => (Some(TokenDigest::of(&text)), true),
                None => (None, false),
            };
            Ok(Standing {
                token,
                foreign,
                entries_in_place: shim.as_ref().is_none_or(|shim| starts(target, &original, shim)),
                open_to_others: original.is_open_to_others(),
            })
        }
        Shape::Bridge { entries, token_file } => {
            let mut entries_in_place = true;
            for entry in entries {
                entries_in_place &= look_at_entry(target, &original, entry, client, leaving)?;
            }
            Ok(Standing { entries_in_place, ..look_at_token_file(token_file)? })
        }
    }
}

fn starts(target: &Target, original: &Original, shim: &ShimCommand) -> bool {
    let command = value_at(target, original, &shim.path);
    command.as_ref().and_then(|command| command.as_str()) == shim.link.to_str()
        && std::fs::canonicalize(&shim.link).is_ok_and(|program| program.is_file())
}

/// What stands at a path of the target's file, if it can be read.
fn value_at(target: &Target, original: &Original, path: &KeyPath) -> Option<serde_json::Value> {
    match hallpass_clients::read(&original.bytes, target.app.dialect, path) {
        Ok(Found::Present(present)) => present.value,
        Ok(Found::Absent(_)) | Err(_) => None,
    }
}

/// The entry in which the token's variable stands. What cannot be read is told by [`look`].
pub fn entry_of(target: &Target) -> Option<serde_json::Value> {
    let original = Original::read(&target_of(&target.file).ok()?).ok()?;
    value_at(target, &original, &target.entry()?)
}

/// Looks at the file that a bridge reads, and not at the entries that start it.
pub fn look_at_token_file(token_file: &Path) -> Result<Standing> {
    let token_file = Original::read(token_file)?;
    let text = std::str::from_utf8(&token_file.bytes).unwrap_or_default().trim_end();
    Ok(Standing {
        token: (!text.is_empty()).then(|| TokenDigest::of(text)),
        foreign: false,
        entries_in_place: true,
        open_to_others: token_file.is_open_to_others(),
    })
}

/// Whether the entry is as it should be. One that is not ours is never replaced.
fn look_at_entry(
    target: &Target,
    original: &Original,
    entry: &BridgeEntry,
    client: &ClientName,
    leaving: &[ClientName],
) -> Result<bool> {
    let found = hallpass_clients::read(&original.bytes, target.app.dialect, &entry.path);
    match found {
        Ok(Found::Absent(_)) => Ok(false),
        Ok(Found::Present(present)) => {
            let value = present.value.unwrap_or_default();
            if entry.is_in_place(&value) {
                return Ok(true);
            }
            if entry.is_ours(&value) || leaving.iter().any(|client| is_bridge_of(&value, client.as_str())) {
                return Ok(false);
            }
            Err(Fault::new(format!(
                "`{}` already has an entry `{}` that is not ours",
                target.file.display(),
                entry.path
            ))
            .hint(format!(
                "give the client another one: `entry = \"...\"` in [clients.{client}], or `--entry`"
            )))
        }
        Err(fault) => {
            no_document(&original.bytes, &fault).map_or(Err(edit_fault(&target.file, &fault)), |()| Ok(false))
        }
    }
}

fn read_text(target: &Target, original: &Original, path: &KeyPath) -> Result<Option<String>> {
    if !original.exists() {
        return Err(Fault::new(format!("there is no `{}`", target.file.display()))
            .hint("the token goes into an entry that is there already: add the MCP server in the client first, or name the right file"));
    }
    match hallpass_clients::read(&original.bytes, target.app.dialect, path) {
        Ok(Found::Present(present)) => match present.value {
            Some(serde_json::Value::String(text)) => Ok(Some(text)),
            _ => Err(Fault::new(format!("`{}`: `{path}` is not a text", target.file.display()))
                .hint("a token goes where nothing or a text stands: name another variable, or take out what is there")),
        },
        Ok(Found::Absent(_)) => Ok(None),
        Err(fault) => Err(edit_fault(&target.file, &fault)),
    }
}

/// A blank file is a new document, not a damaged one.
fn no_document(bytes: &[u8], fault: &EditError) -> Option<()> {
    let blank = bytes.iter().all(u8::is_ascii_whitespace);
    (blank && matches!(fault, EditError::Syntax { .. })).then_some(())
}

/// A configuration that cannot be edited safely is left alone, with the reason.
pub fn edit_fault(file: &Path, fault: &EditError) -> Fault {
    let said = Fault::new(format!("`{}` is left alone: {fault}", file.display()));
    match fault {
        EditError::MissingEntry { .. } => {
            said.hint("name the entry that starts your MCP server: `entry = \"...\"`")
        }
        EditError::ByteOrderMark => said.hint("save it as UTF-8 without a byte order mark"),
        EditError::Utf16 => said.hint("save it as UTF-8"),
        EditError::Guard => said.hint("please report this with the file's shape (not its secrets)"),
        _ => said.hint("mend the file, then run the command again"),
    }
}
