//! `hallpass init`

use super::Context;
use crate::cli::Consent;
use crate::fault::Result;
use crate::installation::{Founding, Installation};
use serde_json::json;
use std::path::Path;

/// Makes the home. It touches nothing outside it, so it does not ask.
pub(super) async fn run(context: &Context, consent: Consent, config: Option<&Path>) -> Result<()> {
    let settings = context.settings(config)?;
    let home = context.home.folder().display();
    let document = |made: bool, founding: &Founding| {
        json!({ "home": context.home.folder(), "made": made, "dry_run": consent.dry_run,
                "issuer": founding.issuer, "audience": founding.audience })
    };
    let founding = Founding::plan(&settings)?;
    if context.home.is_made() {
        context.installation().await?.check_authority(&settings).await?;
        context.output.line(format!("the home `{home}` is there already: nothing to change"));
        context.output.document(&document(false, &founding));
        return Ok(());
    }
    context.output.line(format!(
        "a home at `{home}`: hallpass.toml, a database, an ES256 signing key (sealed by seal.key)\n    issuer `{}`, audience `{}`",
        founding.issuer, founding.audience
    ));
    if !consent.dry_run {
        Installation::found(&context.home, &founding, &settings).await?;
        context.output.line("made. Next: name your clients and servers in hallpass.toml, then `hallpass up`");
    }
    context.output.document(&document(!consent.dry_run, &founding));
    Ok(())
}
