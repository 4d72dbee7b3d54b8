//! Every way in which a server behind the gateway lets a call down before its answer begins. Not refusals: those are
//! the core's `Denial`.

use hallpass_core::ServerName;
use hallpass_core::tool_sieve::Unreadable;
use http::StatusCode;

/// Why a server gave no answer that can be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection.
    Unreachable,
    /// No connection in time.
    ConnectTimeout,
    /// The connection ended, or turned to garbage, before an answer.
    BrokeOff,
    /// 401, 403 or 407: the server does not accept the gateway, which is nothing that the caller could mend.
    CredentialRefused,
    /// What the answer lists cannot be told for certain, and the caller's policy shows only some of it.
    Unreadable,
    /// 3xx: followed nowhere, since the address is the operator's to choose.
    Redirected,
    /// An answer that opens no WebSocket.
    NoWebSocket,
}

impl From<Unreadable> for Failure {
    fn from(_: Unreadable) -> Self {
        Self::Unreadable
    }
}

impl Failure {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::ConnectTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Unreachable
            | Self::BrokeOff
            | Self::CredentialRefused
            | Self::Unreadable
            | Self::Redirected
            | Self::NoWebSocket => StatusCode::BAD_GATEWAY,
        }
    }

    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "upstream_unreachable",
            Self::ConnectTimeout => "upstream_timeout",
            Self::BrokeOff => "upstream_broke_off",
            Self::CredentialRefused => "upstream_refused_credential",
            Self::Unreadable => "upstream_unreadable",
            Self::Redirected => "upstream_redirected",
            Self::NoWebSocket => "upstream_no_websocket",
        }
    }

    pub(crate) fn caller_text(self, server: &ServerName) -> String {
        match self {
            Self::Unreachable => format!("the server `{server}` cannot be reached"),
            Self::ConnectTimeout => format!("the server `{server}` did not take the connection in time"),
            Self::BrokeOff => format!("the server `{server}` broke off before it answered"),
            Self::CredentialRefused => {
                format!("the server `{server}` does not accept the gateway's own credential")
            }
            Self::NoWebSocket => format!("the server `{server}` does not speak WebSocket at its `url`"),
            Self::Unreadable => format!(
                "the answer of the server `{server}` cannot be read for certain, and the caller's policy shows only some of its tools"
            ),
            Self::Redirected => format!("the server `{server}` answered with a redirect: its `url` is wrong"),
        }
    }
}
