//! What is in force, read in one transaction, for the gateway.

use crate::fault::{StoreFault, damaged};
use crate::grace::GraceRow;
use crate::rows::{ClientRow, KeyRow, KeyState};
use crate::seal::SealKey;
use crate::store::Store;
use crate::{clients, grace, keys, many, policies};
use hallpass_core::claims::LEEWAY;
use hallpass_core::grace::{Grace, GraceTerms, TagKey};
use hallpass_core::keys::{KeySet, VerifyingKey};
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::policy::Policy;
use hallpass_core::snapshot::{Authority, Changes, Client, TokenType};
use hallpass_core::{ClientName, PolicyName, Snapshot, UnixTime};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How many seconds before the newest token was issued an ended one must have expired to be left out.
const A_DAY: i64 = 86_400;

impl Store {
    /// The snapshot at the store's present revision. `seal` opens the secrets that HS256 tokens are verified with;
    /// `lifetime_most` is the longest life of a token, in seconds.
    pub async fn snapshot(&self, seal: &SealKey, lifetime_most: i64) -> Result<Snapshot, StoreFault> {
        self.file.check_still_there()?;
        let mut view = self.pool.begin().await?;
        let frame = Frame::read(&mut view, seal, lifetime_most).await?;
        let snapshot = read_whole(&mut view, &frame).await?;
        view.rollback().await?;
        Ok(snapshot)
    }
}

/// One point in the history of one database.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) revision: i64,
    /// Drawn by lot: no other history has it.
    mark: String,
    installation: Option<String>,
}

impl Point {
    /// Where the database is.
    pub(crate) async fn read(connection: &mut SqliteConnection) -> Result<Self, StoreFault> {
        let revision = revision(connection).await?;
        let mark = mark(connection, revision).await?.ok_or_else(|| damaged("its revision has no mark"))?;
        let installation = sqlx::query_scalar("SELECT value FROM setting WHERE name = 'installation'");
        Ok(Self { revision, mark, installation: installation.fetch_optional(connection).await? })
    }

    /// Refuses a database whose history does not lead through this point.
    pub(crate) async fn check_continued_in(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<(), StoreFault> {
        let found = Self::read(connection).await?;
        if found.installation != self.installation {
            return Err(StoreFault::Foreign);
        }
        let is_known = mark(connection, self.revision).await?.as_ref() == Some(&self.mark);
        if is_known {
            Ok(())
        } else {
            Err(StoreFault::SetBack { shown: self.revision, found: found.revision })
        }
    }
}

/// What no other database has at that revision.
async fn mark(connection: &mut SqliteConnection, revision: i64) -> Result<Option<String>, StoreFault> {
    let query = sqlx::query_scalar("SELECT mark FROM history WHERE revision = $1").bind(revision);
    Ok(query.fetch_optional(connection).await?)
}

/// All that is read anew for each snapshot: it is little, whatever the number of clients and tokens.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) point: Point,
    /// Ended tokens that expired before are left out.
    pub(crate) horizon: i64,
    pub(crate) policies: Policies,
    authority: Authority,
    adopted_until: Option<UnixTime>,
    grace: Option<GraceRow>,
    tag_key: TagKey,
}

impl Frame {
    pub(crate) async fn read(
        view: &mut SqliteConnection,
        seal: &SealKey,
        lifetime_most: i64,
    ) -> Result<Self, StoreFault> {
        let point = Point::read(view).await?;
        let settings = settings(view).await?;
        let keys = sqlx::query(keys::COLUMNS).fetch_all(&mut *view).await?;
        let keys = keys.iter().map(keys::read).collect::<Result<Vec<_>, _>>()?;
        let adopted_until = settings.get(ADOPTED_UNTIL).map(|seconds| seconds.parse()).transpose();
        let adopted_until = adopted_until.map_err(|_| damaged("the cut-off for adopted tokens"))?;
        Ok(Self {
            point,
            horizon: horizon(view).await?,
            policies: Policies(policies::checked(view).await?),
            authority: Authority {
                issuer: Issuer::new(setting(&settings, "issuer")?).map_err(damaged)?,
                audience: Audience::new(setting(&settings, "audience")?).map_err(damaged)?,
                keys: key_set(&keys, seal)?,
                token_type: TokenType::Jwt,
                lifetime_most,
                leeway: LEEWAY,
            },
            adopted_until: adopted_until.map(UnixTime::from_seconds),
            grace: grace::read_grace(view).await?,
            tag_key: TagKey::new(&seal.derive(SHARED_SECRETS)),
        })
    }

    /// The snapshot after `before`, of which this is different.
    pub(crate) fn after(&self, before: &Snapshot, changes: Changes) -> Result<Snapshot, StoreFault> {
        self.complete(before.followed_by(self.point.revision, self.authority.clone(), changes))
    }

    fn complete(&self, mut snapshot: Snapshot) -> Result<Snapshot, StoreFault> {
        if let Some(grace) = &self.grace {
            let terms = terms(grace, &self.policies)?;
            snapshot = snapshot.with_grace(Grace::new(terms, self.tag_key.clone(), grace.seen));
        }
        Ok(match self.adopted_until {
            Some(cut_off) => snapshot.with_adopted_until(cut_off),
            None => snapshot,
        })
    }
}

/// Everything there is. The frame was read in the same transaction.
pub(crate) async fn read_whole(view: &mut SqliteConnection, frame: &Frame) -> Result<Snapshot, StoreFault> {
    let clients = read_clients(view, &frame.policies, None).await?;
    let names: HashSet<ClientName> = clients.iter().map(|client| client.name.clone()).collect();
    let tokens = many::read_tokens(view, frame.horizon, |name| names.get(name).cloned()).await?;
    frame.complete(Snapshot::new(frame.point.revision, frame.authority.clone(), clients, tokens))
}

/// All clients, or those that changed after a revision. None is ever deleted.
pub(crate) async fn read_clients(
    view: &mut SqliteConnection,
    policies: &Policies,
    since: Option<i64>,
) -> Result<Vec<Client>, StoreFault> {
    let rows = match since {
        None => sqlx::query("SELECT * FROM client").fetch_all(view).await?,
        Some(revision) => {
            let sql = "SELECT * FROM client WHERE name IN (SELECT id FROM change WHERE kind = 'client' AND revision > $1)";
            sqlx::query(sql).bind(revision).fetch_all(view).await?
        }
    };
    rows.iter().map(|row| client(row, policies)).collect()
}

/// Ended tokens that had expired a day before the newest one was issued would be refused as expired in any case, and their
/// number only grows. Asks no clock. In whole days, so that it seldom moves.
async fn horizon(view: &mut SqliteConnection) -> Result<i64, StoreFault> {
    let newest: Option<i64> = sqlx::query_scalar("SELECT MAX(issued_at) FROM token").fetch_one(view).await?;
    Ok(newest.map_or(0, |newest| (newest.div_euclid(A_DAY) - 1) * A_DAY))
}

/// The setting that says until when (`iat`, seconds) a token of the former set-up may have been issued.
pub const ADOPTED_UNTIL: &str = "adopted_until";

/// What the key is derived for that tells shared secrets apart ([`SealKey::derive`]).
pub const SHARED_SECRETS: &str = "shared secrets";

/// Policies by name.
#[derive(Debug, PartialEq)]
pub(crate) struct Policies(HashMap<String, Arc<Policy>>);

impl Policies {
    /// One that is named and not there must not turn into "no policy".
    fn find(&self, name: Option<&PolicyName>) -> Result<Option<Arc<Policy>>, StoreFault> {
        let find = |name: &PolicyName| self.0.get(name.as_str()).map(Arc::clone);
        name.map(|name| find(name).ok_or_else(|| damaged(format!("the policy `{name}` is missing"))))
            .transpose()
    }
}

/// A removed client stays known, so that its revoked tokens can be told what they are.
fn client(row: &SqliteRow, policies: &Policies) -> Result<Client, StoreFault> {
    let used: Option<i64> = row.try_get("token_used_at")?;
    let row: ClientRow = clients::read(row)?;
    Ok(Client {
        enabled: row.enabled && !row.removed,
        policy: policies.find(row.policy.as_ref())?,
        has_moved: used.is_some(),
        name: row.name,
        subject: row.subject,
        servers: row.servers,
    })
}

fn terms(row: &GraceRow, policies: &Policies) -> Result<GraceTerms, StoreFault> {
    Ok(GraceTerms {
        period: row.period,
        tag: row.tag,
        until: row.until,
        ended_at: row.ended_at,
        servers: row.servers.clone(),
        policy: policies.find(row.policy.as_ref())?,
        strict_after_migration: row.strict,
    })
}

pub(crate) async fn revision(connection: &mut SqliteConnection) -> Result<i64, StoreFault> {
    Ok(sqlx::query_scalar("SELECT number FROM revision").fetch_one(connection).await?)
}

async fn settings(connection: &mut SqliteConnection) -> Result<HashMap<String, String>, StoreFault> {
    let rows = sqlx::query("SELECT name, value FROM setting").fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("name")?, row.try_get("value")?))).collect()
}

fn setting<'a>(settings: &'a HashMap<String, String>, name: &str) -> Result<&'a str, StoreFault> {
    settings.get(name).map(String::as_str).ok_or_else(|| damaged(format!("`{name}` is missing")))
}

fn key_set(rows: &[KeyRow], seal: &SealKey) -> Result<KeySet, StoreFault> {
    let verifying: Vec<VerifyingKey> = rows
        .iter()
        .filter(|row| row.state != KeyState::Retired)
        .map(|row| row.verifying_key(seal))
        .collect::<Result<_, _>>()?;
    let former = rows.iter().find(|row| row.former && row.state != KeyState::Retired);
    let keys = KeySet::new(verifying);
    if keys.is_empty() {
        return Err(damaged("there is no key that verifies"));
    }
    Ok(match former {
        Some(row) => keys.with_unnamed(&row.kid),
        None => keys,
    })
}
