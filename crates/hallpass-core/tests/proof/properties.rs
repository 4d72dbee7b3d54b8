//! Made-up headers, claims, key sets and headers of requests, near enough to good ones to be accepted now and then.

use crate::property::{self, KID, NOW};
use proptest::prelude::*;

/// A value in JSON: what belongs in some claim, and what does not.
fn value() -> impl Strategy<Value = String> {
    let times = [-61, -60, -1, 0, 1, 59, 60, 61, 3600, 400 * 86_400].map(|offset| (NOW + offset).to_string());
    let odd = [
        "null",
        "true",
        "{}",
        "[]",
        "[\"a\"]",
        "[\"b\",\"a\"]",
        "[\"a\",1]",
        "-1",
        "0",
        "1e3",
        "1795395600.5",
        "1.7953956e9",
        "1e400",
        "253402300799",
        "253402300800",
        "\"1795395600\"",
        "\"\"",
        "\" \"",
        "\"a \"",
        "\"\\u0061\"",
        "\"\\ud800\"",
        "\"\\u0000\"",
        "{\"a\":1,\"a\":2}",
        "[[[[]]]]",
    ];
    let good =
        ["\"i\"", "\"a\"", "\"s\"", "\"x-1\"", "\"HS256\"", "\"JWT\"", "\"at+jwt\"", "\"k\"", "\"none\""];
    prop_oneof![
        3 => proptest::sample::select(times.to_vec()),
        2 => proptest::sample::select(odd.map(str::to_owned).to_vec()),
        3 => proptest::sample::select(good.map(str::to_owned).to_vec()),
        1 => "\\PC{0,8}".prop_map(|text| serde_json::Value::from(text).to_string()),
    ]
}

/// An object with these members, of which some are changed, added, doubled or left out.
fn object(
    members: Vec<(&'static str, String)>,
    names: &'static [&'static str],
) -> impl Strategy<Value = String> {
    let extra = proptest::collection::vec((proptest::sample::select(names), value()), 0..3);
    let dropped = proptest::option::weighted(0.2, any::<proptest::sample::Index>());
    let replace = any::<bool>();
    (extra, dropped, replace).prop_map(move |(extra, dropped, replace)| {
        let mut all = members.clone();
        if let Some(index) = dropped {
            all.remove(index.index(all.len()));
        }
        for (name, value) in extra {
            if replace {
                all.retain(|(known, _)| *known != name);
            }
            all.push((name, value));
        }
        let members: Vec<_> = all.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

fn header() -> impl Strategy<Value = String> {
    let members = vec![("alg", "\"HS256\"".into()), ("typ", "\"JWT\"".into()), ("kid", format!("\"{KID}\""))];
    object(
        members,
        &["alg", "typ", "kid", "cty", "crit", "b64", "jku", "jwk", "x5t", "zip", "\\u0061lg", "Alg"],
    )
}

fn claims() -> impl Strategy<Value = String> {
    let text = |text: &str| format!("\"{text}\"");
    let members = vec![
        ("iss", text("i")),
        ("aud", text("a")),
        ("sub", text("s")),
        ("jti", text("x-1")),
        ("iat", (NOW - 60).to_string()),
        ("exp", (NOW + 3600).to_string()),
    ];
    object(members, &["iss", "aud", "sub", "jti", "iat", "exp", "nbf", "client_id", "scope", "\\u0065xp"])
}

/// Claims in the order in which they are minted, now and then with a value that does not belong there.
fn minted_claims() -> impl Strategy<Value = String> {
    let or_odd = |good: &str| prop_oneof![9 => Just(good.to_owned()), 1 => value()];
    let text = |text: &str| or_odd(&format!("\"{text}\""));
    let texts = (text("s"), text("i"), text("a"), text("x-1"), text("ann"));
    let times = (or_odd(&(NOW - 60).to_string()), or_odd(&(NOW + 3600).to_string()));
    (texts, times).prop_map(|((sub, iss, aud, jti, client_id), (iat, exp))| {
        format!(
            r#"{{"sub":{sub},"iss":{iss},"aud":{aud},"iat":{iat},"exp":{exp},"jti":{jti},"client_id":{client_id}}}"#
        )
    })
}

/// The header as it is minted.
const MINTED_HEADER: &str = r#"{"kid":"k","alg":"HS256","typ":"JWT"}"#;

fn noise(text: String, noise: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = text.into_bytes();
    for (place, byte) in noise {
        let place = place % (bytes.len() + 1);
        bytes.splice(place..(place + usize::from(byte % 2)).min(bytes.len()), [*byte]);
    }
    bytes
}

fn some_noise() -> impl Strategy<Value = Vec<(usize, u8)>> {
    prop_oneof![3 => Just(Vec::new()), 1 => proptest::collection::vec(any::<(usize, u8)>(), 1..4)]
}

/// Of a JWK.
const MEMBERS: &[&str] = &["kty", "crv", "alg", "kid", "use", "key_ops", "x", "y", "d", "k", "x5c", "extra"];

fn jwk() -> impl Strategy<Value = String> {
    let text = |text: &str| format!("\"{text}\"");
    let public = vec![
        ("kty", text("OKP")),
        ("crv", text("Ed25519")),
        ("alg", text("EdDSA")),
        ("kid", text("x-1")),
        ("x", text("vH1omfrva_99URcwbvAEftBHyfeKlfHdEVYEGnn-0II")),
    ];
    let secret = vec![
        ("kty", text("oct")),
        ("alg", text("HS256")),
        ("kid", text("s-1")),
        ("k", text("WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo")),
    ];
    prop_oneof![object(public, MEMBERS), object(secret, MEMBERS)]
}

/// A frame of the hello dialect, or nearly.
fn frame() -> impl Strategy<Value = String> {
    const MEMBERS: &[&str] =
        &["op", "jwt", "token", "session_id", "request_id", "name", "jsonrpc", "id", "method", "JWT"];
    let text =
        prop_oneof!["\"(hello|call_tool|list_tools|initialize|a.b.c|2.0)\"".prop_map(String::from), value(),];
    let member =
        (prop::sample::select(MEMBERS), text).prop_map(|(name, value)| format!("\"{name}\":{value}"));
    let op = prop::sample::select(&["\"op\":\"hello\"", "\"op\":\"call_tool\"", "\"jsonrpc\":\"2.0\""][..]);
    (op, proptest::collection::vec(member, 0..4))
        .prop_map(|(op, members)| format!("{{{}}}", [vec![op.to_owned()], members].concat().join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_accepted_token_reads_the_same_for_everybody(
        header in header(), claims in claims(), first in some_noise(), second in some_noise()
    ) {
        property::token(&[noise(header, &first), noise(claims, &second)].join(&b'\n'));
    }

    #[test]
    fn what_is_minted_or_nearly_so_reads_the_same_for_everybody(
        claims in minted_claims(), first in some_noise(), second in some_noise()
    ) {
        property::token(&[noise(MINTED_HEADER.to_owned(), &first), noise(claims, &second)].join(&b'\n'));
    }

    #[test]
    fn an_accepted_encoding_reads_the_same_for_everybody(header in header(), claims in claims(), odd in some_noise()) {
        use hallpass_core::encoding::base64url;
        let text = format!("{}\n{}", base64url(header.as_bytes()), base64url(claims.as_bytes()));
        property::token(&noise(text, &odd));
    }

    #[test]
    fn a_loaded_set_reads_the_same_for_everybody(
        keys in proptest::collection::vec(jwk(), 0..3), odd in some_noise()
    ) {
        property::jwks(&noise(format!("{{\"keys\":[{}]}}", keys.join(",")), &odd));
    }

    #[test]
    fn a_frame_that_is_read_reads_the_same_for_everybody(frame in frame(), odd in some_noise()) {
        property::first_frame(&noise(frame, &odd));
    }

    #[test]
    fn an_accepted_header_is_one_scheme_and_one_token(
        scheme in "[Bb][Ee]arer|Basic|bearer:|", blank in "[ \\t]{0,3}", token in "[A-Za-z0-9._~+/=-]{0,20}[ ,\"\u{e9}]?", odd in some_noise()
    ) {
        property::authorization(&noise(format!("{scheme}{blank}{token}"), &odd));
    }
}

#[test]
fn the_properties_are_reached() {
    let good = format!(
        r#"{{"alg":"HS256"}}{}{{"iss":"i","aud":"a","sub":"s","jti":"x","iat":{NOW},"exp":{}}}"#,
        '\n',
        NOW + 9
    );
    assert!(property::token(good.as_bytes()));
    let minted = format!(
        r#"{MINTED_HEADER}{}{{"sub":"s","iss":"i","aud":"a","iat":{NOW},"exp":{},"jti":"x","client_id":"ann"}}"#,
        '\n',
        NOW + 9
    );
    assert!(property::token(minted.as_bytes()));
    assert!(property::jwks(br#"{"keys":[{"kty":"oct","alg":"HS256","kid":"s","k":"WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo"}]}"#));
    assert!(property::authorization(b"Bearer a.b.c"));
    assert!(property::first_frame(br#"{"op":"hello","jwt":"a.b.c"}"#));
    assert!(property::first_frame(br#"{"op":"call_tool","name":"a","request_id":"r"}"#));
    assert!(!property::token(b"") && !property::jwks(b"") && !property::authorization(b""));
}
