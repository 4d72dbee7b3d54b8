//! Holds one sample to what is wanted of it: outcome, bytes, a second run, the way back.

use hallpass_clients::{Client, Dialect, EditError, Found, KeyPath, Removal, read, remove};

use crate::operation::{Operation, Placed};
use crate::samples::Wanted;

pub(crate) enum Outcome {
    Edited,
    Refused,
}

/// What came of a sample, and how it falls short.
pub(crate) fn hold(wanted: &Wanted) -> (Outcome, Vec<String>) {
    match wanted.operation.carry_out(wanted.client, &wanted.text) {
        Err(error) => (Outcome::Refused, refused(wanted, &error)),
        Ok((text, placed)) => (Outcome::Edited, edited(wanted, &text, &placed)),
    }
}

fn refused(wanted: &Wanted, error: &EditError) -> Vec<String> {
    let (mut shortfalls, words) = (Vec::new(), error.to_string());
    if !wanted.may_refuse {
        shortfalls.push(format!("refused: {words}"));
    }
    // What is wrong with the file as a whole has no place in it.
    let whole = matches!(error, EditError::ByteOrderMark | EditError::Utf16 | EditError::TooLarge { .. });
    if !whole && !words.contains("line ") {
        shortfalls.push(format!("the refusal has no place: {words}"));
    }
    let text = String::from_utf8_lossy(&wanted.text);
    let mut secrets = text.match_indices("Bearer ").map(|(at, word)| &text[at + word.len()..]);
    let quoted = secrets.any(|rest| {
        let secret: String = rest.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect();
        secret.len() > 3 && words.contains(&secret)
    });
    if quoted {
        shortfalls.push("the refusal quotes a secret".to_owned());
    }
    shortfalls
}

fn edited(wanted: &Wanted, text: &[u8], placed: &[Placed]) -> Vec<String> {
    let shown = String::from_utf8_lossy(text);
    let mut shortfalls = Vec::new();
    let mut expect = |holds: bool, words: &str| {
        if !holds {
            shortfalls.push(words.to_owned());
        }
    };
    expect(wanted.may_edit, "edited, where a refusal was wanted");
    expect(!placed.is_empty() && text != wanted.text, "nothing was changed");
    for kept in &wanted.must_keep {
        expect(shown.contains(&**kept), &format!("lost: {kept}"));
    }
    expect(
        !wanted.crlf || !shown.replace("\r\n", "").contains('\n'),
        "a line ends without a carriage return",
    );
    let newline = |end: bool| shown.ends_with('\n') == end;
    expect(wanted.final_newline.is_none_or(newline), "the end of the file is another one");
    expect(still_strict(wanted, text), "what was strict JSON is none any more");
    expect(
        siblings_stand(wanted.client, &wanted.operation, &wanted.text, text),
        "another entry has other bytes",
    );
    let again = wanted.operation.carry_out(wanted.client, text);
    expect(
        again.is_ok_and(|(again, placed)| again == text && placed.is_empty()),
        "a second run changes something",
    );
    expect(
        back(wanted.client, text, placed).as_deref() == Some(&*wanted.text),
        "removing does not lead back",
    );
    shortfalls
}

fn still_strict(wanted: &Wanted, text: &[u8]) -> bool {
    let strict = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).is_ok();
    let was = strict(&wanted.text) || wanted.text.trim_ascii().is_empty();
    match wanted.client.dialect() {
        Some(Dialect::Json) => strict(text),
        Some(Dialect::Jsonc) => !was || strict(text),
        Some(Dialect::Toml | Dialect::Yaml | Dialect::Env) | None => true,
    }
}

/// Whether each other entry is spelt as it was.
fn siblings_stand(client: &Client, operation: &Operation, before: &[u8], after: &[u8]) -> bool {
    let (Some(dialect), Some(ours)) = (client.dialect(), client.entry_path(&operation.name)) else {
        return false;
    };
    let keys = ours.segments();
    let container = ours.prefix(keys.len() - 1);
    let probe = container.clone().join("\u{0}");
    let Ok(Found::Absent(absent)) = read(before, dialect, &probe) else { return false };
    let raw = |text: &[u8], path: &KeyPath| match read(text, dialect, path) {
        Ok(Found::Present(there)) => Some(there.raw),
        Ok(Found::Absent(_)) | Err(_) => None,
    };
    let container_there = absent.depth == container.segments().len();
    let mut others = absent.siblings.iter().filter(|key| container_there && **key != operation.name);
    others.all(|key| {
        let path = container.clone().join(key);
        raw(before, &path).is_some() && raw(before, &path) == raw(after, &path)
    })
}

/// The text without what was placed, last in, first out.
fn back(client: &Client, text: &[u8], placed: &[Placed]) -> Option<Vec<u8>> {
    let dialect = client.dialect()?;
    placed.iter().rev().try_fold(text.to_vec(), |text, placed| {
        let ours = |value: &serde_json::Value| *value == placed.value;
        let removal = if placed.item {
            hallpass_clients::remove_item(&text, dialect, &placed.path, &placed.undo, ours)
        } else {
            remove(&text, dialect, &placed.path, &placed.undo, ours)
        };
        match removal {
            Ok(Removal::Done(before)) => Some(before),
            Ok(Removal::Nothing | Removal::Foreign { .. }) | Err(_) => None,
        }
    })
}
