//! An MCP server made of the official Rust SDK, serving both revisions on a loopback port.
//! Asks for no token and keeps nothing between calls but one latch.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, JsonObject,
        ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ServerCapabilities, ServerConfig,
        Tool,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::Notify,
    task::{JoinHandle, JoinSet},
};

pub(crate) const NAME: &str = "rmcp-sample";
pub(crate) const TOOLS: [&str; 6] = ["add", "count", "echo", "headers", "hold", "release"];

/// Serves until it is dropped.
pub(crate) struct RmcpServer {
    url: String,
    accepting: JoinHandle<()>,
}

impl RmcpServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let url = format!("http://{}/mcp", listener.local_addr().expect("a bound address"));
        let latch = Arc::new(Notify::new());
        let service = StreamableHttpService::new(
            move || Ok(Tools { latch: latch.clone() }),
            Arc::new(LocalSessionManager::default()),
            StreamableHttpServerConfig::default(),
        );
        Self { url, accepting: tokio::spawn(accept(listener, service)) }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for RmcpServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

type Service = StreamableHttpService<Tools, LocalSessionManager>;

async fn accept(listener: TcpListener, service: Service) {
    // Owned here, so that the connections end with the task that accepts them.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let service = service.clone();
        let answer = service_fn(move |request| {
            let service = service.clone();
            async move { Ok::<_, Infallible>(service.handle(request).await) }
        });
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}

struct Tools {
    latch: Arc<Notify>,
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new(NAME, "0.0.0"))
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = TOOLS.map(|name| Tool::new(name, format!("The sample tool `{name}`"), schema(name)));
        Ok(ListToolsResult::with_all_items(tools.into()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let text = match &*request.name {
            "echo" => arguments["message"].as_str().unwrap_or_default().to_owned(),
            "add" => sum(&arguments).to_string(),
            "count" => count(arguments["to"].as_u64().unwrap_or(0), &context).await,
            "headers" => headers(&context),
            "hold" => self.hold(&context).await,
            "release" => self.release(),
            unknown => return Err(ErrorData::invalid_params(format!("no tool named `{unknown}`"), None)),
        };
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}

impl Tools {
    async fn hold(&self, context: &RequestContext<RoleServer>) -> String {
        progress(context, 1.0).await;
        self.latch.notified().await;
        "released".into()
    }

    fn release(&self) -> String {
        // Keeps one permit, so that it does not matter whether `hold` waits yet.
        self.latch.notify_one();
        "ok".into()
    }
}

fn schema(tool: &str) -> JsonObject {
    let properties = match tool {
        "echo" => json!({ "message": { "type": "string" } }),
        "add" => json!({ "a": { "type": "integer" }, "b": { "type": "integer" } }),
        "count" => json!({ "to": { "type": "integer" } }),
        _ => json!({}),
    };
    let schema = json!({ "type": "object", "properties": properties });
    schema.as_object().cloned().expect("an object literal")
}

fn sum(arguments: &Value) -> i64 {
    ["a", "b"].iter().filter_map(|name| arguments[*name].as_i64()).sum()
}

async fn count(to: u64, context: &RequestContext<RoleServer>) -> String {
    for step in 1..=u32::try_from(to).unwrap_or(0) {
        progress(context, f64::from(step)).await;
    }
    format!("counted to {to}")
}

async fn progress(context: &RequestContext<RoleServer>, step: f64) {
    if let Some(token) = context.meta.get_progress_token() {
        let _gone = context.peer.notify_progress(ProgressNotificationParam::new(token, step)).await;
    }
}

/// As JSON: each name with its values, joined as HTTP does it.
fn headers(context: &RequestContext<RoleServer>) -> String {
    let mut seen = BTreeMap::<_, Vec<_>>::new();
    if let Some(parts) = context.extensions.get::<http::request::Parts>() {
        for (name, value) in &parts.headers {
            seen.entry(name.as_str()).or_default().push(String::from_utf8_lossy(value.as_bytes()));
        }
    }
    json!(seen.iter().map(|(name, values)| (name, values.join(", "))).collect::<BTreeMap<_, _>>()).to_string()
}
