//! What stands in a client's files now: our token, somebody's value, or nothing. Changes nothing.

use crate::atomic_file::{Original, target_of};
use crate::fault::{Fault, Result};
use crate::target::{Entry, Ours, Secret, Shape, ShimCommand, Target, token_in};
use hallpass_clients::{Dialect, EditError, Found, KeyPath, PlacementKind};
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

/// Looks at the files of a target. `ours` tells the client's own; `leaving`: clients that are removed before anything is
/// written.
pub fn look(target: &Target, ours: &Ours, leaving: &[ClientName]) -> Result<Standing> {
    match &target.shape {
        Shape::Variable { path, shim } => {
            let original = read_target(target)?;
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
        Shape::Entries { entries, secret } => {
            let original = read_target(target)?;
            let mut found = Vec::new();
            for entry in entries {
                found.push(look_at_entry(target, &original, entry, ours, leaving)?);
            }
            let in_place = found.iter().all(|entry| entry.in_place);
            match secret {
                Secret::InFile(file) => {
                    Ok(Standing { entries_in_place: in_place, ..look_at_token_file(&file.path)? })
                }
                Secret::InEntries => {
                    let token = found.first().and_then(|entry| entry.token);
                    Ok(Standing {
                        token,
                        foreign: false,
                        entries_in_place: in_place && found.iter().all(|entry| entry.token == token),
                        open_to_others: original.is_open_to_others(),
                    })
                }
            }
        }
        Shape::ByHand { token_file, .. } => look_at_token_file(&token_file.path),
    }
}

fn read_target(target: &Target) -> Result<Original> {
    Original::read(&target_of(&target.file)?)
}

/// How the target's file is edited. Files without an editor are not, which their shape says.
pub fn dialect(target: &Target) -> Dialect {
    target.app.dialect().unwrap_or(Dialect::Json)
}

fn starts(target: &Target, original: &Original, shim: &ShimCommand) -> bool {
    let command = value_at(target, original, &shim.path);
    command.as_ref().and_then(|command| command.as_str()) == shim.link.to_str()
        && std::fs::canonicalize(&shim.link).is_ok_and(|program| program.is_file())
}

/// What stands at a path of the target's file, if it can be read.
fn value_at(target: &Target, original: &Original, path: &KeyPath) -> Option<serde_json::Value> {
    match hallpass_clients::read(&original.bytes, dialect(target), path) {
        Ok(Found::Present(present)) => present.value,
        Ok(Found::Absent(_)) | Err(_) => None,
    }
}

/// The entry in which the token's variable stands. What cannot be read is told by [`look`].
pub fn entry_of(target: &Target) -> Option<serde_json::Value> {
    let original = Original::read(&target_of(&target.file).ok()?).ok()?;
    value_at(target, &original, &target.entry()?)
}

/// Looks at the file of the home that holds the token, and not at the entries that lead to it.
pub fn look_at_token_file(token_file: &Path) -> Result<Standing> {
    let token_file = Original::read(token_file)?;
    let text = token_in(std::str::from_utf8(&token_file.bytes).unwrap_or_default());
    Ok(Standing {
        token: (!text.is_empty()).then(|| TokenDigest::of(text)),
        foreign: false,
        entries_in_place: true,
        open_to_others: token_file.is_open_to_others(),
    })
}

/// What was found in the place of an entry.
#[derive(Default)]
struct FoundEntry {
    in_place: bool,
    token: Option<TokenDigest>,
}

/// Whether the entry is as it should be. One that is not ours is never replaced.
fn look_at_entry(
    target: &Target,
    original: &Original,
    entry: &Entry,
    ours: &Ours,
    leaving: &[ClientName],
) -> Result<FoundEntry> {
    let found = hallpass_clients::read(&original.bytes, dialect(target), &entry.path);
    match found {
        Ok(Found::Absent(_)) => Ok(FoundEntry::default()),
        Ok(Found::Present(present)) => {
            let value = present.value.unwrap_or_default();
            let is_ours =
                ours.knows(&value) || leaving.iter().any(|client| Ours::of(client, &[]).knows(&value));
            if is_ours {
                let token = entry.token_of(&value).map(TokenDigest::of);
                return Ok(FoundEntry { in_place: entry.is_in_place(&value), token });
            }
            Err(not_ours(target, entry, ours))
        }
        Err(fault) => no_document(&original.bytes, &fault)
            .map_or(Err(edit_fault(&target.file, &fault)), |()| Ok(FoundEntry::default())),
    }
}

/// Refuses to write over an entry that somebody has put there since [`look`].
pub fn check_entries(target: &Target, original: &Original, ours: &Ours) -> Result<()> {
    let Shape::Entries { entries, .. } = &target.shape else { return Ok(()) };
    let is_foreign =
        |entry: &&Entry| value_at(target, original, &entry.path).is_some_and(|value| !ours.knows(&value));
    entries.iter().find(is_foreign).map_or(Ok(()), |entry| Err(not_ours(target, entry, ours)))
}

fn not_ours(target: &Target, entry: &Entry, ours: &Ours) -> Fault {
    let file = target.file.display();
    Fault::new(format!("`{file}` already has an entry `{}` that is not ours", entry.path)).hint(format!(
        "give the client another one: `entry = \"...\"` in [clients.{}], or `--entry`",
        ours.client()
    ))
}

fn read_text(target: &Target, original: &Original, path: &KeyPath) -> Result<Option<String>> {
    if !original.exists() && target.kind == PlacementKind::EnvFile {
        return Ok(None);
    }
    if !original.exists() {
        return Err(Fault::new(format!("there is no `{}`", target.file.display()))
            .hint("the token goes into an entry that is there already: add the MCP server in the client first, or name the right file"));
    }
    match hallpass_clients::read(&original.bytes, dialect(target), path) {
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
