//! The corpus's classes of reasons, and which of them each of our refusals is: the one table for that.

use hallpass_core::{ClientName, Denial, FirstFrameFault, UnixTime};

/// A refusal in the corpus's words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Class {
    /// The class; none for what no token can be the cause of.
    pub(crate) name: Option<&'static str>,
    /// Whether a key of ours vouches for the token. Without it, every caller must see the same.
    pub(crate) vouched: bool,
}

pub(crate) fn class_of(denial: &Denial) -> Class {
    let unsigned = |name| Class { name: Some(name), vouched: false };
    let signed = |name| Class { name: Some(name), vouched: true };
    match denial {
        Denial::NoCredential => unsigned("missing_credentials"),
        Denial::SeveralCredentials | Denial::MalformedCredential | Denial::OtherScheme => {
            unsigned("malformed_authorization")
        }
        Denial::TokenTooLong => unsigned("token_too_large"),
        Denial::MalformedToken => unsigned("malformed_token"),
        // A header of JWE: not a signed token at all.
        Denial::HeaderMember { member: "enc" | "epk" } => unsigned("unsupported_format"),
        Denial::HeaderMember { .. } => unsigned("header_rejected"),
        Denial::WrongType => unsigned("wrong_type"),
        Denial::UnknownKey => unsigned("unknown_key"),
        Denial::WrongAlgorithm => unsigned("alg_not_allowed"),
        Denial::BadSignature => unsigned("bad_signature"),
        Denial::WrongIssuer => signed("wrong_issuer"),
        Denial::ClaimMissing { .. } => signed("missing_claim"),
        Denial::ClaimMalformed { .. } => signed("claim_type"),
        Denial::ClaimValue { .. } => signed("claim_value"),
        Denial::WrongAudience => signed("wrong_audience"),
        Denial::Expired { .. } => signed("expired"),
        Denial::NotYetValid => signed("not_yet_valid"),
        Denial::IssuedInFuture => signed("issued_in_future"),
        Denial::LifetimeTooLong => signed("lifetime_exceeded"),
        Denial::UnknownToken | Denial::OtherTokenOfKnownId => signed("unknown_token"),
        Denial::OtherSubject { .. } => signed("subject_mismatch"),
        Denial::Revoked { .. } => signed("revoked"),
        Denial::Replaced { .. } => signed("superseded"),
        Denial::ClientDisabled { .. } => signed("client_disabled"),
        Denial::HostNotAllowed => unsigned("host_not_allowed"),
        Denial::OriginNotAllowed => unsigned("origin_not_allowed"),
        Denial::NotAdopted | Denial::GraceOver { .. } | Denial::HasMoved { .. } => {
            signed("legacy_not_allowed")
        }
        Denial::JwtRequired => unsigned("jwt_required"),
        Denial::WrongSharedSecret => unsigned("bad_legacy_token"),
        Denial::FirstFrame(_) => unsigned("malformed_frame"),
        Denial::OtherClientsPath { .. }
        | Denial::PolicyDenied { .. }
        | Denial::TooFast { .. }
        | Denial::PolicyChanged { .. }
        | Denial::LegacyServerNotAllowed { .. }
        | Denial::Stale
        | Denial::ServerNotAllowed { .. }
        | Denial::AmbiguousRequest { .. }
        | Denial::NoSuchPath
        | Denial::UnknownServer
        | Denial::MethodNotAllowed
        | Denial::ContentTypeNotJson
        | Denial::EncodedBody
        | Denial::BodyTooLarge { .. }
        | Denial::BodyCutShort
        | Denial::BodyTooSlow
        | Denial::Envelope(_)
        | Denial::UpgradeWanted
        | Denial::HeaderMismatch { .. }
        | Denial::ForeignSession
        | Denial::TooManyInFlight
        | Denial::LogUnavailable
        | Denial::NotRecorded
        | Denial::Internal => Class { name: None, vouched: true },
    }
}

/// The class of a reason that the log names, if a first frame can be its cause.
pub(crate) fn class_of_code(code: &str) -> Option<&'static str> {
    let (at, client) = (UnixTime::from_seconds(0), ClientName::new("any").ok()?);
    let named = || client.clone();
    let causes = [
        Denial::NoCredential,
        Denial::SeveralCredentials,
        Denial::TokenTooLong,
        Denial::MalformedToken,
        Denial::HeaderMember { member: "any" },
        Denial::WrongType,
        Denial::UnknownKey,
        Denial::WrongAlgorithm,
        Denial::BadSignature,
        Denial::WrongIssuer,
        Denial::ClaimMissing { claim: "any" },
        Denial::ClaimMalformed { claim: "any" },
        Denial::ClaimValue { claim: "any" },
        Denial::WrongAudience,
        Denial::Expired { at, client: None },
        Denial::NotYetValid,
        Denial::IssuedInFuture,
        Denial::LifetimeTooLong,
        Denial::UnknownToken,
        Denial::NotAdopted,
        Denial::OtherTokenOfKnownId,
        Denial::OtherSubject { client: named() },
        Denial::Revoked { at, client: named() },
        Denial::Replaced { at, client: named() },
        Denial::ClientDisabled { client: named() },
        Denial::JwtRequired,
        Denial::WrongSharedSecret,
        Denial::GraceOver { at },
        Denial::FirstFrame(FirstFrameFault::NotJson),
    ];
    causes.iter().find(|denial| denial.code() == code).and_then(|denial| class_of(denial).name)
}
