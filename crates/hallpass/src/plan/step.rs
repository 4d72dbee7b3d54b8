//! What happens to a client's token: decided from what the store knows of its tokens and from what stands in its place.

use crate::standing::Standing;
use hallpass_core::UnixTime;
use hallpass_core::snapshot::TokenState;
use hallpass_store::{Overlap, TokenRow};

/// What happens to a client's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenStep {
    /// It has one, and it is in its place.
    Keep {
        /// When it ends.
        expires_at: UnixTime,
    },
    /// It has one that was printed, not placed: whoever asked for it keeps it.
    KeepPrinted {
        /// When it ends.
        expires_at: UnixTime,
    },
    /// The token stays, entries of the configuration are put right.
    PutRight,
    /// A fresh one is issued and placed.
    Issue {
        /// Why, in a few words.
        why: &'static str,
    },
    /// A fresh one takes the place of one that is in force and stays good for a while.
    Rotate(Turn),
    /// A person revoked it: only `hallpass issue NAME` gives a new one.
    LeftRevoked {
        /// When it was revoked.
        at: UnixTime,
    },
    /// Too many that were superseded before are still good.
    LeftCrowded {
        /// How many.
        count: usize,
        /// When the first of them ends.
        until: UnixTime,
    },
}

/// How a token follows the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// How long both are good.
    pub overlap: Overlap,
    /// Why, in a few words.
    pub why: &'static str,
    /// When the one before ends at the latest.
    pub until: UnixTime,
    /// How many that were superseded earlier are still good.
    pub older: usize,
}

/// What a plan is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Whatever is missing.
    WhatIsMissing,
    /// A fresh token in any case.
    FreshToken,
    /// A fresh token, but not for a client that a person cut off.
    FreshUnlessRevoked,
    /// A fresh token beside the one before, where a person has not decided otherwise.
    Rotation {
        /// How long both are good.
        overlap: Overlap,
        /// Why, in a few words.
        why: &'static str,
    },
}

/// Each token that is still good is a secret that opens the door. More than these no client can have in use.
pub const SUPERSEDED_MOST: usize = 3;

/// A client that a person cut off, or whose token a person took into his own hands, is left as it is.
pub(super) fn left_alone(
    tokens: &[&TokenRow],
    live: Option<&TokenRow>,
    wish: Wish,
    now: UnixTime,
) -> Option<TokenStep> {
    let revoked = revoked_by_a_person(tokens).map(|at| TokenStep::LeftRevoked { at });
    match wish {
        Wish::FreshToken => None,
        Wish::FreshUnlessRevoked => revoked,
        Wish::WhatIsMissing => revoked.or_else(|| {
            let printed = live.filter(|token| !token.placed)?;
            Some(TokenStep::KeepPrinted { expires_at: printed.expires_at })
        }),
        Wish::Rotation { overlap, .. } => {
            // One that was taken over has no place of ours either, and a rotation is its way into one.
            let printed = live.filter(|token| !token.placed && !token.adopted);
            let printed = printed.map(|token| TokenStep::KeepPrinted { expires_at: token.expires_at });
            revoked.or(printed).or_else(|| crowded(tokens, overlap, now))
        }
    }
}

/// The newest token counts: if a person revoked it, the client is cut off.
pub fn revoked_by_a_person(tokens: &[&TokenRow]) -> Option<UnixTime> {
    match tokens.first()?.state {
        TokenState::Revoked { at } => Some(at),
        TokenState::Pending | TokenState::Active | TokenState::Superseded { .. } => None,
    }
}

/// Refuses to add to the tokens that are still good. A rotation that ends them all at once is never refused.
pub fn crowded(tokens: &[&TokenRow], overlap: Overlap, now: UnixTime) -> Option<TokenStep> {
    let ends: Vec<UnixTime> = still_good(tokens, now).collect();
    let until = *ends.iter().min()?;
    (overlap != Overlap::NONE && ends.len() >= SUPERSEDED_MOST)
        .then_some(TokenStep::LeftCrowded { count: ends.len(), until })
}

/// When those that were superseded and are still good end.
fn still_good<'a>(tokens: &'a [&TokenRow], now: UnixTime) -> impl Iterator<Item = UnixTime> + 'a {
    tokens.iter().filter_map(move |token| token.good_beside_its_successor(now))
}

impl Turn {
    /// The turn from `token`, which is in force, to a new one.
    pub fn of(
        token: &TokenRow,
        tokens: &[&TokenRow],
        overlap: Overlap,
        why: &'static str,
        now: UnixTime,
    ) -> Self {
        let until = now.plus(overlap.seconds).min(token.expires_at);
        Self { overlap, why, until, older: still_good(tokens, now).count() }
    }
}

fn why_none(tokens: &[&TokenRow], now: UnixTime) -> &'static str {
    if tokens.is_empty() {
        "the first one"
    } else if live(tokens, now).is_some() {
        "the one before has another subject"
    } else if tokens.first().is_some_and(|token| matches!(token.state, TokenState::Superseded { .. })) {
        "the one before was stopped"
    } else {
        "the one before has expired"
    }
}

fn step_of_live(token: &TokenRow, standing: &Standing, is_whole: bool) -> TokenStep {
    if is_whole {
        TokenStep::Keep { expires_at: token.expires_at }
    } else if !standing.holds(token) {
        TokenStep::Issue { why: "its place does not hold the one before" }
    } else if standing.open_to_others {
        TokenStep::Issue { why: "others could read the one before" }
    } else {
        TokenStep::PutRight
    }
}

/// For a client that is not [`left_alone`]. `live`: its token in force; `is_whole`: whether that is in its place, and all
/// around it as it should be.
pub(super) fn decide(
    wish: Wish,
    live: Option<&TokenRow>,
    tokens: &[&TokenRow],
    standing: &Standing,
    is_whole: impl FnOnce(&TokenRow) -> bool,
    now: UnixTime,
) -> TokenStep {
    match (wish, live) {
        (Wish::FreshToken | Wish::FreshUnlessRevoked, _) => TokenStep::Issue { why: "asked for" },
        (Wish::Rotation { overlap, why }, Some(token)) => {
            TokenStep::Rotate(Turn::of(token, tokens, overlap, why, now))
        }
        (Wish::WhatIsMissing | Wish::Rotation { .. }, None) => {
            TokenStep::Issue { why: why_none(tokens, now) }
        }
        (Wish::WhatIsMissing, Some(token)) => step_of_live(token, standing, is_whole(token)),
    }
}

/// The token in force.
pub(super) fn live<'a>(tokens: &[&'a TokenRow], now: UnixTime) -> Option<&'a TokenRow> {
    tokens.iter().copied().find(|token| token.state == TokenState::Active && token.expires_at > now)
}
