//! `hallpass connect`

use super::Context;
use crate::bridge::{self, BridgeSettings, TokenSource};
use crate::environment;
use crate::fault::{Fault, Result};
use crate::output::note;
use crate::settings::{LISTEN, noted_endpoint};
use hallpass_core::{ClientName, ServerName};
use http::Uri;
use std::net::IpAddr;

/// The way to the gateway.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    /// As it was named; else where this home's gateway listens.
    pub(super) url: Option<&'a str>,
    /// A person says that the token may be read on the way.
    pub(super) cleartext_ok: bool,
}

/// The bridge: reads the token afresh for each request, so a new token needs no restart.
pub(super) async fn run(context: &Context, server: &str, client: &str, way: Way<'_>) -> Result<()> {
    let server = ServerName::new(server)
        .map_err(|why| Fault::usage(format!("`{}` is not a server's name: {why}", server.escape_debug())))?;
    let client = ClientName::new(client)
        .map_err(|why| Fault::usage(format!("`{}` is not a client's name: {why}", client.escape_debug())))?;
    // Whoever else can write there says where the token goes.
    context.home.check_private_if_there()?;
    let noted = || noted_endpoint(&context.home).unwrap_or_else(|| format!("http://{LISTEN}"));
    let base = way.url.map_or_else(noted, str::to_owned);
    let url = format!("{}/c/{client}/s/{server}/mcp", base.trim_end_matches('/'));
    let url: Uri = url.parse().map_err(|_| {
        Fault::usage("the gateway's address is not a URL")
            .hint("`--url http://127.0.0.1:4255`, or leave it out")
    })?;
    if way.url.is_some() && !way.cleartext_ok && !stays_here(&url) {
        return Err(Fault::new("`--url` leads to another machine, and the token would go there unencrypted").hint(
            "let a tunnel of yours listen on this machine, or say `--cleartext-ok` if nobody else is on the way",
        ));
    }
    let settings = BridgeSettings {
        url,
        token: token(context, &client),
        client: client.to_string(),
        server: server.to_string(),
    };
    let stdin = tokio::io::BufReader::new(tokio::io::stdin());
    bridge::run(settings, stdin, tokio::io::stdout(), note)
        .await
        .map_err(|fault| Fault::new(fault.to_string()))
}

/// Whether nothing leaves this machine. An address of another scheme than `http` is refused by the bridge itself.
fn stays_here(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let loopback = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    url.scheme_str() != Some("http") || loopback || host.eq_ignore_ascii_case("localhost")
}

fn token(context: &Context, client: &ClientName) -> TokenSource {
    let file = context.home.token_file(client.as_str());
    match environment::text("HALLPASS_TOKEN") {
        Some(token) if !file.exists() => TokenSource::Environment(token.into()),
        _ => TokenSource::File(file),
    }
}
