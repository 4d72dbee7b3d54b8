//! A document as a tree of spans, and what its values say. Reads nothing.

use std::ops::Range;

use saphyr_parser::ScalarStyle;
use serde_json::{Map, Number, Value};

use crate::JsonType;
use crate::outline::Outline;

pub(super) struct Document<'t> {
    pub(super) text: &'t str,
    /// Nothing if there is only white space and comments.
    pub(super) root: Option<Node>,
}

pub(super) struct Node {
    /// Of a collection in block style only the start is of use: its end is where the parser noticed it.
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
    pub(super) anchor: bool,
    pub(super) tag: Option<String>,
}

pub(super) enum Kind {
    Scalar { text: String, style: ScalarStyle },
    Alias,
    List { items: Vec<Node>, flow: bool },
    Map { members: Vec<Member>, flow: bool },
}

pub(super) struct Member {
    pub(super) key: Node,
    pub(super) value: Node,
    /// Behind the last character of key and value.
    pub(super) end: usize,
}

impl Node {
    pub(super) fn members(&self) -> Option<&[Member]> {
        match &self.kind {
            Kind::Map { members, .. } => Some(members),
            Kind::Scalar { .. } | Kind::Alias | Kind::List { .. } => None,
        }
    }

    pub(super) fn index_of(&self, key: &str) -> Option<usize> {
        self.members()?.iter().position(|member| member.key.plain_text() == Some(key))
    }

    pub(super) fn is_flow(&self) -> bool {
        match self.kind {
            Kind::List { flow, .. } | Kind::Map { flow, .. } => flow,
            Kind::Scalar { .. } | Kind::Alias => false,
        }
    }

    /// The text of a scalar without tag and anchor.
    pub(super) fn plain_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } if self.tag.is_none() && !self.anchor => Some(text),
            Kind::Scalar { .. } | Kind::Alias | Kind::List { .. } | Kind::Map { .. } => None,
        }
    }

    /// Behind the last character.
    pub(super) fn end(&self) -> usize {
        match &self.kind {
            Kind::List { items, flow: false } => items.last().map_or(self.span.start, Node::end),
            Kind::Map { members, flow: false } => members.last().map_or(self.span.start, |last| last.end),
            Kind::Scalar { .. } | Kind::Alias | Kind::List { .. } | Kind::Map { .. } => self.span.end,
        }
    }

    /// Whether the last thing in it is a text of lines behind `|` or `>`.
    pub(super) fn ends_in_block_scalar(&self) -> bool {
        match &self.kind {
            Kind::Scalar { style, .. } => matches!(style, ScalarStyle::Literal | ScalarStyle::Folded),
            Kind::Alias => false,
            Kind::List { items, .. } => items.last().is_some_and(Self::ends_in_block_scalar),
            Kind::Map { members, .. } => members.last().is_some_and(|last| last.value.ends_in_block_scalar()),
        }
    }

    pub(super) fn json_type(&self) -> JsonType {
        match &self.kind {
            Kind::Map { .. } => JsonType::Object,
            Kind::List { .. } => JsonType::Array,
            Kind::Alias => JsonType::String,
            Kind::Scalar { .. } => match self.to_value() {
                Some(Value::Null) => JsonType::Null,
                Some(Value::Bool(_)) => JsonType::Bool,
                Some(Value::Number(_)) => JsonType::Number,
                Some(Value::String(_) | Value::Array(_) | Value::Object(_)) | None => JsonType::String,
            },
        }
    }

    /// The value by the core schema of YAML 1.2; nothing for what has a tag or stands somewhere else.
    pub(super) fn to_value(&self) -> Option<Value> {
        if self.tag.is_some() {
            return None;
        }
        Some(match &self.kind {
            Kind::Scalar { text, style: ScalarStyle::Plain } => plain(text)?,
            Kind::Scalar { text, .. } => Value::from(text.as_str()),
            Kind::Alias => return None,
            Kind::List { items, .. } => {
                Value::Array(items.iter().map(Self::to_value).collect::<Option<_>>()?)
            }
            Kind::Map { members, .. } => {
                let entry =
                    |member: &Member| Some((member.key.plain_text()?.to_owned(), member.value.to_value()?));
                Value::Object(members.iter().map(entry).collect::<Option<Map<_, _>>>()?)
            }
        })
    }

    pub(super) fn outline(&self) -> Outline {
        let marks = format!("{} {}", self.anchor, self.tag.as_deref().unwrap_or_default());
        match &self.kind {
            Kind::Scalar { text, style } => Outline::Leaf(format!("{marks} {style:?} {text}")),
            Kind::Alias => Outline::Leaf(format!("{marks} alias")),
            Kind::List { items, flow } => {
                let marks = Outline::Leaf(format!("{marks} {flow}"));
                Outline::List(std::iter::once(marks).chain(items.iter().map(Self::outline)).collect())
            }
            Kind::Map { members, .. } => Outline::Map(
                members.iter().map(|member| (member.key.name(), member.value.outline())).collect(),
            ),
        }
    }

    /// A key for comparison; no key that is not plain text is named like one that is.
    fn name(&self) -> String {
        match self.plain_text() {
            Some(text) => text.to_owned(),
            None => format!("\0{}", self.span.len()),
        }
    }
}

fn plain(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let number = digits.starts_with(|first: char| first.is_ascii_digit())
        || digits.strip_prefix('.').is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()));
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "-.inf" | ".nan" | ".NaN" | ".NAN" => return None,
        _ if number => {
            let radix =
                |prefix, radix| text.strip_prefix(prefix).map(|digits| i64::from_str_radix(digits, radix));
            match (text.parse::<i64>(), radix("0o", 8).or_else(|| radix("0x", 16)), text.parse::<f64>()) {
                (Ok(number), _, _) | (Err(_), Some(Ok(number)), _) => Value::from(number),
                (Err(_), _, Ok(number)) => Number::from_f64(number).map(Value::Number)?,
                (Err(_), _, Err(_)) => Value::from(text),
            }
        }
        _ => Value::from(text),
    })
}
