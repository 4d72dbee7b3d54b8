//! The admin listener: metrics for whoever has the home's own credential. No client's token opens it, and it changes
//! nothing. Absent unless `[admin] listen` names an address.

mod credential;
mod desk;
mod request;

pub use desk::Desk;

use crate::fault::{Doing, Fault, Result};
use crate::installation::Installation;
use crate::output::note;
use crate::settings::Settings;
use credential::Credential;
use hallpass_gateway::Door;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

/// Connections open at once; more wait to be accepted.
const CONNECTIONS_MOST: usize = 16;
/// How long a connection may take to send the next request's headers, and be idle before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest block of request headers, in bytes. hyper takes no less.
const HEAD_BYTES: usize = 8 << 10;
/// How long to wait after accepting failed, as it does when the process has run out of files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The listener, not yet served.
pub struct Admin {
    listener: TcpListener,
    door: Door,
    credential: Credential,
}

/// The running listener; ends when dropped.
pub struct Serving(JoinHandle<()>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Admin {
    /// Takes the address that the configuration names, if it names one, and makes the credential if there is none yet.
    pub fn bind(settings: &Settings, installation: &Installation) -> Result<Option<Self>> {
        let admin = &settings.roster.admin;
        let Some(address) = admin.listen else { return Ok(None) };
        let credential = Credential::of(installation)?;
        if !address.ip().is_loopback() {
            note(
                "note: the admin listener listens beyond this machine without TLS, where its credential can be read on the way: put a TLS proxy in front",
            );
        }
        let listener = bind(address)?;
        let own = listener.local_addr().doing("the admin listener")?;
        note(&format!(
            "metrics on http://{own}{} (the credential is in {})",
            request::METRICS,
            installation.home.admin_token().display()
        ));
        Ok(Some(Self { listener, door: Door::new(own, &admin.hosts, &[]), credential }))
    }

    /// Serves what `desk` knows.
    pub fn start(self, desk: Desk) -> Result<Serving> {
        self.listener.set_nonblocking(true).doing("the admin listener")?;
        let listener = tokio::net::TcpListener::from_std(self.listener).doing("the admin listener")?;
        let office = Arc::new(Office { door: self.door, credential: self.credential, desk });
        Ok(Serving(tokio::spawn(accept(listener, office))))
    }
}

/// What answering a request takes.
pub(crate) struct Office {
    door: Door,
    credential: Credential,
    desk: Desk,
}

fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| {
        Fault::new(format!("cannot listen on {address} for metrics: {error}"))
            .hint("set `admin.listen` in hallpass.toml to a free address of this machine, or take it out")
    })
}

async fn accept(listener: tokio::net::TcpListener, office: Arc<Office>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MOST));
    let mut connections = JoinSet::new();
    while let Ok(share) = Arc::clone(&room).acquire_owned().await {
        // Those that have ended are taken out, so that the set does not grow.
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let office = Arc::clone(&office);
        connections.spawn(async move {
            let service = service_fn(|request| request::answer(&office, request));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(HEAD_BYTES)
                .serve_connection(TokioIo::new(stream), service);
            let _ = connection.await;
            drop(share);
        });
    }
}
