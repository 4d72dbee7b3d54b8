//! The admin listener: metrics for whoever has the home's own credential, and nothing for anybody else.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::{
    caller::Caller,
    installed::Installed,
    program::Serving,
    uses::{CALL, answering},
    wire::{Head, Wire},
};

pub(crate) const ADMIN: &str = "[admin]\nlisten = \"127.0.0.1:0\"\n";

/// The listener of a running gateway, and the credential of its home.
pub(crate) struct Admin {
    host: String,
    credential: String,
}

struct Answer {
    head: Head,
    body: String,
}

impl Admin {
    pub(crate) fn of(installed: &Installed, gateway: &Serving) -> Self {
        let said = gateway.stderr();
        let line =
            said.lines().find_map(|line| line.strip_prefix("metrics on http://")).expect("its address");
        let (host, _) = line.split_once("/metrics").expect("the path");
        let credential = std::fs::read_to_string(credential_file(installed)).expect("the credential");
        Self { host: host.to_owned(), credential: credential.trim_end().to_owned() }
    }

    async fn ask(&self, method: &str, path: &str, lines: &[String]) -> Answer {
        let mut wire = Wire::connect(&self.host).await;
        let lines = lines.iter().fold(String::new(), |lines, line| lines + line + "\r\n");
        wire.send(format!("{method} {path} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n"))
            .await
            .expect("an open connection");
        let head = wire.head().await.expect("an answer");
        let body = if method == "HEAD" { Vec::new() } else { wire.body(&head).await };
        Answer { head, body: String::from_utf8(body).expect("UTF-8") }
    }

    fn host_line(&self) -> String {
        format!("Host: {}", self.host)
    }

    async fn shown(&self, method: &str, path: &str, credential: &str) -> Answer {
        self.ask(method, path, &[self.host_line(), format!("Authorization: Bearer {credential}")]).await
    }

    pub(crate) async fn scrape(&self) -> String {
        let answer = self.shown("GET", "/metrics", &self.credential).await;
        assert_eq!(answer.head.status(), 200, "{}", answer.head.raw);
        assert_eq!(answer.head.value("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        assert_eq!(answer.head.value("access-control-allow-origin"), None);
        answer.body
    }
}

fn credential_file(installed: &Installed) -> PathBuf {
    installed.program.home().join("admin.token")
}

/// The value of the only sample that starts so.
pub(crate) fn sample(page: &str, start: &str) -> f64 {
    let found: Vec<_> = page.lines().filter_map(|line| line.strip_prefix(start)).collect();
    assert_eq!(found.len(), 1, "`{start}` in {page}");
    found[0].trim().parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_happened_and_say_what_is_so() {
    let installed = answering(ADMIN).await;
    let gateway = installed.serve().await;
    let admin = Admin::of(&installed, &gateway);
    let token = installed.token("ann");
    let before = admin.scrape().await;
    assert!(!before.contains("client=\"ann\",server"), "{before}");
    for _ in 0..3 {
        assert_eq!(Caller::new(&gateway, &token).await.ask(CALL).await.status(), 200);
    }
    let foreign = Some(format!("Bearer {token}"));
    assert_eq!(Caller::at(&gateway, "/c/bob/s/docs/mcp", foreign).await.ask(CALL).await.status(), 401);
    assert_eq!(Caller::at(&gateway, "/s/docs/mcp", None).await.ask(CALL).await.status(), 401);
    installed.logged("the last of them", |event| event["reason"] == "no_credential").await;
    // Warnings are noticed a moment after the log has what they are about.
    let mut page = admin.scrape().await;
    while sample(&page, "hallpass_warnings_total{kind=\"other_clients_path\"}") < 1.0 {
        page = admin.scrape().await;
    }
    let is =
        |start: &str, value: f64| assert_eq!(sample(&page, start).to_string(), value.to_string(), "{start}");
    is("hallpass_calls_total{client=\"ann\",server=\"docs\",outcome=\"ok\"}", 3.0);
    is("hallpass_calls_total{client=\"ann\",server=\"-\",outcome=\"refused\"}", 1.0);
    is("hallpass_calls_total{client=\"-\",server=\"-\",outcome=\"refused\"}", 1.0);
    is("hallpass_refusals_total{reason=\"other_clients_path\"}", 1.0);
    is("hallpass_refusals_total{reason=\"no_credential\"}", 1.0);
    is("hallpass_warnings_total{kind=\"other_clients_path\"}", 1.0);
    is("hallpass_warnings_total{kind=\"two_programs\"}", 0.0);
    is("hallpass_snapshot_stale", 0.0);
    assert!(sample(&page, "hallpass_snapshot_age_seconds") < 15.0);
    assert!(sample(&page, "hallpass_snapshot_revision") > 1.0);
    let left = sample(&page, "hallpass_token_seconds_left{client=\"carl\"}");
    assert!((89.0..=90.0).contains(&(left / 86_400.0)), "{left}");
    installed.program.heard(&page);
    for secret in [&token, &admin.credential] {
        assert!(!page.contains(&secret[20..40]), "a secret on the page");
    }
    installed.program.must(&["revoke", "carl", "--reason", "lost"]).await;
    assert!(!admin.scrape().await.contains("client=\"carl\""), "it has no token that could end");
    gateway.terminate().await;
    installed.nothing_leaked().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_credential_nothing_is_told_and_with_it_only_the_route_table() {
    let installed = answering(ADMIN).await;
    let gateway = installed.serve().await;
    let admin = Admin::of(&installed, &gateway);
    let own = admin.credential.clone();
    let mut wrong: Vec<Vec<String>> = vec![vec![]];
    let lines =
        ["Bearer", "Bearer ", "Basic OWN", "Bearer OWNx", "Bearer x", "OWN", "bearerOWN", "Bearer OWN OWN"];
    wrong.extend(lines.iter().map(|form| vec![format!("Authorization: {}", form.replace("OWN", &own))]));
    wrong.push(vec![format!("Authorization: Bearer {}", &own[..own.len() - 1])]);
    wrong.push(vec![format!("Authorization: Bearer {}", installed.token("ann"))]);
    wrong.push(vec![format!("Authorization: Bearer {own}"), format!("Authorization: Bearer {own}")]);
    wrong.push(vec![format!("Cookie: token={own}"), format!("Proxy-Authorization: Bearer {own}")]);
    let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"];
    let paths = [
        "/",
        "/metrics",
        "/metrics/",
        "/METRICS",
        "/%6detrics",
        "/metrics?x=1",
        "/healthz",
        "/s/docs/mcp",
        "/debug",
    ];
    for lines in &wrong {
        let lines = [vec![admin.host_line()], lines.clone()].concat();
        for (method, path) in
            [("GET", "/metrics"), ("GET", "/nothing"), ("POST", "/metrics"), ("OPTIONS", "/metrics")]
        {
            let answer = admin.ask(method, path, &lines).await;
            assert_eq!((answer.head.status(), &*answer.body), (401, ""), "{method} {path} {}", lines.len());
        }
    }
    for method in methods {
        for path in paths {
            let bare = admin.ask(method, path, &[admin.host_line()]).await;
            assert_eq!((bare.head.status(), &*bare.body), (401, ""), "{method} {path}");
            let answer = admin.shown(method, path, &own).await;
            let expect = match (path, method) {
                ("/metrics", "GET") => 200,
                ("/metrics", _) => 405,
                _ => 404,
            };
            assert_eq!(answer.head.status(), expect, "{method} {path}");
            assert_eq!(answer.head.value("access-control-allow-origin"), None);
            assert!(expect == 200 || answer.body.is_empty(), "{method} {path}");
        }
    }
    let lines = [admin.host_line(), format!("Authorization: Bearer {own}"), "Content-Length: 3".into()];
    assert_eq!(admin.ask("GET", "/metrics", &lines).await.head.status(), 400, "no body is wanted");
    // A credential of this listener is worth nothing at the gateway.
    assert_eq!(Caller::new(&gateway, &own).await.ask(CALL).await.status(), 401);
    gateway.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_dial_name_or_page_is_refused_before_the_credential() {
    let installed = answering(ADMIN).await;
    let gateway = installed.serve().await;
    let admin = Admin::of(&installed, &gateway);
    let (_, port) = admin.host.rsplit_once(':').expect("a port");
    let bearer = format!("Authorization: Bearer {}", admin.credential);
    let origin = |text: &str| vec![admin.host_line(), format!("Origin: {text}")];
    let refused = [
        vec!["Host: evil.example".to_owned()],
        vec![format!("Host: evil.example:{port}")],
        vec!["Host: 127.0.0.1".to_owned()],
        vec![admin.host_line(), admin.host_line()],
        vec![],
        origin("http://evil.example"),
        origin("null"),
    ];
    for lines in refused {
        let answer = admin.ask("GET", "/metrics", &[lines.clone(), vec![bearer.clone()]].concat()).await;
        // The HTTP library may have the first word about a missing `Host`.
        assert!([400, 421].contains(&answer.head.status()), "{lines:?}: {}", answer.head.raw);
        assert!(!answer.body.contains("hallpass_"), "{lines:?}");
    }
    let local = vec![format!("Host: localhost:{port}"), bearer];
    assert_eq!(admin.ask("GET", "/metrics", &local).await.head.status(), 200);
    gateway.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_credential_is_made_once_for_its_owner_alone_and_refused_otherwise() {
    let installed = answering(ADMIN).await;
    let file = credential_file(&installed);
    assert!(!file.exists(), "nobody has asked for it yet");
    let gateway = installed.serve().await;
    let first = Admin::of(&installed, &gateway);
    let mode = std::fs::metadata(&file).expect("the file").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    gateway.terminate().await;
    let gateway = installed.serve().await;
    assert_eq!(Admin::of(&installed, &gateway).credential, first.credential);
    gateway.terminate().await;
    assert!(!installed.program.transcript().contains(&first.credential));

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).expect("a mode");
    let outcome = installed.program.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert!(outcome.code == Some(1) && outcome.stderr.contains("is open to others"), "{outcome:#?}");
    std::fs::remove_file(&file).expect("the file");
    for damaged in ["", "hallpass-admin-00", "x"] {
        #[expect(clippy::disallowed_methods, reason = "a test's own damage needs no atomic write")]
        std::fs::write(&file, damaged).expect("a file");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("a mode");
        let outcome = installed.program.run(&["serve", "--listen", "127.0.0.1:0"]).await;
        assert!(outcome.code == Some(1) && outcome.stderr.contains("hint: delete it"), "{outcome:#?}");
    }
    std::fs::remove_file(&file).expect("the file");
    let gateway = installed.serve().await;
    assert_ne!(Admin::of(&installed, &gateway).credential, first.credential);
    gateway.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_off_unless_asked_for_and_says_when_it_cannot_listen() {
    let installed = answering("").await;
    let gateway = installed.serve().await;
    assert!(!gateway.stderr().contains("metrics"), "{}", gateway.stderr());
    gateway.terminate().await;
    assert!(!credential_file(&installed).exists());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let installed = answering(&format!("[admin]\nlisten = \"{address}\"\n")).await;
    let outcome = installed.program.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains(&format!("cannot listen on {address} for metrics")), "{outcome:#?}");
    assert!(outcome.stderr.contains("hint: set `admin.listen`"), "{outcome:#?}");
    let open = answering("[admin]\nlisten = \"0.0.0.0:0\"\n").await;
    let gateway = open.serve().await;
    assert!(
        gateway.stderr().contains("note: the admin listener listens beyond this machine"),
        "{}",
        gateway.stderr()
    );
    assert_eq!(gateway.terminate().await.code, Some(0));
}
