//! Clients that are not ours reach a server that is not ours, each with its own token and by its own name.

use serde_json::Value;

use crate::{
    installed::Installed,
    journeys,
    program::Serving,
    rmcp_server::RmcpServer,
    witness::{Revision, Sdk, Target},
};

/// Every journey, at every address that the gateway publishes for the server.
async fn all_addresses(sdk: Sdk, revision: Revision) {
    let server = RmcpServer::start().await;
    let installed = Installed::before("docs", server.url()).await;
    let gateway = installed.serve().await;
    for url in [gateway.server("docs"), gateway.server_of("ann", "docs"), gateway.only_server()] {
        let target = Target::anonymous(url).with_token(installed.token("ann"));
        journeys::lists_and_calls(sdk, revision, &target).await;
    }
    let target = Target::anonymous(gateway.server("docs")).with_token(installed.token("ann"));
    journeys::streams_while_the_call_is_open(sdk, revision, &target).await;
    every_call_is_named(&installed).await;
    installed.nothing_leaked().await;
}

async fn every_call_is_named(installed: &Installed) {
    // Either may end first.
    for last in ["hold", "release"] {
        installed.logged("the last calls", |event| event["tool"] == last).await;
    }
    let log = installed.log(&["--client", "ann"]).await;
    let calls: Vec<_> = log.iter().filter(|event| event["kind"] == "call").collect();
    for tool in ["echo", "add", "count", "hold", "release"] {
        let times = if ["hold", "release"].contains(&tool) { 1 } else { 3 };
        let of_tool: Vec<_> = calls.iter().filter(|event| event["tool"] == tool).collect();
        assert_eq!(of_tool.len(), times, "{tool}: {calls:#?}");
        for event in of_tool {
            assert_eq!(
                (&event["method"], &event["outcome"]),
                (&"tools/call".into(), &"ok".into()),
                "{event}"
            );
            assert_eq!((&event["server"], &event["status"]), (&"docs".into(), &200.into()), "{event}");
            for number in ["duration_us", "bytes_in", "bytes_out"] {
                assert!(event[number].as_u64() > Some(0), "{number}: {event}");
            }
            assert!(event["jti"].is_string() && event["time"].is_string(), "{event}");
        }
    }
    assert!(calls.iter().any(|event| event["method"] == "tools/list"), "{calls:#?}");
    let mut ids: Vec<_> = calls.iter().map(|event| event["request_id"].as_str().expect("an id")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), calls.len(), "each call has an id of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn typescript_client_with_sessions() {
    all_addresses(Sdk::TypeScript, Revision::Sessions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typescript_client_without_sessions() {
    all_addresses(Sdk::TypeScript, Revision::Stateless).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rmcp_client_with_sessions() {
    all_addresses(Sdk::Rmcp, Revision::Sessions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rmcp_client_without_sessions() {
    all_addresses(Sdk::Rmcp, Revision::Stateless).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_clients_have_three_names_in_the_log() {
    let server = RmcpServer::start().await;
    let installed = Installed::before("docs", server.url()).await;
    let gateway = installed.serve().await;
    let clients = ["ann", "bob", "carl"];
    for client in clients {
        let target = Target::anonymous(gateway.server("docs")).with_token(installed.token(client));
        journeys::lists_and_calls(Sdk::Rmcp, Revision::Stateless, &target).await;
    }
    installed.logged("the last call", |event| event["client"] == "carl" && event["tool"] == "count").await;
    let mut tokens = Vec::new();
    for client in clients {
        let log = installed.log(&["--client", client]).await;
        let calls: Vec<_> = log.iter().filter(|event| event["kind"] == "call").collect();
        assert!(calls.len() >= 4 && calls.iter().all(|event| event["client"] == client), "{calls:#?}");
        let jti = calls[0]["jti"].as_str().expect("a jti");
        assert!(calls.iter().all(|event| event["jti"] == jti), "{calls:#?}");
        tokens.push(jti.to_owned());
    }
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 3);
}

/// What the server itself got is asked of the server itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_sees_no_token_of_a_client() {
    let server = RmcpServer::start().await;
    let installed = Installed::before("docs", server.url()).await;
    let gateway = installed.serve().await;
    for sdk in [Sdk::TypeScript, Sdk::Rmcp] {
        for revision in [Revision::Sessions, Revision::Stateless] {
            let headers = headers_behind(&gateway, &installed.token("ann"), sdk, revision).await;
            assert!(headers["authorization"].is_null() && headers["cookie"].is_null(), "{headers}");
            assert!(headers["hallpass-client"].is_null(), "{headers}");
            assert_eq!(headers["x-probe"], "seen", "{headers}");
            assert_eq!(headers["mcp-protocol-version"], revision.name(), "{headers}");
        }
    }
}

async fn headers_behind(gateway: &Serving, token: &str, sdk: Sdk, revision: Revision) -> Value {
    let target = Target::anonymous(gateway.server("docs"))
        .with_token(token)
        .with_header("cookie", "a=b")
        .with_header("hallpass-client", "bob")
        .with_header("x-probe", "seen");
    journeys::headers_at_the_server(sdk, revision, &target).await
}

/// A home that `up` made from nothing serves at once, with the token that it placed.
#[tokio::test(flavor = "multi_thread")]
async fn up_serves_what_it_placed() {
    let server = RmcpServer::start().await;
    let program = crate::program::Hallpass::new();
    program.write("hallpass.toml", &format!("[servers.docs]\nurl = \"{}\"\n[clients.ann]\napp = \"json\"\nconfig = \"ann.json\"\nentry = \"tools\"\nenv = \"TOKEN\"\n", server.url()));
    let config = program.write("ann.json", r#"{ "mcpServers": { "tools": { "env": { "TOKEN": "" } } } }"#);
    let gateway = program.start(program.command(&["up", "--yes", "--listen", "127.0.0.1:0"])).await;
    let config: Value = serde_json::from_slice(&std::fs::read(config).expect("a file")).expect("JSON");
    let token = config["mcpServers"]["tools"]["env"]["TOKEN"].as_str().expect("a token");
    let target = Target::anonymous(gateway.server("docs")).with_token(token);
    journeys::lists_and_calls(Sdk::Rmcp, Revision::Sessions, &target).await;
    let refused =
        journeys::is_refused(Sdk::Rmcp, Revision::Sessions, &Target { token: None, ..target }).await;
    assert_eq!(refused.challenge.as_deref(), Some("Bearer"));
    assert_eq!(gateway.terminate().await.code, Some(0));
}
