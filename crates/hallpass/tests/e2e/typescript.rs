//! The official TypeScript SDK client, run by `tests/typescript/client.mjs` in Node.js.
//! Installs nothing: that is `cargo xtask test`'s or `npm ci`'s.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::json;
use tokio::process::Command;

use crate::witness::{Call, Revision, Target, Witness};

/// Panics when the client itself did not run: what it met on the way is in the [`Witness`].
pub(crate) async fn visit(revision: Revision, target: &Target, calls: &[Call]) -> Witness {
    let plan = json!({ "url": target.url, "revision": revision, "headers": target.headers, "calls": calls });
    let mut command = Command::new("node");
    command.arg(installed().join("client.mjs")).arg(plan.to_string());
    command.env_remove("HALLPASS_TOKEN").stdin(Stdio::null()).kill_on_drop(true);
    if let Some(token) = &target.token {
        command.env("HALLPASS_TOKEN", token);
    }
    let output = command.output().await.expect("`node` starts: install Node.js 20 or newer");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        panic!("`client.mjs` ended with {} and no report ({error}): {said}", output.status)
    })
}

fn installed() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/typescript");
    assert!(
        folder.join("node_modules/@modelcontextprotocol/client").is_dir(),
        "the TypeScript client is not installed: run `cargo xtask test`, or `npm ci` in tests/typescript"
    );
    folder
}
