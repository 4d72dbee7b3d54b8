//! What a request waits for, by its head and its message. Judges nobody.

use crate::mirror;
use crate::relay::Kind;
use hallpass_core::Envelope;
use hallpass_core::tool_sieve::Expected;
use http::request::Parts;

/// What a request waits for, and what that costs.
pub(crate) struct Wants {
    pub(crate) kind: Kind,
    /// What is known of the answer.
    pub(crate) expected: Expected,
    /// It counts for rates and for calls in flight.
    pub(crate) counts: bool,
    /// It says which program begins a session.
    pub(crate) introduces: bool,
}

impl Wants {
    pub(crate) fn of(head: &Parts, envelope: Option<&Envelope<'_>>) -> Self {
        let method = envelope.and_then(|envelope| envelope.method.as_deref());
        let expected = Expected {
            // On a stream that is resumed, the answer to any request may come.
            list: envelope.is_none() || method == Some("tools/list"),
            caches: envelope.is_some_and(|envelope| mirror::is_modern(&head.headers, envelope)),
        };
        Self {
            kind: Kind::of(&head.method, envelope),
            expected,
            counts: envelope.is_some_and(counts),
            introduces: method == Some("initialize"),
        }
    }
}

/// Whether a message spends of a rate and takes a place in flight: whatever asks the server for something, whether it
/// waits for the answer or not. Not notifications, not answers, not streams that only listen.
pub(crate) fn counts(envelope: &Envelope<'_>) -> bool {
    match envelope.method.as_deref() {
        None | Some("subscriptions/listen") => false,
        Some(method) => envelope.id.is_some() || !method.starts_with("notifications/"),
    }
}
