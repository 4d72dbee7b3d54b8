//! Calls per second and processor time for a call, in rounds of one run: without a log, with `group`, with `each`.

use crate::load;
use crate::stage::{Cpu, Gateway, Home};
use crate::{load_average, median};
use hallpass::fault::Result;
use std::path::Path;
use std::time::{Duration, Instant};

const ROUNDS: usize = 9;
/// How long each measurement of a round lasts.
const SLICE: Duration = Duration::from_millis(1500);
const CONNECTIONS: [usize; 3] = [1, 16, 64];
const NAMES: [&str; 3] = ["off", "group", "each"];
/// How many of the calls per second without a log there have to be, at the most connections.
const GOALS: [f64; 3] = [1.0, 0.9, 0.6];
/// A gateway that has had less than this in a look has done what it had to do.
const QUIET: u64 = 3_000_000;
const LOOK: Duration = Duration::from_millis(200);
const LOOKS_MOST: u32 = 150;

/// One gateway and what its rounds came to.
struct Case {
    gateway: Gateway,
    tokens: Vec<String>,
    rounds: Vec<Round>,
    _home: Home,
}

struct Round {
    /// Calls per second.
    rate: f64,
    /// Microseconds of processor time for each call: of the threads that serve calls, and of the others.
    serving: f64,
    others: f64,
    /// Seconds after the last answer in which the rest was done.
    behind: f64,
}

/// Measures and prints. Whether the goals are met.
pub(crate) async fn run(hallpass: &Path) -> Result<bool> {
    let server = load::server().await?;
    let off = Home::make(hallpass, &server, "")?;
    let group = Home::make(hallpass, &server, "[audit]\ndurability = \"group\"\n")?;
    let each = Home::make(hallpass, &server, "[audit]\ndurability = \"each\"\n")?;
    let gateways = [off.serve_unlogged()?, group.serve()?, each.serve()?];
    let mut cases = Vec::new();
    for (home, gateway) in [off, group, each].into_iter().zip(gateways) {
        cases.push(Case { gateway, tokens: home.tokens()?, rounds: Vec::new(), _home: home });
    }
    println!(
        "group, each: `hallpass serve` as it is built: log, its lines to /dev/null, its view, what it looks at"
    );
    println!(
        "off: the same gateway and the same watch of the store; each event is taken as written and dropped"
    );
    println!(
        "ES256 tokens, one call of a tool after the other on each connection, JSON answers, one server and its"
    );
    println!(
        "callers in one process beside. {ROUNDS} rounds of {SLICE:?} each, in turn; medians, ratios round by round"
    );
    let mut met = true;
    for connections in CONNECTIONS {
        met &= compare(&mut cases, connections).await? || connections != CONNECTIONS[2];
    }
    println!(
        "goals at {} connections: group at least {} of off, each at least {}: {}",
        CONNECTIONS[2],
        GOALS[1],
        GOALS[2],
        if met { "met" } else { "missed" }
    );
    Ok(met)
}

async fn compare(cases: &mut [Case], connections: usize) -> Result<bool> {
    for case in &mut *cases {
        case.measure(connections).await?;
        case.rounds.clear();
    }
    for _ in 0..ROUNDS {
        for case in &mut *cases {
            case.measure(connections).await?;
        }
    }
    println!(
        "\n{:16} {:>9} {:>7} {:>12} {:>7} {:>12} {:>12} {:>10}",
        format!("{connections} connections"),
        "calls/s",
        "ratio",
        "us of CPU",
        "ratio",
        "serving, us",
        "others, us",
        "behind, s"
    );
    let mut met = true;
    for ((case, name), goal) in cases.iter().zip(NAMES).zip(GOALS) {
        let median = |of: fn(&Round) -> f64| median(case.rounds.iter().map(of));
        let rate = case.ratio(&cases[0], |round| round.rate);
        println!(
            "{name:16} {:9.0} {rate:7.3} {:12.1} {:7.3} {:12.1} {:12.1} {:10.1}",
            median(|round| round.rate),
            median(Round::cpu),
            case.ratio(&cases[0], Round::cpu),
            median(|round| round.serving),
            median(|round| round.others),
            median(|round| round.behind),
        );
        met &= rate >= goal;
    }
    println!("load average of the machine: {}", load_average());
    Ok(met)
}

impl Case {
    #[expect(clippy::cast_precision_loss, reason = "nobody makes so many calls in a moment")]
    async fn measure(&mut self, connections: usize) -> Result<()> {
        let before = self.gateway.cpu()?;
        let begun = Instant::now();
        let calls = load::run(&self.gateway.address, &self.tokens, connections, SLICE).await?;
        let took = begun.elapsed();
        let (after, behind) = self.rest().await?;
        let each = |nanoseconds: u64| nanoseconds as f64 / 1000.0 / calls as f64;
        self.rounds.push(Round {
            rate: calls as f64 / took.as_secs_f64(),
            serving: each(after.calls - before.calls),
            others: each(after.others - before.others),
            behind,
        });
        Ok(())
    }

    /// Waits until it has done what it had left for later, so that this counts as its own and disturbs nobody.
    async fn rest(&self) -> Result<(Cpu, f64)> {
        let (begun, mut last) = (Instant::now(), self.gateway.cpu()?);
        for _ in 0..LOOKS_MOST {
            tokio::time::sleep(LOOK).await;
            let now = self.gateway.cpu()?;
            if now.others - last.others < QUIET {
                break;
            }
            last = now;
        }
        Ok((self.gateway.cpu()?, begun.elapsed().saturating_sub(LOOK).as_secs_f64()))
    }

    /// Round by round, so that what else the machine does meanwhile is in both.
    fn ratio(&self, base: &Self, of: fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().zip(&base.rounds).map(|(one, other)| of(one) / of(other)))
    }
}

impl Round {
    fn cpu(&self) -> f64 {
        self.serving + self.others
    }
}
