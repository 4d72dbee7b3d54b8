//! What a call through the gateway costs, whoever makes it.

use super::home::Home;
use super::load::{self, Until};
use super::process::Gateway;
use super::{LARGE, REVOCATIONS, first_token, median};
use std::time::{Duration, Instant};

const ROUNDS: usize = 11;
/// How long each measurement of a round lasts.
const SLICE: Duration = Duration::from_millis(1500);
const CONNECTIONS: usize = 16;

/// One way to call, and what each round came to.
struct Case<'a> {
    name: &'static str,
    gateway: &'a Gateway,
    tokens: Vec<&'a str>,
    rounds: Vec<Round>,
}

/// Microseconds of a processor for each call, and calls a second.
struct Round {
    call: f64,
    log: f64,
    rate: f64,
}

impl<'a> Case<'a> {
    fn new(name: &'static str, gateway: &'a Gateway, tokens: Vec<&'a str>) -> Self {
        Self { name, gateway, tokens, rounds: Vec::new() }
    }

    async fn measure(&mut self) {
        let (before, begun) = (self.gateway.cpu(), Instant::now());
        let calls = load::run(&self.gateway.address, &self.tokens, CONNECTIONS, Until::After(SLICE)).await;
        let (after, took) = (self.gateway.cpu(), begun.elapsed());
        let each = |nanoseconds: u64| nanoseconds as f64 / 1000.0 / calls as f64;
        self.rounds.push(Round {
            call: each(after.calls - before.calls),
            log: each(after.log - before.log),
            rate: calls as f64 / took.as_secs_f64(),
        });
    }
}

/// Prints what calls cost in both homes. Returns the ratio for the same three clients.
pub async fn compare(homes: &[Home; 2], gateways: &[Gateway; 2]) -> f64 {
    let [small, large] =
        homes.each_ref().map(|home| home.tokens.iter().map(String::as_str).collect::<Vec<_>>());
    let live = &large[..first_token(LARGE.clients - REVOCATIONS)];
    let one_each: Vec<&str> = live.iter().copied().step_by(first_token(1)).collect();
    let base = || Case::new("3 clients", &gateways[0], small.clone());
    let same =
        measure([base(), Case::new("3 of 10,000 clients", &gateways[1], one_each[..3].to_vec())]).await;
    // Apart from those above: what is written about so many is still being written when they have stopped.
    measure([
        base(),
        Case::new("all clients, a token each", &gateways[1], one_each),
        Case::new("all clients, all tokens", &gateways[1], live.to_vec()),
    ])
    .await;
    same
}

/// Measures in turn, and prints. Returns what a call of the second costs of one of the first.
async fn measure<const N: usize>(mut cases: [Case<'_>; N]) -> f64 {
    // Each signature is checked once, in any home: that is not asked here.
    for case in &cases {
        load::run(&case.gateway.address, &case.tokens, CONNECTIONS, Until::EachOnce).await;
    }
    for _ in 0..ROUNDS {
        for case in &mut cases {
            case.measure().await;
        }
    }
    print(&cases);
    ratio(&cases[1], &cases[0], |round| round.call)
}

fn print(cases: &[Case<'_>]) {
    println!(
        "\n{:28} {:>10} {:>7} {:>10} {:>7} {:>10} {:>7}",
        "a call, median of the rounds", "us of CPU", "ratio", "its log", "ratio", "calls/s", "ratio"
    );
    for case in cases {
        let median = |of: fn(&Round) -> f64| median(case.rounds.iter().map(of));
        let ratio = |of| ratio(case, &cases[0], of);
        println!(
            "{:28} {:10.2} {:7.3} {:10.2} {:7.3} {:10.0} {:7.3}",
            case.name,
            median(|round| round.call),
            ratio(|round| round.call),
            median(|round| round.log),
            ratio(|round| round.log),
            median(|round| round.rate),
            ratio(|round| round.rate)
        );
    }
}

/// Round by round, so that what else the machine does meanwhile is in both.
fn ratio(case: &Case<'_>, base: &Case<'_>, of: fn(&Round) -> f64) -> f64 {
    median(case.rounds.iter().zip(&base.rounds).map(|(one, other)| of(one) / of(other)))
}
