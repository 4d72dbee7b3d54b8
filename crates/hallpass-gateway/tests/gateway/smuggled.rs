//! Requests whose beginning or end two programs could see differently, over raw sockets.

use crate::bench::{Bench, CALL};

/// Sends raw bytes; says which statuses came before the connection was closed.
async fn statuses(bench: &Bench, bytes: impl AsRef<[u8]>) -> Vec<u16> {
    let mut wire = bench.dial().await;
    wire.send(bytes).await;
    let answer = String::from_utf8_lossy(&crate::bench::soon(wire.rest()).await).into_owned();
    let lines = answer.split("HTTP/1.").skip(1).filter_map(|part| part.get(2..5));
    lines.filter_map(|status| status.parse().ok()).collect()
}

#[tokio::test]
async fn an_ambiguous_request_is_refused_and_its_connection_closed() {
    let mut bench = Bench::new().await;
    let good = bench.post(&bench.ann, CALL);
    let host = format!("Host: {}\r\n", bench.host());
    let with = |line: &str| good.replacen(&host, &format!("{host}{line}"), 1);
    let cases = [
        ("HTTP/1.0", good.replacen("HTTP/1.1", "HTTP/1.0", 1)),
        ("HTTP/0.9", "GET /mcp\r\n\r\n".into()),
        ("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into()),
        ("two lengths", with("Content-Length: 5\r\n")),
        ("a list of lengths", good.replacen("Content-Length: ", "Content-Length: 5, ", 1)),
        ("a signed length", good.replacen("Content-Length: ", "Content-Length: +", 1)),
        ("another coding", with("Transfer-Encoding: gzip\r\n")),
        ("two codings", with("Transfer-Encoding: gzip, chunked\r\n")),
        ("coding twice", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
        ("a disguised coding", with("Transfer-Encoding: xchunked\r\n")),
        ("a space before the colon", with("Transfer-Encoding : chunked\r\n")),
        ("a folded line", with("X-A: b\r\n c\r\n")),
        ("a folded coding", with("Transfer-Encoding:\r\n chunked\r\n")),
        ("a bare return", with("X-A: b\rTransfer-Encoding: chunked\r\n")),
        ("a zero byte", with("X-A: b\0c\r\n")),
        ("two hosts", with(&host)),
        ("another second host", with("Host: evil.example\r\n")),
        ("no host", good.replacen(&host, "", 1)),
        ("absolute form", good.replacen("/s/docs/mcp", "http://evil.example/s/docs/mcp", 1)),
        ("connect", format!("CONNECT evil.example:80 HTTP/1.1\r\n{host}\r\n")),
        ("an upgrade", with("Connection: Upgrade\r\nUpgrade: websocket\r\n")),
        ("an upgrade to two", with("Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n")),
        ("an expectation", with("Expect: 200-ok\r\n")),
    ];
    for (what, request) in cases {
        // A second request behind it must not be served.
        let answered = statuses(&bench, format!("{request}{good}")).await;
        assert!(
            answered.len() <= 1 && answered.iter().all(|status| *status == 400 || *status == 505),
            "{what}: {answered:?}"
        );
    }
    assert!(bench.server.saw_nothing_more());
}

#[tokio::test]
async fn a_length_beside_chunks_never_hides_a_second_request() {
    let mut bench = Bench::new().await;
    let good = bench.post(&bench.ann, CALL);
    let chunked = format!("{:x}\r\n{CALL}\r\n0\r\n\r\n", CALL.len());
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ] {
        let head = good.split("Content-Length").next().unwrap();
        let mut wire = bench.dial().await;
        wire.send(format!("{head}{lines}\r\n{chunked}{good}")).await;
        // Either refused, or framed by the chunks and the connection closed: never two requests.
        let exchange = bench.server.request().await;
        assert_eq!(exchange.body, CALL.as_bytes());
        exchange.answer_json("{}").await;
        assert_eq!(wire.reply().await.header("connection"), ["close"]);
        assert!(wire.is_over().await);
        assert!(bench.server.saw_nothing_more());
    }
}

#[tokio::test]
async fn broken_chunks_are_refused() {
    let mut bench = Bench::new().await;
    let head = bench.post(&bench.ann, "").replace("Content-Length: 0", "Transfer-Encoding: chunked");
    for body in [
        "x\r\n",
        "-1\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
        "fffffffffffffffff\r\n",
        "2;a\nb\r\n{}\r\n0\r\n\r\n",
    ] {
        assert_eq!(statuses(&bench, format!("{head}{body}")).await, [400], "{body:?}");
    }
    assert!(bench.server.saw_nothing_more());
}

#[tokio::test]
async fn after_an_unread_body_the_connection_is_closed() {
    let mut bench = Bench::new().await;
    let good = bench.post(&bench.ann, CALL);
    let anonymous = good.replace("Authorization", "X-Authorization");
    let hidden = format!(
        "{}{good}",
        anonymous
            .replace(&format!("Length: {}", CALL.len()), &format!("Length: {}", CALL.len() + good.len()))
    );
    assert_eq!(statuses(&bench, hidden).await, [401]);
    assert!(bench.server.saw_nothing_more());
}
