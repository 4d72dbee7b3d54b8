//! The policies' rows: as written in hallpass.toml, checked again whenever they are read.

use crate::fault::{StoreFault, damaged};
use crate::store::Store;
use hallpass_core::policy::{Policy, PolicySettings};
use hallpass_core::{Event, PolicyName};
use sqlx::{Row, SqliteConnection};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

impl Store {
    /// All policies by name.
    pub async fn policies(&self) -> Result<BTreeMap<PolicyName, PolicySettings>, StoreFault> {
        let rows = sqlx::query("SELECT name, settings FROM policy").fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                let name = PolicyName::new(row.try_get("name")?).map_err(damaged)?;
                Ok((name, serde_json::from_str(row.try_get("settings")?).map_err(damaged)?))
            })
            .collect()
    }

    /// Adds policies and changes those of the same names. Returns whether anything changed.
    pub async fn put_policies(
        &self,
        policies: &BTreeMap<PolicyName, PolicySettings>,
        act: &Event,
    ) -> Result<bool, StoreFault> {
        let mut change = self.granting_change().await?;
        let mut changed = 0;
        for (name, settings) in policies {
            let sql = "INSERT INTO policy (name, settings) VALUES ($1, $2)
                ON CONFLICT (name) DO UPDATE SET settings = excluded.settings WHERE settings <> excluded.settings";
            let settings = serde_json::to_string(settings).map_err(damaged)?;
            let query = sqlx::query(sql).bind(name.as_str()).bind(settings);
            changed += query.execute(&mut *change).await?.rows_affected();
        }
        if changed == 0 {
            return Ok(false);
        }
        change.tell(act).await?;
        self.commit(change).await?;
        Ok(true)
    }

    /// Forgets those of these policies that nobody is under. Returns which.
    pub async fn drop_policies(
        &self,
        doomed: &[&PolicyName],
        act: &Event,
    ) -> Result<Vec<PolicyName>, StoreFault> {
        let mut change = self.granting_change().await?;
        let mut dropped = Vec::new();
        for name in doomed {
            let sql = "DELETE FROM policy WHERE name = $1
                AND NOT EXISTS (SELECT 1 FROM client WHERE client.policy = policy.name)
                AND NOT EXISTS (SELECT 1 FROM grace WHERE grace.policy = policy.name)";
            let query = sqlx::query(sql).bind(name.as_str());
            if query.execute(&mut *change).await?.rows_affected() > 0 {
                dropped.push((*name).clone());
            }
        }
        if !dropped.is_empty() {
            change.tell(act).await?;
            self.commit(change).await?;
        }
        Ok(dropped)
    }
}

/// The policies as what decides. One that cannot be read is damage: never "everything is allowed".
pub(crate) async fn checked(
    connection: &mut SqliteConnection,
) -> Result<HashMap<String, Arc<Policy>>, StoreFault> {
    let rows = sqlx::query("SELECT name, settings FROM policy").fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let name: String = row.try_get("name")?;
            let settings: PolicySettings = serde_json::from_str(row.try_get("settings")?).map_err(damaged)?;
            let policy = Policy::new(&name, &settings).map_err(damaged)?;
            Ok((name, Arc::new(policy)))
        })
        .collect()
}
