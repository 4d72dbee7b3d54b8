//! Many connections at once, and which of them the end of a grace period closes.

use crate::bench::{Plan, Wire, soon};
use crate::ws::socket::Socket;
use crate::ws::stage::{PATH, Period, SHARED, Stage, hello, switching, upstream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

const CONNECTIONS: usize = 1000;

/// A server that greets everybody and then says nothing. Returns where, and how many connections are open.
async fn quiet_daemon() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let open = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&open);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let mut wire = Wire::new(stream);
                let Some(head) = wire.until(b"\r\n\r\n").await else { return };
                wire.send(switching(&String::from_utf8(head).unwrap(), "")).await;
                let mut socket = Socket::accepted(wire);
                socket.heard().await;
                socket.say(r#"{"op":"hello_ack","ok":true}"#).await;
                count.fetch_add(1, Ordering::SeqCst);
                socket.wire.rest().await;
                count.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    (address, open)
}

#[tokio::test]
async fn the_end_of_the_grace_period_closes_exactly_the_legacy_half_of_a_thousand() {
    let (daemon, open) = quiet_daemon().await;
    let mut plan = Plan { event_places: 4 * CONNECTIONS, ..Plan::default() };
    plan.limits.calls_per_client = CONNECTIONS;
    plan.more.push(("quiet", upstream(daemon)));
    let mut stage = Stage::with(plan).await;
    stage.legacy_servers = vec!["exai", "quiet"];
    stage.grace(Period::Running);
    let ann = stage.bench.ann.clone();
    let path = PATH.replace("exai", "quiet");
    let before = resident_kib();
    let mut clients = Vec::new();
    for number in 0..CONNECTIONS {
        let mut client = Socket::open(stage.address(), &path, "").await;
        let is_legacy = number % 2 == 0;
        client.say(&hello((!is_legacy).then_some(&ann), Some(SHARED))).await;
        assert!(client.heard().await.contains(r#""ok":true"#));
        clients.push((is_legacy, client));
    }
    let after = resident_kib();
    if let (Some(before), Some(after)) = (before, after) {
        // Both ends of both connections are in this process.
        let each = (after.saturating_sub(before) * 1024) / CONNECTIONS as u64;
        println!("{CONNECTIONS} connections: {each} bytes each, the test's own two ends included");
        assert!(each < 48 << 10, "{each} bytes a connection");
    }
    let began = now();
    stage.grace(Period::Over);
    let mut open_still = Vec::new();
    for (is_legacy, mut client) in clients {
        if is_legacy {
            assert_eq!(client.closed().await.0, 4003);
        } else {
            open_still.push(client);
        }
    }
    let took = began.elapsed();
    println!("{} of them closed within {took:?}", CONNECTIONS / 2);
    assert!(took < Duration::from_secs(5), "{took:?}");
    soon(async {
        while open.load(Ordering::SeqCst) > CONNECTIONS / 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for client in &mut open_still {
        client.frame(0x89, b"x").await;
    }
    assert_eq!(open.load(Ordering::SeqCst), CONNECTIONS / 2, "the others are undisturbed");
    let mut closed = 0;
    for event in stage.bench.events_so_far().await {
        if event.kind == "close" {
            assert_eq!((event.legacy, event.reason.as_deref()), (true, Some("grace_over")));
            closed += 1;
        }
    }
    assert_eq!(closed, CONNECTIONS / 2);
}

fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "how long the end takes is reported")]
    Instant::now()
}
