//! `hallpass audit prove` and `hallpass audit check`: one record, without the others.

use super::{Named, given_key, text_of};
use crate::cli::AuditLog;
use crate::commands::Context;
use crate::fault::{Doing, Fault, Result};
use crate::output::print_line;
use hallpass_audit::{ProofFault, VerifierKey, check as check_proof, prove};
use serde_json::json;
use std::path::Path;

pub(super) async fn run(context: &Context, seq: u64, log: &AuditLog) -> Result<()> {
    let named = Named::find(context, log.dir.as_deref(), log.vkey.as_deref()).await?;
    let proof = prove(&named.folder, &named.key, seq).map_err(|fault| unproven(seq, &fault))?;
    if context.output.is_json() {
        context.output.document(&json!({ "seq": seq, "proof": proof, "key": named.key.to_string() }));
    } else {
        print_line(proof.trim_end_matches('\n'));
    }
    Ok(())
}

fn unproven(seq: u64, fault: &ProofFault) -> Fault {
    let said = Fault::new(format!("no proof of record {seq}: {fault}"));
    match fault {
        ProofFault::NotSigned { .. } => {
            said.hint("`hallpass audit pin` signs what there is, then run this again")
        }
        ProofFault::NoRecord => said.hint("`hallpass audit export` shows each record with its `seq`"),
        ProofFault::Tiles | ProofFault::Checkpoint(_) => said.hint("`hallpass audit verify` says more"),
        ProofFault::Form | ProofFault::NotIncluded | ProofFault::Io(_) => said,
    }
}

pub(super) async fn check(
    context: &Context,
    proof: &Path,
    record: Option<&Path>,
    vkey: Option<&str>,
) -> Result<()> {
    let given = read(context, proof, record, vkey).await.map_err(Fault::without_verdict)?;
    let (Given { key, proof: text, record }, name) = (given, proof.display());
    let record = record.as_deref().map(|text| text.trim_end_matches('\n'));
    let proven = check_proof(&text, record, &key).doing(format!("`{name}` proves nothing"))?;
    let size = proven.checkpoint.size;
    context.output.line(format!(
        "proven: record {} is one of the first {size} of {}",
        proven.seq,
        key.name()
    ));
    context.output.line(&proven.record);
    context.output.document(&json!({
        "seq": proven.seq, "size": size, "record": proven.record, "key": key.to_string(),
    }));
    Ok(())
}

/// What a proof is checked with.
struct Given {
    key: VerifierKey,
    proof: String,
    record: Option<String>,
}

async fn read(context: &Context, proof: &Path, record: Option<&Path>, vkey: Option<&str>) -> Result<Given> {
    let key = match vkey {
        Some(vkey) => given_key(vkey)?,
        None => context.installation().await?.audit.verifier()?,
    };
    Ok(Given { key, proof: text_of(proof)?, record: record.map(text_of).transpose()? })
}
