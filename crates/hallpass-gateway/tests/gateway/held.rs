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

/// A server's answer, what of its body passes at once, and what waits.
struct Case {
    what: &'static str,
    answer: String,
    at_once: &'static str,
    held: &'static str,
}

fn cases() -> [Case; 6] {
    let head = |more: &str| format!("HTTP/1.1 200 OK\r\nContent-Type: {more}\r\n\r\n");
    let json = head("application/json\r\nContent-Length: 11");
    let failed = json.replace("200 OK", "404 Not Found");
    let chunked = head("application/json\r\nTransfer-Encoding: chunked");
    let stream = head("text/event-stream\r\nTransfer-Encoding: chunked");
    let whole = "{\"result\":1}";
    let case = |what, answer: String, at_once, held| Case { what, answer, at_once, held };
    [
        case("JSON of known length", json.clone() + "{\"id\":1234}", "", "{\"id\":1234}"),
        case("an error of the server", failed + "{\"id\":1234}", "", "{\"id\":1234}"),
        case(
            "JSON in chunks",
            format!("{chunked}1\r\n{{\r\n1\r\n}}\r\n1\r\n \r\n0\r\n\r\n"),
            "1\r\n{\r\n1\r\n}\r\n1\r\n \r\n",
            "0\r\n\r\n",
        ),
        case(
            "JSON in one chunk, all there at once",
            format!("{chunked}{:x}\r\n{whole}\r\n0\r\n\r\n", whole.len()),
            "",
            "C\r\n{\"result\":1}\r\n0\r\n\r\n",
        ),
        case(
            "a stream of events",
            format!("{stream}3\r\n:\n\n\r\n3\r\n:\n\n\r\n3\r\n:\n\n\r\n0\r\n\r\n"),
            "3\r\n:\n\n\r\n3\r\n:\n\n\r\n3\r\n:\n\n\r\n",
            "0\r\n\r\n",
        ),
        case("no body", "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".into(), "", ""),
    ]
}

/// Sends a call, whose server answers like this: its connection, what has come of the answer, and its record.
async fn call(bench: &mut Bench, answer: &str) -> (Wire, String, Entry) {
    let mut wire = bench.dial().await;
    wire.send(bench.post(&bench.ann, CALL)).await;
    bench.server.request().await.answer(answer).await;
    let entry = bench.entry().await;
    let at_once = wire.within(AWHILE).await;
    (wire, at_once, entry)
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[tokio::test]
async fn an_answer_does_not_end_before_its_record_is_written() {
    let mut bench = by_hand(usual()).await;
    for Case { what, answer, at_once, held } in cases() {
        let (mut wire, seen, entry) = call(&mut bench, &answer).await;
        assert_eq!(body(&seen), at_once, "{what}");
        assert_eq!(seen.is_empty(), what == "no body", "{what}: a head that is the whole answer waits, too");
        assert_ne!(entry.event.status, None, "{what}");
        entry.written();
        let rest = wire.within(AWHILE).await;
        assert_eq!(if seen.is_empty() { body(&rest) } else { &rest }, held, "{what}");
        if what == "no body" {
            assert!(rest.starts_with("HTTP/1.1 202 "), "{rest}");
        }
    }
}

#[tokio::test]
async fn an_answer_whose_record_is_never_written_is_broken_off() {
    let limits = Limits { written_within: Duration::from_millis(100), ..usual() };
    let mut bench = by_hand(limits).await;
    for Case { what, answer, at_once, .. } in cases() {
        for gives_up in [true, false] {
            let (mut wire, seen, entry) = call(&mut bench, &answer).await;
            let kept = if gives_up { entry.written.map(drop).map(|()| None) } else { Some(entry.written) };
            if what == "no body" {
                let reply = wire.reply().await;
                assert_eq!((reply.status, reply.text().contains("log_unavailable")), (503, true));
            } else {
                let all = seen + &String::from_utf8_lossy(&soon(wire.rest()).await);
                assert_eq!(body(&all), at_once, "{what}: it never ends as if it were whole");
            }
            drop(kept);
        }
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_meanwhile_and_a_revocation_change_nothing_of_the_record() {
    let mut bench = by_hand(usual()).await;
    let Case { answer, .. } = cases().into_iter().next().unwrap();
    let (wire, _, entry) = call(&mut bench, &answer).await;
    drop(wire);
    assert_eq!(entry.written().outcome.as_str(), "ok");
    let (mut wire, _, entry) = call(&mut bench, &answer).await;
    bench.publish([], vec![]);
    assert!(wire.is_over().await, "the caller is no longer good, so the rest does not come");
    assert_eq!(entry.written().outcome.as_str(), "ok");
    assert!(wire.is_over().await);
}

#[tokio::test]
async fn a_gateway_that_stops_lets_answers_wait_for_their_records() {
    let mut bench = by_hand(usual()).await;
    let Case { answer, held, .. } = cases().into_iter().next().unwrap();
    let (mut wire, _, entry) = call(&mut bench, &answer).await;
    let stopping = tokio::spawn(bench.gateway.shutdown(Duration::from_secs(10)));
    assert_eq!(wire.within(AWHILE).await, "");
    entry.written();
    assert_eq!(wire.within(AWHILE).await, held);
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
    let Case { answer, held, .. } = cases().into_iter().next().unwrap();
    let (mut first, seen, entry) = call(&mut bench, &answer).await;
    assert_eq!(body(&seen), "");
    log.fails();
    assert_eq!(first.within(AWHILE).await, held, "it waits no longer");
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
    let (mut again, _, entry) = call(&mut bench, &answer).await;
    drop(entry);
    assert_eq!(again.within(AWHILE).await, held, "a record that is given up breaks no answer off here");
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
