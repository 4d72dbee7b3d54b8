//! What must not happen beside the verdict: connections, memory, traces of the token. Decides no case.

use hallpass_core::encoding::decode_base64url;
use serde_json::Value;
use std::collections::HashSet;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

/// A piece of a token of this length is a trace of it.
const TRACE: usize = 12;

/// Whether a piece of `secret` stands in `text`.
pub(crate) fn leaves_trace(secret: &[u8], text: &str) -> bool {
    let windows: HashSet<&[u8]> = text.as_bytes().windows(TRACE).collect();
    // Sixteen mebibytes of one letter are one piece.
    let mut last = &[][..];
    secret.windows(TRACE).any(|window| {
        let is_new = window != last;
        last = window;
        is_new && windows.contains(window)
    })
}

/// Listens where a token's header points to, as far as that is on this machine.
pub(crate) struct Canaries {
    listeners: Vec<TcpListener>,
    /// Whether it points anywhere at all.
    pub(crate) wanted: bool,
}

impl Canaries {
    pub(crate) fn for_tokens<'a>(tokens: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let urls: Vec<String> = tokens.into_iter().flat_map(urls_in).collect();
        let addresses: HashSet<SocketAddr> = urls.iter().filter_map(|url| address_in(url)).collect();
        let listen = |address| {
            let listener = TcpListener::bind(address).ok()?;
            listener.set_nonblocking(true).ok()?;
            Some(listener)
        };
        Self { listeners: addresses.into_iter().filter_map(listen).collect(), wanted: !urls.is_empty() }
    }

    pub(crate) fn count(&self) -> usize {
        self.listeners.len()
    }

    pub(crate) fn was_dialled(&self) -> bool {
        self.listeners.iter().any(|listener| listener.accept().is_ok())
    }
}

/// The URLs in a token's header, whatever the member.
fn urls_in(token: &[u8]) -> Vec<String> {
    let header = token.split(|byte| *byte == b'.').next().filter(|part| part.len() < 8192);
    let header =
        header.and_then(decode_base64url).and_then(|json| serde_json::from_slice::<Value>(&json).ok());
    let Some(Value::Object(header)) = header else { return Vec::new() };
    header.values().filter_map(Value::as_str).filter(|text| text.contains("://")).map(str::to_owned).collect()
}

/// The address of loopback that a URL names.
fn address_in(url: &str) -> Option<SocketAddr> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let usual_port = if scheme == "https" { 443 } else { 80 };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        Some(_) | None => (authority, usual_port),
    };
    let ip: IpAddr = match host.trim_matches(['[', ']']) {
        "localhost" => Ipv4Addr::LOCALHOST.into(),
        ip => ip.parse().ok()?,
    };
    ip.is_loopback().then_some(SocketAddr::new(ip, port))
}

/// Sockets of this process whose other end is none of `expected`: on Linux, at this instant.
pub(crate) fn foreign_sockets(expected: &[SocketAddr]) -> io::Result<Vec<String>> {
    if !cfg!(target_os = "linux") {
        return Ok(Vec::new());
    }
    let own = own_sockets()?;
    let ports: Vec<String> = expected.iter().map(|address| format!("{:04X}", address.port())).collect();
    let mut foreign = Vec::new();
    for protocol in ["tcp", "tcp6", "udp", "udp6"] {
        let table = std::fs::read_to_string(format!("/proc/self/net/{protocol}")).unwrap_or_default();
        for fields in table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>()) {
            let [_, local, remote, state, _, _, _, _, _, inode, ..] = fields.as_slice() else { continue };
            let listens = *state == "0A";
            let known = ports.iter().any(|port| local.ends_with(port) || remote.ends_with(port));
            if own.contains(*inode) && !listens && !known {
                foreign.push(format!("{protocol} to {remote}"));
            }
        }
    }
    Ok(foreign)
}

fn own_sockets() -> io::Result<HashSet<String>> {
    let links =
        std::fs::read_dir("/proc/self/fd")?.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let inode = |link: std::path::PathBuf| {
        Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
    };
    Ok(links.filter_map(inode).collect())
}

/// How much the process grew at its widest while `work` ran, in KiB: on Linux, else none.
pub(crate) struct Peak(Option<u64>);

impl Peak {
    pub(crate) fn begin() -> Self {
        let reset = std::fs::OpenOptions::new().write(true).open("/proc/self/clear_refs");
        let reset = reset.and_then(|mut file| file.write_all(b"5"));
        Self(reset.ok().and_then(|()| peak_kib()))
    }

    pub(crate) fn growth_kib(&self) -> Option<u64> {
        Some(peak_kib()?.saturating_sub(self.0?))
    }
}

fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
