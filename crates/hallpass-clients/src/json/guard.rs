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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{gained, lost, restored};
    use crate::Dialect;
    use crate::json::tree::parse;

    const BEFORE: &str = r#"{"a": [1, {"x": 2}], "e": {"k": "old", "l": null}}"#;

    /// Runs a comparison of `BEFORE` with a text that only differs from it as shown.
    fn check(rule: impl Fn(&super::Node, Option<&super::Node>) -> bool, after: &str) -> bool {
        let (before, after) =
            (parse(BEFORE.as_bytes(), Dialect::Jsonc), parse(after.as_bytes(), Dialect::Jsonc));
        rule(before.unwrap().root.as_ref().unwrap(), after.unwrap().root.as_ref())
    }

    fn keys(keys: &[&str]) -> Vec<String> {
        keys.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_added_member_is_last_and_alone() {
        let after = |after| check(|b, a| gained(Some(b), a, &keys(&["n", "k"]), &json!("T")), after);
        assert!(after(r#"{"a":[1,{"x":2}], "e": {"k":"old","l":null}, "n": {"k": "T"}}"#));
        assert!(!after(r#"{"n": {"k": "T"}, "a":[1,{"x":2}], "e": {"k":"old","l":null}}"#), "not last");
        assert!(
            !after(r#"{"a":[1,{"x":2}], "e": {"k":"old","l":null}, "n": {"k": "T", "m": 1}}"#),
            "not alone"
        );
        assert!(!after(r#"{"a":[1,{"x":2}], "e": {"k":"old","l":null}, "n": {"k": "U"}}"#), "another value");
        assert!(!after(r#"{"a":[1,{"x":2}], "e": {"k":"old","l":null}, "m": {"k": "T"}}"#), "another key");
        assert!(
            !after(r#"{"a":[1,{"x":2.0}], "e": {"k":"old","l":null}, "n": {"k": "T"}}"#),
            "a number respelled"
        );
        assert!(!after(r#"{"e": {"k":"old","l":null}, "a":[1,{"x":2}], "n": {"k": "T"}}"#), "another order");
        assert!(!after(r#"{"a":[1], "e": {"k":"old","l":null}, "n": {"k": "T"}}"#), "an element lost");
        assert!(!after(BEFORE) && !after("// nothing"), "nothing added");
    }

    #[test]
    fn a_replaced_value_leaves_its_neighbours() {
        let after = |after| check(|b, a| gained(Some(b), a, &keys(&["e", "k"]), &json!("T")), after);
        assert!(after(r#"{"a":[1,{"x":2}], "e": {"k":"T","l":null}}"#));
        assert!(!after(r#"{"a":[1,{"x":2}], "e": {"l":null,"k":"T"}}"#), "moved");
        assert!(!after(r#"{"a":[1,{"x":2}], "e": {"k":"T","l":true}}"#), "the next one changed");
        assert!(!after(r#"{"a":[1,{"x":2}], "e": {"\u006b":"T","l":null}}"#), "the key respelled");
    }

    #[test]
    fn a_removed_member_leaves_its_neighbours() {
        let after = |after| check(|b, a| lost(b, a, &keys(&["e", "k"])), after);
        assert!(after(r#"{"a":[1,{"x":2}], "e": {"l":null}}"#));
        assert!(!after(r#"{"a":[1,{"x":2}], "e": {"k":"old"}}"#), "the wrong one");
        assert!(!after(r#"{"a":[1,{"x":2}], "e": {}}"#) && !after(r#"{"a":[1,{"x":2}]}"#), "too much");
        assert!(!after(r#"{"a":[1,{"x":3}], "e": {"l":null}}"#) && !after("") && !after(BEFORE));
    }

    #[test]
    fn a_restored_value_is_spelled_as_it_was() {
        let after = |after| check(|b, a| restored(b, a.unwrap(), &keys(&["e", "l"]), "1.0"), after);
        assert!(after(r#"{"a":[1,{"x":2}], "e": {"k":"old", "l":1.0}}"#));
        assert!(!after(r#"{"a":[1,{"x":2}], "e": {"k":"old", "l":1}}"#));
        assert!(!after(r#"{"a":[1,{"x":2}], "e": {"k":"new", "l":1.0}}"#));
    }
}
