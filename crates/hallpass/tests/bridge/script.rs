//! A server that writes down what it receives and answers as a test says.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A request, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub(crate) fn is(&self, method: &str) -> bool {
        self.text().contains(&format!(r#""method":"{method}""#))
    }
}

/// What the body of an answer does next.
#[derive(Clone)]
pub(crate) enum Step {
    Data(String),
    /// Nothing more comes, and the connection stays.
    Hold,
    /// The connection breaks.
    Break,
}

/// An answer: status, headers, body.
#[derive(Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    steps: VecDeque<Step>,
    has_flushed: bool,
    ends: Option<Arc<watch::Sender<()>>>,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), steps: VecDeque::new(), has_flushed: false, ends: None }
    }

    pub(crate) fn json(status: u16, body: impl Into<String>) -> Self {
        let steps = VecDeque::from([Step::Data(body.into())]);
        Self {
            status,
            headers: vec![("content-type", "application/json; charset=utf-8".to_owned())],
            steps,
            has_flushed: false,
            ends: None,
        }
    }

    pub(crate) fn events(steps: impl IntoIterator<Item = Step>) -> Self {
        let headers = vec![("content-type", "text/event-stream".to_owned())];
        Self { status: 200, headers, steps: steps.into_iter().collect(), has_flushed: false, ends: None }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Says when the body is dropped, which is when the caller has gone.
    pub(crate) fn telling(mut self, ends: Arc<watch::Sender<()>>) -> Self {
        self.ends = Some(ends);
        self
    }

    /// What most legacy servers say to `initialize`.
    pub(crate) fn initialized(session: &str) -> Self {
        let body = r#"{"jsonrpc":"2.0","id":"init","result":{"protocolVersion":"2025-06-18"}}"#;
        Self::json(200, body).with("mcp-session-id", session)
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(ends) = &self.ends {
            ends.send_replace(());
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.steps.pop_front() {
            None => Poll::Ready(None),
            Some(Step::Data(text)) => Poll::Ready(Some(Ok(Frame::data(text.into())))),
            Some(Step::Hold) => {
                self.steps.push_front(Step::Hold);
                Poll::Pending
            }
            // What came before is sent when the body has nothing for a moment.
            Some(Step::Break) if !self.has_flushed => {
                self.has_flushed = true;
                self.steps.push_front(Step::Break);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Step::Break) => Poll::Ready(Some(Err(io::Error::other("broken on purpose")))),
        }
    }
}

/// The server; it ends when this is dropped.
pub(crate) struct Script {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<Received>>>,
    count: watch::Receiver<usize>,
    _connections: JoinSet<()>,
}

impl Script {
    /// Serves with `reply`, which sees each request and how many there were before it.
    pub(crate) async fn start(reply: impl Fn(&Received, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let (counted, count) = watch::channel(0);
        let desk = Arc::new(Desk { reply: Box::new(reply), received: Arc::clone(&received), counted });
        let mut connections = JoinSet::new();
        connections.spawn(accept(listener, desk));
        Self { url, received, count, _connections: connections }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().expect("requests").clone()
    }

    /// Waits for the first request for which `is_it` holds.
    pub(crate) async fn wait_for(&self, is_it: impl Fn(&Received) -> bool) -> Received {
        let mut count = self.count.clone();
        loop {
            count.borrow_and_update();
            if let Some(found) = self.received().into_iter().find(|received| is_it(received)) {
                return found;
            }
            let changed = tokio::time::timeout(std::time::Duration::from_secs(20), count.changed());
            changed.await.expect("the request in time").expect("a server");
        }
    }
}

type OnRequest = Box<dyn Fn(&Received, usize) -> Reply + Send + Sync>;

struct Desk {
    reply: OnRequest,
    received: Arc<Mutex<Vec<Received>>>,
    counted: watch::Sender<usize>,
}

async fn accept(listener: TcpListener, desk: Arc<Desk>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let desk = Arc::clone(&desk);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let desk = Arc::clone(&desk);
                async move { Ok::<_, Infallible>(desk.answer(request).await) }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Desk {
    async fn answer(&self, request: Request<Incoming>) -> Response<Reply> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let received = Received { method: head.method, headers: head.headers, body };
        let before = {
            let mut all = self.received.lock().expect("requests");
            all.push(received.clone());
            all.len() - 1
        };
        self.counted.send_replace(before + 1);
        let reply = (self.reply)(&received, before);
        let mut response = Response::builder().status(reply.status);
        for (name, value) in &reply.headers {
            response = response.header(*name, value);
        }
        response.body(reply).expect("an answer")
    }
}
