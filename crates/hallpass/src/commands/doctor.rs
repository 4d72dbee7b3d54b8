//! `hallpass doctor`

use super::Context;
use crate::clock;
use crate::doctor::{Finding, Severity, Subject, Way, gather, judge};
use crate::environment;
use crate::fault::{Fault, Result};
use crate::output::counted;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Looks at the set-up, says what is wrong, changes nothing.
pub(super) async fn run(context: &Context, config: Option<&Path>) -> Result<()> {
    let now = clock::now();
    let subject = Subject {
        home: &context.home,
        installation: context.installation().await,
        settings: context.settings(config),
        configuration: context.settings_file(config),
        now,
    };
    let facts = gather(subject).await?;
    let findings = judge(&facts, now);
    let way = way(context, config);
    for finding in &findings {
        for line in finding.lines(&way, now) {
            context.output.line(line);
        }
        context.output.line("");
    }
    context.output.line(summary(&findings, &facts.looked_at()));
    context.output.document(
        &json!({ "findings": findings.iter().map(|finding| finding.document(&way, now)).collect::<Vec<_>>() }),
    );
    if findings.is_empty() { Ok(()) } else { Err(Fault::findings()) }
}

fn summary(findings: &[Finding], looked_at: &str) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.severity() == severity).count() as u64;
    match (count(Severity::Error), count(Severity::Warning)) {
        (0, 0) => format!("nothing is wrong: {looked_at}"),
        (errors, warnings) => {
            format!("{}, {}: {looked_at}", counted(errors, "error"), counted(warnings, "warning"))
        }
    }
}

/// How this program has to be called so that it means the same home and the same hallpass.toml.
fn way(context: &Context, config: Option<&Path>) -> Way {
    let home = context.home.folder();
    let by_variable = environment::variable("HALLPASS_HOME").is_some_and(|named| Path::new(&named) == home);
    let is_found = context.home.is_default() || by_variable;
    let user = environment::variable("HOME").map(PathBuf::from).unwrap_or_default();
    Way {
        home: (!is_found).then(|| home.to_owned()),
        config: config.or(context.config.as_deref()).map(Path::to_owned),
        kept: user.join(".hallpass-kept"),
    }
}
