//! `hallpass audit reindex`: the view in the database, compared with the log and made anew where it differs.

use crate::audit::{compare, rebuild};
use crate::commands::Context;
use crate::fault::Result;
use crate::output::counted;
use serde_json::json;

pub(super) async fn run(context: &Context) -> Result<()> {
    let installation = context.installation().await?;
    let audit = &installation.audit;
    audit.check()?;
    audit.take_acts().await?;
    let found = compare(audit).await?;
    let records = counted(found.records, "record");
    if found.differing == 0 {
        context.output.line(format!("the view is equal to the log: {records}"));
    } else {
        rebuild(audit).await?;
        context
            .output
            .line(format!("the view was made anew from the log: {records}, {} differed", found.differing));
    }
    context.output.document(&json!({ "records": found.records, "differing": found.differing }));
    Ok(())
}
