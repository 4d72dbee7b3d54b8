//! What becomes of the policies when hallpass.toml is applied: planned, shown and done with the clients.

use crate::clock;
use crate::fault::{Doing, Result};
use crate::installation::Installation;
use crate::operator;
use crate::plan::ClientPlan;
use crate::settings::Settings;
use hallpass_core::policy::PolicySettings;
use hallpass_core::{ClientName, Event, Outcome, PolicyName};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What becomes of each policy.
#[derive(Default)]
pub(super) struct PolicyPlan {
    /// As hallpass.toml has them.
    wanted: BTreeMap<PolicyName, PolicySettings>,
    steps: BTreeMap<PolicyName, Step>,
}

/// What becomes of one policy.
enum Step {
    New,
    Changed,
    Same,
    /// The file no longer names it and nobody is under it.
    Dropped,
    /// The file no longer names it, and these are under it.
    Stays {
        users: Vec<String>,
    },
}

impl PolicyPlan {
    /// For the clients as they will be after `plans`, without those that leave.
    pub(super) async fn make(
        installation: Option<&Installation>,
        settings: &Settings,
        plans: &[ClientPlan],
        leaving: &[ClientName],
    ) -> Result<Self> {
        let wanted = settings.roster.policies.clone();
        let (mut stored, mut users) = (BTreeMap::new(), users_of_plans(plans));
        if let Some(installation) = installation {
            stored = installation.store.policies().await.doing("the policies")?;
            add_other_users(&mut users, installation, plans, leaving).await?;
        }
        let mut steps = BTreeMap::new();
        for (name, settings) in &wanted {
            let step = match stored.get(name) {
                None => Step::New,
                Some(stored) if stored == settings => Step::Same,
                Some(_) => Step::Changed,
            };
            steps.insert(name.clone(), step);
        }
        for name in stored.keys().filter(|name| !wanted.contains_key(*name)) {
            let step = match users.remove(name) {
                None => Step::Dropped,
                Some(users) => Step::Stays { users },
            };
            steps.insert(name.clone(), step);
        }
        Ok(Self { wanted, steps })
    }

    /// Whether anything would change.
    pub(super) fn changes_something(&self) -> bool {
        self.steps.values().any(|step| match step {
            Step::New | Step::Changed | Step::Dropped => true,
            Step::Same | Step::Stays { .. } => false,
        })
    }

    /// The lines of the plan.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.steps.iter().filter_map(|(name, step)| {
            let what = match step {
                Step::New => "new".into(),
                Step::Changed => "changed, in force at once in the running gateway".into(),
                Step::Same => return None,
                Step::Dropped => "dropped, hallpass.toml no longer names it and nobody is under it".into(),
                Step::Stays { users } => {
                    format!("stays although hallpass.toml no longer names it: {} under it", are(users))
                }
            };
            Some(format!("policy `{name}`: {what}"))
        })
    }

    /// The same for a program.
    pub(super) fn document(&self) -> Value {
        let policy = |(name, step): (&PolicyName, &Step)| {
            let (action, users) = match step {
                Step::New => ("new", None),
                Step::Changed => ("changed", None),
                Step::Same => ("same", None),
                Step::Dropped => ("dropped", None),
                Step::Stays { users } => ("stays", Some(users)),
            };
            json!({ "policy": name, "action": action, "used_by": users })
        };
        self.steps.iter().map(policy).collect()
    }

    /// Puts in force what is new or changed. Before any client is registered under it. Returns what to say.
    pub(super) async fn put(&self, installation: &Installation) -> Result<Vec<String>> {
        let is_put = |step: &Step| matches!(step, Step::New | Step::Changed);
        let put: Vec<&str> =
            self.steps.iter().filter(|(_, step)| is_put(step)).map(|(name, _)| name.as_str()).collect();
        if put.is_empty() {
            return Ok(Vec::new());
        }
        let act = act("put", &put);
        installation.store.put_policies(&self.wanted, &act).await.doing("cannot keep the policies")?;
        Ok(put.iter().map(|name| format!("policy `{name}`: in force")).collect())
    }

    /// Forgets what nobody needs any more. After the clients have left it. Returns what to say.
    pub(super) async fn drop_unused(&self, installation: &Installation) -> Result<Vec<String>> {
        let doomed: Vec<&PolicyName> = self
            .steps
            .iter()
            .filter_map(|(name, step)| matches!(step, Step::Dropped).then_some(name))
            .collect();
        if doomed.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<&str> = doomed.iter().map(|name| name.as_str()).collect();
        let act = act("drop", &names);
        let dropped = installation.store.drop_policies(&doomed, &act).await.doing("cannot drop policies")?;
        Ok(dropped.iter().map(|name| format!("policy `{name}`: dropped")).collect())
    }
}

fn act(what: &str, names: &[&str]) -> Event {
    Event {
        reason: Some(format!("{what} {}", names.join(", "))),
        by: Some(operator::who()),
        ..Event::new(clock::now_ms(), "policy", Outcome::Done)
    }
}

type Users = BTreeMap<PolicyName, Vec<String>>;

fn users_of_plans(plans: &[ClientPlan]) -> Users {
    let mut users = Users::new();
    for plan in plans {
        if let Some(policy) = &plan.client.policy {
            users.entry(policy.clone()).or_default().push(format!("`{}`", plan.client.name));
        }
    }
    users
}

/// Clients that no plan is about, and the grace period.
async fn add_other_users(
    users: &mut Users,
    installation: &Installation,
    plans: &[ClientPlan],
    leaving: &[ClientName],
) -> Result<()> {
    for client in installation.store.clients().await.doing("the clients")? {
        let planned = plans.iter().any(|plan| plan.client.name == client.name);
        let Some(policy) = client.policy.filter(|_| !planned && !client.removed) else { continue };
        if !leaving.contains(&client.name) {
            users.entry(policy).or_default().push(format!("`{}`", client.name));
        }
    }
    let grace = installation.store.grace().await.doing("the grace period")?;
    if let Some(policy) = grace.and_then(|grace| grace.policy) {
        users.entry(policy).or_default().push("the shared secret's callers".into());
    }
    Ok(())
}

fn are(users: &[String]) -> String {
    let verb = if users.len() == 1 && users[0].starts_with('`') { "is" } else { "are" };
    format!("{} {verb}", users.join(", "))
}
