//! Where each client and each superseded token stands.

use super::Rows;
use hallpass_core::roster::Rotate;
use hallpass_core::snapshot::TokenState;
use hallpass_core::uses::TokenUse;
use hallpass_core::{ClientName, UnixTime};
use hallpass_store::{ClientRow, TokenRead, TokenRow};
use std::collections::{HashMap, HashSet};

/// One client.
#[derive(Clone, Debug)]
pub struct ClientStanding {
    /// Its name.
    pub name: ClientName,
    /// Which program it is.
    pub app: String,
    /// It is enabled.
    pub enabled: bool,
    /// Why it is not, as far as that is known.
    pub disabled_reason: Option<String>,
    /// Where its newest token stands.
    pub token: TokenStanding,
    /// The newest token's row.
    pub row: Option<TokenRow>,
    /// Its newest use of a token of its own.
    pub seen: Option<TokenUse>,
}

/// Where a client's newest token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStanding {
    /// There is none.
    None,
    /// It was minted and is being placed.
    Pending,
    /// It is good.
    Good {
        /// When it ends.
        ends: UnixTime,
        /// Who sees to the next one.
        next: NextToken,
    },
    /// It ended by itself.
    Expired {
        /// When.
        at: UnixTime,
    },
    /// Nothing that is good came after it: its key was revoked.
    Replaced {
        /// When it ended, or ends.
        at: UnixTime,
    },
    /// A person revoked it.
    Revoked {
        /// When.
        at: UnixTime,
    },
}

/// Who sees to the token after this one, and whether it is time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextToken {
    /// There is time.
    NotYet,
    /// The gateway should have, and has not.
    GatewayIsLate,
    /// A person: the gateway is told not to.
    RotationIsOff,
    /// A person: the client reads it at a restart only.
    Restart,
    /// A person: it was handed out, not placed.
    HandedOut,
}

/// A superseded token that is still good.
#[derive(Clone, Debug)]
pub struct Replaced {
    /// Its row.
    pub token: TokenRow,
    /// The first instant at which it no longer counts.
    pub until: UnixTime,
    /// When its successor was issued.
    pub successor_at: UnixTime,
    /// Its last use, if it was used after that.
    pub used: Option<TokenUse>,
}

pub(super) fn clients(rows: &Rows, rotate: Rotate, now: UnixTime) -> Vec<ClientStanding> {
    let mut newest: HashMap<&ClientName, &TokenRow> = HashMap::new();
    for token in rows.tokens.iter().filter(|token| !token.former) {
        newest.entry(&token.client).or_insert(token);
    }
    let seen: HashMap<&ClientName, &TokenUse> =
        rows.newest_uses.iter().map(|usage| (&usage.client, usage)).collect();
    let standing = |client: &ClientRow| {
        let row = newest.get(&client.name).copied();
        let placed = rows.placements.get(&client.name).copied();
        let disabled = rows.disabled.get(&client.name);
        ClientStanding {
            token: row.map_or(TokenStanding::None, |row| token_standing(row, placed, rotate, now)),
            row: row.cloned(),
            seen: seen.get(&client.name).map(|usage| (*usage).clone()),
            disabled_reason: disabled.and_then(|disabled| disabled.reason.clone()),
            name: client.name.clone(),
            app: client.app.clone(),
            enabled: client.enabled,
        }
    };
    rows.clients.iter().filter(|client| !client.removed).map(standing).collect()
}

fn token_standing(
    token: &TokenRow,
    placed: Option<TokenRead>,
    rotate: Rotate,
    now: UnixTime,
) -> TokenStanding {
    let ends = token.expires_at;
    match token.state {
        TokenState::Revoked { at } => TokenStanding::Revoked { at },
        TokenState::Superseded { until } => TokenStanding::Replaced { at: until },
        TokenState::Pending => TokenStanding::Pending,
        TokenState::Active if ends <= now => TokenStanding::Expired { at: ends },
        TokenState::Active => TokenStanding::Good { ends, next: next_token(token, placed, rotate, now) },
    }
}

/// A person is told when two thirds of its life are over. The gateway rotates within a tenth of its life from then.
fn next_token(token: &TokenRow, placed: Option<TokenRead>, rotate: Rotate, now: UnixTime) -> NextToken {
    let life = token.expires_at.since(token.issued_at);
    let placed = placed.filter(|_| token.placed);
    if (rotate, placed) == (Rotate::Auto, Some(TokenRead::Afresh)) {
        let is_late = token.issued_at.plus(life * 4 / 5) <= now;
        return if is_late { NextToken::GatewayIsLate } else { NextToken::NotYet };
    }
    if now < token.issued_at.plus(life * 2 / 3) {
        return NextToken::NotYet;
    }
    match placed {
        Some(TokenRead::Afresh) => NextToken::RotationIsOff,
        Some(TokenRead::AtStart) => NextToken::Restart,
        None => NextToken::HandedOut,
    }
}

pub(super) fn replaced(rows: &Rows, now: UnixTime) -> Vec<Replaced> {
    let by_jti: HashMap<&str, &TokenUse> =
        rows.live_uses.iter().map(|usage| (usage.jti.as_str(), usage)).collect();
    let mut newest: HashMap<&ClientName, &TokenRow> = HashMap::new();
    for token in &rows.tokens {
        newest.entry(&token.client).or_insert(token);
    }
    let there: HashSet<&ClientName> =
        rows.clients.iter().filter(|client| !client.removed).map(|client| &client.name).collect();
    rows.tokens
        .iter()
        .filter_map(|token| {
            let until = token.good_beside_its_successor(now).filter(|_| there.contains(&token.client))?;
            let successor = newest.get(&token.client).filter(|newest| newest.jti != token.jti)?;
            let used = by_jti.get(token.jti.as_str()).copied();
            let used = used.filter(|usage| usage.last_ms / 1000 > successor.issued_at.seconds());
            Some(Replaced {
                token: token.clone(),
                until,
                successor_at: successor.issued_at,
                used: used.cloned(),
            })
        })
        .collect()
}
