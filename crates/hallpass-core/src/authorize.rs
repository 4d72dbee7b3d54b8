//! From a verified caller to the permit for one call. Without a permit nothing is forwarded.

use crate::denial::Denial;
use crate::judge::Verified;
use crate::name::ServerName;

/// The call that a caller wants to make.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The server it goes to.
    pub server: &'a ServerName,
    /// The client whose path was dialled (`/c/CLIENT/...`), if any.
    pub path_client: Option<&'a str>,
}

/// The right to make one call on one server.
#[derive(Debug)]
pub struct Permit {
    verified: Verified,
    server: ServerName,
}

impl Permit {
    /// Who calls.
    pub fn verified(&self) -> &Verified {
        &self.verified
    }

    /// The server that may be called.
    pub fn server(&self) -> &ServerName {
        &self.server
    }
}

/// Whether this caller may make this call.
pub fn authorize(verified: &Verified, call: &Call<'_>) -> Result<Permit, Denial> {
    let client = verified.client();
    // Clients that merge servers by URL would otherwise show one client's token on another's path unnoticed.
    if call.path_client.is_some_and(|path_client| path_client != client.name.as_str()) {
        return Err(Denial::OtherClientsPath { client: client.name.clone() });
    }
    if !client.servers.contains(call.server) {
        return Err(Denial::ServerNotAllowed { client: client.name.clone(), server: call.server.clone() });
    }
    Ok(Permit { verified: verified.clone(), server: call.server.clone() })
}
