//! A case through the verifier itself. No socket.

use crate::stage::Stage;
use hallpass_core::judge::check_claims;
use hallpass_core::{Bearer, Denial, Signed, Snapshot, check_signature, judge};
use std::sync::Arc;

/// What the verifier says of a token's bytes.
pub(crate) fn verdict(stage: &Stage, snapshot: &Snapshot, token: &[u8]) -> Result<Arc<Signed>, Denial> {
    judged(stage, snapshot, &Bearer::from_bytes(token)?)
}

/// What it says of the values of the `Authorization` headers of one request.
pub(crate) fn verdict_on_headers(
    stage: &Stage,
    snapshot: &Snapshot,
    values: &[&str],
) -> Result<Arc<Signed>, Denial> {
    let bearer = Bearer::from_authorization(values.iter().map(|value| value.as_bytes()))?;
    judged(stage, snapshot, &bearer)
}

fn judged(stage: &Stage, snapshot: &Snapshot, bearer: &Bearer<'_>) -> Result<Arc<Signed>, Denial> {
    let signed = Arc::new(check_signature(bearer, stage.authority())?);
    if stage.has_registry() {
        judge(&signed, snapshot, stage.now())?;
    } else {
        check_claims(&signed, stage.authority(), stage.now())?;
    }
    Ok(signed)
}
