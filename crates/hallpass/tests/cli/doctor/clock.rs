//! A clock that is behind, and one that ran ahead.

use super::scene::{doctor, mends, placed, read, tool, typed};
use crate::faketime::Clock;
use hallpass_core::{Event, Outcome, UnixTime};

const DAY: i64 = 86_400;

#[tokio::test]
async fn a_clock_that_is_behind() {
    let stage = placed().await;
    stage.hallpass.must(&["disable", "ann", "--reason", "away"]).await;
    let Some(clock) = Clock::of(&stage.hallpass) else { return };
    clock.set(-3 * DAY);
    let said = read(&clock.run(&stage.hallpass, &["doctor", "--json"]).await);
    assert_eq!(said.short()[0], "clock_behind error - -", "{said:#?}");
    let mend = said.findings[0]["mend"].as_str().expect("a command");
    assert_eq!(mend, "sudo timedatectl set-ntp true");
    // The clock is the test's.
    tool(&stage, "timedatectl", "echo +0 > clock");
    let ended = stage.hallpass.finish(typed(&stage, mend)).await;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let rest = read(&clock.run(&stage.hallpass, &["doctor", "--json"]).await);
    assert_eq!(rest.short(), Vec::<String>::new(), "{rest:#?}");
}

#[tokio::test]
async fn what_is_noted_next_says_that_the_clock_is_right() {
    let stage = placed().await;
    stage.hallpass.must(&["disable", "ann", "--reason", "away"]).await;
    let ahead = crate::grace::now() + 3 * DAY;
    stage.log(&[Event::new(ahead * 1000, "register", Outcome::Done)]).await;
    let said = doctor(&stage).await;
    assert_eq!(said.short(), ["clock_behind error - -"]);
    assert!(said.says().contains(&UnixTime::from_seconds(ahead).to_string()), "{said:#?}");
    stage.hallpass.must(&["rotate", "bob", "--yes"]).await;
    assert_eq!(doctor(&stage).await.short(), Vec::<String>::new());
}

#[tokio::test]
async fn a_clock_that_ran_ahead_during_a_grace_period() {
    let stage = placed().await;
    stage.hallpass.must(&["disable", "ann", "--reason", "away"]).await;
    stage.hallpass.write("secret", "Zt4kqW9xLm2v-b7nYc5sHd8pJf3gQ\n");
    let start = ["grace", "start", "--until", "14d", "--secret-file", "secret", "--yes"];
    stage.hallpass.must(&start).await;
    let store = stage.store().await.expect("the store");
    let row = store.grace().await.expect("a row").expect("a period");
    store.note_grace_seen(row.period, row.until.plus(60)).await.expect("a time");
    store.close().await;
    mends(&stage, "grace_ahead warning - -").await;
}
