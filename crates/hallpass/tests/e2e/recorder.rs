//! An upstream that shows a test each request byte for byte and sends what the test tells it to.
//! Knows no MCP and answers nothing on its own: a request left alone hangs.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use crate::wire::{Head, Wire};

const PATIENCE: Duration = Duration::from_secs(15);

/// Listens until it is dropped.
pub(crate) struct Recorder {
    address: SocketAddr,
    arrivals: mpsc::UnboundedReceiver<Exchange>,
    accepting: JoinHandle<()>,
}

impl Recorder {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("a bound address");
        let (sender, arrivals) = mpsc::unbounded_channel();
        Self { address, arrivals, accepting: tokio::spawn(accept(listener, sender)) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// The next request, waited for.
    pub(crate) async fn next(&mut self) -> Exchange {
        let arrival = timeout(PATIENCE, self.arrivals.recv()).await;
        arrival.expect("a request reaches the upstream").expect("the recorder runs")
    }

    /// The next request, whenever it comes.
    pub(crate) async fn next_ever(&mut self) -> Exchange {
        self.arrivals.recv().await.expect("the recorder runs")
    }

    /// That no request came that was not taken with [`Self::next`].
    pub(crate) fn assert_quiet(&mut self) {
        if let Ok(unexpected) = self.arrivals.try_recv() {
            panic!("a request reached the upstream: {}", unexpected.head.raw);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// One request as it came, and the hand on its answer.
pub(crate) struct Exchange {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
    answer: mpsc::UnboundedSender<Order>,
    gone: oneshot::Receiver<()>,
}

impl Exchange {
    /// Answers whole; the connection stays open for the next request.
    pub(crate) fn respond(self, status: &str, header_lines: &[&str], body: &[u8]) {
        let head = response_head(status, header_lines, &format!("Content-Length: {}", body.len()));
        self.order(Order::Send([head.as_bytes(), body].concat()));
        self.order(Order::Done);
    }

    /// Sends the head of an event stream at once, its chunks when the test says so.
    pub(crate) fn stream(self, header_lines: &[&str]) -> Streaming {
        let lines = [&["Content-Type: text/event-stream"], header_lines].concat();
        self.order(Order::Send(response_head("200 OK", &lines, "Transfer-Encoding: chunked").into()));
        Streaming { exchange: self }
    }

    /// Closes the connection where it stands.
    pub(crate) fn cut(self) {
        self.order(Order::Close);
    }

    /// Waits until the one who asked has closed the connection.
    pub(crate) async fn disconnected(&mut self) {
        let gone = timeout(PATIENCE, &mut self.gone).await;
        gone.expect("the caller's disconnect reaches the upstream").expect("the connection is watched");
    }

    fn order(&self, order: Order) {
        // Once the other side has gone there is nobody to answer, which is for the test to say.
        let _gone = self.answer.send(order);
    }
}

/// An answer that is under way.
pub(crate) struct Streaming {
    exchange: Exchange,
}

impl Streaming {
    pub(crate) fn chunk(&self, data: &str) {
        self.exchange.order(Order::Send(format!("{:x}\r\n{data}\r\n", data.len()).into()));
    }

    /// A clean end.
    pub(crate) fn finish(self) {
        self.exchange.order(Order::Send(b"0\r\n\r\n".into()));
        self.exchange.order(Order::Done);
    }

    /// An end in the middle of the body.
    pub(crate) fn cut(self) {
        self.exchange.cut();
    }

    pub(crate) async fn disconnected(&mut self) {
        self.exchange.disconnected().await;
    }
}

enum Order {
    Send(Vec<u8>),
    Done,
    Close,
}

fn response_head(status: &str, header_lines: &[&str], framing: &str) -> String {
    let lines = header_lines.iter().fold(String::new(), |lines, line| lines + line + "\r\n");
    format!("HTTP/1.1 {status}\r\n{lines}{framing}\r\n\r\n")
}

async fn accept(listener: TcpListener, arrivals: mpsc::UnboundedSender<Exchange>) {
    // Owned here, so that the connections end with the task that accepts them.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(converse(stream, arrivals.clone()));
    }
}

async fn converse(stream: TcpStream, arrivals: mpsc::UnboundedSender<Exchange>) {
    let mut wire = Wire::over(stream);
    // A kept-alive connection may idle for as long as the caller likes.
    while wire.woken().await {
        let Some(head) = wire.head().await else { return };
        let body = wire.body(&head).await;
        let (answer, orders) = mpsc::unbounded_channel();
        let (leaving, gone) = oneshot::channel();
        if arrivals.send(Exchange { head, body, answer, gone }).is_err() {
            return;
        }
        if obey(&mut wire, orders).await.is_break() {
            let _untold = leaving.send(());
            return;
        }
    }
}

/// Breaks when the connection is over.
async fn obey(wire: &mut Wire, mut orders: mpsc::UnboundedReceiver<Order>) -> std::ops::ControlFlow<()> {
    use std::ops::ControlFlow::{Break, Continue};
    loop {
        tokio::select! {
            // Orders first: what was said before a disconnect is written before it is noticed.
            biased;
            order = orders.recv() => match order {
                Some(Order::Send(bytes)) if wire.send(&bytes).await.is_ok() => {}
                Some(Order::Done) => return Continue(()),
                Some(Order::Send(_) | Order::Close) | None => return Break(()),
            },
            open = wire.fill() => if !open { return Break(()) },
        }
    }
}
