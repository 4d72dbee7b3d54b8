//! `hallpass remove`

use super::Context;
use super::roster::find_client;
use crate::carry_out::act;
use crate::cli::Consent;
use crate::clock;
use crate::edits::{TakenOut, take_out};
use crate::fault::{Doing, Fault, Result};
use crate::installation::Installation;
use crate::target::find_app;
use hallpass_store::ClientRow;
use serde_json::{Value, json};
use std::path::Path;

/// Revokes a client, takes what is ours out of its configuration, puts back what stood there.
pub(super) async fn run(context: &Context, name: &str, consent: Consent) -> Result<()> {
    let installation = context.installation().await?;
    let _lock = installation.home.lock()?;
    if !consent.dry_run {
        installation.mend().await?;
    }
    let client = find_client(&installation, name).await?;
    let removal = Removal::plan(&installation, client).await?;
    context.output.line(removal.describe());
    if consent.dry_run {
        context.output.document(&removal.document(false, true));
        return Ok(());
    }
    if !consent.yes && !context.output.confirm("do this?")? {
        return Err(Fault::new("nothing was changed: the answer was no"));
    }
    context.output.line(removal.carry_out(&installation).await?);
    context.output.document(&removal.document(true, false));
    if context.settings(None).is_ok_and(|settings| settings.roster.clients.contains_key(&removal.client.name))
    {
        context
            .output
            .note(format!("hallpass.toml still names `{name}`: the next `hallpass apply` registers it anew"));
    }
    Ok(())
}

/// What the removal of one client comes to.
pub(super) struct Removal {
    /// Which client.
    pub(super) client: ClientRow,
    planned: String,
}

impl Removal {
    /// Refuses now what would fail after the tokens were revoked: a file that cannot be edited.
    pub(super) async fn plan(installation: &Installation, client: ClientRow) -> Result<Self> {
        let name = &client.name;
        let planned = clean(installation, &client, true).await.map_err(|fault| {
            Fault::new(fault.to_string()).hint(format!(
                "mend the file, then remove it again; `hallpass revoke {name}` cuts the client off now"
            ))
        })?;
        Ok(Self { client, planned })
    }

    /// A line of a plan.
    pub(super) fn describe(&self) -> String {
        format!("{}: revoke its tokens, {}", self.client.name, self.planned)
    }

    /// The same for a program.
    pub(super) fn document(&self, removed: bool, dry_run: bool) -> Value {
        json!({ "client": self.client.name, "removed": removed, "dry_run": dry_run, "file": self.planned })
    }

    /// Does it. Returns what to say. Safe to run again after any interruption.
    pub(super) async fn carry_out(&self, installation: &Installation) -> Result<String> {
        let name = &self.client.name;
        let store = &installation.store;
        store
            .revoke_client(name.as_str(), clock::now(), "removed", &act("revoke", name))
            .await
            .doing("cannot revoke")?;
        let done = clean(installation, &self.client, false).await?;
        let removed = act("remove", name);
        store
            .remove_client(name.as_str(), clock::now(), "removed", &removed)
            .await
            .doing("cannot remove the client")?;
        Ok(format!("{name}: removed ({done})"))
    }
}

/// Takes our places out of the client's file and deletes its token file. `dry`: only says what would happen.
async fn clean(installation: &Installation, client: &ClientRow, dry: bool) -> Result<String> {
    let Some(row) = installation.store.placement(client.name.as_str()).await.doing("the placement")? else {
        return Ok("no file of its was written".into());
    };
    let placed = installation.open_undo(&row)?;
    let ours = installation.ours(&client.name).await?;
    let outcome = match find_app(&client.app)?.dialect() {
        Some(dialect) if !placed.is_empty() => {
            let is_ours = |value: &Value| ours.knows(value);
            Some(take_out(Path::new(&row.file), dialect, &placed, &is_ours, &installation.tag, dry)?)
        }
        Some(_) | None => None,
    };
    if let Some(token_file) = row.token_file.as_deref().filter(|_| !dry) {
        crate::atomic_file::delete(Path::new(token_file))?;
    }
    Ok(match outcome {
        None => "no file of its was written".into(),
        Some(TakenOut::Done) => format!("what is ours is taken out of {}", row.file),
        Some(TakenOut::Nothing) => format!("nothing of ours is left in {}", row.file),
        Some(TakenOut::Foreign) => format!("what stands in our place in {} is not ours and stays", row.file),
    })
}
