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
use serde_json::json;
use std::path::Path;

/// Revokes a client, takes what is ours out of its configuration, puts back what stood there.
pub(super) async fn run(context: &Context, name: &str, consent: Consent) -> Result<()> {
    let installation = context.installation().await?;
    let _lock = installation.home.lock()?;
    if !consent.dry_run {
        installation.mend().await?;
    }
    let client = find_client(&installation, name).await?;
    remove(context, &installation, &client, consent).await
}

/// Plan, show, ask, do. The home is locked by the caller.
pub(super) async fn remove(
    context: &Context,
    installation: &Installation,
    client: &ClientRow,
    consent: Consent,
) -> Result<()> {
    let name = &client.name;
    // Before anything is revoked: a file that cannot be edited is said now.
    let planned = clean(installation, client, true).await.map_err(|fault| {
        Fault::new(fault.to_string()).hint(format!("mend the file, then remove it again; `hallpass revoke {name}` cuts the client off now"))
    })?;
    context.output.line(format!("{name}: revoke its tokens, {planned}"));
    let document = |removed: bool| json!({ "client": name, "removed": removed, "dry_run": consent.dry_run, "file": planned.clone() });
    if consent.dry_run {
        context.output.document(&document(false));
        return Ok(());
    }
    if !consent.yes && !context.output.confirm("do this?")? {
        return Err(Fault::new("nothing was changed: the answer was no"));
    }
    let store = &installation.store;
    store.revoke_client(name.as_str(), clock::now(), "removed", &act("revoke", name)).await.doing("cannot revoke")?;
    let done = clean(installation, client, false).await?;
    store.remove_client(name.as_str(), clock::now(), "removed", &act("remove", name)).await.doing("cannot remove the client")?;
    context.output.line(format!("{name}: removed ({done})"));
    context.output.document(&document(true));
    Ok(())
}

/// Takes our places out of the client's file and deletes its token file. `dry`: only says what would happen.
async fn clean(installation: &Installation, client: &ClientRow, dry: bool) -> Result<String> {
    let Some(row) = installation.store.placement(client.name.as_str()).await.doing("the placement")? else {
        return Ok("no file of its was written".into());
    };
    let placed = installation.open_undo(&row)?;
    let ours = installation.ours(&client.name).await?;
    let outcome = take_out(Path::new(&row.file), find_app(&client.app)?.dialect, &placed, &ours, &installation.tag, dry)?;
    if let Some(token_file) = row.token_file.as_deref().filter(|_| !dry) {
        crate::atomic_file::delete(Path::new(token_file))?;
    }
    Ok(match outcome {
        TakenOut::Done => format!("what is ours is taken out of {}", row.file),
        TakenOut::Nothing => format!("nothing of ours is left in {}", row.file),
        TakenOut::Foreign => format!("what stands in our place in {} is not ours and stays", row.file),
    })
}
