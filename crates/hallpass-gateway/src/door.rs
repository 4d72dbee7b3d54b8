//! Whom a request thinks it talks to (`Host`) and which page sent it (`Origin`). What stops DNS rebinding.

use hallpass_core::Denial;
use http::request::Parts;
use http::{HeaderMap, HeaderName, header};
use std::net::SocketAddr;

/// The names under which a listener may be dialled, and the pages that may do it.
#[derive(Debug)]
pub struct Door {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Door {
    /// The listener's own address, on loopback also its usual names, and what the operator adds.
    pub fn new(own: SocketAddr, more_hosts: &[String], more_origins: &[String]) -> Self {
        let port = own.port();
        let mut hosts = vec![own.to_string()];
        if own.ip().is_loopback() {
            hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}")));
        }
        if port == 80 {
            let without_port: Vec<_> =
                hosts.iter().filter_map(|host| host.strip_suffix(":80")).map(str::to_owned).collect();
            hosts.extend(without_port);
        }
        hosts.extend_from_slice(more_hosts);
        let mut origins: Vec<_> = hosts.iter().map(|host| format!("http://{host}")).collect();
        origins.extend_from_slice(more_origins);
        Self { hosts, origins }
    }

    /// Exactly one `Host`, and it is ours; at most one `Origin`, and it is ours.
    pub fn check(&self, head: &Parts) -> Result<(), Denial> {
        let host = single(&head.headers, &header::HOST, "several `Host` headers")?;
        let Some(host) = host else { return Err(Denial::AmbiguousRequest { what: "no `Host` header" }) };
        // In absolute form the target's host counts (RFC 9112 section 3.2.2); a different `Host` is a trick.
        if head.uri.authority().is_some_and(|authority| !authority.as_str().eq_ignore_ascii_case(host)) {
            return Err(Denial::AmbiguousRequest { what: "the target's host is not that of `Host`" });
        }
        if !contains(&self.hosts, host) {
            return Err(Denial::HostNotAllowed);
        }
        match single(&head.headers, &header::ORIGIN, "several `Origin` headers")? {
            Some(origin) if !contains(&self.origins, origin) => Err(Denial::OriginNotAllowed),
            Some(_) | None => Ok(()),
        }
    }
}

fn contains(list: &[String], text: &str) -> bool {
    list.iter().any(|entry| entry.eq_ignore_ascii_case(text))
}

fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    what: &'static str,
) -> Result<Option<&'a str>, Denial> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Denial::AmbiguousRequest { what });
    }
    // Bytes outside ASCII match no name of ours.
    Ok(Some(value.to_str().unwrap_or_default()))
}
