//! What a document says, apart from how it is laid out, and the comparison of two readings of it.
//! Trusts nothing that an edit computed.

/// A value, with leaves spelled so that two are equal only if they say the same.
#[derive(Clone, PartialEq)]
pub(crate) enum Outline {
    Leaf(String),
    List(Vec<Outline>),
    Map(Vec<(String, Outline)>),
}

impl Outline {
    pub(crate) fn get(&self, keys: &[String]) -> Option<&Self> {
        keys.iter().try_fold(self, |node, key| match node {
            Self::Map(members) => members.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            Self::Leaf(_) | Self::List(_) => None,
        })
    }

    /// This, with `value` at `keys`; new members come last.
    fn with(mut self, keys: &[String], value: Self) -> Self {
        let Some((key, rest)) = keys.split_first() else { return value };
        if let Self::Map(members) = &mut self {
            match members.iter_mut().find(|(name, _)| name == key) {
                Some((_, inner)) => {
                    *inner = std::mem::replace(inner, Self::Map(Vec::new())).with(rest, value);
                }
                None => members.push((key.clone(), Self::Map(Vec::new()).with(rest, value))),
            }
        }
        self
    }

    /// This, without the member at `keys`.
    fn without(mut self, keys: &[String]) -> Self {
        match (&mut self, keys) {
            (Self::Map(members), [key]) => members.retain(|(name, _)| name != key),
            (Self::Map(members), [key, rest @ ..]) => {
                for (_, inner) in members.iter_mut().filter(|(name, _)| name == key) {
                    *inner = std::mem::replace(inner, Self::Map(Vec::new())).without(rest);
                }
            }
            (Self::Leaf(_) | Self::List(_) | Self::Map(_), _) => {}
        }
        self
    }

    /// This, without the member at `keys` and without the empty objects that are on the way to it.
    fn pruned(self, keys: &[String]) -> Self {
        (1..=keys.len()).rev().fold(self, |outline, len| {
            let empty = outline.get(&keys[..len]) == Some(&Self::Map(Vec::new()));
            if len == keys.len() || empty { outline.without(&keys[..len]) } else { outline }
        })
    }
}

/// Whether `after` is `before` plus (or with another value for) the member at `keys`, and nothing else.
pub(crate) fn gained(before: Option<&Outline>, after: &Outline, keys: &[String]) -> bool {
    let before = before.cloned().unwrap_or(Outline::Map(Vec::new()));
    after.get(keys).is_some_and(|value| before.with(keys, value.clone()) == *after)
}

/// Whether `after` is `before` without the member at `keys`, and nothing else.
pub(crate) fn lost(before: &Outline, after: Option<&Outline>, keys: &[String]) -> bool {
    before.clone().without(keys) == after.cloned().unwrap_or(Outline::Map(Vec::new()))
}

/// Whether two readings agree in all but the member at `keys`, where objects appear with their first member and go
/// with their last.
pub(crate) fn same_beside(before: &Outline, after: &Outline, keys: &[String]) -> bool {
    before.clone().pruned(keys) == after.clone().pruned(keys)
}
