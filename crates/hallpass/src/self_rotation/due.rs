//! Which tokens are old enough to be followed by another, and who does it. Knows no clock and no store.

use hallpass_core::roster::Rotate;
use hallpass_core::{TokenDigest, UnixTime};
use hallpass_store::{AgeingToken, TokenRead};

/// The longest time between two looks, in seconds: another process may have issued tokens that live shorter.
pub(super) const LOOK_MOST: i64 = 60;

/// What there is to do now.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Todo<'a> {
    /// These get a successor.
    pub(super) rotate: Vec<&'a AgeingToken>,
    /// Of these a person is told.
    pub(super) tell: Vec<&'a AgeingToken>,
    /// When the next of the others is due.
    pub(super) next: Option<UnixTime>,
}

/// Decides about the tokens that are past the half of their lives.
pub(super) fn decide(tokens: &[AgeingToken], rotate: Rotate, now: UnixTime) -> Todo<'_> {
    let mut todo = Todo::default();
    for token in tokens {
        let by_itself = rotates_by_itself(token, rotate);
        let due = if by_itself { due(token) } else { two_thirds(token) };
        if due > now {
            todo.next = Some(todo.next.map_or(due, |next| next.min(due)));
        } else if by_itself {
            todo.rotate.push(token);
        } else if !token.end_told {
            todo.tell.push(token);
        }
    }
    todo
}

/// Where whoever uses the token reads it anew each time.
fn rotates_by_itself(token: &AgeingToken, rotate: Rotate) -> bool {
    match (rotate, token.placed) {
        (Rotate::Auto, Some(TokenRead::Afresh)) => true,
        (Rotate::Auto, Some(TokenRead::AtStart) | None) | (Rotate::Never, _) => false,
    }
}

/// Two thirds of its life, give or take a tenth: tokens that were issued together are not rotated together. The same at
/// every look, because it comes from the `jti`.
fn due(token: &AgeingToken) -> UnixTime {
    let life = token.expires_at.since(token.issued_at);
    let dice = TokenDigest::of(&token.jti).to_hex();
    let dice = i64::from_str_radix(&dice[..4], 16).unwrap_or_default();
    two_thirds(token).plus(life * (dice % 2001 - 1000) / 10_000)
}

fn two_thirds(token: &AgeingToken) -> UnixTime {
    token.issued_at.plus(token.expires_at.since(token.issued_at) * 2 / 3)
}

/// Seconds until the next look. What was due and could not be done is tried again within a tenth of the time it has left.
pub(super) fn pause(next: Option<UnixTime>, left_undone: Option<UnixTime>, now: UnixTime) -> i64 {
    let next = next.map_or(LOOK_MOST, |next| next.since(now));
    let again = left_undone.map_or(LOOK_MOST, |expires_at| expires_at.since(now) / 10);
    next.min(again).clamp(1, LOOK_MOST)
}

#[cfg(test)]
mod tests {
    use super::{LOOK_MOST, Todo, decide, due, pause};
    use hallpass_core::roster::Rotate;
    use hallpass_core::{ClientName, UnixTime};
    use hallpass_store::{AgeingToken, TokenRead};

    const ISSUED: UnixTime = UnixTime::from_seconds(1_795_392_000);
    const DAY: i64 = 86_400;

    fn token(jti: &str, placed: Option<TokenRead>) -> AgeingToken {
        AgeingToken {
            jti: jti.into(),
            client: ClientName::new("claude").unwrap(),
            issued_at: ISSUED,
            expires_at: ISSUED.plus(90 * DAY),
            placed,
            end_told: false,
        }
    }

    #[test]
    fn it_is_due_at_two_thirds_give_or_take_a_tenth_and_always_at_the_same_time() {
        let all: Vec<i64> =
            (0..2000).map(|number| due(&token(&format!("j{number}"), None)).since(ISSUED)).collect();
        let (first, last) = (all.iter().min().unwrap(), all.iter().max().unwrap());
        assert!((51 * DAY..52 * DAY).contains(first), "{first}");
        assert!((68 * DAY..69 * DAY).contains(last) || *last == 69 * DAY, "{last}");
        let early = all.iter().filter(|due| **due < 60 * DAY).count();
        assert!((900..1100).contains(&early), "{early} of 2000 before two thirds");
        assert_eq!(due(&token("j7", None)).since(ISSUED), all[7]);
    }

    #[test]
    fn what_is_read_without_a_restart_is_rotated_and_of_the_rest_a_person_is_told() {
        let bridge = token("a", Some(TokenRead::Afresh));
        let variable = token("b", Some(TokenRead::AtStart));
        let printed = token("c", None);
        let told = AgeingToken { end_told: true, ..printed.clone() };
        let tokens = [bridge.clone(), variable.clone(), printed.clone(), told];
        let late = ISSUED.plus(75 * DAY);
        let todo = decide(&tokens, Rotate::Auto, late);
        assert_eq!(todo, Todo { rotate: vec![&bridge], tell: vec![&variable, &printed], next: None });
        let todo = decide(&tokens, Rotate::Never, late);
        assert_eq!(todo, Todo { rotate: vec![], tell: vec![&bridge, &variable, &printed], next: None });
    }

    #[test]
    fn nothing_is_done_before_it_is_due_and_the_next_time_is_known() {
        let bridge = token("a", Some(TokenRead::Afresh));
        let variable = token("b", Some(TokenRead::AtStart));
        let tokens = [bridge.clone(), variable.clone()];
        let (at, two_thirds) = (due(&bridge), ISSUED.plus(60 * DAY));
        let early = ISSUED.plus(45 * DAY);
        let todo = decide(&tokens, Rotate::Auto, early);
        assert_eq!(todo, Todo { rotate: vec![], tell: vec![], next: Some(at.min(two_thirds)) });
        let only = std::slice::from_ref(&bridge);
        assert_eq!(decide(only, Rotate::Auto, at.plus(-1)).rotate, Vec::<&AgeingToken>::new());
        assert_eq!(decide(only, Rotate::Auto, at).rotate, [&bridge]);
        assert_eq!(decide(&tokens[1..], Rotate::Auto, two_thirds.plus(-1)).tell, Vec::<&AgeingToken>::new());
        assert_eq!(decide(&tokens[1..], Rotate::Auto, two_thirds).tell, [&variable]);
    }

    #[test]
    fn the_next_look_is_in_a_minute_or_when_something_is_due() {
        let now = ISSUED;
        for (next, left_undone, expect) in [
            (None, None, LOOK_MOST),
            (Some(DAY), None, LOOK_MOST),
            (Some(7), None, 7),
            (Some(-7), None, 1),
            (None, Some(30 * DAY), LOOK_MOST),
            (None, Some(20), 2),
            (Some(9), Some(20), 2),
            (None, Some(1), 1),
        ] {
            let at = |seconds: Option<i64>| seconds.map(|seconds| now.plus(seconds));
            assert_eq!(pause(at(next), at(left_undone), now), expect, "{next:?} {left_undone:?}");
        }
    }
}
