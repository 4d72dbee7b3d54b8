//! Takes credentials out of what callers say: tokens, what follows `Bearer`, the shared secret of a grace period. What other
//! secrets there are in the world it cannot know.

use crate::output::without_tokens;
use hallpass_core::Event;
use std::borrow::Cow;

const BEARER: &str = "bearer";
/// What follows `Bearer` and is shorter is a word.
const CREDENTIAL_LEAST: usize = 12;
/// The shared secret is looked for only in words that are as long. A shorter one is a word like others.
const SECRET_LEAST: usize = 8;

/// What a caller says may be a credential, pasted into the wrong place. `is_shared` knows the shared secret.
pub(super) fn hide(event: &mut Event, is_shared: &dyn Fn(&str) -> bool) {
    let Event { user_agent, client_info, session, tool, method, arguments, .. } = event;
    if event.arguments_cut
        && let Some(text) = arguments
    {
        // Half a secret is not known for one.
        text.truncate(text.rfind(ends_a_word).map_or(0, |end| end + 1));
    }
    for text in [user_agent, client_info, session, tool, method, arguments].into_iter().flatten() {
        if let Cow::Owned(shown) = shown(text, is_shared) {
            *text = shown;
        }
    }
    if let Some(hashes) = &mut event.arguments_hash {
        // Such a name is hashed with the others, and has no hash by which it would be named.
        hashes.values.retain(|name, _| matches!(shown(name, is_shared), Cow::Borrowed(_)));
    }
}

fn shown<'a>(text: &'a str, is_shared: &dyn Fn(&str) -> bool) -> Cow<'a, str> {
    let mut shown = Cow::Borrowed(text);
    if text.contains("eyJ") {
        shown = Cow::Owned(without_tokens(text));
    }
    for secret in secrets(&shown, is_shared).into_iter().map(str::to_owned).collect::<Vec<_>>() {
        shown = Cow::Owned(shown.replace(&secret, "(a secret)"));
    }
    shown
}

/// What follows `Bearer`, and the shared secret wherever it stands between blanks, quotes or signs.
fn secrets<'a>(text: &'a str, is_shared: &dyn Fn(&str) -> bool) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut before = "";
    for word in text.split(ends_a_word).filter(|word| !word.is_empty()) {
        if is_bearer(before) && word.len() >= CREDENTIAL_LEAST {
            found.push(word);
        } else {
            found.extend(parts(word).find(|part| part.len() >= SECRET_LEAST && is_shared(part)));
        }
        before = word;
    }
    found
}

fn ends_a_word(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`' | '\\')
}

/// `Bearer`, or what ends so: `Authorization=Bearer`.
fn is_bearer(word: &str) -> bool {
    word.len()
        .checked_sub(BEARER.len())
        .and_then(|start| word.get(start..))
        .is_some_and(|end| end.eq_ignore_ascii_case(BEARER))
}

/// The word, what is between signs in it, and what is behind the first `=` of that: a secret may end with one. Then what
/// stands between slashes, before the end of a sentence, and between signs that a secret may well hold: those come last.
fn parts(word: &str) -> impl Iterator<Item = &str> {
    let between = word.split([',', ';', ':', '(', ')', '<', '>', '{', '}', '[', ']', '&', '?']);
    let behind = between.clone().filter_map(|part| Some(part.split_once('=')?.1));
    let whole = std::iter::once(word).chain(between).chain(behind);
    let all = whole.clone().chain(whole.flat_map(|part| part.split('/')));
    let trimmed = all.clone().map(|part| part.trim_matches(['.', '!', '*', '_', '~']));
    let split = all.clone().flat_map(|part| part.split(['@', '#', '|', '%', '!', '$', '^', '*', '~']));
    all.chain(trimmed).chain(split)
}

#[cfg(test)]
mod tests {
    use super::{hide, shown};
    use hallpass_core::arguments::ArgumentHashes;
    use hallpass_core::{Event, Outcome};

    const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";
    const SECRET: &str = "q7/Vd2mXw9Lr4==";

    fn is_shared(text: &str) -> bool {
        [SECRET, "without-slashes"].contains(&text)
    }

    #[test]
    fn no_credential_stays_in_what_a_caller_sent() {
        for (said, kept) in [
            (
                "{\"a\":\"TOKEN\",\"b\":[\"Bearer TOKEN\"]}",
                "{\"a\":\"(a token)\",\"b\":[\"Bearer (a token)\"]}",
            ),
            ("{\"a\":\"say SECRET, please\"}", "{\"a\":\"say (a secret), please\"}"),
            ("SECRET", "(a secret)"),
            ("curl/8 (SECRET)", "curl/8 ((a secret))"),
            ("EXAI_WS_TOKEN=SECRET;x", "EXAI_WS_TOKEN=(a secret);x"),
            ("bearer 0123456789ab SECRETx", "bearer (a secret) SECRETx"),
            ("a=Bearer 0123456789ab/x", "a=Bearer (a secret)"),
            ("without-slashes/without-slashes", "(a secret)/(a secret)"),
            ("SECRET:SECRET", "(a secret):(a secret)"),
            ("https://u:SECRET@host/x", "https://u:(a secret)@host/x"),
            ("it is SECRET.", "it is (a secret)."),
            ("x?token=without-slashes#part", "x?token=(a secret)#part"),
            ("SECRET|x", "(a secret)|x"),
            ("?a=without-slashes%20", "?a=(a secret)%20"),
            ("the bearer of news, Bearer: x", "the bearer of news, Bearer: x"),
        ] {
            let with = |text: &str| text.replace("TOKEN\"", &format!("{TOKEN}\"")).replace("SECRET", SECRET);
            assert_eq!(shown(&with(said), &is_shared), with(kept));
        }
    }

    #[test]
    fn a_text_that_was_cut_ends_before_a_word() {
        let mut event = Event::new(0, "call", Outcome::Ok);
        event.arguments = Some(format!("{{\"a\":\"x {}", &SECRET[..13]));
        event.arguments_cut = true;
        hide(&mut event, &is_shared);
        assert_eq!(event.arguments.as_deref(), Some("{\"a\":\"x "));
    }

    #[test]
    fn every_text_of_a_caller_is_looked_at_and_no_name_of_an_argument_is_kept() {
        let mut event = Event::new(0, "call", Outcome::Ok);
        let said = || Some(format!("{TOKEN} {SECRET}"));
        (event.user_agent, event.client_info, event.session) = (said(), said(), said());
        (event.tool, event.method, event.arguments) = (said(), said(), said());
        let names = [TOKEN, SECRET, "path"].map(|name| (name.to_owned(), "0".repeat(32)));
        event.arguments_hash = Some(ArgumentHashes { whole: "0".repeat(32), values: names.into() });
        hide(&mut event, &is_shared);
        let line = event.json_line();
        assert!(!line.contains(TOKEN) && !line.contains(SECRET), "{line}");
        assert_eq!(line.matches("(a token) (a secret)").count(), 6, "{line}");
        assert_eq!(event.arguments_hash.unwrap().values.into_keys().collect::<Vec<_>>(), ["path"]);
    }
}
