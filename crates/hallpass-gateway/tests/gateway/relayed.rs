//! What a good call looks like on both sides.

use crate::bench::{ANSWER, Bench, CALL};
use hallpass_core::Outcome;

#[tokio::test]
async fn a_call_and_its_answer_pass_byte_for_byte() {
    let mut bench = Bench::new().await;
    let mut wire = bench.dial().await;
    wire.send(bench.post(&bench.ann, CALL)).await;
    let exchange = bench.server.request().await;
    assert!(exchange.head.starts_with("POST /upstream/mcp HTTP/1.1\r\n"), "{}", exchange.head);
    assert_eq!(exchange.body, CALL.as_bytes());
    assert_eq!(exchange.header("host"), [bench.server.address.to_string()]);
    exchange.answer_json(ANSWER).await;
    let reply = wire.reply().await;
    assert_eq!((reply.status, reply.text().as_str()), (200, ANSWER));
    let event = bench.event().await;
    assert_eq!(event.outcome, Outcome::Ok);
    assert_eq!(event.client.as_deref(), Some("ann"));
    assert_eq!(event.tool.as_deref(), Some("echo"));
    assert_eq!(reply.header("hallpass-request-id"), [event.request_id.unwrap()]);
}
