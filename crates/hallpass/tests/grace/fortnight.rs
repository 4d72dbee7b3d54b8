//! The built program for two weeks, under a clock that the test holds: twenty clients of all kinds, restarts in the middle,
//! the clock back by an hour, forward and back. The period ends once, and the report says what the test knows.

use crate::callers::{CALL, Caller, hello};
use crate::faketime::Clock;
use crate::house::House;
use crate::program::Serving;
use hallpass_core::UnixTime;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::timeout;

const SECRET: &str = "Zt4kqW9xLm2v-b7nYc5sHd8pJf3gQ";
const OPEN: &str = "/s/docs/mcp";
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// How far a time in the report may be from the day's instant: all of a day's calls are made within this.
const OF_A_DAY: i64 = HOUR;

/// On which days a client calls with its own token, and on which the secret is shown on its address.
struct Life {
    name: &'static str,
    token: &'static [i64],
    legacy: &'static [i64],
    /// It is cut off before it begins: it has no token in force.
    revoked: bool,
    /// Switched off on this day.
    disabled: Option<i64>,
    stands: &'static str,
}

const LIFE: Life =
    Life { name: "", token: &[], legacy: &[], revoked: false, disabled: None, stands: "silent" };

const LIVES: [Life; 20] = [
    Life { name: "at-once", token: &[0, 1, 2, 13], stands: "moved", ..LIFE },
    Life { name: "late-riser", token: &[12], stands: "moved", ..LIFE },
    Life { name: "on-holiday", token: &[0], stands: "moved", ..LIFE },
    Life { name: "after-a-day", token: &[1, 2, 3], legacy: &[0], stands: "moved", ..LIFE },
    Life { name: "after-a-week", token: &[8, 9, 13], legacy: &[0, 3, 7], stands: "moved", ..LIFE },
    Life { name: "just-now", token: &[13], legacy: &[0, 1, 12], stands: "moved", ..LIFE },
    Life { name: "both-to-the-end", token: &[2, 5, 13], legacy: &[1, 3, 13], stands: "both", ..LIFE },
    Life { name: "both-of-late", token: &[1], legacy: &[9], stands: "both", ..LIFE },
    Life { name: "went-back", token: &[3], legacy: &[1, 4, 12], stands: "both", ..LIFE },
    Life { name: "both-for-a-while", token: &[1, 13], legacy: &[0, 2, 5], stands: "moved", ..LIFE },
    Life { name: "both-on-one-day", token: &[2, 12], legacy: &[2], stands: "moved", ..LIFE },
    Life { name: "lazy-1", legacy: &[0, 1, 2, 3, 13], stands: "not_moved", ..LIFE },
    Life { name: "lazy-2", legacy: &[13], stands: "not_moved", ..LIFE },
    Life { name: "gone-quiet", legacy: &[0], stands: "not_moved", ..LIFE },
    Life { name: "no-token-1", legacy: &[6], revoked: true, stands: "not_moved", ..LIFE },
    Life { name: "no-token-2", legacy: &[2, 11], revoked: true, stands: "not_moved", ..LIFE },
    Life { name: "never-seen", ..LIFE },
    Life { name: "never-issued", revoked: true, ..LIFE },
    Life { name: "off-1", legacy: &[1], disabled: Some(5), stands: "disabled", ..LIFE },
    Life { name: "off-2", token: &[1, 2], legacy: &[0], disabled: Some(9), stands: "disabled", ..LIFE },
];

/// A house under a held clock, and its gateway.
struct World {
    house: House,
    clock: Clock,
    gateway: Option<Serving>,
    /// The real time at its beginning.
    began: i64,
    /// Requests that were answered.
    made: AtomicUsize,
}

impl World {
    async fn new() -> Option<Self> {
        let house = House::new("", &LIVES.map(|life| life.name)).await;
        let clock = Clock::of(&house.hallpass)?;
        let mut world =
            Self { house, clock, gateway: None, began: crate::house::now(), made: AtomicUsize::new(0) };
        world.must(&["init"]).await;
        world.must(&["apply", "--yes"]).await;
        for life in LIVES.iter().filter(|life| life.revoked) {
            world.must(&["revoke", life.name, "--reason", "lost"]).await;
        }
        world.house.hallpass.write("secret", SECRET);
        world.must(&["grace", "start", "--until", "14d", "--secret-file", "secret", "--yes"]).await;
        world.serve().await;
        Some(world)
    }

    async fn must(&self, arguments: &[&str]) -> String {
        self.clock.must(&self.house.hallpass, arguments).await
    }

    async fn serve(&mut self) {
        self.gateway = Some(self.clock.serve(&self.house.hallpass).await);
    }

    async fn stop(&mut self) {
        let outcome = self.gateway.take().expect("a gateway").terminate().await;
        assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    }

    /// The log takes calls in groups, a moment after their answers: what `kill -9` meets before that is lost.
    async fn settled(&self) {
        let made = self.made.load(Ordering::SeqCst);
        let all_there = async {
            loop {
                let log = self.must(&["log", "--json", "-n", "100000"]).await;
                if log.lines().filter(|line| line.contains(r#""kind":"call""#)).count() >= made {
                    return;
                }
            }
        };
        timeout(Duration::from_secs(30), all_there).await.expect("every call is in the log");
    }

    async fn kill(&mut self) {
        self.settled().await;
        let gateway = self.gateway.take().expect("a gateway");
        gateway.signal(Signal::KILL);
        gateway.ended().await;
    }

    fn address(&self) -> &str {
        self.gateway.as_ref().expect("a gateway").address()
    }

    async fn call(&self, credential: &str, path: &str) -> u16 {
        self.made.fetch_add(1, Ordering::SeqCst);
        Caller::new(self.address(), credential).await.agent("node").post(path, CALL).await.0
    }

    /// Whether somebody with the secret is let in. Asked on an address that counts for nobody.
    async fn lets_in(&self) -> bool {
        self.made.fetch_add(1, Ordering::SeqCst);
        let mut caller = Caller::new(self.address(), SECRET).await.agent("probe");
        match caller.post(OPEN, &hello("probe")).await {
            (200, _) => true,
            (401, body) if body.contains("no longer accepted since") => false,
            other => panic!("{other:?}"),
        }
    }

    async fn live(&self, day: i64) {
        for life in &LIVES {
            let path = format!("/c/{}/s/docs/mcp", life.name);
            if life.token.contains(&day) {
                assert_eq!(
                    self.call(&self.house.token(life.name), &path).await,
                    200,
                    "{} on day {day}",
                    life.name
                );
            }
            if life.legacy.contains(&day) {
                assert_eq!(self.call(SECRET, &path).await, 200, "{} on day {day}", life.name);
            }
            if life.disabled == Some(day) {
                self.must(&["disable", life.name, "--reason", "left", "--wait"]).await;
                assert_eq!(self.call(SECRET, &path).await, 401, "{} on day {day}", life.name);
            }
        }
    }

    async fn report(&self) -> Value {
        let printed = self.must(&["grace", "status", "--report", "--json"]).await;
        serde_json::from_str(&printed).expect("a document")
    }

    async fn times_over(&self) -> usize {
        let log = self.must(&["log", "--json", "-n", "100000"]).await;
        log.lines().filter(|line| line.contains(r#""kind":"grace-over""#)).count()
    }

    /// That an instant of the report is one of this day.
    fn is_of_day(&self, instant: &Value, day: i64) -> bool {
        let at = UnixTime::from_rfc3339(instant.as_str().expect("an instant")).expect("an instant").seconds();
        (0..OF_A_DAY).contains(&(at - self.began - day * DAY))
    }

    fn check_usage(&self, usage: &Value, days: &[i64], refused: &[i64], who: &str) {
        let mut all = [days, refused].concat();
        all.sort_unstable();
        let (Some(first), Some(last)) = (all.first(), all.last()) else {
            assert_eq!(usage, &Value::Null, "{who}");
            return;
        };
        assert!(
            self.is_of_day(&usage["first"], *first) && self.is_of_day(&usage["last"], *last),
            "{who}: {usage}"
        );
        let counts = (usage["calls"].as_u64(), usage["refused"].as_u64());
        assert_eq!(counts, (Some(days.len() as u64), Some(refused.len() as u64)), "{who}");
    }

    /// That the report is what this test knows.
    fn check(&self, report: &Value) {
        let lines = report["clients"].as_array().expect("clients");
        assert_eq!(lines.len(), LIVES.len());
        let lines: BTreeMap<&str, &Value> =
            lines.iter().map(|line| (line["client"].as_str().expect("a name"), line)).collect();
        for life in &LIVES {
            let line = lines[life.name];
            assert_eq!(line["standing"], life.stands, "{}: {line}", life.name);
            assert_eq!(line["has_token"], !life.revoked, "{}", life.name);
            self.check_usage(&line["token"], life.token, &[], life.name);
            let refused: Vec<i64> = life.disabled.into_iter().collect();
            self.check_usage(&line["legacy"], life.legacy, &refused, life.name);
        }
        let unmoved = ["gone-quiet", "lazy-1", "lazy-2", "no-token-1", "no-token-2"];
        assert_eq!(report["verdict"], json!({ "state": "not_yet", "unmoved": unmoved }));
        let mut callers: Vec<_> = report["callers"].as_array().expect("callers").iter().collect();
        callers.retain(|caller| caller["user_agent"] != "probe");
        let with_secret = LIVES.iter().filter(|life| !life.legacy.is_empty() || life.disabled.is_some());
        assert_eq!(callers.len(), with_secret.count(), "{callers:#?}");
        for caller in callers {
            let life =
                LIVES.iter().find(|life| caller["path_client"] == life.name).expect("one of the lives");
            let refused: Vec<i64> = life.disabled.into_iter().collect();
            self.check_usage(caller, life.legacy, &refused, life.name);
            let called =
                if life.legacy.is_empty() { json!({}) } else { json!({ "docs/echo": life.legacy.len() }) };
            assert_eq!(
                (&caller["called"], &caller["address"]),
                (&called, &json!("127.0.0.1")),
                "{}",
                life.name
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fortnight_ends_once_and_the_report_equals_the_truth() {
    let Some(mut world) = World::new().await else { return };
    for day in 0..14 {
        world.clock.set(day * DAY);
        match day {
            // Restarts: a polite one, one by `kill -9`, and one while the clock was set back by an hour.
            3 => {
                world.stop().await;
                world.serve().await;
            }
            6 => {
                world.kill().await;
                world.serve().await;
            }
            9 => {
                world.stop().await;
                world.clock.set(day * DAY - HOUR);
                world.serve().await;
                assert!(world.lets_in().await, "set back by an hour");
                world.clock.set(day * DAY);
            }
            // Back by an hour while it runs, and forward again.
            11 => {
                world.clock.set(day * DAY - HOUR);
                assert!(world.lets_in().await, "set back by an hour");
                world.clock.set(day * DAY);
            }
            _ => {}
        }
        assert!(world.lets_in().await, "day {day}");
        world.live(day).await;
    }
    world.settled().await;
    world.check(&world.report().await);
    world.stop().await;
    world.check(&world.report().await);
    world.serve().await;

    let mut stream = Caller::new(world.address(), SECRET).await;
    world.clock.set(14 * DAY - HOUR);
    assert_eq!(stream.post(OPEN, CALL).await.0, 200, "an hour before the end");
    world.clock.set(14 * DAY + 60);
    assert!(!world.lets_in().await, "the end");
    world.clock.set(14 * DAY - HOUR);
    assert!(!world.lets_in().await, "set back by an hour");
    // The end is noted within a second.
    while world.times_over().await == 0 {}
    world.kill().await;
    world.serve().await;
    assert!(!world.lets_in().await, "killed, and started under the clock set back");
    world.stop().await;
    world.clock.set(2 * DAY);
    world.serve().await;
    assert!(!world.lets_in().await, "twelve days back");
    assert_eq!(world.times_over().await, 1, "it ends once");
    let over = world.report().await;
    assert_eq!(over["verdict"]["state"], "over", "{over:#}");
    assert_eq!(over["verdict"]["since"], over["period"]["until"]);
    assert_eq!(world.call(&world.house.token("at-once"), OPEN).await, 200, "clients go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_wrongly_ran_ahead_ends_it_early_and_extend_mends_it() {
    let Some(mut world) = World::new().await else { return };
    assert!(world.lets_in().await);
    world.clock.set(400 * DAY);
    assert!(!world.lets_in().await);
    world.clock.set(DAY);
    assert!(!world.lets_in().await, "what fails, fails closed");
    world.stop().await;
    world.serve().await;
    assert!(!world.lets_in().await);
    let status = world.must(&["grace", "status"]).await;
    assert!(status.contains("a clock ran ahead to 20"), "{status}");
    let outcome =
        world.clock.run(&world.house.hallpass, &["grace", "extend", "--until", "13d", "--yes"]).await;
    assert_eq!(outcome.code, Some(64), "without a reason: {outcome:#?}");
    let arguments =
        ["grace", "extend", "--until", "13d", "--yes", "--wait", "--reason", "the clock ran ahead"];
    let said = world.must(&arguments).await;
    assert!(said.contains("from now on this machine's time counts"), "{said}");
    assert!(world.lets_in().await);
    world.kill().await;
    world.serve().await;
    assert!(world.lets_in().await, "and after a restart");
    let status = world.must(&["grace", "status"]).await;
    assert!(!status.contains("ran ahead"), "{status}");
    world.clock.set(14 * DAY + 60);
    assert!(!world.lets_in().await, "its new end");
    // It is noted within a second, and at the latest when the gateway ends.
    world.stop().await;
    assert_eq!(world.times_over().await, 2, "once for each end");
    let log = world.must(&["log", "--json"]).await;
    assert!(
        log.lines().any(|line| line.contains("grace-extend")
            && line.contains("the clock ran ahead")
            && line.contains("uid ")),
        "{log}"
    );
}
