//! Finds a variable and gives it a value. Takes nothing back.

use serde_json::Value;

use super::scan::{Assignment, Document, parse};
use crate::json::edit::{json_type, missing, unchanged};
use crate::json::style;
use crate::undo::{Added, Inverse};
use crate::{
    Absent, Edit, EditError, Found, JsonType, KeyPath, MAX_BYTES, Obstacle, Position, Present, Undo,
};

pub(crate) fn read(text: &[u8], path: &KeyPath) -> Result<Found, EditError> {
    let document = parse(text)?;
    let ours = document.find(variable(path)?)?;
    let Some(ours) = ours else {
        return Ok(Found::Absent(Absent { depth: 0, siblings: document.names() }));
    };
    let plain = ours.plain.ok_or_else(|| document.unclear(ours.value.start))?;
    let raw = document.text[ours.value].to_owned();
    Ok(Found::Present(Present { value: Some(Value::from(plain)), raw }))
}

pub(crate) fn upsert(
    text: &[u8],
    path: &KeyPath,
    value: &Value,
    must_exist: usize,
) -> Result<Edit, EditError> {
    let document = parse(text)?;
    let request = Request { document: &document, name: variable(path)?, value };
    match document.find(request.name)? {
        None if must_exist > 0 => Err(missing(path, 0, document.names())),
        None => request.append(),
        Some(ours) => match ours.plain {
            None => Err(document.unclear(ours.value.start)),
            Some(plain) if value == plain => Ok(unchanged(text)),
            Some(_) => request.replace(path, &ours),
        },
    }
}

/// The one key of the path, if it is a name that every shell takes.
pub(super) fn variable(path: &KeyPath) -> Result<&str, EditError> {
    let is_name = |name: &str| {
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && !name.is_empty()
    };
    match path.segments() {
        [name] if is_name(name) => Ok(name),
        [_, ..] | [] => Err(no_such_value(Position { line: 1, column: 1 })),
    }
}

fn no_such_value(at: Position) -> EditError {
    EditError::NotSafe { obstacle: Obstacle::NoSuchValue, at }
}

struct Request<'r, 't> {
    document: &'r Document<'t>,
    name: &'r str,
    value: &'r Value,
}

impl Request<'_, '_> {
    /// The characters of a bearer token (RFC 6750): no reader needs quotes for them. A `~` in front is a home to a shell.
    fn token(&self, at: usize) -> Result<&str, EditError> {
        let is_token = |text: &&str| {
            !text.is_empty()
                && !text.starts_with('~')
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte))
        };
        let no_such_value = || no_such_value(Position::of(self.document.text, at));
        self.value.as_str().filter(is_token).ok_or_else(no_such_value)
    }

    fn append(&self) -> Result<Edit, EditError> {
        let text = self.document.text;
        if let Some(at) = self.document.open_end() {
            return Err(self.document.unclear(at));
        }
        let token = self.token(text.len())?;
        // A lone carriage return is no line end to every reader.
        let eol = if style::line_end(text, text.len()) == "\r\n" { "\r\n" } else { "\n" };
        let ended = text.is_empty() || text.ends_with('\n');
        let (lead, tail) = if ended { ("", eol) } else { (eol, "") };
        let added =
            Added { prefix: format!("{lead}{}=", self.name), suffix: tail.to_owned(), ..Added::default() };
        let edited = [text, &added.prefix, token, tail].concat();
        self.finish(edited, Inverse::Added(added), |after, ours| is_without(text, after, ours))
    }

    /// A value keeps its quotes.
    fn replace(&self, path: &KeyPath, ours: &Assignment<'_>) -> Result<Edit, EditError> {
        let (text, span) = (self.document.text, ours.value.clone());
        let (found, wanted) = (JsonType::String, json_type(self.value));
        if wanted != found {
            let at = Position::of(text, span.start);
            return Err(EditError::OtherType { path: path.clone(), found, wanted, at });
        }
        let token = self.token(span.start)?;
        let raw = &text[span.clone()];
        let quote = &raw[..usize::from(raw.starts_with(['"', '\'']))];
        let edited = [&text[..span.start], quote, token, quote, &text[span.end..]].concat();
        let inverse = Inverse::Replaced { raw: raw.to_owned() };
        self.finish(edited, inverse, |after, there| is_same_around(text, ours, after, there))
    }

    fn finish(
        &self,
        edited: String,
        inverse: Inverse,
        holds: impl Fn(&str, &Assignment<'_>) -> bool,
    ) -> Result<Edit, EditError> {
        if edited.len() > MAX_BYTES {
            return Err(EditError::TooLarge { bytes: edited.len() });
        }
        let after = parse(edited.as_bytes()).map_err(|_| EditError::Guard)?;
        match after.find(self.name) {
            Ok(Some(ours)) if ours.plain == self.value.as_str() && holds(&edited, &ours) => {
                Ok(Edit { text: edited.into_bytes(), changed: true, undo: Undo(inverse) })
            }
            Ok(_) | Err(_) => Err(EditError::Guard),
        }
    }
}

/// Whether `less` is `text` without the line of `ours`; a line end that only that line needed may be gone too.
pub(super) fn is_without(less: &str, text: &str, ours: &Assignment<'_>) -> bool {
    let rest = [&text[..ours.line.start], &text[ours.line.end..]].concat();
    rest.strip_prefix(less).is_some_and(|end| matches!(end, "" | "\n" | "\r\n"))
}

/// Whether two texts agree in all but the value of one variable.
pub(super) fn is_same_around(
    before: &str,
    there: &Assignment<'_>,
    after: &str,
    here: &Assignment<'_>,
) -> bool {
    before[..there.value.start] == after[..here.value.start]
        && before[there.value.end..] == after[here.value.end..]
}
