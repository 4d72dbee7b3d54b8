//! `hallpass connect`

use super::Context;
use crate::bridge::{self, BridgeSettings, TokenSource};
use crate::environment;
use crate::fault::{Fault, Result};
use crate::given_file;
use crate::output::note;
use crate::settings::LISTEN;
use hallpass_core::{ClientName, ServerName};

/// The bridge: reads the token afresh for each request, so a new token needs no restart.
pub(super) async fn run(context: &Context, server: &str, client: &str, url: Option<&str>) -> Result<()> {
    let server = ServerName::new(server)
        .map_err(|why| Fault::usage(format!("`{}` is not a server's name: {why}", server.escape_debug())))?;
    let client = ClientName::new(client)
        .map_err(|why| Fault::usage(format!("`{}` is not a client's name: {why}", client.escape_debug())))?;
    let base = url.map_or_else(|| endpoint(context), str::to_owned);
    let url = format!("{}/c/{client}/s/{server}/mcp", base.trim_end_matches('/'));
    let url = url.parse().map_err(|_| {
        Fault::usage("the gateway's address is not a URL")
            .hint("`--url http://127.0.0.1:4255`, or leave it out")
    })?;
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

/// Where the gateway of this home was last told to listen.
fn endpoint(context: &Context) -> String {
    let noted =
        given_file::regular(&context.home.endpoint()).and_then(|file| given_file::read_text(file, 256));
    let noted = noted.unwrap_or_default();
    if noted.trim().is_empty() { format!("http://{LISTEN}") } else { noted.trim().to_owned() }
}

fn token(context: &Context, client: &ClientName) -> TokenSource {
    let file = context.home.token_file(client.as_str());
    match environment::text("HALLPASS_TOKEN") {
        Some(token) if !file.exists() => TokenSource::Environment(token.into()),
        _ => TokenSource::File(file),
    }
}
