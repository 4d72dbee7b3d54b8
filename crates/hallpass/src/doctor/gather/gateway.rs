//! Asks the running gateway, and whoever answers at the addresses that clients dial.

use crate::doctor::facts::{FileFacts, GatewayFacts, Running};
use crate::health;
use crate::home::Home;
use crate::settings::{Settings, noted_endpoint};
use std::collections::HashMap;

/// A path that says no more than that somebody is there, and needs no token.
const PATH: &str = "/healthz";

/// The gateway, and whether the addresses in clients' files lead to one.
pub(super) async fn look(home: &Home, settings: &Settings, files: &mut [FileFacts]) -> GatewayFacts {
    let running = match home.running_gateway() {
        Some(said) => Some(ask(&said).await),
        None => None,
    };
    if running.as_ref().is_some_and(|running| running.answers) {
        try_addresses(files).await;
    }
    GatewayFacts { running, endpoint: noted_endpoint(home), configured: settings.gateway(home) }
}

/// `pid 12, http://127.0.0.1:4255`; nothing while it starts.
async fn ask(said: &str) -> Running {
    let pid = said.strip_prefix("pid ").and_then(|rest| rest.split(',').next()?.parse().ok());
    let Some((_, authority)) = said.split_once("http://") else {
        return Running { pid, authority: None, answers: true };
    };
    let answers = health::status(authority, PATH).await == Some(200);
    Running { pid, authority: Some(authority.to_owned()), answers }
}

async fn try_addresses(files: &mut [FileFacts]) {
    let mut tried = HashMap::new();
    for address in files.iter_mut().flat_map(|file| file.addresses.iter_mut()) {
        let authority = address.authority.clone();
        let answers = match tried.get(&authority) {
            Some(answers) => *answers,
            None => health::status(&authority, PATH).await == Some(200),
        };
        tried.insert(authority, answers);
        address.answers = answers;
    }
}
