//! A listener: by which names it may be dialled, and where its paths lead. Accepts nothing.

use crate::door::Door;
use crate::target::Target;
use crate::worker::Shared;
use hallpass_core::{ClientName, Denial, ServerName};
use http::Uri;

/// A listener.
pub(crate) struct Entrance {
    pub(crate) door: Door,
    /// The server to which every path leads here, if it is not the gateway's own listener.
    only: Option<ServerName>,
}

impl Entrance {
    pub(crate) fn new(door: Door, only: Option<ServerName>) -> Self {
        Self { door, only }
    }

    /// Whether the answers that need no token are given here.
    pub(crate) fn is_open(&self) -> bool {
        self.only.is_none()
    }

    /// The server that a request is for, and the client whose path it is.
    pub(crate) fn target(
        &self,
        uri: &Uri,
        shared: &Shared,
    ) -> Result<(ServerName, Option<ClientName>), Denial> {
        if let Some(only) = &self.only {
            return by_own_listener(only, uri);
        }
        match Target::of(uri)? {
            Target::Server { server, path_client } => Ok((server, path_client)),
            Target::OnlyServer => Ok((shared.only_server().cloned().ok_or(Denial::NoSuchPath)?, None)),
            Target::Health | Target::Ready | Target::Jwks => Err(Denial::MethodNotAllowed),
        }
    }
}

/// Clients that know no path dial any. A path of the gateway's own still means what it means there.
fn by_own_listener(only: &ServerName, uri: &Uri) -> Result<(ServerName, Option<ClientName>), Denial> {
    if uri.query().is_some() {
        return Err(Denial::NoSuchPath);
    }
    match Target::of(uri) {
        Ok(Target::Server { server, path_client }) if server == *only => Ok((server, path_client)),
        Ok(Target::Server { .. }) => Err(Denial::NoSuchPath),
        Ok(Target::Health | Target::Ready | Target::Jwks | Target::OnlyServer) | Err(_) => {
            Ok((only.clone(), None))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::by_own_listener;
    use hallpass_core::ServerName;

    #[test]
    fn every_path_leads_to_the_listeners_server() {
        let only = ServerName::new("exai").unwrap();
        let led = |uri: &str| {
            by_own_listener(&only, &uri.parse().unwrap())
                .ok()
                .map(|(server, client)| (server.to_string(), client.map(|client| client.to_string())))
        };
        let exai = || "exai".to_owned();
        for any in ["/", "/ws", "/mcp", "/healthz", "/s/exai/mcp", "/c/Ann/s/exai/mcp"] {
            assert_eq!(led(any), Some((exai(), None)), "{any}");
        }
        assert_eq!(led("/c/ann/s/exai/mcp"), Some((exai(), Some("ann".into()))));
        for none in ["/s/docs/mcp", "/c/ann/s/docs/mcp", "/?token=x"] {
            assert_eq!(led(none), None, "{none}");
        }
    }
}
