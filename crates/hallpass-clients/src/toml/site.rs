//! Finds where a document says what stands at a path: a key, an inline table, headers and the lines below. Edits nothing.

use std::ops::Range;

use super::scan::{Document, Kind, Member, Node, Statement, outline};
use crate::outline::same_beside;
use crate::{EditError, JsonType, KeyPath, Position};

/// What a reader finds at a path.
pub(super) enum Walk<'d> {
    Value(&'d toml::Value),
    /// The table that lacks the next key, and how deep it is.
    Lacking(&'d toml::Table, usize),
}

/// Where the text says it.
pub(super) enum Site<'d> {
    /// A key with its value: on lines of its own, or among the members of an inline table.
    Pair { node: &'d Node, item: Range<usize>, beside: Option<(&'d [Member], usize)> },
    /// Headers and what follows them, or dotted keys: runs of statements that belong together.
    Runs(Vec<Range<usize>>),
}

pub(super) fn type_of(value: &toml::Value) -> JsonType {
    match value {
        toml::Value::String(_) | toml::Value::Datetime(_) => JsonType::String,
        toml::Value::Integer(_) | toml::Value::Float(_) => JsonType::Number,
        toml::Value::Boolean(_) => JsonType::Bool,
        toml::Value::Array(_) => JsonType::Array,
        toml::Value::Table(_) => JsonType::Object,
    }
}

impl Document<'_> {
    pub(super) fn walk(&self, path: &KeyPath) -> Result<Walk<'_>, EditError> {
        let (mut table, keys) = (&self.root, path.segments());
        for (depth, key) in keys.iter().enumerate() {
            match table.get(key) {
                None => return Ok(Walk::Lacking(table, depth)),
                Some(value) if depth + 1 == keys.len() => return Ok(Walk::Value(value)),
                Some(toml::Value::Table(inner)) => table = inner,
                Some(value) => {
                    let at = Position::of(self.text, self.offset(&keys[..=depth]));
                    return Err(EditError::NotObject {
                        path: path.prefix(depth + 1),
                        found: type_of(value),
                        at,
                    });
                }
            }
        }
        Ok(Walk::Lacking(table, 0))
    }

    /// Where a path is said first.
    pub(super) fn offset(&self, keys: &[String]) -> usize {
        match self.site(keys) {
            Some(Site::Pair { node, .. }) => node.span.start,
            Some(Site::Runs(runs)) => runs.first().map_or(0, |run| self.statements[run.start].span.start),
            None => 0,
        }
    }

    pub(super) fn site(&self, keys: &[String]) -> Option<Site<'_>> {
        let pair = self.statements.iter().filter(|statement| !statement.in_list).find_map(|statement| {
            let Kind::Pair(node) = &statement.kind else { return None };
            let rest = keys.strip_prefix(&statement.path[..])?;
            within(node, statement.span.clone(), rest)
        });
        pair.or_else(|| {
            let runs = self.runs(keys);
            (!runs.is_empty()).then_some(Site::Runs(runs))
        })
    }

    /// The statements below `keys`, as ranges of indices.
    fn runs(&self, keys: &[String]) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for (index, _) in self.statements.iter().enumerate().filter(|(_, below)| below.path.starts_with(keys))
        {
            match runs.last_mut() {
                Some(run) if run.end == index => run.end += 1,
                Some(_) | None => runs.push(index..index + 1),
            }
        }
        runs
    }

    /// From the first statement of a run to the end of its last.
    pub(super) fn span(&self, run: &Range<usize>) -> Range<usize> {
        self.statements[run.start].span.start..self.statements[run.end - 1].span.end
    }

    pub(super) fn raw(&self, keys: &[String]) -> String {
        match self.site(keys) {
            Some(Site::Pair { node, .. }) => self.text[node.span.clone()].to_owned(),
            Some(Site::Runs(runs)) => runs.iter().map(|run| &self.text[self.span(run)]).collect(),
            None => String::new(),
        }
    }

    /// The header of `keys` and the lines right below it; for the root the lines above all headers.
    pub(super) fn own_statements(&self, keys: &[String]) -> Vec<&Statement> {
        let statements = &self.statements;
        if keys.is_empty() {
            return statements.iter().take_while(|line| matches!(line.kind, Kind::Pair(_))).collect();
        }
        let header =
            |line: &Statement| matches!(line.kind, Kind::Header) && !line.in_list && line.path == keys;
        let Some(start) = statements.iter().position(header) else { return Vec::new() };
        let below = statements[start + 1..].iter().take_while(|line| matches!(line.kind, Kind::Pair(_)));
        statements[start..=start].iter().chain(below).collect()
    }

    /// What is said outside of `keys`, letter for letter.
    fn beside(&self, keys: &[String]) -> Vec<&str> {
        let others = self
            .statements
            .iter()
            .filter(|statement| !statement.path.starts_with(keys) && !keys.starts_with(&statement.path));
        others.map(|statement| &self.text[statement.span.clone()]).collect()
    }

    /// Whether `after` says the same as this but for what is at `keys`.
    pub(super) fn agrees(&self, after: &Document<'_>, keys: &[String]) -> bool {
        same_beside(&outline(&self.root), &outline(&after.root), keys)
            && self.beside(keys) == after.beside(keys)
    }
}

fn within<'d>(node: &'d Node, item: Range<usize>, keys: &[String]) -> Option<Site<'d>> {
    if keys.is_empty() {
        return Some(Site::Pair { node, item, beside: None });
    }
    let members = node.members.as_deref()?;
    members.iter().enumerate().find_map(|(index, member)| {
        let rest = keys.strip_prefix(&member.keys[..])?;
        let item = member.start..member.node.span.end;
        match within(&member.node, item, rest)? {
            Site::Pair { node, item, beside: None } => {
                Some(Site::Pair { node, item, beside: Some((members, index)) })
            }
            deeper => Some(deeper),
        }
    })
}
