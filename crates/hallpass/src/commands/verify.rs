//! `hallpass verify`

use super::Context;
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use hallpass_core::encoding::decode_base64url;
use hallpass_core::strict_json::Json;
use hallpass_core::{Bearer, Denial, check_signature, judge};
use serde_json::{Value, json};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The longest text that is read: a token is at most 8 KiB.
const MOST: u64 = 64 << 10;

/// Says what a token is, whether it would pass here and now, and why not.
pub(super) async fn run(context: &Context, file: &Path) -> Result<()> {
    let text = read(file)?;
    let token = text.trim();
    let installation = context.installation().await?;
    let snapshot = installation.snapshot().await?;
    let authority = snapshot.authority();
    let verdict = Bearer::new(token)
        .and_then(|bearer| check_signature(&bearer, &authority.keys, &authority.issuer))
        .and_then(|signed| judge(&Arc::new(signed), &snapshot, clock::now()));
    let (header, claims) = (part(token, 0), part(token, 1));
    show(context, "header", header.as_ref());
    show(context, "claims", claims.as_ref());
    let client = verdict.as_ref().ok().map(|verified| verified.client().name.to_string());
    context.output.document(&json!({
        "passes": verdict.is_ok(),
        "client": client,
        "reason": verdict.as_ref().err().map(Denial::code),
        "message": verdict.as_ref().err().map(Denial::log_text),
        "header": header,
        "claims": claims,
    }));
    match verdict {
        Ok(verified) => {
            let ends = verified.signed().claims().expires_at;
            context
                .output
                .line(format!("passes: it is the token of `{}`, good until {ends}", verified.client().name));
            Ok(())
        }
        Err(denial) => Err(explain(&denial)),
    }
}

fn read(file: &Path) -> Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    if file == Path::new("-") {
        std::io::stdin().lock().take(MOST).read_to_string(&mut text).doing("cannot read standard input")?;
    } else {
        let shown = file.display();
        let opened = std::fs::File::open(file).map_err(|error| {
            Fault::new(format!("cannot read `{shown}`: {error}"))
                .hint("a token is never an argument: give a file that holds it, or `-` for standard input")
        })?;
        opened.take(MOST).read_to_string(&mut text).doing(format!("cannot read `{shown}`"))?;
    }
    if text.trim().is_empty() {
        return Err(Fault::new("there is no token: the input is empty"));
    }
    Ok(text)
}

/// Header or claims, for eyes only: nothing here is verified.
fn part(token: &str, position: usize) -> Option<Value> {
    let bytes = decode_base64url(token.split('.').nth(position)?.as_bytes())?;
    Json::parse(&bytes, 64).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn show(context: &Context, name: &str, part: Option<&Value>) {
    match part {
        Some(part) => context.output.line(format!("{name}: {part}")),
        None => context.output.line(format!("{name}: unreadable")),
    }
}

fn explain(denial: &Denial) -> Fault {
    let fault = Fault::new(format!("would be refused ({}): {}", denial.code(), denial.log_text()));
    match denial {
        Denial::Expired { client: Some(client), .. } | Denial::Revoked { client, .. } | Denial::Replaced { client, .. } => {
            fault.hint(format!("`hallpass issue {client}` gives the client a new token"))
        }
        Denial::UnknownKey | Denial::WrongIssuer => fault.hint("it comes from another authority, or from another `--home`"),
        Denial::UnknownToken | Denial::OtherTokenOfKnownId => {
            fault.hint("our key signed it and we do not know it: if the database was not restored from a backup, the key has leaked")
        }
        _ => fault,
    }
}
