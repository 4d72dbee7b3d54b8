//! The official Rust SDK as a client over Streamable HTTP.
//! Holds no OAuth: a refusal is reported and not acted on.

use std::{error::Error, time::Duration};

use http::{HeaderName, HeaderValue};
use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt, Peer, RoleClient,
    model::{CallToolRequestParams, ProgressNotificationParam, ProtocolVersion},
    service::{ClientInitializeError, NotificationContext, RunningService, ServiceError},
    transport::{
        StreamableHttpClientTransport,
        streamable_http_client::{
            AuthRequiredError, HttpStatusError, InsufficientScopeError, StreamableHttpClientTransportConfig,
        },
    },
};
use tokio::{sync::mpsc, time::timeout};

use crate::witness::{Answer, Call, Failure, Revision, Stage, Target, Witness};

/// Longer than anything here takes: a hang becomes a failure that names its stage.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) async fn visit(revision: Revision, target: &Target, calls: &[Call]) -> Witness {
    let mut witness = Witness::default();
    witness.failure = run(revision, target, calls, &mut witness).await.err();
    witness
}

async fn run(
    revision: Revision,
    target: &Target,
    calls: &[Call],
    witness: &mut Witness,
) -> Result<(), Failure> {
    let (sender, mut progress) = mpsc::unbounded_channel();
    let client = connect(revision, target, Listener(sender)).await?;
    if let Some(server) = client.peer_info() {
        witness.revision = Some(server.protocol_version.to_string());
        witness.server = server.server_info.as_ref().map(|info| info.name.clone());
    }
    let tools = within(Stage::List, client.list_all_tools()).await?;
    witness.tools = tools.into_iter().map(|tool| tool.name.into_owned()).collect();
    for call in calls {
        witness.calls.push(make(&client, call, &mut progress).await?);
    }
    let _ended = client.cancel().await;
    Ok(())
}

struct Listener(mpsc::UnboundedSender<f64>);

impl ClientHandler for Listener {
    async fn on_progress(&self, note: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        let _closed = self.0.send(note.progress);
    }
}

async fn connect(
    revision: Revision,
    target: &Target,
    listener: Listener,
) -> Result<RunningService<RoleClient, Listener>, Failure> {
    let mut config = StreamableHttpClientTransportConfig::with_uri(target.url.as_str());
    config.auth_header.clone_from(&target.token);
    config.custom_headers = target.headers.iter().map(header).collect();
    let transport = StreamableHttpClientTransport::from_config(config);
    let lifecycle = match revision {
        Revision::Sessions => ClientLifecycleMode::Initialize,
        Revision::Stateless => {
            ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
        }
    };
    match timeout(PATIENCE, listener.serve_with_lifecycle(transport, lifecycle)).await {
        Ok(outcome) => outcome.map_err(|error| refused(&error)),
        Err(_) => Err(hung(Stage::Connect)),
    }
}

fn header((name, value): (&String, &String)) -> (HeaderName, HeaderValue) {
    (name.parse().expect("a header name"), value.parse().expect("a header value"))
}

async fn make(
    client: &Peer<RoleClient>,
    call: &Call,
    progress: &mut mpsc::UnboundedReceiver<f64>,
) -> Result<Answer, Failure> {
    let mut answer = Answer { tool: call.tool.into(), ..Answer::default() };
    let first_progress = async {
        let Some(other) = &call.meanwhile else { return Ok(None) };
        answer.progress.extend(progress.recv().await);
        text(client, other).await.map(Some)
    };
    let (said, meanwhile) =
        within(Stage::Call, async { tokio::try_join!(text(client, call), first_progress) }).await?;
    while answer.progress.len() < call.progress {
        let next = timeout(PATIENCE, progress.recv()).await.map_err(|_| hung(Stage::Call))?;
        answer.progress.extend(next);
    }
    // rmcp hands each notification to a task of its own, so their order is not kept.
    answer.progress.sort_by(f64::total_cmp);
    Ok(Answer { text: Some(said), meanwhile, ..answer })
}

async fn text(client: &Peer<RoleClient>, call: &Call) -> Result<String, ServiceError> {
    let arguments = call.arguments.as_object().cloned().unwrap_or_default();
    let request = CallToolRequestParams::new(call.tool).with_arguments(arguments);
    // Boxed, for it is 20 kB large.
    let result = Box::pin(client.call_tool(request)).await?;
    Ok(result.content.iter().filter_map(|block| block.as_text()).map(|block| block.text.as_str()).collect())
}

async fn within<T>(stage: Stage, work: impl Future<Output = Result<T, ServiceError>>) -> Result<T, Failure> {
    match timeout(PATIENCE, work).await {
        Ok(outcome) => outcome.map_err(|error| failure(stage, "ServiceError", &error.to_string(), &error)),
        Err(_) => Err(hung(stage)),
    }
}

fn refused(error: &ClientInitializeError) -> Failure {
    let message = error.to_string();
    match error {
        // Its cause is a field and not a `source`.
        ClientInitializeError::TransportError { error, .. } => {
            failure(Stage::Connect, "ClientInitializeError", &message, error)
        }
        _ => failure(Stage::Connect, "ClientInitializeError", &message, error),
    }
}

fn failure(stage: Stage, class: &str, message: &str, error: &(dyn Error + 'static)) -> Failure {
    let (status, challenge) = http_cause(error);
    Failure { stage, class: class.into(), message: message.into(), status, challenge, body: None }
}

fn hung(stage: Stage) -> Failure {
    Failure {
        stage,
        class: "Elapsed".into(),
        message: format!("no answer within {PATIENCE:?}"),
        status: None,
        challenge: None,
        body: None,
    }
}

fn http_cause(error: &(dyn Error + 'static)) -> (Option<u16>, Option<String>) {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(refusal) = current.downcast_ref::<AuthRequiredError>() {
            return (Some(401), Some(refusal.www_authenticate_header.clone()));
        }
        if let Some(refusal) = current.downcast_ref::<InsufficientScopeError>() {
            return (Some(403), Some(refusal.www_authenticate_header.clone()));
        }
        if let Some(refusal) = current.downcast_ref::<HttpStatusError>() {
            return (Some(refusal.status), None);
        }
        next = current.source();
    }
    (None, None)
}
