//! What every test needs: an authority that mints tokens, snapshots by hand, a recording server, a raw client.

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use hallpass_core::arguments::Keeping;
use hallpass_core::claims::Draft;
use hallpass_core::encoding::base64url;
use hallpass_core::keys::{Algorithm, KeyId, KeySet, VerifyingKey};
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::session::SessionKey;
use hallpass_core::snapshot::{Authority, Client, TokenRecord, TokenState, TokenType};
use hallpass_core::{ClientName, Event, Outcome, ServerName, Snapshot, Subject, TokenDigest, UnixTime};
use hallpass_gateway::{Clock, Entrance, Entry, Gateway, GatewayConfig, Limits, LogState, Random, Upstream};
use http::HeaderValue;
use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// The tests' present: 2026-11-23T00:00:00Z.
pub(crate) const NOW: i64 = 1_795_392_000;
pub(crate) const HOUR: i64 = 3600;

/// What must come, comes soon; a test that hangs fails.
pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(10), what).await.expect("in time")
}

/// Signs tokens, as the program does.
pub(crate) struct Mint {
    pair: EcdsaKeyPair,
    kid: KeyId,
}

impl Mint {
    pub(crate) fn new(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { pair, kid: KeyId::new(kid).unwrap() }
    }

    pub(crate) fn public(&self) -> VerifyingKey {
        VerifyingKey::public(self.kid.clone(), Algorithm::Es256, self.pair.public_key().as_ref()).unwrap()
    }

    pub(crate) fn token(&self, client: &str, jti: &str) -> Token {
        self.token_for(client, jti, "gateway.test", NOW - HOUR, 24 * HOUR)
    }

    pub(crate) fn token_for(&self, client: &str, jti: &str, audience: &str, issued: i64, life: i64) -> Token {
        let draft = Draft {
            kid: &self.kid,
            algorithm: Algorithm::Es256,
            issuer: &Issuer::new("hallpass.test").unwrap(),
            audience: &Audience::new(audience).unwrap(),
            subject: &subject(client),
            client: &name(client),
            issued_at: UnixTime::from_seconds(issued),
            lifetime: life,
            jti,
        };
        let input = draft.signing_input();
        let signature = self.pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        let text = format!("{input}.{}", base64url(signature.as_ref()));
        Token { client: client.to_owned(), jti: jti.to_owned(), text }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) client: String,
    pub(crate) jti: String,
    pub(crate) text: String,
}

impl Token {
    pub(crate) fn record(&self, state: TokenState) -> TokenRecord {
        TokenRecord {
            jti: self.jti.as_str().into(),
            client: name(&self.client),
            digest: TokenDigest::of(&self.text),
            state,
            adopted: false,
        }
    }
}

pub(crate) fn name(text: &str) -> ClientName {
    ClientName::new(text).unwrap()
}

pub(crate) fn server(text: &str) -> ServerName {
    ServerName::new(text).unwrap()
}

fn subject(client: &str) -> Subject {
    Subject::new(&format!("{client}@clients.test")).unwrap()
}

/// A client that may use every server.
pub(crate) fn client(text: &str) -> Client {
    Client::new(name(text), subject(text))
}

/// The gateway under test and all around it.
pub(crate) struct Bench {
    pub(crate) gateway: Gateway,
    pub(crate) mint: Mint,
    pub(crate) ann: Token,
    pub(crate) bob: Token,
    pub(crate) events: mpsc::UnboundedReceiver<Event>,
    entries: Entries,
    pub(crate) server: Server,
    now_ms: Arc<AtomicI64>,
}

/// Who tells that records are written.
enum Entries {
    /// A log that takes each at once.
    Taken(mpsc::WeakSender<Entry>),
    /// The test.
    ByHand(mpsc::Receiver<Entry>),
}

/// What can be different about a bench.
pub(crate) struct Plan {
    pub(crate) limits: Limits,
    pub(crate) servers: Vec<&'static str>,
    pub(crate) url: Option<String>,
    pub(crate) hosts: Vec<String>,
    pub(crate) origins: Vec<String>,
    pub(crate) credential: Option<&'static str>,
    pub(crate) event_places: usize,
    /// The test takes the records itself, and tells that they are written.
    pub(crate) records_by_hand: bool,
    pub(crate) log: LogState,
    pub(crate) arguments: Keeping,
    /// More servers, and listeners of their own.
    pub(crate) more: Vec<(&'static str, Upstream)>,
    pub(crate) entrances: Vec<(&'static str, std::net::TcpListener)>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            limits: Limits { watch_every: Duration::from_millis(10), ..Limits::default() },
            servers: vec!["docs"],
            url: None,
            hosts: Vec::new(),
            origins: Vec::new(),
            credential: None,
            event_places: 1000,
            records_by_hand: false,
            log: LogState::default(),
            arguments: Keeping::default(),
            more: Vec::new(),
            entrances: Vec::new(),
        }
    }
}

impl Bench {
    /// One server `docs`, clients `ann` and `bob` with a token each.
    pub(crate) async fn new() -> Self {
        Self::with(Plan::default()).await
    }

    pub(crate) async fn with(plan: Plan) -> Self {
        let raw_server = Server::start().await;
        let mint = Mint::new("hp-test");
        let (ann, bob) = (mint.token("ann", "jti-ann"), mint.token("bob", "jti-bob"));
        let snapshot = snapshot(&mint, [client("ann"), client("bob")], [&ann, &bob].map(active));
        let url = plan.url.unwrap_or_else(|| format!("http://{}/upstream/mcp", raw_server.address));
        let servers = plan.servers.iter().map(|name| {
            let credential = plan.credential.map(HeaderValue::from_static);
            (server(name), Upstream { url: url.parse().unwrap(), credential, legacy_token: None })
        });
        let more = plan.more.into_iter().map(|(name, upstream)| (server(name), upstream));
        let entrances = plan.entrances.into_iter();
        let config = GatewayConfig {
            workers: 2,
            hosts: plan.hosts,
            origins: plan.origins,
            servers: servers.chain(more).collect::<BTreeMap<_, _>>(),
            entrances: entrances
                .map(|(name, listener)| Entrance { listener, server: server(name) })
                .collect(),
            random: Random::new(|bytes| SystemRandom::new().fill(bytes).unwrap()),
            session_key: SessionKey::new(&[9; 32]),
            log: plan.log,
            arguments: plan.arguments,
            request_prefix: "run1".into(),
            limits: plan.limits,
        };
        let now_ms = Arc::new(AtomicI64::new(NOW * 1000));
        let clock: Clock = {
            let now_ms = Arc::clone(&now_ms);
            Arc::new(move || match now_ms.load(Ordering::SeqCst) {
                i64::MIN => panic!("the clock is broken"),
                breaking if breaking < 0 => {
                    now_ms.store(breaking - 1, Ordering::SeqCst);
                    NOW * 1000
                }
                now => now,
            })
        };
        let (sender, entries) = mpsc::channel(plan.event_places);
        let (taken, events) = mpsc::unbounded_channel();
        let entries = if plan.records_by_hand {
            Entries::ByHand(entries)
        } else {
            tokio::spawn(take_all(entries, taken));
            Entries::Taken(sender.downgrade())
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let gateway = Gateway::start(listener, config, Arc::new(snapshot), clock, sender).unwrap();
        Self { gateway, mint, ann, bob, events, entries, server: raw_server, now_ms }
    }

    pub(crate) fn publish(&self, clients: impl IntoIterator<Item = Client>, tokens: Vec<Record>) {
        self.gateway.publish(Arc::new(snapshot(&self.mint, clients, tokens)));
    }

    pub(crate) fn set_now(&self, seconds: i64) {
        self.now_ms.store(seconds * 1000, Ordering::SeqCst);
    }

    /// From now on every look at the clock panics, but for the first few.
    pub(crate) fn break_clock_after(&self, looks: i64) {
        self.now_ms.store(i64::MIN + looks, Ordering::SeqCst);
    }

    pub(crate) async fn dial(&self) -> Wire {
        Wire::dial(self.gateway.local_addr()).await
    }

    pub(crate) async fn event(&mut self) -> Event {
        match &mut self.entries {
            Entries::Taken(_) => soon(self.events.recv()).await.expect("an event"),
            Entries::ByHand(entries) => soon(entries.recv()).await.expect("an entry").written(),
        }
    }

    /// The next record, which nobody has told to be written.
    pub(crate) async fn entry(&mut self) -> Entry {
        match &mut self.entries {
            Entries::Taken(_) => panic!("this bench has a log"),
            Entries::ByHand(entries) => soon(entries.recv()).await.expect("an entry"),
        }
    }

    /// Everything that was recorded until now.
    pub(crate) async fn events_so_far(&mut self) -> Vec<Event> {
        let Entries::Taken(sender) = &self.entries else { panic!("this bench has no log") };
        let mark = Entry { event: Event::new(0, "mark", Outcome::Done), written: None };
        sender.upgrade().expect("a gateway").send(mark).await.expect("a log");
        let mut events = Vec::new();
        loop {
            match soon(self.events.recv()).await.expect("an event") {
                mark if mark.kind == "mark" => return events,
                event => events.push(event),
            }
        }
    }

    pub(crate) fn host(&self) -> String {
        self.gateway.local_addr().to_string()
    }

    /// A POST of `body` by the holder of `token`.
    pub(crate) fn post(&self, token: &Token, body: &str) -> String {
        self.post_with(token, "", body)
    }

    /// The same with more header lines, each ended by CRLF.
    pub(crate) fn post_with(&self, token: &Token, more: &str, body: &str) -> String {
        format!(
            "POST /s/docs/mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n{more}Content-Length: {}\r\n\r\n{body}",
            self.host(),
            token.text,
            body.len()
        )
    }

    /// A request without a body by the holder of `token`.
    pub(crate) fn bare(&self, method: &str, token: &Token, more: &str) -> String {
        format!(
            "{method} /s/docs/mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n{more}\r\n",
            self.host(),
            token.text
        )
    }
}

/// A log that takes each record at once.
async fn take_all(mut entries: mpsc::Receiver<Entry>, taken: mpsc::UnboundedSender<Event>) {
    while let Some(Entry { event, written }) = entries.recv().await {
        // First: who has the whole answer may look at the log.
        let _ = taken.send(event);
        if let Some(written) = written {
            written.now();
        }
    }
}

pub(crate) type Record = TokenRecord;

pub(crate) fn active(token: &Token) -> Record {
    token.record(TokenState::Active)
}

pub(crate) fn snapshot(
    mint: &Mint,
    clients: impl IntoIterator<Item = Client>,
    tokens: impl IntoIterator<Item = Record>,
) -> Snapshot {
    let authority = Authority {
        issuer: Issuer::new("hallpass.test").unwrap(),
        audience: Audience::new("gateway.test").unwrap(),
        keys: KeySet::new([mint.public()]),
        token_type: TokenType::Jwt,
        lifetime_most: 90 * 24 * HOUR,
        leeway: 60,
    };
    Snapshot::new(1, authority, clients, tokens)
}

/// A server that hands every request to the test, which answers it by hand.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: mpsc::UnboundedReceiver<Exchange>,
}

/// One request at the server, and its connection.
pub(crate) struct Exchange {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    wire: Wire,
    next: mpsc::UnboundedSender<Exchange>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (next, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(receive(Wire::new(stream), next.clone()));
            }
        });
        Self { address, requests }
    }

    pub(crate) async fn request(&mut self) -> Exchange {
        soon(self.requests.recv()).await.expect("a request")
    }

    /// Nothing has arrived that the test has not asked for.
    pub(crate) fn saw_nothing_more(&mut self) -> bool {
        self.requests.try_recv().is_err()
    }
}

async fn receive(mut wire: Wire, next: mpsc::UnboundedSender<Exchange>) {
    let Some(head) = wire.head().await else { return };
    let body = wire.body(&head).await;
    let _ = next.clone().send(Exchange { head, body, wire, next });
}

impl Exchange {
    /// All values of a header.
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        header_values(&self.head, name)
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.wire.send(text).await;
    }

    /// Answers whole, and takes the connection's next request.
    pub(crate) async fn answer(mut self, text: &str) {
        self.wire.send(text).await;
        tokio::spawn(receive(self.wire, self.next));
    }

    /// Answers 200 with a JSON body, and takes the connection's next request.
    pub(crate) async fn answer_json(self, body: &str) {
        let length = body.len();
        self.answer(&format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
        .await;
    }

    /// Starts an event stream.
    pub(crate) async fn begin_stream(&mut self) {
        self.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
    }

    pub(crate) async fn send_chunk(&mut self, text: &str) {
        self.send(&format!("{:x}\r\n{text}\r\n", text.len())).await;
    }

    /// Returns once the gateway has hung up.
    pub(crate) async fn hung_up(&mut self) {
        soon(self.wire.rest()).await;
    }
}

/// One end of a raw connection.
pub(crate) struct Wire {
    stream: TcpStream,
    seen: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        header_values(&self.head, name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { stream, seen: Vec::new() }
    }

    pub(crate) async fn dial(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).await.unwrap();
    }

    /// Sends to somebody who may have hung up already.
    pub(crate) async fn try_send(&mut self, text: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(text.as_ref()).await;
    }

    /// Sends, and takes the whole answer.
    pub(crate) async fn ask(&mut self, text: impl AsRef<[u8]>) -> Reply {
        self.send(text).await;
        self.reply().await
    }

    pub(crate) async fn reply(&mut self) -> Reply {
        let head = self.reply_head().await;
        self.reply_after(head).await
    }

    /// The rest of an answer whose head is here.
    pub(crate) async fn reply_after(&mut self, head: String) -> Reply {
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = soon(self.body(&head)).await;
        Reply { status, head, body }
    }

    pub(crate) async fn reply_head(&mut self) -> String {
        soon(self.head()).await.expect("an answer")
    }

    /// The next chunk of a chunked body, `None` at its proper end.
    pub(crate) async fn chunk(&mut self) -> Option<String> {
        let size = soon(self.until(b"\r\n")).await.expect("a chunk");
        let size = usize::from_str_radix(std::str::from_utf8(&size).unwrap().trim(), 16).unwrap();
        let text = soon(self.take(size + 2)).await.expect("a whole chunk");
        (size > 0).then(|| String::from_utf8(text[..size].to_vec()).unwrap())
    }

    /// Everything until the other side hangs up.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.seen)
    }

    /// Whether the other side hung up without another byte.
    pub(crate) async fn is_over(&mut self) -> bool {
        soon(self.rest()).await.is_empty()
    }

    /// Everything that comes within this time.
    pub(crate) async fn within(&mut self, time: Duration) -> String {
        let _ = tokio::time::timeout(time, async { while self.more().await {} }).await;
        String::from_utf8(std::mem::take(&mut self.seen)).unwrap()
    }

    async fn head(&mut self) -> Option<String> {
        let head = self.until(b"\r\n\r\n").await?;
        Some(String::from_utf8(head).unwrap())
    }

    async fn body(&mut self, head: &str) -> Vec<u8> {
        if let Some(length) = header_values(head, "content-length").first() {
            return self.take(length.parse().unwrap()).await.expect("a whole body");
        }
        let mut body = Vec::new();
        if header_values(head, "transfer-encoding") == ["chunked"] {
            while let Some(chunk) = self.chunk().await {
                body.extend_from_slice(chunk.as_bytes());
            }
        }
        body
    }

    pub(crate) async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.seen.windows(end.len()).position(|window| window == end) {
                return Some(self.seen.drain(..at + end.len()).collect());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    pub(crate) async fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.seen.len() < length {
            if !self.more().await {
                return None;
            }
        }
        Some(self.seen.drain(..length).collect())
    }

    async fn more(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.seen).await, Ok(read) if read > 0)
    }
}

fn header_values(head: &str, name: &str) -> Vec<String> {
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().to_owned())
        .collect()
}

pub(crate) const CALL: &str =
    r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"n":1.0}}}"#;
pub(crate) const ANSWER: &str =
    r#"{"jsonrpc":"2.0","id":7,"result":{"content":[],"big":12345678901234567890}}"#;
