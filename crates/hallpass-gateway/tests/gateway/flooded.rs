//! A flood of bad tokens beside a good client.

use crate::bench::{ANSWER, Bench, CALL, Plan, Token, Wire};
use hallpass_core::Event;
use hallpass_core::refusal_flood::RefusalFlood;
use std::net::SocketAddr;

const CONNECTIONS: usize = 10;
const EACH: usize = 500;

/// Shows bad tokens, each on a connection of its own.
async fn show(address: SocketAddr, request: String) {
    for _ in 0..EACH {
        assert_eq!(Wire::dial(address).await.ask(&request).await.status, 401);
    }
}

#[tokio::test]
async fn a_flood_of_bad_tokens_leaves_few_records_and_the_good_client_alone() {
    let mut bench = Bench::with(Plan { event_places: 20_000, ..Plan::default() }).await;
    let bad = Token { text: bench.mint.token("ann", "unknown").text.replace('.', "x."), ..bench.ann.clone() };
    let request = bench.post(&bad, CALL);
    let mut showing = Vec::new();
    for _ in 0..CONNECTIONS {
        showing.push(tokio::spawn(show(bench.gateway.local_addr(), request.clone())));
    }
    let mut good = bench.dial().await;
    for _ in 0..50 {
        good.send(bench.post(&bench.ann, CALL)).await;
        bench.server.request().await.answer_json(ANSWER).await;
        assert_eq!(good.reply().await.status, 200);
    }
    for shown in showing {
        shown.await.unwrap();
    }
    let (mut log, mut flood) = (bench.events_so_far().await, RefusalFlood::default());
    assert_eq!(log.len(), CONNECTIONS * EACH + 50);
    let counted = flood.thin(&mut log, 0);
    log.extend(flood.rest());
    let of = |client: Option<&str>| {
        log.iter().filter(|event| event.client.as_deref() == client).collect::<Vec<_>>()
    };
    assert_eq!(of(Some("ann")).len(), 50);
    let refused = of(None);
    assert_eq!(refused.len(), 21, "twenty of them, and one that stands for the others");
    assert_eq!(refused.iter().map(|event| event.times()).sum::<u64>(), (CONNECTIONS * EACH) as u64);
    assert_eq!(counted.len() + 20, CONNECTIONS * EACH);
    let last: &Event = refused[20];
    assert_eq!(
        (last.address.as_deref(), last.reason.as_deref()),
        (Some("127.0.0.1"), Some("malformed_token"))
    );
}
