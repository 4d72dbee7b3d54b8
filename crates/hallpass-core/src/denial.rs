//! Every reason for which a request is refused, in one closed list: what the log is told and what the caller is told.

use crate::envelope::EnvelopeFault;
use crate::hello::FirstFrameFault;
use crate::name::{ClientName, PolicyName, ServerName};
use crate::time::UnixTime;
use std::fmt;

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant's meaning is its row in `log_text`")]
pub enum Denial {
    // What was shown is no credential at all.
    NoCredential,
    SeveralCredentials,
    MalformedCredential,
    OtherScheme,
    TokenTooLong,
    // No key of ours vouches for what was shown: all of these get one uniform answer.
    MalformedToken,
    HeaderMember {
        member: &'static str,
    },
    WrongType,
    UnknownKey,
    WrongAlgorithm,
    BadSignature,
    // Signed by a key of ours: the caller may be told.
    WrongIssuer,
    ClaimMissing {
        claim: &'static str,
    },
    ClaimMalformed {
        claim: &'static str,
    },
    ClaimValue {
        claim: &'static str,
    },
    WrongAudience,
    Expired {
        at: UnixTime,
        client: Option<ClientName>,
    },
    NotYetValid,
    IssuedInFuture,
    LifetimeTooLong,
    UnknownToken,
    NotAdopted,
    OtherTokenOfKnownId,
    OtherSubject {
        client: ClientName,
    },
    Revoked {
        at: UnixTime,
        client: ClientName,
    },
    Replaced {
        at: UnixTime,
        client: ClientName,
    },
    ClientDisabled {
        client: ClientName,
    },
    OtherClientsPath {
        client: ClientName,
    },
    ServerNotAllowed {
        client: ClientName,
        server: ServerName,
    },
    PolicyDenied {
        client: Option<ClientName>,
        policy: PolicyName,
        server: ServerName,
        tool: Option<String>,
    },
    TooFast {
        client: Option<ClientName>,
        wait_s: u64,
    },
    /// What was on its way was filtered by a policy that is no longer in force.
    PolicyChanged {
        client: Option<ClientName>,
    },
    // The shared secret was shown, or should have been: the caller may be told.
    /// A credential was wanted that is no shared secret, and none was shown that is anything else.
    JwtRequired,
    /// Something was shown in the shared secret's place while that counts.
    WrongSharedSecret,
    GraceOver {
        at: UnixTime,
    },
    HasMoved {
        client: ClientName,
    },
    LegacyServerNotAllowed {
        server: ServerName,
    },
    // The request itself cannot be served.
    HostNotAllowed,
    OriginNotAllowed,
    AmbiguousRequest {
        what: &'static str,
    },
    NoSuchPath,
    UnknownServer,
    MethodNotAllowed,
    ContentTypeNotJson,
    EncodedBody,
    BodyTooLarge {
        most: usize,
    },
    BodyCutShort,
    BodyTooSlow,
    Envelope(EnvelopeFault),
    /// A WebSocket connection began with something that begins nothing.
    FirstFrame(FirstFrameFault),
    /// A WebSocket server was dialled without WebSocket.
    UpgradeWanted,
    HeaderMismatch {
        header: &'static str,
    },
    ForeignSession,
    TooManyInFlight,
    LogUnavailable,
    /// The call was made, and its record cannot be written, so its answer is withheld.
    NotRecorded,
    /// What is in force could not be read for too long: a revocation may have been missed.
    Stale,
    // A fault of ours.
    Internal,
}

/// What kind of answer a refusal gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 401 without `error`: nothing was shown (RFC 6750 section 3.1).
    CredentialWanted,
    /// 401 with `error="invalid_token"`.
    InvalidToken,
    /// 403 with `error="insufficient_scope"`.
    InsufficientScope,
    /// Another status, with this word as its `error`.
    Status(u16, &'static str),
}

impl Denial {
    /// The reason's fixed name in the log and in metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCredential => "no_credential",
            Self::SeveralCredentials => "several_credentials",
            Self::MalformedCredential => "malformed_credential",
            Self::OtherScheme => "other_scheme",
            Self::TokenTooLong => "token_too_long",
            Self::MalformedToken => "malformed_token",
            Self::HeaderMember { .. } => "header_member",
            Self::WrongType => "wrong_type",
            Self::UnknownKey => "unknown_key",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::BadSignature => "bad_signature",
            Self::WrongIssuer => "wrong_issuer",
            Self::ClaimMissing { .. } => "claim_missing",
            Self::ClaimMalformed { .. } => "claim_malformed",
            Self::ClaimValue { .. } => "claim_value",
            Self::WrongAudience => "wrong_audience",
            Self::Expired { .. } => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::LifetimeTooLong => "lifetime_too_long",
            Self::UnknownToken => "unknown_token",
            Self::NotAdopted => "not_adopted",
            Self::OtherTokenOfKnownId => "other_token_of_known_id",
            Self::OtherSubject { .. } => "other_subject",
            Self::Revoked { .. } => "revoked",
            Self::Replaced { .. } => "replaced",
            Self::ClientDisabled { .. } => "client_disabled",
            Self::OtherClientsPath { .. } => "other_clients_path",
            Self::ServerNotAllowed { .. } => "server_not_allowed",
            Self::PolicyDenied { .. } => "policy_denied",
            Self::TooFast { .. } => "too_fast",
            Self::PolicyChanged { .. } => "policy_changed",
            Self::JwtRequired => "jwt_required",
            Self::WrongSharedSecret => "wrong_shared_secret",
            Self::GraceOver { .. } => "grace_over",
            Self::HasMoved { .. } => "has_moved",
            Self::LegacyServerNotAllowed { .. } => "legacy_server_not_allowed",
            Self::HostNotAllowed => "host_not_allowed",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::AmbiguousRequest { .. } => "ambiguous_request",
            Self::NoSuchPath => "no_such_path",
            Self::UnknownServer => "unknown_server",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::ContentTypeNotJson => "content_type_not_json",
            Self::EncodedBody => "encoded_body",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::BodyCutShort => "body_cut_short",
            Self::BodyTooSlow => "body_too_slow",
            Self::Envelope(_) => "envelope",
            Self::FirstFrame(FirstFrameFault::Late) => "first_frame_late",
            Self::FirstFrame(_) => "first_frame",
            Self::UpgradeWanted => "upgrade_wanted",
            Self::HeaderMismatch { .. } => "header_mismatch",
            Self::ForeignSession => "foreign_session",
            Self::TooManyInFlight => "too_many_in_flight",
            Self::LogUnavailable => "log_unavailable",
            Self::NotRecorded => "not_recorded",
            Self::Stale => "stale",
            Self::Internal => "internal",
        }
    }

    /// The client whose token was shown, where a key of ours vouches for that.
    pub fn client(&self) -> Option<&ClientName> {
        match self {
            Self::Expired { client, .. }
            | Self::PolicyDenied { client, .. }
            | Self::TooFast { client, .. }
            | Self::PolicyChanged { client } => client.as_ref(),
            Self::OtherSubject { client }
            | Self::Revoked { client, .. }
            | Self::Replaced { client, .. }
            | Self::ClientDisabled { client }
            | Self::OtherClientsPath { client }
            | Self::ServerNotAllowed { client, .. } => Some(client),
            Self::NoCredential
            | Self::SeveralCredentials
            | Self::MalformedCredential
            | Self::OtherScheme
            | Self::TokenTooLong
            | Self::MalformedToken
            | Self::HeaderMember { .. }
            | Self::WrongType
            | Self::UnknownKey
            | Self::WrongAlgorithm
            | Self::BadSignature
            | Self::WrongIssuer
            | Self::ClaimMissing { .. }
            | Self::ClaimMalformed { .. }
            | Self::ClaimValue { .. }
            | Self::WrongAudience
            | Self::NotYetValid
            | Self::IssuedInFuture
            | Self::LifetimeTooLong
            | Self::UnknownToken
            | Self::NotAdopted
            | Self::OtherTokenOfKnownId
            | Self::JwtRequired
            | Self::WrongSharedSecret
            | Self::GraceOver { .. }
            // The path names it, not a credential.
            | Self::HasMoved { .. }
            | Self::LegacyServerNotAllowed { .. }
            | Self::HostNotAllowed
            | Self::OriginNotAllowed
            | Self::AmbiguousRequest { .. }
            | Self::NoSuchPath
            | Self::UnknownServer
            | Self::MethodNotAllowed
            | Self::ContentTypeNotJson
            | Self::EncodedBody
            | Self::BodyTooLarge { .. }
            | Self::BodyCutShort
            | Self::BodyTooSlow
            | Self::Envelope(_)
            | Self::FirstFrame(_)
            | Self::UpgradeWanted
            | Self::HeaderMismatch { .. }
            | Self::ForeignSession
            | Self::TooManyInFlight
            | Self::LogUnavailable
            | Self::NotRecorded
            | Self::Stale
            | Self::Internal => None,
        }
    }

    /// How the caller is answered.
    pub fn answer(&self) -> Answer {
        match self {
            Self::NoCredential | Self::OtherScheme | Self::JwtRequired => Answer::CredentialWanted,
            Self::TokenTooLong
            | Self::MalformedToken
            | Self::HeaderMember { .. }
            | Self::WrongType
            | Self::UnknownKey
            | Self::WrongAlgorithm
            | Self::BadSignature
            | Self::WrongIssuer
            | Self::ClaimMissing { .. }
            | Self::ClaimMalformed { .. }
            | Self::ClaimValue { .. }
            | Self::WrongAudience
            | Self::Expired { .. }
            | Self::NotYetValid
            | Self::IssuedInFuture
            | Self::LifetimeTooLong
            | Self::UnknownToken
            | Self::NotAdopted
            | Self::OtherTokenOfKnownId
            | Self::OtherSubject { .. }
            | Self::Revoked { .. }
            | Self::Replaced { .. }
            | Self::ClientDisabled { .. }
            | Self::OtherClientsPath { .. }
            | Self::WrongSharedSecret
            | Self::GraceOver { .. }
            | Self::HasMoved { .. } => Answer::InvalidToken,
            Self::ServerNotAllowed { .. } | Self::LegacyServerNotAllowed { .. } => Answer::InsufficientScope,
            // No challenge: some clients would begin to ask for another token, which would be refused like this one.
            Self::PolicyDenied { .. } => Answer::Status(403, "policy_denied"),
            Self::TooFast { .. } => Answer::Status(429, "too_fast"),
            Self::PolicyChanged { .. } => Answer::Status(503, "policy_changed"),
            Self::Stale => Answer::Status(503, "stale"),
            Self::HostNotAllowed => Answer::Status(421, "host_not_allowed"),
            Self::OriginNotAllowed => Answer::Status(403, "origin_not_allowed"),
            Self::SeveralCredentials
            | Self::MalformedCredential
            | Self::AmbiguousRequest { .. }
            | Self::BodyCutShort
            | Self::Envelope(_)
            | Self::FirstFrame(_)
            | Self::HeaderMismatch { .. } => Answer::Status(400, "invalid_request"),
            Self::UpgradeWanted => Answer::Status(426, "upgrade_required"),
            Self::NoSuchPath | Self::UnknownServer => Answer::Status(404, "not_found"),
            Self::ForeignSession => Answer::Status(404, "unknown_session"),
            Self::MethodNotAllowed => Answer::Status(405, "method_not_allowed"),
            Self::ContentTypeNotJson | Self::EncodedBody => Answer::Status(415, "unsupported_media_type"),
            Self::BodyTooLarge { .. } => Answer::Status(413, "body_too_large"),
            Self::BodyTooSlow => Answer::Status(408, "body_too_slow"),
            Self::TooManyInFlight => Answer::Status(429, "too_many_requests"),
            Self::LogUnavailable => Answer::Status(503, "log_unavailable"),
            Self::NotRecorded => Answer::Status(503, "not_recorded"),
            Self::Internal => Answer::Status(500, "internal_error"),
        }
    }

    /// What the caller is told. For anything that no key of ours signed, one uniform text.
    pub fn caller_text(&self) -> String {
        match self {
            Self::NoCredential | Self::OtherScheme => {
                "a token of Hallpass is needed: `Authorization: Bearer TOKEN`".into()
            }
            Self::TokenTooLong
            | Self::MalformedToken
            | Self::HeaderMember { .. }
            | Self::WrongType
            | Self::UnknownKey
            | Self::WrongAlgorithm
            | Self::BadSignature => "this token was not issued by this gateway's authority".into(),
            Self::Expired { at, client: Some(client) } => {
                format!("this token expired on {at}: {}", issue(client))
            }
            Self::Revoked { at, client } => format!("this token was revoked on {at}: {}", issue(client)),
            Self::Replaced { at, client } => {
                format!(
                    "this token was replaced by a newer one on {at}: restart `{client}` so that it reads it, or {}",
                    issue(client)
                )
            }
            Self::ClientDisabled { client } => {
                format!("the client `{client}` is disabled: run `hallpass enable {client}`")
            }
            Self::OtherClientsPath { client } => {
                format!("this token belongs to `{client}`, and the address dialled is another client's")
            }
            Self::ServerNotAllowed { client, server } => {
                format!("`{client}` may not use the server `{server}`: see its `servers` in hallpass.toml")
            }
            Self::PolicyDenied { policy, .. } => format!("{}: see `[policy.{policy}]`", self.log_text()),
            Self::TooFast { wait_s, .. } => format!("too many calls a time: try again in {wait_s} s"),
            Self::GraceOver { at } => {
                format!(
                    "the shared secret is no longer accepted since {at}: every client needs a token of its own, run `hallpass add NAME`"
                )
            }
            Self::HasMoved { client } => {
                format!(
                    "`{client}` has a token of its own, and the shared secret is no longer accepted on its address"
                )
            }
            _ => self.log_text(),
        }
    }

    /// What the log is told. Never a part of a credential.
    pub fn log_text(&self) -> String {
        self.to_string()
    }
}

fn issue(client: &ClientName) -> String {
    format!("run `hallpass issue {client}`")
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCredential => f.write_str("no credential was shown"),
            Self::SeveralCredentials => f.write_str("more than one `Authorization` header"),
            Self::MalformedCredential => f.write_str("the `Authorization` header is malformed"),
            Self::OtherScheme => f.write_str("the `Authorization` scheme is not `Bearer`"),
            Self::TokenTooLong => f.write_str("the token is longer than 8192 bytes"),
            Self::MalformedToken => f.write_str("not a JWT in canonical form"),
            Self::HeaderMember { member } => write!(f, "the token's header has `{member}`"),
            Self::WrongType => f.write_str("the token's `typ` is not `JWT`"),
            Self::UnknownKey => f.write_str("no key of that `kid` is in use"),
            Self::WrongAlgorithm => f.write_str("the token's `alg` is not its key's"),
            Self::BadSignature => f.write_str("the signature does not match"),
            Self::WrongIssuer => f.write_str("the token's `iss` is another issuer"),
            Self::ClaimMissing { claim } => write!(f, "the token has no `{claim}`"),
            Self::ClaimMalformed { claim } => write!(f, "the token's `{claim}` has the wrong type"),
            Self::ClaimValue { claim } => write!(f, "the token's `{claim}` has a value that is refused"),
            Self::WrongAudience => f.write_str("the token's `aud` is another audience"),
            Self::Expired { at, .. } => write!(f, "the token expired on {at}"),
            Self::NotYetValid => f.write_str("the token is not valid yet"),
            Self::IssuedInFuture => f.write_str("the token was issued in the future: a clock is wrong"),
            Self::LifetimeTooLong => f.write_str("the token's lifetime is longer than allowed"),
            Self::UnknownToken => f.write_str("the token's `jti` is not registered here"),
            Self::NotAdopted => f.write_str("a token of the former set-up that was not adopted here"),
            Self::OtherTokenOfKnownId => f.write_str("the `jti` is registered for another token"),
            Self::OtherSubject { client } => {
                write!(f, "the token's `sub` or `client_id` is not that of `{client}`")
            }
            Self::Revoked { at, .. } => write!(f, "the token was revoked on {at}"),
            Self::Replaced { at, .. } => write!(f, "the token was replaced on {at}"),
            Self::ClientDisabled { client } => write!(f, "the client `{client}` is disabled"),
            Self::OtherClientsPath { client } => {
                write!(f, "the token of `{client}` on another client's path")
            }
            Self::ServerNotAllowed { client, server } => write!(f, "`{client}` may not use `{server}`"),
            Self::PolicyDenied { client, policy, server, tool } => {
                let client = client.as_ref().map_or("the shared secret", ClientName::as_str);
                match tool {
                    Some(tool) => {
                        write!(
                            f,
                            "the policy `{policy}` of `{client}` denies the tool `{}` on `{server}`",
                            tool.escape_debug()
                        )
                    }
                    None => write!(f, "the policy `{policy}` of `{client}` denies this on `{server}`"),
                }
            }
            Self::TooFast { wait_s, .. } => {
                write!(f, "more calls a time than allowed, room again in {wait_s} s")
            }
            Self::PolicyChanged { .. } => {
                f.write_str("the policy changed while the answer was on its way: ask again")
            }
            Self::JwtRequired => {
                f.write_str("no token of the client's own, and the shared secret is not accepted")
            }
            Self::WrongSharedSecret => f.write_str("what was shown is not the shared secret"),
            Self::GraceOver { at } => write!(f, "the shared secret, after its grace period ended on {at}"),
            Self::HasMoved { client } => {
                write!(f, "the shared secret on the path of `{client}`, which has used its own token")
            }
            Self::LegacyServerNotAllowed { server } => {
                write!(f, "the shared secret may not be used for `{server}`")
            }
            Self::HostNotAllowed => f.write_str("the `Host` header names another host"),
            Self::OriginNotAllowed => f.write_str("the `Origin` header names a foreign origin"),
            Self::AmbiguousRequest { what } => write!(f, "the request is ambiguous: {what}"),
            Self::NoSuchPath => f.write_str("no such path"),
            Self::UnknownServer => f.write_str("no server of that name"),
            Self::MethodNotAllowed => f.write_str("only POST, GET and DELETE are served here"),
            Self::ContentTypeNotJson => f.write_str("the `Content-Type` is not `application/json`"),
            Self::EncodedBody => f.write_str("a request with `Content-Encoding` is not accepted"),
            Self::BodyTooLarge { most } => write!(f, "the body is larger than {most} bytes"),
            Self::BodyCutShort => f.write_str("the body ended early"),
            Self::BodyTooSlow => f.write_str("the body came too slowly"),
            Self::Envelope(fault) => write!(f, "the body is refused: {fault}"),
            Self::FirstFrame(fault) => write!(f, "the first frame is refused: {fault}"),
            Self::UpgradeWanted => f.write_str("this is a WebSocket server, and the request opens none"),
            Self::HeaderMismatch { header } => {
                write!(f, "the header `{header}` does not agree with the body")
            }
            Self::ForeignSession => f.write_str("no such session for this client"),
            Self::TooManyInFlight => f.write_str("too many calls in flight"),
            Self::LogUnavailable => f.write_str("the log cannot take the call, so it is not made"),
            Self::NotRecorded => {
                f.write_str("the call was made, and its answer is withheld: the log did not take its record")
            }
            Self::Stale => {
                f.write_str("what is in force could not be read for too long, so nothing is let in")
            }
            Self::Internal => f.write_str("a fault inside the gateway: the request was given up"),
        }
    }
}
