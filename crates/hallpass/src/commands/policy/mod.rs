//! `hallpass policy`: what is in force, and what it says of a call. Answers from the store, as the gateway does.

mod verdict;

use self::verdict::{Subject, Verdict, word};
use super::Context;
use crate::cli::PolicyCommand;
use crate::fault::{Doing, Fault, Result, did_you_mean};
use crate::installation::Installation;
use crate::output::table;
use crate::settings::Settings;
use hallpass_core::authorize::decide;
use hallpass_core::policy::{Policy, PolicySettings};
use hallpass_core::snapshot::ServerScope;
use hallpass_core::{Ask, PolicyName, ServerName};
use hallpass_store::ClientRow;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

type Policies = BTreeMap<PolicyName, PolicySettings>;

/// Runs the one that was asked for.
pub(super) async fn run(context: &Context, command: &PolicyCommand, config: Option<&Path>) -> Result<()> {
    let installation = context.installation().await?;
    let settings = context.settings(config)?;
    let policies = installation.store.policies().await.doing("the policies")?;
    let clients = installation.store.clients().await.doing("the clients")?;
    let force = Force {
        clients: clients.into_iter().filter(|client| !client.removed).collect(),
        legacy: grace_policy(&installation).await?,
        policies,
        settings,
    };
    match command {
        PolicyCommand::List => {
            force.list(context);
            Ok(())
        }
        PolicyCommand::Show { name } => force.show(context, name),
        PolicyCommand::Test { name, server, tool } => force.test(context, name, server, tool),
    }
}

async fn grace_policy(installation: &Installation) -> Result<Option<PolicyName>> {
    let grace = installation.store.grace().await.doing("the grace period")?;
    Ok(grace.filter(|grace| grace.ended_at.is_none()).and_then(|grace| grace.policy))
}

/// What is in force, and what hallpass.toml says.
struct Force {
    policies: Policies,
    clients: Vec<ClientRow>,
    legacy: Option<PolicyName>,
    settings: Settings,
}

impl Force {
    fn list(&self, context: &Context) {
        let row = |(name, settings): (&PolicyName, &PolicySettings)| {
            let mut mode = word(settings.default).to_owned();
            if settings.shadow {
                mode.push_str(" (only watches)");
            }
            vec![
                name.to_string(),
                settings.rules.len().to_string(),
                mode,
                limits(settings),
                self.users(name).join(", "),
            ]
        };
        let rows: Vec<_> = self.policies.iter().map(row).collect();
        context.output.line(if rows.is_empty() {
            "no policy is in force: write a `[policy.NAME]` in hallpass.toml, then `hallpass apply`".into()
        } else {
            table(&["POLICY", "RULES", "DEFAULT", "LIMITS", "USED BY"], &rows)
        });
        let documents: Vec<_> = self.policies.keys().map(|name| self.document(name)).collect();
        context.output.document(&json!({ "policies": documents }));
        self.note_differences(context, self.policies.keys().chain(self.settings.roster.policies.keys()));
    }

    fn show(&self, context: &Context, name: &str) -> Result<()> {
        let Some((name, settings)) = self.policies.iter().find(|(known, _)| known.as_str() == name) else {
            return Err(self.no_such_policy(name));
        };
        let text = toml::to_string(settings).doing("the policy")?;
        context.output.line(format!("[policy.{name}]\n{}", text.trim_end()));
        let users = self.users(name);
        context.output.line(if users.is_empty() {
            "# nobody is under it".to_owned()
        } else {
            format!("# used by {}", users.join(", "))
        });
        context.output.document(&self.document(name));
        self.note_differences(context, [name]);
        Ok(())
    }

    fn test(&self, context: &Context, name: &str, server: &str, tool: &str) -> Result<()> {
        let server = self.find_server(server)?;
        let (subject, scope, policy_name) = self.find_subject(name)?;
        let policy = policy_name.map(|name| self.checked(name)).transpose()?;
        let decision = decide(scope, policy.as_ref(), &server, Ask::Tool(tool));
        let verdict = Verdict::of(decision, &subject, &server);
        context.output.line(&verdict.text);
        self.note_client(context, name);
        self.note_differences(context, policy_name);
        context.output.document(&json!({
            "name": name,
            "kind": subject.kind(),
            "server": server,
            "tool": tool,
            "allowed": verdict.allowed,
            "decided_by": verdict.decided_by,
            "policy": policy_name,
            "line": verdict.line.map(|(number, _)| number),
            "rule": verdict.line.map(|(_, rule)| rule.text()),
            "shadow": policy.as_ref().is_some_and(Policy::is_shadow),
            "not_applied": self.differs(policy_name.into_iter()) || self.client_differs(name),
        }));
        if verdict.allowed {
            return Ok(());
        }
        Err(Fault::new(format!("`{}` on `{server}` is denied to `{name}`", tool.escape_debug()))
            .hint(format!("change {} in hallpass.toml, then `hallpass apply`", verdict.place)))
    }

    /// The client of that name, else the policy.
    fn find_subject(&self, name: &str) -> Result<(Subject, &ServerScope, Option<&PolicyName>)> {
        if let Some(client) = self.clients.iter().find(|client| client.name.as_str() == name) {
            return Ok((Subject::Client(name.to_owned()), &client.servers, client.policy.as_ref()));
        }
        if let Some(policy) = self.policies.keys().find(|policy| policy.as_str() == name) {
            return Ok((Subject::Policy, &ServerScope::All, Some(policy)));
        }
        let clients = self.clients.iter().map(|client| client.name.as_str());
        let known: Vec<&str> = clients.chain(self.policies.keys().map(PolicyName::as_str)).collect();
        let nobody = || {
            Fault::new(format!("no client and no policy named `{}`", name.escape_debug()))
                .hint(did_you_mean(name, &known))
        };
        let later = self.settings.roster.clients.keys().any(|client| client.as_str() == name);
        Err(if later {
            not_applied_yet(name)
        } else {
            self.policy_not_applied_yet(name).unwrap_or_else(nobody)
        })
    }

    fn find_server(&self, name: &str) -> Result<ServerName> {
        let known: Vec<&str> = self.settings.roster.servers.keys().map(ServerName::as_str).collect();
        // Without a hallpass.toml nobody knows which servers there are.
        let is_known = known.contains(&name) || self.settings.file.is_none();
        ServerName::new(name).ok().filter(|_| is_known).ok_or_else(|| {
            Fault::new(format!("no server named `{}` in hallpass.toml", name.escape_debug()))
                .hint(did_you_mean(name, &known))
        })
    }

    fn no_such_policy(&self, name: &str) -> Fault {
        let known: Vec<&str> = self.policies.keys().map(PolicyName::as_str).collect();
        self.policy_not_applied_yet(name).unwrap_or_else(|| {
            Fault::new(format!("no policy named `{}`", name.escape_debug())).hint(did_you_mean(name, &known))
        })
    }

    fn policy_not_applied_yet(&self, name: &str) -> Option<Fault> {
        let later = self.settings.roster.policies.keys().any(|policy| policy.as_str() == name);
        later.then(|| not_applied_yet(name))
    }

    /// As the gateway checks it.
    fn checked(&self, name: &PolicyName) -> Result<Policy> {
        let settings = self
            .policies
            .get(name)
            .ok_or_else(|| Fault::new(format!("the policy `{name}` is missing: the database is damaged")))?;
        Policy::new(name.as_str(), settings).doing(format!("the policy `{name}`"))
    }

    fn users(&self, policy: &PolicyName) -> Vec<String> {
        let under = self.clients.iter().filter(|client| client.policy.as_ref() == Some(policy));
        let mut users: Vec<String> = under.map(|client| client.name.to_string()).collect();
        if self.legacy.as_ref() == Some(policy) {
            users.push("(the shared secret)".into());
        }
        users
    }

    fn document(&self, name: &PolicyName) -> Value {
        let settings = self.policies.get(name);
        json!({
            "policy": name,
            "rules": settings.map(|settings| &settings.rules),
            "default": settings.map(|settings| settings.default),
            "rate": settings.and_then(|settings| settings.rate.as_ref()),
            "burst": settings.and_then(|settings| settings.burst),
            "in_flight": settings.and_then(|settings| settings.in_flight),
            "shadow": settings.is_some_and(|settings| settings.shadow),
            "used_by": self.users(name),
            "not_applied": self.differs([name].into_iter()),
        })
    }

    /// Whether hallpass.toml says something else of one of these.
    fn differs<'p>(&self, mut names: impl Iterator<Item = &'p PolicyName>) -> bool {
        names.any(|name| match self.settings.roster.policies.get(name) {
            Some(wanted) => self.policies.get(name) != Some(wanted),
            None => false,
        })
    }

    fn note_differences<'p>(&self, context: &Context, names: impl IntoIterator<Item = &'p PolicyName>) {
        let mut differing: Vec<&PolicyName> =
            names.into_iter().filter(|name| self.differs([*name].into_iter())).collect();
        differing.dedup();
        for name in differing {
            context.output.note(format!(
                "note: hallpass.toml says something else in `[policy.{name}]`, which is not applied yet (`hallpass apply`)"
            ));
        }
    }

    /// What else would count for a call of this client.
    fn note_client(&self, context: &Context, name: &str) {
        let Some(client) = self.clients.iter().find(|client| client.name.as_str() == name) else { return };
        if !client.enabled {
            context.output.note(format!("note: `{name}` is disabled: whatever it calls is refused"));
        }
        if self.client_differs(name) {
            context.output.note(format!(
                "note: hallpass.toml says something else in `[clients.{name}]`, which is not applied yet (`hallpass apply`)"
            ));
        }
    }

    fn client_differs(&self, name: &str) -> bool {
        let client = self.clients.iter().find(|client| client.name.as_str() == name);
        let pair = client.and_then(|client| Some((client, self.settings.roster.clients.get(&client.name)?)));
        pair.is_some_and(|(client, wanted)| {
            let servers = super::roster::scope(wanted.servers.as_deref());
            (&wanted.policy, &servers) != (&client.policy, &client.servers)
        })
    }
}

fn not_applied_yet(name: &str) -> Fault {
    Fault::new(format!("`{name}` is in hallpass.toml and not in force yet"))
        .hint("`hallpass apply` puts it in force")
}

fn limits(settings: &PolicySettings) -> String {
    let rate = settings.rate.clone();
    let burst = settings.burst.map(|burst| format!("burst {burst}"));
    let in_flight = settings.in_flight.map(|most| format!("{most} in flight"));
    rate.into_iter().chain(burst).chain(in_flight).collect::<Vec<_>>().join(", ")
}
