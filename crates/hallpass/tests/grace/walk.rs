//! The real gateway and the real store under a clock that the test holds: it goes to and fro, the gateway is stopped and
//! killed in between, and the period ends once.

use crate::callers::{CALL, Caller};
use crate::house::House;
use hallpass::grace_keeper::GraceKeeper;
use hallpass::randomness;
use hallpass_core::arguments::Keeping;
use hallpass_core::claims::LIFETIME_MOST;
use hallpass_core::grace::TagKey;
use hallpass_core::session::SessionKey;
use hallpass_core::snapshot::ServerScope;
use hallpass_core::{Event, Outcome, UnixTime};
use hallpass_gateway::{Clock, Entry, Gateway, GatewayConfig, Limits, LogState, Random, Upstream};
use hallpass_store::{GraceRow, SHARED_SECRETS, SealKey, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

const SECRET: &str = "shared-by-all-of-us";
const START: i64 = 1_795_392_000;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const END: i64 = START + 14 * DAY;

/// A machine with a home: its clock, and the gateway while it runs.
struct Machine {
    house: House,
    now: Arc<AtomicI64>,
    running: Option<Running>,
}

struct Running {
    gateway: Gateway,
    keeper: GraceKeeper,
    store: Store,
    revision: i64,
    events: mpsc::Receiver<Event>,
}

impl Machine {
    /// A period of a fortnight has just been started.
    async fn new() -> Self {
        let house = House::with_clients(&["ann"]).await;
        let machine = Self { house, now: Arc::new(AtomicI64::new(START)), running: None };
        let store = machine.house.store().await;
        let row = GraceRow {
            period: 0,
            tag: TagKey::new(&machine.seal().derive(SHARED_SECRETS)).tag(SECRET.as_bytes()),
            until: at(END),
            started_at: at(START),
            ended_at: None,
            seen: at(START),
            servers: ServerScope::All,
            policy: None,
            strict: false,
        };
        assert!(
            store
                .put_grace(&row, None, &Event::new(0, "grace-start", Outcome::Done))
                .await
                .expect("a period")
        );
        machine
    }

    fn seal(&self) -> SealKey {
        SealKey::load(&self.house.hallpass.home().join("seal.key")).expect("the seal")
    }

    fn time(&self) -> UnixTime {
        at(self.now.load(Ordering::SeqCst))
    }

    fn set(&self, seconds: i64) {
        self.now.store(seconds, Ordering::SeqCst);
    }

    async fn start(&mut self) {
        let store = self.house.store().await;
        let snapshot = store.snapshot(&self.seal(), LIFETIME_MOST).await.expect("a snapshot");
        let clock: Clock = {
            let now = Arc::clone(&self.now);
            Arc::new(move || now.load(Ordering::SeqCst) * 1000)
        };
        let url = server(&self.house).parse().expect("a URL");
        let upstream = Upstream { url, credential: None, legacy_token: None };
        let config = GatewayConfig {
            workers: 1,
            hosts: Vec::new(),
            origins: Vec::new(),
            servers: [("docs".parse().expect("a name"), upstream)].into(),
            entrances: Vec::new(),
            random: Random::new(randomness::fill),
            session_key: SessionKey::new(&[9; 32]),
            log: LogState::default(),
            arguments: Keeping::default(),
            request_prefix: "walk".into(),
            // Nobody but this test looks at the clock.
            limits: Limits { watch_every: Duration::from_hours(1), ..Limits::default() },
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let (sender, mut entries) = mpsc::channel::<Entry>(100);
        let (taken, events) = mpsc::channel(100);
        tokio::spawn(async move {
            while let Some(entry) = entries.recv().await {
                let _ = taken.send(entry.written()).await;
            }
        });
        let revision = snapshot.revision();
        let gateway = Gateway::start(listener, config, Arc::new(snapshot), clock, sender).expect("a gateway");
        let keeper = GraceKeeper::new(store.clone());
        self.running = Some(Running { gateway, keeper, store, revision, events });
    }

    /// Whether a caller with the secret is let in. Then the keeper looks, and what it changed is published, as `serve` does.
    async fn lets_in(&mut self) -> bool {
        let now = self.time();
        let seal = self.seal();
        let running = self.running.as_mut().expect("a gateway");
        let mut caller = Caller::new(&format!("http://{}", running.gateway.local_addr()), SECRET).await;
        let (status, body) = caller.post("/s/docs/mcp", CALL).await;
        assert!(
            status == 200 || (status == 401 && body.contains("no longer accepted since")),
            "{status} {body}"
        );
        running.events.recv().await.expect("an event");
        let grace = running.gateway.grace().expect("a period");
        running.keeper.look(&grace, now).await.expect("it is kept");
        if running.store.revision().await.expect("a revision") != running.revision {
            let snapshot = running.store.snapshot(&seal, LIFETIME_MOST).await.expect("a snapshot");
            running.revision = snapshot.revision();
            running.gateway.publish(Arc::new(snapshot));
        }
        status == 200
    }

    /// As SIGTERM does.
    async fn stop(&mut self) {
        let Some(Running { gateway, mut keeper, .. }) = self.running.take() else { return };
        let grace = gateway.grace().expect("a period");
        keeper.look(&grace, self.time()).await.expect("it is kept");
        gateway.shutdown(Duration::ZERO).await;
    }

    /// As `kill -9` does: nothing is kept any more.
    fn kill(&mut self) {
        self.running = None;
    }

    async fn times_over(&self) -> usize {
        // They wait for the log, which nobody keeps here.
        let acts = self.house.store().await.waiting_acts(0, u32::MAX).await.expect("the acts");
        acts.iter().filter(|(_, act)| act.kind == "grace-over").count()
    }
}

/// The address of the server in the house's hallpass.toml.
fn server(house: &House) -> String {
    let roster = std::fs::read_to_string(house.hallpass.user().join("hallpass.toml")).expect("a file");
    let line = roster.lines().find(|line| line.starts_with("url = ")).expect("a server");
    line.trim_start_matches("url = ").trim_matches('"').to_owned()
}

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// However the clock goes and whatever happens to the gateway: in until the end was seen, and never again after it.
#[tokio::test(flavor = "multi_thread")]
async fn on_any_walk_of_the_clock_the_period_ends_once() {
    for seed in 1..=12 {
        let (mut machine, mut dice) = (Machine::new().await, Dice(seed));
        let (mut now, mut highest) = (START, START);
        machine.start().await;
        for step in 0..60 {
            // Forward by hours, now and then back by an hour or by days.
            now += match dice.roll(8) {
                0 => -HOUR,
                1 => -(i64::try_from(dice.roll(4)).expect("small") * DAY),
                2..=4 => 6 * HOUR,
                _ => i64::try_from(dice.roll(20)).expect("small") * HOUR,
            };
            machine.set(now);
            match dice.roll(6) {
                0 => {
                    machine.stop().await;
                    machine.start().await;
                }
                1 => {
                    machine.kill();
                    machine.start().await;
                }
                _ => {}
            }
            highest = highest.max(now);
            assert_eq!(
                machine.lets_in().await,
                highest < END,
                "walk {seed}, step {step}, at {}",
                machine.time()
            );
        }
        assert_eq!(machine.times_over().await, usize::from(highest >= END), "walk {seed}");
        machine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fortnight_of_restarts_ends_on_its_day_and_not_before() {
    let mut machine = Machine::new().await;
    machine.start().await;
    for day in 0..14 {
        machine.set(START + day * DAY + HOUR);
        assert!(machine.lets_in().await, "day {day}");
        // A host that restarts every day: its start does not move the end.
        if day % 2 == 0 {
            machine.stop().await;
        } else {
            machine.kill();
        }
        machine.start().await;
    }
    for (now, lets_in) in [
        (END - 1, true),
        (END - HOUR - 1, true),
        (END - 1, true),
        (END, false),
        (END - HOUR, false),
        (START, false),
        (END - 1, false),
    ] {
        machine.set(now);
        assert_eq!(machine.lets_in().await, lets_in, "at {}", machine.time());
    }
    machine.kill();
    machine.set(START + DAY);
    machine.start().await;
    assert!(!machine.lets_in().await, "a restart under a clock set back");
    assert_eq!(machine.times_over().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_while_nobody_served_is_noted_at_the_next_start() {
    let mut machine = Machine::new().await;
    machine.start().await;
    assert!(machine.lets_in().await);
    machine.stop().await;
    machine.set(END + DAY);
    machine.start().await;
    assert!(!machine.lets_in().await);
    machine.kill();
    machine.set(START + DAY);
    machine.start().await;
    assert!(!machine.lets_in().await);
    assert_eq!(machine.times_over().await, 1);
    let row = machine.house.store().await.grace().await.expect("a row").expect("a period");
    assert_eq!((row.ended_at, row.until, row.seen), (Some(at(END)), at(END), at(END + DAY)));
}
