//! Which header fields cross the gateway. Everything end-to-end does, except what names or authenticates somebody.

use http::{HeaderMap, HeaderName, header};

/// Takes out of a request what the server must not be shown or told by a client.
pub(crate) fn strip_request(headers: &mut HeaderMap) {
    strip(headers, is_never_sent);
}

/// Takes out of an answer what is the server's and the gateway's own business.
pub(crate) fn strip_answer(headers: &mut HeaderMap) {
    strip(headers, is_never_returned);
}

fn strip(headers: &mut HeaderMap, never: fn(&str) -> bool) {
    let named = named_by_connection(headers);
    let doomed: Vec<HeaderName> =
        headers.keys().filter(|name| never(name.as_str()) || named.contains(name)).cloned().collect();
    for name in &doomed {
        headers.remove(name);
    }
}

/// What `Connection` names is for the next hop only (RFC 9110 section 7.6.1).
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !name.eq_ignore_ascii_case("keep-alive") && !name.eq_ignore_ascii_case("close"))
        .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
        .collect()
}

fn is_never_sent(name: &str) -> bool {
    // Some programs behind us take an underscore for a hyphen.
    if name.contains('_') {
        let taken_for = name.replace('_', "-");
        return is_looked_at(&taken_for) || is_never_sent(&taken_for);
    }
    is_hop_by_hop(name)
        || matches!(
            name,
            "authorization" | "cookie" | "cookie2" | "dpop" | "host" | "origin" | "referer" | "expect"
        )
        || matches!(
            name,
            "forwarded" | "x-real-ip" | "x-client-ip" | "x-cluster-client-ip" | "true-client-ip" | "via"
        )
        || ["hallpass-", "x-forwarded-", "x-original-", "x-rewrite-"]
            .into_iter()
            .any(|prefix| name.starts_with(prefix))
}

/// What is decided on here, or bound to its caller, under this spelling alone.
fn is_looked_at(name: &str) -> bool {
    matches!(name, "mcp-session-id" | "mcp-protocol-version" | "mcp-method" | "mcp-name")
}

fn is_never_returned(name: &str) -> bool {
    is_hop_by_hop(name)
        || matches!(name, "set-cookie" | "set-cookie2" | "www-authenticate" | "authentication-info")
        || name.starts_with("access-control-")
        || name.starts_with("hallpass-")
}

/// `Content-Length` is no hop's own, but what we send is framed by us.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
            | "content-length"
    ) || name.starts_with("proxy-")
}

#[cfg(test)]
mod tests {
    use super::{strip_answer, strip_request};
    use http::{HeaderMap, HeaderName, HeaderValue};

    fn map(names: &[&'static str]) -> HeaderMap {
        let value = HeaderValue::from_static("x");
        names.iter().map(|name| (HeaderName::from_static(name), value.clone())).collect()
    }

    #[test]
    fn what_could_speak_for_somebody_is_taken_out_of_requests() {
        let mut headers = map(&[
            "authorization",
            "cookie",
            "proxy-authorization",
            "dpop",
            "forwarded",
            "x-forwarded-for",
            "x-real-ip",
            "x_forwarded_for",
            "hallpass-client",
            "hallpass_client",
            "hallpass_assertion",
            "origin",
            "te",
            "content-length",
            "x-secret",
            "accept",
            "mcp-session-id",
            "mcp-param-x",
            "mcp-param-of_a_tool",
            "mcp_session_id",
            "mcp-session_id",
            "mcp_protocol_version",
            "mcp_method",
            "mcp_name",
            "last-event-id",
            "traceparent",
        ]);
        headers.append("connection", HeaderValue::from_static("close, X-Secret"));
        headers.append("connection", HeaderValue::from_static("authorization"));
        strip_request(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        let expected = [
            "accept",
            "last-event-id",
            "mcp-param-of_a_tool",
            "mcp-param-x",
            "mcp-session-id",
            "traceparent",
        ];
        assert_eq!(left, expected);
    }

    #[test]
    fn what_could_bind_the_caller_to_the_server_is_taken_out_of_answers() {
        let mut headers = map(&[
            "set-cookie",
            "www-authenticate",
            "access-control-allow-origin",
            "hallpass-request-id",
            "keep-alive",
            "transfer-encoding",
            "content-type",
            "retry-after",
            "allow",
            "x-accel-buffering",
            "mcp-session-id",
        ]);
        strip_answer(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["allow", "content-type", "mcp-session-id", "retry-after", "x-accel-buffering"]);
    }
}
