//! For any policy and any list: what is shown is what may be called, and nothing else is touched.

use crate::document::{Dice, LIST, Listing, data_of, may_call, policy, sieved, sieved_events};
use hallpass_core::policy::Effect;
use proptest::prelude::*;

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-c/_.*-]{0,5}",
        1 => "\\PC{0,8}",
        1 => any::<String>(),
        1 => prop::sample::select(vec!["a\u{2028}b", "\u{0}", "a\"b\\", "e\u{301}", "\u{e9}", "\u{1f980}"])
            .prop_map(str::to_owned),
    ]
}

fn rule() -> impl Strategy<Value = String> {
    let server = prop::sample::select(vec!["docs", "*", "d*", "files", "*s"]);
    let tool = prop_oneof![1 => Just(None), 4 => "[a-c/_.*-]{1,5}".prop_map(Some)];
    let effect = prop::sample::select(vec!["allow", "deny"]);
    (effect, server, tool).prop_map(|(effect, server, tool)| match tool {
        Some(tool) => format!("{effect} {server}/{tool}"),
        None => format!("{effect} {server}"),
    })
}

fn lists() -> impl Strategy<Value = (Vec<String>, Effect, Vec<String>, u64, usize)> {
    let default = prop::sample::select(vec![Effect::Allow, Effect::Deny]);
    let rules = prop::collection::vec(rule(), 0..6);
    let names = prop::collection::vec(name(), 0..7);
    (rules, default, names, any::<u64>(), 1..200_usize)
}

/// What is likely to turn one structure into another.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![4 => prop::sample::select(b"{}[]\":,\\ \n".to_vec()), 1 => 0x20..0x7f_u8]
}

/// What a careless reader finds in a document.
fn messages(text: &str) -> Vec<serde_json::Value> {
    match serde_json::from_str(text) {
        Ok(serde_json::Value::Array(messages)) => messages,
        Ok(message) => vec![message],
        Err(_) => Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_shown_is_what_may_be_called((rules, default, names, seed, piece) in lists()) {
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        let policy = policy(&rules, default);
        let listing = Listing::of(&names, &mut Dice::new(seed));
        let left = listing.left(|name| may_call(&policy, name));
        let text = listing.text();
        prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&left).is_ok(), "{}", left);
        prop_assert_eq!(sieved(&policy, LIST, text.as_bytes(), piece).unwrap(), left.clone());
        for end in ["\n", "\r\n", "\r"] {
            let out = sieved_events(&policy, LIST, listing.event(end).repeat(2).as_bytes(), piece).unwrap();
            let same: String = left.lines().collect::<Vec<_>>().join("\n");
            prop_assert_eq!(data_of(&out), vec![same.clone(), same]);
        }
    }

    #[test]
    fn a_policy_that_shows_all_changes_no_byte((_, _, names, seed, piece) in lists()) {
        let policy = policy(&["allow docs/*"], Effect::Deny);
        let listing = Listing::of(&names, &mut Dice::new(seed));
        let (text, event) = (listing.text(), listing.event("\r\n"));
        prop_assert_eq!(sieved(&policy, LIST, text.as_bytes(), piece).unwrap(), text);
        prop_assert_eq!(sieved_events(&policy, LIST, event.as_bytes(), piece).unwrap(), event);
    }

    #[test]
    fn a_damaged_list_shows_no_more(
        (rules, default, names, seed, piece) in lists(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), byte()), 1..5),
    ) {
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        let policy = policy(&rules, default);
        let mut text = Listing::of(&names, &mut Dice::new(seed)).text().into_bytes();
        for (place, byte) in damage {
            let place = place.index(text.len());
            text[place] = byte;
        }
        let Ok(text) = String::from_utf8(text) else { return Ok(()) };
        let Ok(out) = sieved(&policy, LIST, text.as_bytes(), piece) else { return Ok(()) };
        for message in messages(&out) {
            for tool in message["result"]["tools"].as_array().into_iter().flatten() {
                let name = tool["name"].as_str().unwrap_or_default();
                prop_assert!(may_call(&policy, name), "{} shows {:?}", text, name);
            }
        }
    }

    #[test]
    fn nothing_is_lost_or_made_up_of_what_is_no_list(text in any::<Vec<u8>>(), piece in 1..50_usize) {
        let policy = policy(&[], Effect::Deny);
        let text = String::from_utf8_lossy(&text).into_owned();
        if let Ok(out) = sieved(&policy, LIST, text.as_bytes(), piece) {
            prop_assert_eq!(out, text.clone());
        }
        if let Ok(out) = sieved_events(&policy, LIST, text.as_bytes(), piece) {
            prop_assert_eq!(out, text);
        }
    }
}
