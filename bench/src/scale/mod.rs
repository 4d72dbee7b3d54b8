//! `scale`: 10,000 clients, 100,000 tokens, 1,000,000 revoked ones, beside three clients: start, memory, a revocation, and
//! what a call costs, in interleaved rounds of one run.

mod calls;
mod home;
mod judging;
mod load;
mod process;

use home::{Home, client_name};
use load::{Caller, request};
use process::Gateway;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How much is in a home.
#[derive(Clone, Copy)]
struct Size {
    clients: u64,
    /// Live ones.
    tokens_each: u64,
    revoked: u64,
}

const SMALL: Size = Size { clients: 3, tokens_each: 1, revoked: 0 };
const LARGE: Size = Size { clients: 10_000, tokens_each: 10, revoked: 1_000_000 };
const NAMES: [&str; 2] = ["3 clients", "10,000 clients"];
const REVOCATIONS: u64 = 9;

/// From the start of the process until it listens.
const START_MOST: Duration = Duration::from_secs(5);
/// From the end of `hallpass revoke` until a call is refused.
const BOUND_MOST: Duration = Duration::from_millis(300);
/// What a call of the same clients may cost of what it costs with three clients.
const COST_MOST: f64 = 1.05;

/// Measures and prints; fails if a goal is missed.
pub fn run() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if runtime.block_on(measure()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure() -> bool {
    let server = load::server().await;
    let homes = [Home::make(SMALL, &server).await, Home::make(LARGE, &server).await];
    let gateways = homes.each_ref().map(Gateway::start);
    print_memory("at the start", &gateways);
    let bound = revoke(&homes[1], &gateways[1]).await;
    let cost = calls::compare(&homes, &gateways).await;
    print_memory("in the end", &gateways);
    judging::print();
    let met = gateways[1].started_in <= START_MOST && bound <= BOUND_MOST && cost <= COST_MOST;
    println!(
        "\ngoals: ready in {START_MOST:?}, refused {BOUND_MOST:?} after the command, a call at most {COST_MOST} times: {}",
        if met { "met" } else { "missed" }
    );
    met
}

fn print_memory(when: &str, gateways: &[Gateway; 2]) {
    println!("\n{when:28} {:>12} {:>12} {:>14}", "ready in, s", "memory, MB", "at most, MB");
    for (gateway, name) in gateways.iter().zip(NAMES) {
        let (now, most) = gateway.memory_mb();
        println!("{name:28} {:12.3} {now:12.1} {most:14.1}", gateway.started_in.as_secs_f64());
    }
}

/// Another process revokes, one client after the other. Returns the longest time until a call was refused.
async fn revoke(home: &Home, gateway: &Gateway) -> Duration {
    let (mut commands, mut bounds) = (Vec::new(), Vec::new());
    for client in LARGE.clients - REVOCATIONS..LARGE.clients {
        let call = request(&gateway.address, &home.tokens[first_token(client)]);
        let mut caller = Caller::connect(&gateway.address).await;
        assert_eq!(caller.call(&call).await, 200);
        let begun = Instant::now();
        let done = home.command(&["revoke", &client_name(client), "--reason", "bench"]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        commands.push(begun.elapsed().as_secs_f64() * 1000.0);
        let returned = Instant::now();
        while caller.call(&call).await == 200 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bounds.push(returned.elapsed());
    }
    let most = bounds.iter().copied().max().unwrap_or_default();
    println!(
        "\n`hallpass revoke` takes {:.0} ms; refused {:.0} ms after it has returned, at most {:.0} ms ({REVOCATIONS} times)",
        median(commands),
        median(bounds.iter().map(|bound| bound.as_secs_f64() * 1000.0)),
        most.as_secs_f64() * 1000.0
    );
    most
}

/// Where the tokens of a client begin among all of the large home's.
fn first_token(client: u64) -> usize {
    usize::try_from(client * LARGE.tokens_each).unwrap()
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
