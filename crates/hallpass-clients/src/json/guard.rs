//! Compares two readings of a text, before and after an edit. Trusts nothing that the edit computed.

use serde_json::Value;

use super::tree::{Kind, Member, Node};

/// Whether `after` is `before` plus (or with another value for) the entry at `keys`, and nothing else.
pub(super) fn gained(before: Option<&Node>, after: Option<&Node>, keys: &[String], value: &Value) -> bool {
    match (before, after) {
        (_, None) => false,
        (Some(before), Some(after)) => gained_in(before, after, keys, value),
        (None, Some(after)) => holds_only(after, keys, value),
    }
}

/// Whether `after` is `before` without the member at `keys`, and nothing else.
pub(super) fn lost(before: &Node, after: Option<&Node>, keys: &[String]) -> bool {
    match after {
        Some(after) => lost_in(before, after, keys),
        None => only_member(before, keys).is_some(),
    }
}

/// Whether `after` is `before` with `raw` as the value at `keys`, and nothing else.
pub(super) fn restored(before: &Node, after: &Node, keys: &[String], raw: &str) -> bool {
    match keys.split_first() {
        None => after.raw == raw,
        Some((key, rest)) => same_but(before, after, key, |b, a| restored(b, a, rest, raw)),
    }
}

fn gained_in(before: &Node, after: &Node, keys: &[String], value: &Value) -> bool {
    let Some((key, rest)) = keys.split_first() else {
        return after.to_value().as_ref() == Some(value);
    };
    if before.index_of(key).is_some() {
        return same_but(before, after, key, |b, a| gained_in(b, a, rest, value));
    }
    let (Some(old), Some(new)) = (before.members(), after.members()) else { return false };
    let Some((ours, others)) = new.split_last() else { return false };
    same_members(old, others) && *ours.key == *key.as_bytes() && holds_only(&ours.value, rest, value)
}

fn holds_only(node: &Node, keys: &[String], value: &Value) -> bool {
    only_member(node, keys).is_some_and(|inner| inner.to_value().as_ref() == Some(value))
}

/// The value at the end of `keys`, if every object on the way has that one member.
fn only_member<'a, 't>(node: &'a Node<'t>, keys: &[String]) -> Option<&'a Node<'t>> {
    keys.iter().try_fold(node, |node, key| match node.members()? {
        [member] if *member.key == *key.as_bytes() => Some(&member.value),
        _ => None,
    })
}

fn lost_in(before: &Node, after: &Node, keys: &[String]) -> bool {
    match keys {
        [] => false,
        [key] => lost_member(before, after, key),
        [key, rest @ ..] => same_but(before, after, key, |b, a| lost_in(b, a, rest)),
    }
}

fn lost_member(before: &Node, after: &Node, key: &str) -> bool {
    let (Some(old), Some(new)) = (before.members(), after.members()) else { return false };
    let Some(index) = before.index_of(key) else { return false };
    new.len() + 1 == old.len()
        && same_members(&old[..index], &new[..index])
        && same_members(&old[index + 1..], &new[index..])
}

/// Whether two objects agree in all but the value of `key`, and those two values agree by `inner`.
fn same_but(before: &Node, after: &Node, key: &str, inner: impl Fn(&Node, &Node) -> bool) -> bool {
    let (Some(old), Some(new), Some(index)) = (before.members(), after.members(), before.index_of(key))
    else {
        return false;
    };
    old.len() == new.len()
        && same_members(&old[..index], &new[..index])
        && old[index].raw_key == new[index].raw_key
        && inner(&old[index].value, &new[index].value)
        && same_members(&old[index + 1..], &new[index + 1..])
}

fn same_members(old: &[Member], new: &[Member]) -> bool {
    old.len() == new.len()
        && old.iter().zip(new).all(|(a, b)| a.raw_key == b.raw_key && same(&a.value, &b.value))
}

/// The same tokens in the same order, spelled alike; gaps may differ.
fn same(before: &Node, after: &Node) -> bool {
    match (&before.kind, &after.kind) {
        (Kind::Object(old), Kind::Object(new)) => same_members(old, new),
        (Kind::Array(old), Kind::Array(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(a, b)| same(a, b))
        }
        (_, _) => before.raw == after.raw,
    }
}
