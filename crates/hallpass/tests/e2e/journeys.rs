//! What a client does and what must come of it, whatever stands between it and the server.
//! Starts nothing: the target is the caller's.

use serde_json::Value;

use crate::{
    rmcp_server,
    witness::{Answer, Call, Failure, Revision, Sdk, Stage, Target, Witness},
};

/// Lists the tools and calls them, streamed progress included.
pub(crate) async fn lists_and_calls(sdk: Sdk, revision: Revision, target: &Target) {
    let calls = [Call::echo("grüße, 世界"), Call::add(19, 23), Call::count(3)];
    let witness = arrives(sdk, revision, target, &calls).await;
    let expected = [
        answer("echo", "grüße, 世界", &[]),
        answer("add", "42", &[]),
        answer("count", "counted to 3", &[1.0, 2.0, 3.0]),
    ];
    assert_eq!(witness.calls, expected);
}

/// The server ends a call only after the client has seen its first progress and has called again.
pub(crate) async fn streams_while_the_call_is_open(sdk: Sdk, revision: Revision, target: &Target) {
    let witness = arrives(sdk, revision, target, &[Call::hold()]).await;
    let expected = Answer { meanwhile: Some("ok".into()), ..answer("hold", "released", &[1.0]) };
    assert_eq!(witness.calls, [expected]);
}

/// The headers of a call, as the server got them.
pub(crate) async fn headers_at_the_server(sdk: Sdk, revision: Revision, target: &Target) -> Value {
    let witness = arrives(sdk, revision, target, &[Call::headers()]).await;
    let text = witness.calls[0].text.as_deref().expect("the tool's answer");
    serde_json::from_str(text).expect("the headers as JSON")
}

/// Refused before anything was listed; the refusal is handed back for its challenge and its words.
pub(crate) async fn is_refused(sdk: Sdk, revision: Revision, target: &Target) -> Failure {
    let witness = sdk.visit(revision, target, &[Call::echo("never")]).await;
    assert_eq!(witness.tools, [""; 0], "{sdk:?} {revision:?}");
    assert_eq!(witness.calls, [], "{sdk:?} {revision:?}");
    let failure = witness.failure.expect("a refusal");
    assert_eq!((failure.stage, failure.status), (Stage::Connect, Some(401)), "{failure:?}");
    failure
}

async fn arrives(sdk: Sdk, revision: Revision, target: &Target, calls: &[Call]) -> Witness {
    let mut witness = sdk.visit(revision, target, calls).await;
    assert_eq!(witness.failure, None, "{sdk:?} {revision:?}");
    assert_eq!(witness.revision.as_deref(), Some(revision.name()));
    assert_eq!(witness.server.as_deref(), Some(rmcp_server::NAME));
    witness.tools.sort();
    assert_eq!(witness.tools, rmcp_server::TOOLS);
    witness
}

fn answer(tool: &str, text: &str, progress: &[f64]) -> Answer {
    Answer { tool: tool.into(), text: Some(text.into()), progress: progress.into(), meanwhile: None }
}
