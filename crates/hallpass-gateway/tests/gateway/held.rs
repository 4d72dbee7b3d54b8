//! The last piece of an answer waits for its record to be written.

use crate::bench::{ANSWER, Bench, CALL, Plan, Wire, soon};
use hallpass_gateway::{Entry, Limits, LogState, Missed, OnFailure};
use std::time::Duration;

/// Nothing comes within this time that had not to wait for something.
const AWHILE: Duration = Duration::from_millis(50);

async fn by_hand(limits: Limits) -> Bench {
    Bench::with(Plan { records_by_hand: true, limits, ..Plan::default() }).await
}

fn usual() -> Limits {
    Plan::default().limits
}

/// A server's answer in one or two parts, what passes at once, and what waits.
struct Case {
    what: &'static str,
    first: String,
    /// Sent when what passes of the first part has passed.
    rest: Option<&'static str>,
    /// The body, as far as it passes. `None`: not even the head does.
    at_once: Option<&'static str>,
    held: &'static str,
}

fn cases() -> [Case; 8] {
    let ok = |more: &str| format!("HTTP/1.1 200 OK\r\nContent-Type: {more}\r\n\r\n");
    let json = ok("application/json\r\nContent-Length: 11");
    let failed = json.replace("200 OK", "404 Not Found");
    let chunked = ok("application/json\r\nTransfer-Encoding: chunked");
    let stream = ok("text/event-stream\r\nTransfer-Encoding: chunked");
    let case = |what, first, rest, at_once, held| Case { what, first, rest, at_once, held };
    let (body, chunk, event, end) =
        ("{\"id\":1234}", "B\r\n{\"id\":1234}\r\n", "3\r\n:\n\n\r\n", "0\r\n\r\n");
    [
        case("JSON of known length", format!("{json}{body}"), None, None, body),
        case("an error of the server", format!("{failed}{body}"), None, None, body),
        case("JSON in one chunk, all there", format!("{chunked}{chunk}{end}"), None, None, body),
        case("events, all there", format!("{stream}{event}{end}"), None, None, ":\n\n"),
        case("no body", "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".into(), None, None, ""),
        case("known length, in pieces", format!("{json}{{\"id\""), Some(":1234}"), Some("{\"id\""), ":1234}"),
        case("chunks, one by one", format!("{chunked}{chunk}"), Some(end), Some(chunk), end),
        case("a stream of events", format!("{stream}{event}"), Some(end), Some(event), end),
    ]
}

/// Sends a call, whose server answers like this: its connection, and its record. What passes at once has passed.
async fn call(bench: &mut Bench, case: &Case) -> (Wire, Entry) {
    let mut wire = bench.dial().await;
    wire.send(bench.post(&bench.ann, CALL)).await;
    let mut exchange = bench.server.request().await;
    exchange.send(&case.first).await;
    if let Some(at_once) = case.at_once {
        wire.reply_head().await;
        assert_eq!(soon(wire.take(at_once.len())).await.unwrap(), at_once.as_bytes(), "{}", case.what);
    }
    exchange.answer(case.rest.unwrap_or_default()).await;
    let entry = bench.entry().await;
    assert_eq!(wire.within(AWHILE).await, "", "{}", case.what);
    (wire, entry)
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or(answer, |(_, body)| body)
}

#[tokio::test]
async fn an_answer_does_not_end_before_its_record_is_written() {
    let mut bench = by_hand(usual()).await;
    for case in cases() {
        let (mut wire, entry) = call(&mut bench, &case).await;
        assert_ne!(entry.event.status, None, "{}", case.what);
        entry.written();
        let rest = wire.within(AWHILE).await;
        assert_eq!(rest.starts_with("HTTP/1.1 "), case.at_once.is_none(), "{}", case.what);
        assert_eq!(if case.at_once.is_none() { body(&rest) } else { &rest }, case.held, "{}", case.what);
    }
}

#[tokio::test]
async fn an_answer_whose_record_is_never_written_is_withheld_or_broken_off() {
    let limits = Limits { written_within: Duration::from_millis(100), ..usual() };
    let mut bench = by_hand(limits).await;
    for case in cases() {
        for gives_up in [true, false] {
            let (mut wire, entry) = call(&mut bench, &case).await;
            let kept = if gives_up { None } else { Some(entry) };
            if case.at_once.is_none() {
                let reply = wire.reply().await;
                assert_eq!(
                    (reply.status, reply.text().contains("not_recorded")),
                    (503, true),
                    "{}",
                    case.what
                );
            } else {
                assert!(wire.is_over().await, "{}: it does not end as if it were whole", case.what);
            }
            drop(kept);
        }
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_meanwhile_and_a_revocation_change_nothing_of_the_record() {
    let mut bench = by_hand(usual()).await;
    let [.., case] = cases();
    let (wire, entry) = call(&mut bench, &case).await;
    drop(wire);
    assert_eq!(entry.written().outcome.as_str(), "ok");
    let (mut wire, entry) = call(&mut bench, &case).await;
    bench.publish([], vec![]);
    assert!(wire.is_over().await, "the caller is no longer good, so the rest does not come");
    assert_eq!(entry.written().outcome.as_str(), "ok");
    assert!(wire.is_over().await);
}

#[tokio::test]
async fn a_gateway_that_stops_lets_answers_wait_for_their_records() {
    let mut bench = by_hand(usual()).await;
    let [.., case] = cases();
    let (mut wire, entry) = call(&mut bench, &case).await;
    let stopping = tokio::spawn(bench.gateway.shutdown(Duration::from_secs(10)));
    assert_eq!(wire.within(AWHILE).await, "");
    entry.written();
    assert_eq!(wire.within(AWHILE).await, case.held);
    soon(stopping).await.unwrap();
}

#[tokio::test]
async fn while_the_log_takes_nothing_calls_are_refused_at_once() {
    let log = LogState::new(OnFailure::Refuse);
    let limits = Limits { log_patience: Duration::from_hours(1), ..usual() };
    let mut bench = Bench::with(Plan { limits, log: log.clone(), ..Plan::default() }).await;
    log.fails();
    let mut wire = bench.dial().await;
    let reply = wire.ask(bench.post(&bench.ann, CALL)).await;
    assert_eq!((reply.status, reply.text().contains("log_unavailable")), (503, true));
    assert!(bench.server.saw_nothing_more());
    assert_eq!(log.take_missed(), Missed { unrecorded: 0, refused: 1 });
    assert_eq!(log.take_missed(), Missed::default());
    log.works();
    let mut wire = bench.dial().await;
    wire.send(bench.post(&bench.ann, CALL)).await;
    bench.server.request().await.answer_json(ANSWER).await;
    assert_eq!(wire.reply().await.status, 200);
    assert_eq!(bench.events_so_far().await.len(), 1);
}

#[tokio::test]
async fn where_losses_are_counted_calls_need_no_place_and_wait_for_nothing() {
    let log = LogState::new(OnFailure::Count);
    let limits = Limits { log_patience: Duration::from_hours(1), ..usual() };
    let plan = Plan { limits, log: log.clone(), event_places: 1, records_by_hand: true, ..Plan::default() };
    let mut bench = Bench::with(plan).await;
    // While the log works, answers wait for it here, too.
    let [.., case] = cases();
    let (mut first, entry) = call(&mut bench, &case).await;
    log.fails();
    assert_eq!(first.within(AWHILE).await, case.held, "it waits no longer");
    drop(entry);
    for _ in 0..3 {
        let mut wire = bench.dial().await;
        wire.send(bench.post(&bench.ann, CALL)).await;
        bench.server.request().await.answer_json(ANSWER).await;
        assert_eq!(wire.reply().await.status, 200);
    }
    // The first of them had the one place.
    assert_eq!(log.take_missed(), Missed { unrecorded: 2, refused: 0 });
    assert!(bench.entry().await.written.is_none());
    log.works();
    let (mut again, entry) = call(&mut bench, &case).await;
    drop(entry);
    assert_eq!(again.within(AWHILE).await, case.held, "a record that is given up breaks no answer off here");
}

#[tokio::test]
async fn where_losses_are_counted_a_log_that_stands_still_is_waited_for_once() {
    let log = LogState::new(OnFailure::Count);
    let limits = Limits { log_patience: AWHILE, written_within: AWHILE, ..usual() };
    let plan = Plan { limits, log: log.clone(), event_places: 1, records_by_hand: true, ..Plan::default() };
    let mut bench = Bench::with(plan).await;
    for _ in 0..2 {
        let mut wire = bench.dial().await;
        wire.send(bench.post(&bench.ann, CALL)).await;
        bench.server.request().await.answer_json(ANSWER).await;
        assert_eq!(wire.reply().await.status, 200);
    }
    assert_eq!(log.take_missed(), Missed { unrecorded: 1, refused: 0 });
    assert!(bench.entry().await.written.is_some());
}
