//! `scale`: 10,000 clients, 100,000 tokens, 1,000,000 revoked ones, beside three clients: start, memory, revocation, and
//! what a call costs, in interleaved rounds of one run.

mod home;
mod load;
mod process;

use home::{Home, Size, client_name};
use load::{Caller, request};
use process::Gateway;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const SMALL: Size = Size { clients: 3, tokens_each: 1, revoked: 0 };
const LARGE: Size = Size { clients: 10_000, tokens_each: 10, revoked: 1_000_000 };
const ROUNDS: usize = 11;
const SLICE: Duration = Duration::from_millis(1500);
const CONNECTIONS: usize = 16;
const REVOCATIONS: u64 = 9;

pub fn run() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if runtime.block_on(measure()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure() -> bool {
    let server = load::server().await;
    let made = Instant::now();
    let homes = [Home::make(SMALL, &server).await, Home::make(LARGE, &server).await];
    println!("homes made in {:.1} s; the large database has {} MB", made.elapsed().as_secs_f64(), homes[1].database().metadata().unwrap().len() >> 20);
    let gateways = [Gateway::start(&homes[0]), Gateway::start(&homes[1])];
    for (gateway, name) in gateways.iter().zip(["3 clients", "10,000 clients"]) {
        let (now, most) = gateway.memory_mb();
        println!("{name}: ready in {:.3} s, {now:.1} MB in memory, {most:.1} at most", gateway.started_in.as_secs_f64());
    }
    revocations(&homes, &gateways).await;
    calls(&homes, &gateways).await;
    for (gateway, name) in gateways.iter().zip(["3 clients", "10,000 clients"]) {
        let (now, most) = gateway.memory_mb();
        println!("{name}: {now:.1} MB in memory in the end, {most:.1} at most");
    }
    true
}

async fn revocations(homes: &[Home; 2], gateways: &[Gateway; 2]) {
    let (home, gateway) = (&homes[1], &gateways[1]);
    let (mut taken, mut bound) = (Vec::new(), Vec::new());
    for number in 0..REVOCATIONS {
        let client = LARGE.clients - 1 - number;
        let call = request(&gateway.address, &home.tokens[usize::try_from(client * LARGE.tokens_each).unwrap()]);
        let mut caller = Caller::connect(&gateway.address).await;
        assert_eq!(caller.call(&call).await, 200);
        let begun = Instant::now();
        let done = home.command(&["revoke", &client_name(client), "--reason", "bench"]).output().unwrap();
        taken.push(begun.elapsed());
        let returned = Instant::now();
        assert!(done.status.success(), "{done:?}");
        while caller.call(&call).await == 200 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bound.push(returned.elapsed());
    }
    taken.sort();
    bound.sort();
    println!("revoke: command {:?} to {:?}; refused {:?} after it, at most {:?}", taken[0], taken[taken.len()-1], bound[bound.len()/2], bound[bound.len()-1]);
}

async fn calls(homes: &[Home; 2], gateways: &[Gateway; 2]) {
    let small: Vec<&str> = homes[0].tokens.iter().map(String::as_str).collect();
    let each = usize::try_from(LARGE.tokens_each).unwrap();
    let in_force = homes[1].tokens.len() - each * usize::try_from(REVOCATIONS).unwrap();
    let all: Vec<&str> = homes[1].tokens[..in_force].iter().map(String::as_str).collect();
    let one_each: Vec<&str> = all.iter().copied().step_by(each).collect();
    let few = &one_each[..3];
    let cases: [(&Gateway, &[&str]); 4] = [(&gateways[0], &small), (&gateways[1], few), (&gateways[1], &one_each), (&gateways[1], &all)];
    let mut cost = vec![vec![]; 4];
    let mut log = vec![vec![]; 4];
    let mut rate = vec![vec![]; 4];
    for _ in 0..ROUNDS {
        for (case, (gateway, tokens)) in cases.iter().enumerate() {
            let before = gateway.cpu();
            let begun = Instant::now();
            let calls = load::run(&gateway.address, tokens, CONNECTIONS, SLICE).await;
            let after = gateway.cpu();
            cost[case].push((after.calls - before.calls) as f64 / calls as f64 / 1000.0);
            log[case].push((after.log - before.log) as f64 / calls as f64 / 1000.0);
            rate[case].push(calls as f64 / begun.elapsed().as_secs_f64());
        }
    }
    for case in 0..4 {
        let ratios = |values: &Vec<Vec<f64>>| median((0..ROUNDS).map(|round| values[case][round] / values[0][round]).collect());
        println!("case {case}: {:.2} us a call (x {:.3}), log {:.2} (x {:.3}), {:.0} calls a second (x {:.3})", median(cost[case].clone()), ratios(&cost), median(log[case].clone()), ratios(&log), median(rate[case].clone()), ratios(&rate));
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
