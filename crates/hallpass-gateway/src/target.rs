//! From a request's path to what it asks for. A fixed map: anything that is not letter for letter on it is nothing.

use hallpass_core::{ClientName, Denial, ServerName};
use http::Uri;

/// What a path stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `/healthz`
    Health,
    /// `/readyz`
    Ready,
    /// `/.well-known/jwks.json`
    Jwks,
    /// `/mcp`: the only server.
    OnlyServer,
    /// `/s/SERVER/mcp` and `/c/CLIENT/s/SERVER/mcp`
    Server { server: ServerName, path_client: Option<ClientName> },
}

impl Target {
    /// Reads a request's target. Names have no dots, escapes or upper case, so no path has two spellings.
    pub(crate) fn of(uri: &Uri) -> Result<Self, Denial> {
        if uri.query().is_some() {
            return Err(Denial::NoSuchPath);
        }
        match uri.path() {
            "/healthz" => Ok(Self::Health),
            "/readyz" => Ok(Self::Ready),
            "/.well-known/jwks.json" => Ok(Self::Jwks),
            "/mcp" => Ok(Self::OnlyServer),
            path => server(path).ok_or(Denial::NoSuchPath),
        }
    }
}

fn server(path: &str) -> Option<Target> {
    let path = path.strip_suffix("/mcp")?;
    if let Some(server) = path.strip_prefix("/s/") {
        return Some(Target::Server { server: ServerName::new(server).ok()?, path_client: None });
    }
    let (client, server) = path.strip_prefix("/c/")?.split_once("/s/")?;
    let path_client = Some(ClientName::new(client).ok()?);
    Some(Target::Server { server: ServerName::new(server).ok()?, path_client })
}

#[cfg(test)]
mod tests {
    use super::Target;
    use hallpass_core::Denial;

    #[test]
    fn only_the_published_paths_are_on_the_map() {
        for good in
            ["/healthz", "/readyz", "/.well-known/jwks.json", "/mcp", "/s/docs/mcp", "/c/vscode1/s/docs/mcp"]
        {
            assert!(Target::of(&good.parse().unwrap()).is_ok(), "{good}");
        }
        for bad in [
            "/",
            "/s",
            "/s/",
            "/s/docs",
            "/s/docs/",
            "/s/docs/mcp/",
            "/s//mcp",
            "//s/docs/mcp",
            "/s/docs//mcp",
            "/s/docs/mcp?",
            "/s/docs/mcp?token=x",
            "/s/Docs/mcp",
            "/s/d%6fcs/mcp",
            "/s/docs%2fmcp",
            "/s/../mcp",
            "/s/docs/../docs/mcp",
            "/s/docs;x/mcp",
            "/s/docs/x/mcp",
            "/c/a/mcp",
            "/c//s/docs/mcp",
            "/c/a/s//mcp",
            "/c/a/b/s/docs/mcp",
            "/c/a/s/docs/s/docs/mcp",
            "/mcp/",
            "/MCP",
            "/healthz/",
            "/./healthz",
            "*",
        ] {
            assert_eq!(Target::of(&bad.parse().unwrap()), Err(Denial::NoSuchPath), "{bad}");
        }
    }
}
