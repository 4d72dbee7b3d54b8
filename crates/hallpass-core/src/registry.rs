//! The issued tokens by their handles. One snapshot and the next share what did not change: a revocation among a million
//! tokens copies a few dozen of them.

use crate::snapshot::TokenRecord;
use crate::token_id::TokenId;
use std::sync::Arc;

/// How many tokens a shelf holds on average, at most. Fewer make the list of shelves long, which is copied with each
/// change; more make each copied shelf long.
const SHELF: usize = 64;

/// All tokens, on shelves that are shared until they change. A token's shelf follows from its handle.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    /// As many as a power of two.
    shelves: Vec<Arc<Vec<TokenRecord>>>,
    tokens: usize,
}

impl Registry {
    /// Puts these tokens on shelves. Of two with one handle the later counts.
    pub(crate) fn new(records: impl IntoIterator<Item = TokenRecord>) -> Self {
        let records: Vec<TokenRecord> = records.into_iter().collect();
        let number = records.len().div_ceil(SHELF).next_power_of_two();
        // Counted first: shelves that grow leave holes in the memory, of the size of everything.
        let mut sizes = vec![0; number];
        for record in &records {
            sizes[shelf_of(&record.jti, number)] += 1;
        }
        let mut shelves: Vec<Vec<TokenRecord>> = sizes.into_iter().map(Vec::with_capacity).collect();
        for record in records {
            shelves[shelf_of(&record.jti, number)].push(record);
        }
        let shelves: Vec<_> = shelves.into_iter().map(|shelf| Arc::new(in_order(shelf))).collect();
        let tokens = shelves.iter().map(|shelf| shelf.len()).sum();
        Self { shelves, tokens }
    }

    /// The token with that handle.
    pub(crate) fn get(&self, id: &TokenId) -> Option<&TokenRecord> {
        let board = &self.shelves[shelf_of(id, self.shelves.len())];
        place(board, id).ok().map(|place| &board[place])
    }

    /// Adds a token, or changes it.
    pub(crate) fn put(&mut self, record: TokenRecord) {
        if self.tokens >= self.shelves.len() * 2 * SHELF {
            *self = Self::new(self.shelves.iter().flat_map(|shelf| shelf.iter().cloned()));
        }
        let board = self.shelf(&record.jti);
        match place(board, &record.jti) {
            Ok(place) => board[place] = record,
            Err(place) => {
                board.insert(place, record);
                self.tokens += 1;
            }
        }
    }

    /// Takes a token out.
    pub(crate) fn take(&mut self, id: &TokenId) {
        let board = self.shelf(id);
        if let Ok(place) = place(board, id) {
            board.remove(place);
            self.tokens -= 1;
        }
    }

    /// A token's shelf, no longer shared.
    fn shelf(&mut self, id: &TokenId) -> &mut Vec<TokenRecord> {
        let number = shelf_of(id, self.shelves.len());
        Arc::make_mut(&mut self.shelves[number])
    }
}

fn shelf_of(id: &TokenId, shelves: usize) -> usize {
    // The lowest bits are enough, whatever the size of a word.
    usize::try_from(id.spread() & (shelves as u64 - 1)).unwrap_or_default()
}

fn place(shelf: &[TokenRecord], id: &TokenId) -> Result<usize, usize> {
    shelf.binary_search_by(|record| record.jti.cmp(id))
}

/// Sorted, and once each.
fn in_order(mut shelf: Vec<TokenRecord>) -> Vec<TokenRecord> {
    // Stable, so that the latest comes first among those with one handle.
    shelf.reverse();
    shelf.sort_by(|one, other| one.jti.cmp(&other.jti));
    shelf.dedup_by(|later, first| later.jti == first.jti);
    shelf
}

#[cfg(test)]
mod tests {
    use super::Registry;
    use crate::digest::TokenDigest;
    use crate::name::ClientName;
    use crate::snapshot::{TokenRecord, TokenState};
    use crate::time::UnixTime;
    use crate::token_id::TokenId;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::sync::Arc;

    fn record(number: u16, at: i64) -> TokenRecord {
        TokenRecord {
            jti: id(number),
            client: ClientName::new("ann").unwrap(),
            digest: TokenDigest::of("a token"),
            state: TokenState::Revoked { at: UnixTime::from_seconds(at) },
            adopted: false,
        }
    }

    /// Some UUIDs, some other texts.
    fn id(number: u16) -> TokenId {
        let text = if number.is_multiple_of(3) {
            number.to_string()
        } else {
            format!("019358d0-7b00-7000-8000-{number:012x}")
        };
        TokenId::new(&text)
    }

    fn is_same(registry: &Registry, expected: &HashMap<u16, i64>) {
        for number in 0..700 {
            let found = registry.get(&id(number)).map(|record| record.state);
            let wanted =
                expected.get(&number).map(|at| TokenState::Revoked { at: UnixTime::from_seconds(*at) });
            assert_eq!(found, wanted, "{number}");
        }
        assert_eq!(registry.tokens, expected.len());
    }

    proptest! {
        #[test]
        fn it_holds_what_was_put_and_not_taken_and_a_copy_stays_as_it_was(
            first in prop::collection::vec((0..700_u16, 0..9_i64), 0..400),
            changes in prop::collection::vec((0..700_u16, prop::option::of(0..9_i64)), 0..400),
        ) {
            let mut registry = Registry::new(first.iter().map(|(number, at)| record(*number, *at)));
            let mut expected: HashMap<u16, i64> = first.into_iter().collect();
            is_same(&registry, &expected);
            let (before, before_expected) = (registry.clone(), expected.clone());
            for (number, change) in changes {
                if let Some(at) = change {
                    registry.put(record(number, at));
                    expected.insert(number, at);
                } else {
                    registry.take(&id(number));
                    expected.remove(&number);
                }
            }
            is_same(&registry, &expected);
            is_same(&before, &before_expected);
        }
    }

    #[test]
    fn what_did_not_change_is_shared() {
        let before = Registry::new((0..10_000).map(|number| record(number, 1)));
        let mut after = before.clone();
        after.put(record(17, 2));
        after.put(record(18, 2));
        let copied =
            before.shelves.iter().zip(&after.shelves).filter(|(one, other)| !Arc::ptr_eq(one, other));
        assert!((1..=2).contains(&copied.count()));
    }

    #[test]
    fn shelves_become_more_as_tokens_do() {
        let mut registry = Registry::new([]);
        for number in 0..10_000 {
            registry.put(record(number, 1));
        }
        let longest = registry.shelves.iter().map(|shelf| shelf.len()).max();
        assert!(longest < Some(4 * super::SHELF), "{longest:?}");
        assert!((0..10_000).all(|number| registry.get(&id(number)).is_some()));
    }
}
