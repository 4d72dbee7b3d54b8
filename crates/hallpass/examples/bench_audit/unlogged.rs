//! `hallpass serve` without its log: the same gateway, the same store watched for what is in force. Each event is taken as
//! written at once and dropped. Not a setting of the product, and not to become one.

use hallpass::fault::{Doing as _, Result};
use hallpass::follow::follow;
use hallpass::home::Home;
use hallpass::installation::Installation;
use hallpass::{clock, presence, randomness, recorder};
use hallpass_core::ServerName;
use hallpass_core::arguments::Keeping;
use hallpass_core::roster::Roster;
use hallpass_gateway::{Entry, Gateway, GatewayConfig, Limits, LogState, Random, Upstream, Written};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc::Receiver;

/// As many as the recorder takes at once.
const GROUP_MOST: usize = 2000;

/// Until it is killed.
pub(crate) async fn serve(home: &Path) -> Result<()> {
    let installation = Installation::open(&Home::locate(Some(home))?).await?;
    let mut watch = installation.watch().await?;
    let snapshot = Arc::clone(watch.snapshot());
    let (events, entries) = recorder::channel();
    let listener = TcpListener::bind("127.0.0.1:0").doing("cannot listen")?;
    let clock = Arc::new(clock::now_ms);
    let gateway = Gateway::start(listener, config(&installation)?, snapshot, clock, events);
    let gateway = gateway.doing("cannot start the gateway")?;
    // Where the recorder writes, too.
    std::thread::spawn(move || take(entries));
    eprintln!("listening on http://{}", gateway.local_addr());
    tokio::select! {
        () = follow(&installation, &gateway, &mut watch) => {}
        () = presence::keep(&installation.store, gateway.revision()) => {}
    }
    Ok(())
}

fn take(mut entries: Receiver<Entry>) {
    let mut taken = Vec::with_capacity(GROUP_MOST);
    while entries.blocking_recv_many(&mut taken, GROUP_MOST) > 0 {
        Written::all(taken.drain(..).filter_map(|entry| entry.written));
    }
}

fn config(installation: &Installation) -> Result<GatewayConfig> {
    let roster = std::fs::read_to_string("hallpass.toml").doing("hallpass.toml")?;
    let roster = Roster::parse(&roster).doing("hallpass.toml")?;
    let mut servers: BTreeMap<ServerName, Upstream> = BTreeMap::new();
    for (name, server) in &roster.servers {
        let url = server.url.parse().doing("a server's url")?;
        servers.insert(name.clone(), Upstream { url, credential: None, legacy_token: None });
    }
    Ok(GatewayConfig {
        workers: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        hosts: Vec::new(),
        origins: Vec::new(),
        servers,
        entrances: Vec::new(),
        random: Random::new(randomness::fill),
        session_key: installation.session_key(),
        log: LogState::default(),
        arguments: Keeping::default(),
        request_prefix: uuid::Uuid::now_v7().simple().to_string().split_off(20),
        limits: Limits::default(),
    })
}
