//! `hallpass serve`

use super::Context;
use crate::admin::{Admin, Desk};
use crate::atomic_file::{Original, replace};
use crate::audit::{Audit, bring_up, is_damage};
use crate::cli::Listen;
use crate::clock;
use crate::environment;
use crate::fault::{Doing, Fault, Result};
use crate::follow::follow;
use crate::grace_keeper::GraceKeeper;
use crate::home::{Home, Lock};
use crate::installation::Installation;
use crate::lookout::Lookout;
use crate::operator;
use crate::output::{note, quoted};
use crate::presence;
use crate::randomness;
use crate::recorder;
use crate::self_rotation::SelfRotation;
use crate::settings::Settings;
use hallpass_audit::Fault as LogFault;
use hallpass_core::arguments::Keeping;
use hallpass_core::audit_settings::{Arguments, AuditSettings, Durability};
use hallpass_core::roster::ServerSettings;
use hallpass_gateway::{Entrance, Gateway, GatewayConfig, LegacyToken, Limits, LogState, Random, Upstream};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use zeroize::Zeroizing;

/// How long answers under way may take to end when the gateway stops.
const PATIENCE: Duration = Duration::from_secs(2);

/// The gateway, until it is told to stop.
pub(super) async fn run(context: &Context, listen: &Listen, config: Option<&Path>) -> Result<()> {
    let settings = context.settings(config)?;
    let installation = context.installation().await?;
    installation.check_authority(&settings).await?;
    serve(context, installation, &settings, listen).await
}

/// Serves an opened installation.
pub(super) async fn serve(
    context: &Context,
    installation: Installation,
    settings: &Settings,
    listen: &Listen,
) -> Result<()> {
    if settings.roster.servers.is_empty() {
        return Err(Fault::new("there is no server to stand in front of")
            .hint("add one to hallpass.toml: `[servers.docs]` with `url = \"http://127.0.0.1:9000/mcp\"`"));
    }
    let installation = Arc::new(installation);
    let mut serving = context.home.lock_serving()?;
    // Signals are caught before anybody is told that we listen.
    let mut stop = Stop::new()?;
    {
        let Some(_lock) = lock_unless_stopped(&installation.home, &mut stop).await? else { return Ok(()) };
        open_log(&installation, listen).await?;
        installation.mend().await?;
    }
    let config = gateway_config(&installation, settings)?;
    let state = config.log.clone();
    let address = listen.listen.unwrap_or_else(|| settings.listen());
    warn_of(address);
    let listener = bind(address, "gateway.listen")?;
    let entrances: Vec<_> = config
        .entrances
        .iter()
        .map(|entrance| Ok((entrance.server.clone(), entrance.listener.local_addr().doing("a listener")?)))
        .collect::<Result<_>>()?;
    let mut watch = installation.watch().await?;
    let snapshot = Arc::clone(watch.snapshot());
    let admin = Admin::bind(settings, &installation)?;
    let (events, waiting) = recorder::channel();
    let queue = events.downgrade();
    let gateway = Gateway::start(listener, config, snapshot, Arc::new(clock::now_ms), events)
        .doing("cannot start the gateway")?;
    let counts = Arc::default();
    let lookout = Lookout::new(
        installation.store.clone(),
        gateway.view(),
        settings.roster.warnings.disable.clone(),
        Arc::clone(&counts),
    );
    let rules = recording(settings, listen);
    let (audit, store) = (Arc::clone(&installation.audit), installation.store.clone());
    let recorder = recorder::start(waiting, audit, state, store, rules, lookout)?;
    let _admin = admin
        .map(|admin| admin.start(Desk::new(&installation, gateway.view(), counts, queue)))
        .transpose()?;
    let address = format!("http://{}", gateway.local_addr());
    serving.describe(&format!("pid {}, {address}", std::process::id()))?;
    publish_endpoint(&installation, &address)?;
    note(&format!("listening on {address}"));
    for (server, address) in entrances {
        note(&format!("listening on ws://{address} for `{server}`"));
    }
    operator::becomes_the_gateway();
    let _rotating = SelfRotation::start(Arc::clone(&installation), settings)?;
    let mut grace = GraceKeeper::new(installation.store.clone());
    tokio::select! {
        () = stop.wait() => note("stopping"),
        () = follow(&installation, &gateway, &mut watch) => {}
        () = presence::keep(&installation.store, gateway.revision()) => {}
        () = grace.keep(&gateway) => {}
    }
    grace.keep_the_rest(&gateway).await;
    presence::end(&installation.store).await;
    tokio::select! {
        () = async { gateway.shutdown(PATIENCE).await; let _ = recorder.await; } => Ok(()),
        () = stop.wait() => Err(Fault::new("stopped at once: what was under way was cut, and its last log lines may be missing")),
    }
}

/// What the configuration says of the record.
fn recording(settings: &Settings, listen: &Listen) -> recorder::Rules {
    let (log, audit) = (settings.roster.log, &settings.roster.audit);
    let every = Duration::from_secs(audit.checkpoint_every.unsigned_abs());
    recorder::Rules {
        each: audit.durability == Durability::Each,
        lines: recorder::Lines { json: listen.log_json || log.json, origin: log.origin_lines },
        anchoring: recorder::Anchoring { every, to: audit.checkpoint_to.clone() },
    }
}

/// The log, ready for records, and its view up to date. One that is damaged stops the start, unless a new one is asked for.
async fn open_log(installation: &Installation, listen: &Listen) -> Result<()> {
    let audit = &installation.audit;
    if listen.new_log {
        match audit.write(|_| Ok(())) {
            Ok(()) => note("note: the log is whole, so `--new-log` changes nothing"),
            Err(fault) if is_damage(&fault) => {
                let closed = audit.begin_new().await?;
                note(&format!("a new log was begun; the old one is in `{}` as it was", closed.display()));
            }
            Err(fault) => return Err(not_closed(audit, &fault)),
        }
    }
    audit.check()?;
    audit.check_not_rolled_back(listen.accept_rollback).await?;
    audit.take_acts().await?;
    bring_up(audit, None).await
}

/// Why `--new-log` closes no log that only cannot be read or written to now: that may pass, and nothing is known to be wrong
/// with what is in it.
fn not_closed(audit: &Audit, fault: &LogFault) -> Fault {
    let said = audit.fault(fault);
    if !matches!(fault, LogFault::Io { .. }) || fault.is_full() {
        return said;
    }
    Fault::new(format!("{said}: not known to be damaged, so `--new-log` does not close it")).hint(format!(
        "mend that; if it cannot be mended, keep the log elsewhere (`mv {folder} {folder}-aside`), then run this again",
        folder = quoted(&audit.folder().display().to_string())
    ))
}

/// The home's lock. Another command may hold it while a person thinks about a question, and whoever stops the gateway
/// meanwhile is heard: then there is none.
async fn lock_unless_stopped(home: &Home, stop: &mut Stop) -> Result<Option<Lock>> {
    let home = home.clone();
    let locked = tokio::task::spawn_blocking(move || home.lock());
    tokio::select! {
        locked = locked => locked.doing("cannot lock the home")?.map(Some),
        () = stop.wait() => {
            note("stopping");
            Ok(None)
        }
    }
}

fn gateway_config(installation: &Installation, settings: &Settings) -> Result<GatewayConfig> {
    let (mut servers, mut entrances) = (std::collections::BTreeMap::new(), Vec::new());
    for (name, server) in &settings.roster.servers {
        servers.insert(name.clone(), upstream(name.as_str(), server)?);
        if let Some(address) = server.listen {
            warn_of(address);
            let listener = bind(address, &format!("servers.{name}.listen"))?;
            entrances.push(Entrance { listener, server: name.clone() });
        }
    }
    let audit = &settings.roster.audit;
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(GatewayConfig {
        workers,
        hosts: settings.roster.gateway.hosts.clone(),
        origins: settings.roster.gateway.origins.clone(),
        servers,
        entrances,
        random: Random::new(randomness::fill),
        session_key: installation.session_key(),
        log: LogState::new(audit.on_failure),
        arguments: keeping(installation, audit),
        request_prefix: uuid::Uuid::now_v7().simple().to_string().split_off(20),
        limits: limits(settings),
    })
}

/// What records say of calls' arguments.
fn keeping(installation: &Installation, audit: &AuditSettings) -> Keeping {
    let hashes = match audit.arguments {
        Arguments::Off => None,
        Arguments::Hash => Some(installation.argument_key()),
    };
    Keeping::new(hashes, audit.arguments_in_full.clone())
}

fn limits(settings: &Settings) -> Limits {
    let stale_after = settings.roster.gateway.max_stale.and_then(|seconds| u64::try_from(seconds).ok());
    let default = Limits::default();
    Limits { stale_after: stale_after.map_or(default.stale_after, Duration::from_secs), ..default }
}

fn upstream(name: &str, server: &ServerSettings) -> Result<Upstream> {
    let secret = |key: &str, variable: &Option<String>| {
        variable.as_deref().map(|variable| secret(&format!("servers.{name}.{key}"), variable)).transpose()
    };
    let credential = secret("token_env", &server.token_env)?;
    let legacy_token = secret("legacy_token_env", &server.legacy_token_env)?;
    Ok(Upstream {
        url: server.url.parse().doing(format!("`servers.{name}.url`"))?,
        credential: credential.map(|token| bearer(&token)).transpose()?,
        legacy_token: legacy_token.and_then(|token| LegacyToken::new(&token)),
    })
}

/// A credential that a server asks for. One that is missing or empty stops the start: it never means "none".
fn secret(key: &str, variable: &str) -> Result<Zeroizing<String>> {
    environment::text(variable).map(Zeroizing::new).ok_or_else(|| {
        let taken_out = key.rsplit('.').next().unwrap_or_default();
        Fault::new(format!("`{key}` names `{variable}`, which is empty or not set")).hint(format!(
            "set it for this process, or take `{taken_out}` out if the server asks for no token"
        ))
    })
}

fn bearer(token: &str) -> Result<http::HeaderValue> {
    let mut value = http::HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| Fault::new("a server's token holds characters that no header may have"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn warn_of(address: SocketAddr) {
    if !address.ip().is_loopback() {
        note(
            "note: this listens beyond this machine without TLS, where tokens can be read on the way: put a TLS proxy in front",
        );
    }
}

fn bind(address: SocketAddr, key: &str) -> Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| {
        let fault = Fault::new(format!("cannot listen on {address}: {error}"));
        match (error.kind(), key) {
            (std::io::ErrorKind::AddrInUse, "gateway.listen") => fault.hint(format!(
                "another program has that port: stop it, or set `gateway.listen` (`--listen {}:0` takes any free port)",
                address.ip()
            )),
            (std::io::ErrorKind::AddrInUse, key) => fault.hint(format!(
                "another program has that port: if it is the server itself, let it listen on another one and change its `url`, else change `{key}`"
            )),
            (_, key) => fault.hint(format!("set `{key}` in hallpass.toml to an address of this machine")),
        }
    })
}

/// Where bridges of this home find the gateway.
fn publish_endpoint(installation: &Installation, address: &str) -> Result<()> {
    let file = installation.home.endpoint();
    let original = Original::read(&file)?;
    let line = format!("{address}\n");
    if original.bytes == line.as_bytes() {
        return Ok(());
    }
    replace(&crate::atomic_file::target_of(&file)?, &original, line.as_bytes(), true, &installation.tag)
        .map_err(|_| Fault::new(format!("cannot write `{}`", file.display())))
}

/// Ctrl-C or a polite kill.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn new() -> Result<Self> {
        let catch = |kind| signal(kind).doing("cannot catch signals");
        Ok(Self { interrupt: catch(SignalKind::interrupt())?, terminate: catch(SignalKind::terminate())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
