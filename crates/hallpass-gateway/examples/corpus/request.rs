//! Cases as the bytes of requests, and the tokens in them. Sends nothing.

use crate::file::{HttpConfig, HttpRequest};

/// The call that makes a request one of MCP, where the case does not say otherwise.
const BODY: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// Whether a header can carry this text as it is. Blanks at the ends are not part of a header's value, and a line
/// break ends it.
pub(crate) fn can_carry(value: &[u8]) -> bool {
    let is_text = |byte: &u8| !byte.is_ascii_control() || *byte == b'\t';
    let is_blank = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b' ' | b'\t'));
    value.iter().all(is_text) && !is_blank(value.first()) && !is_blank(value.last())
}

/// A call with this token.
pub(crate) fn with_token(host: &str, token: &[u8]) -> Vec<u8> {
    let mut request = format!("POST /mcp HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer ").into_bytes();
    request.extend_from_slice(token);
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(rest("POST", |_| false).as_bytes());
    request
}

/// The request of an `http` case.
pub(crate) fn of(case: &HttpRequest, config: &HttpConfig) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\n", case.method, target(&case.target, &config.path));
    for (name, value) in &case.headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    let has = |wanted: &str| case.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    (head + &rest(&case.method, has)).into_bytes()
}

/// The file's path of the only server is `/mcp` here.
fn target(target: &str, path: &str) -> String {
    match target.strip_prefix(path) {
        Some(rest) if rest.is_empty() || rest.starts_with('?') => format!("/mcp{rest}"),
        Some(_) | None => target.to_owned(),
    }
}

fn rest(method: &str, has: impl Fn(&str) -> bool) -> String {
    if method != "POST" || has("content-length") || has("transfer-encoding") {
        return "\r\n".to_owned();
    }
    let media_type = if has("content-type") { "" } else { "Content-Type: application/json\r\n" };
    format!("{media_type}Content-Length: {}\r\n\r\n{BODY}", BODY.len())
}

/// The values of the `Authorization` headers.
pub(crate) fn authorization(case: &HttpRequest) -> Vec<&str> {
    let of_name = case.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    of_name.map(|(_, value)| value.as_str()).collect()
}

/// Everything in the request that has the form of a token, headers first, each once.
pub(crate) fn tokens(case: &HttpRequest) -> Vec<&str> {
    tokens_in(case.headers.iter().map(|(_, value)| value.as_str()).chain([case.target.as_str()]))
}

/// Everything in these texts that has the form of a token, each once.
pub(crate) fn tokens_in<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut tokens = Vec::new();
    for run in texts.flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c))) {
        if run.matches('.').count() == 2 && run.len() > 40 && !tokens.contains(&run) {
            tokens.push(run);
        }
    }
    tokens
}

/// What must not be seen anywhere else: tokens, the values of headers that are there to carry them, and the query.
pub(crate) fn secrets(case: &HttpRequest) -> Vec<&str> {
    let closed = ["authorization", "proxy-authorization", "cookie"];
    let is_closed = |name: &str| closed.iter().any(|closed| name.eq_ignore_ascii_case(closed));
    let values = case.headers.iter().filter(|(name, _)| is_closed(name)).map(|(_, value)| value.as_str());
    let query = case.target.split_once('?').map(|(_, query)| query);
    tokens(case).into_iter().chain(values).chain(query).collect()
}
