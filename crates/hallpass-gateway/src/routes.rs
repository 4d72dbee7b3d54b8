//! Where servers are, by their names. Only a permit leads to one.

use crate::config::Upstream;
use hallpass_core::{Permit, ServerName};
use http::uri::Authority;
use http::{HeaderValue, Uri};
use std::collections::BTreeMap;
use std::io;

/// The ways to servers of one kind.
pub(crate) struct Routes<R>(BTreeMap<ServerName, R>);

/// The way to one server. What is in it, only the module knows that goes there.
pub(crate) trait Route: Sized {
    /// Checks the server's address.
    fn new(upstream: Upstream) -> io::Result<Self>;

    /// As the connector knows it.
    fn uri(&self) -> &Uri;
}

impl<R: Route> Routes<R> {
    /// Checks the servers' addresses.
    pub(crate) fn new(servers: BTreeMap<ServerName, Upstream>) -> io::Result<Self> {
        let routes = servers.into_iter().map(|(name, upstream)| Ok((name, R::new(upstream)?)));
        routes.collect::<io::Result<_>>().map(Self)
    }

    pub(crate) fn of(&self, permit: &Permit) -> Option<&R> {
        self.0.get(permit.server())
    }

    pub(crate) fn contains(&self, server: &ServerName) -> bool {
        self.0.contains_key(server)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &ServerName> {
        self.0.keys()
    }

    pub(crate) fn need_tls(&self) -> bool {
        self.0.values().any(|route| route.uri().scheme_str() == Some("https"))
    }
}

/// What the server is called in `Host`.
pub(crate) fn host(authority: &Authority) -> io::Result<HeaderValue> {
    if authority.as_str().contains('@') {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a server's URL must not hold a password"));
    }
    HeaderValue::from_str(authority.as_str()).map_err(io::Error::other)
}

/// The server's own credential, which nothing prints.
pub(crate) fn secret(mut credential: HeaderValue) -> HeaderValue {
    credential.set_sensitive(true);
    credential
}
