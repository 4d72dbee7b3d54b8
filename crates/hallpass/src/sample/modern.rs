//! Revision 2026-07-28: each request stands for itself. Keeps nothing between two of them.

use std::time::Duration;

use http::{HeaderMap, HeaderName, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::body::{SampleBody, Tick};
use super::door;
use super::reply::{self, RpcError};
use super::tools::{self, Outcome};

const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
const SPOKEN: &str = "2026-07-28";
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const LOG_LEVEL_KEY: &str = "io.modelcontextprotocol/logLevel";
const SUBSCRIPTION_KEY: &str = "io.modelcontextprotocol/subscriptionId";
const SERVER_INFO_KEY: &str = "io.modelcontextprotocol/serverInfo";
const TICK: Duration = Duration::from_millis(500);
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Whether the headers alone say that this era is meant: revisions are dates.
pub(super) fn is_meant(headers: &HeaderMap) -> bool {
    door::text(headers, &VERSION).is_some_and(|version| version >= SPOKEN)
}

/// Whether a message is of this era.
pub(super) fn is_modern(headers: &HeaderMap, message: &Value) -> bool {
    let has_version = !message["params"]["_meta"][VERSION_KEY].is_null();
    message["method"] != "initialize" && (has_version || is_meant(headers))
}

pub(super) fn answer(headers: &HeaderMap, message: &Value) -> Response<SampleBody> {
    let id = &message["id"];
    match respond(headers, message) {
        Ok(response) => response,
        Err(error) => reply::error(status(&error), id, &error),
    }
}

fn status(error: &RpcError) -> StatusCode {
    match error.code {
        -32601 => StatusCode::NOT_FOUND,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn respond(headers: &HeaderMap, message: &Value) -> Result<Response<SampleBody>, RpcError> {
    let (id, params) = (&message["id"], &message["params"]);
    let Some(method) = message["method"].as_str() else {
        return Err(RpcError::new(-32600, "a request is expected"));
    };
    check_meta(&params["_meta"])?;
    check_headers(headers, method, params)?;
    if id.is_null() {
        return Ok(reply::status(StatusCode::ACCEPTED));
    }
    match method {
        "server/discover" => Ok(complete(id, discovery())),
        "tools/list" => Ok(complete(id, cacheable(json!({ "tools": tools::list() })))),
        "tools/call" => call(id, params),
        "subscriptions/listen" => Ok(listen(id, params)),
        _ => Err(RpcError::method_not_found(method)),
    }
}

fn check_meta(meta: &Value) -> Result<(), RpcError> {
    for key in [VERSION_KEY, CAPABILITIES_KEY] {
        if meta[key].is_null() {
            return Err(RpcError::invalid_params(format!("`_meta` needs `{key}`")));
        }
    }
    if meta[VERSION_KEY] == SPOKEN {
        return Ok(());
    }
    let data = json!({ "supported": [SPOKEN], "requested": meta[VERSION_KEY] });
    Err(RpcError::new(-32022, "this revision is not spoken here").with_data(data))
}

fn check_headers(headers: &HeaderMap, method: &str, params: &Value) -> Result<(), RpcError> {
    let name = if method == "tools/call" { params["name"].as_str() } else { None };
    let expected = [(VERSION, Some(SPOKEN)), (METHOD, Some(method)), (NAME, name)];
    for (header, expected) in expected {
        // The names of these tools need no encoding, so an encoded one is none of them.
        if expected.is_some() && door::text(headers, &header) != expected {
            return Err(RpcError::new(-32020, format!("the header `{header}` is not what the body says")));
        }
    }
    Ok(())
}

fn discovery() -> Value {
    let server = json!({ "name": "hallpass-sample", "version": env!("CARGO_PKG_VERSION") });
    cacheable(json!({
        "supportedVersions": [SPOKEN],
        "capabilities": { "tools": { "listChanged": true } },
        "_meta": { SERVER_INFO_KEY: server },
    }))
}

fn cacheable(mut result: Value) -> Value {
    result["ttlMs"] = 0.into();
    result["cacheScope"] = "public".into();
    result
}

fn complete(id: &Value, mut result: Value) -> Response<SampleBody> {
    result["resultType"] = "complete".into();
    reply::result(id, &result)
}

fn call(id: &Value, params: &Value) -> Result<Response<SampleBody>, RpcError> {
    Ok(match tools::call(params)? {
        Outcome::Result(result) => complete(id, result),
        Outcome::Watch => watch(params.clone()),
    })
}

fn watch(params: Value) -> Response<SampleBody> {
    let may_log = !params["_meta"][LOG_LEVEL_KEY].is_null();
    reply::stream(SampleBody::ticking(TICK, move |count| {
        tools::news(&params, count, may_log).map_or_else(Tick::comment, |news| Tick::message(&news))
    }))
}

/// Nothing changes here, so all that is honoured is `toolsListChanged`, and it is never sent.
fn listen(id: &Value, params: &Value) -> Response<SampleBody> {
    let mut honoured = Map::new();
    if params["notifications"]["toolsListChanged"] == true {
        honoured.insert("toolsListChanged".into(), true.into());
    }
    let acknowledged = json!({
        "jsonrpc": "2.0",
        "method": "notifications/subscriptions/acknowledged",
        "params": { "notifications": honoured, "_meta": { SUBSCRIPTION_KEY: id } },
    });
    reply::stream(SampleBody::ticking(SIGN_OF_LIFE, move |count| match count {
        0 => Tick::message(&acknowledged),
        _ => Tick::comment(),
    }))
}
