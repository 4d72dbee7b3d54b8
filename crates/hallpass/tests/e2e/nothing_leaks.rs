//! Tokens where they do not belong, and errors of every kind: none of it may end up in what is printed or kept.

use crate::{
    caller::Caller,
    installed::Installed,
    program::{Hallpass, canary::PIECE},
    recorder::Recorder,
};
use hallpass_core::encoding::{base64url, hex};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;

/// Requests that are refused or fail, each with a good token somewhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_wrong_place_of_a_request() {
    let mut server = Recorder::start().await;
    let installed = Installed::before("docs", &server.url()).await;
    for flag in ["--log-json", "--json"] {
        let arguments = ["serve", "--listen", "127.0.0.1:0", flag];
        let gateway = installed.program.start(installed.program.command(&arguments)).await;
        let token = installed.token("ann");
        let bearer = Some(format!("Bearer {token}"));
        let paths = [
            format!("/s/docs/mcp?access_token={token}"),
            format!("/s/{token}/mcp"),
            format!("/c/{token}/s/docs/mcp"),
            format!("/{token}"),
        ];
        for path in paths {
            let reply = Caller::at(&gateway, &path, bearer.clone()).await.ask(CALL).await;
            assert_eq!(reply.status(), 404);
        }
        let shown = ["Bearer TOKEN TOKEN", "Bearer", "Token TOKEN", "Bearer TOKENx", "BearerTOKEN", "TOKEN"];
        for form in shown {
            let authorization = Some(form.replace("TOKEN", &token));
            let reply = Caller::at(&gateway, "/s/docs/mcp", authorization).await.ask(CALL).await;
            assert!([400, 401].contains(&reply.status()), "{form}: {}", reply.head.raw);
        }
        let lines = [
            (format!("Authorization: Bearer {token}"), 400),
            (format!("Origin: http://{token}"), 403),
            (format!("Mcp-Session-Id: {token}"), 404),
            (format!("Expect: {token}"), 400),
            (format!("Upgrade: {token}"), 400),
            (format!("Content-Encoding: {token}"), 415),
        ];
        for (line, status) in lines {
            let mut caller = Caller::new(&gateway, &token).await;
            caller.post(&[&line], CALL.as_bytes()).await;
            let reply = caller.reply().await;
            assert_eq!(reply.status(), status, "{}", line.split(':').next().unwrap_or_default());
            assert!(!String::from_utf8_lossy(&reply.body).contains(&token), "the answer repeats the token");
        }
        let reply = Caller::new(&gateway, &token).await.ask(&format!("{token} is no JSON")).await;
        assert_eq!(reply.status(), 400);
        assert_eq!(gateway.terminate().await.code, Some(0));
    }
    server.assert_quiet();
    installed.nothing_leaked().await;
}

/// Whoever pastes a token as an argument has it in the shell's history; not on the screen and in a script's log, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_as_an_argument() {
    let installed = Installed::before("docs", "http://127.0.0.1:9/mcp").await;
    let token = installed.token("ann");
    let commands: [&[&str]; 12] = [
        &[&token],
        &["verify", "-", &token],
        &["log", "-n", &token],
        &["verify", &token],
        &["revoke", &token, "--reason", "lost"],
        &["issue", &token, "--yes"],
        &["remove", &token, "--yes"],
        &["show", &token],
        &["log", "--client", &token],
        &["log", "--outcome", &token],
        &["add", &token, "--app", "json", "--yes"],
        &["add", "dora", "--app", &token, "--yes"],
    ];
    for command in commands {
        let outcome = installed.program.run(command).await;
        assert_ne!(outcome.code, Some(0), "{}", command[0]);
        let repeated = [&outcome.stdout, &outcome.stderr].iter().any(|said| said.contains(&token));
        assert!(!repeated, "`hallpass {}` repeats the token", command[0]);
    }
    installed.nothing_leaked().await;
}

/// What went wrong is said without what it went wrong with.
#[tokio::test(flavor = "multi_thread")]
async fn errors_about_tokens_and_keys() {
    let installed = Installed::before("docs", "http://127.0.0.1:9/mcp").await;
    let token = installed.token("ann");
    let good = installed.program.write("good", &token);
    let bad = installed.program.write("bad", &format!("{}x", &token[..token.len() - 1]));
    let twice = installed.program.write("twice", &format!("{token}\n{token}"));
    for (file, code) in [(&good, 0), (&bad, 1), (&twice, 1)] {
        for json in [&[][..], &["--json"]] {
            let file = file.to_str().expect("UTF-8");
            let outcome = installed.program.run(&[&["verify", file][..], json].concat()).await;
            assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
        }
    }
    // A client's file that cannot be read any more, with a token in it.
    installed.program.write("bob.json", &format!("{{ \"mcpServers\": {{ \"tools\": \"{token}\" "));
    let outcome = installed.program.run(&["apply", "--yes"]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    let toml = format!("[clients.{token}]\n");
    let stranger = Hallpass::new();
    stranger.write("hallpass.toml", &toml);
    let outcome = stranger.run(&["init"]).await;
    assert_eq!(outcome.code, Some(1));
    installed.nothing_leaked().await;
}

/// Otherwise "nothing leaked" would prove nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_search_finds_a_piece_wherever_it_lies() {
    let installed = Installed::before("docs", "http://127.0.0.1:9/mcp").await;
    let program = &installed.program;
    let (token, home) = (installed.token("carl"), program.home());
    let seal = std::fs::read(home.join("seal.key")).expect("the seal");
    assert_eq!(program.leaks(), Vec::<String>::new());
    let middle = token.len() - 40;
    let (unsigned, _) = token.rsplit_once('.').expect("three parts");
    let (digits, behind_others) = (hex(&seal[20..]), base64url(&[b"xx", &seal[..]].concat()));
    let planted: [(&[u8], bool); 7] = [
        (token.as_bytes(), true),
        (unsigned.as_bytes(), true),
        (&token.as_bytes()[middle..middle + PIECE], true),
        (&token.as_bytes()[middle..middle + PIECE - 1], false),
        (&seal[9..9 + PIECE], true),
        (digits.as_bytes(), true),
        (&behind_others.as_bytes()[4..20], true),
    ];
    for place in ["serve.lock", "audit/segments/old", "audit-closed-1/torn/1", "exports/1"] {
        let file = home.join(place);
        for (piece, is_found) in planted {
            program.write(&file, "");
            append(&file, &[b"before", piece, b"behind"].concat());
            let found = program.leaks();
            assert_eq!(found.len(), usize::from(is_found), "{place}: {found:?}");
            assert!(found.iter().all(|found| found.contains(&file.display().to_string())), "{found:?}");
        }
        std::fs::remove_file(&file).expect("a file");
    }
}

/// What was printed cannot be taken back: each is a test that fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_test_fails_whose_processes_show_a_token() {
    let installed = Installed::before("docs", "http://127.0.0.1:9/mcp").await;
    let says = "echo 'listening on http://127.0.0.1:1' >&2; while :; do sleep 1; done";
    for (script, starts) in [("cat notes", false), ("cat notes >&2", false), (says, true)] {
        let (token, program) = (installed.token("carl"), Hallpass::new());
        program.write("notes", &token);
        assert_eq!(program.leaks(), Vec::<String>::new(), "the user's own files are not searched");
        let test = tokio::spawn(async move {
            let command = program.outside("sh", &["-c", script, if starts { &token } else { "sh" }]);
            if starts {
                program.start(command).await.kill().await;
            } else {
                program.finish(command).await;
            }
        });
        assert!(test.await.expect_err("a test that fails").is_panic(), "{script}");
    }
}

#[expect(clippy::disallowed_methods, reason = "what is planted needs no atomic write")]
fn append(file: &std::path::Path, bytes: &[u8]) {
    std::fs::write(file, bytes).expect("a file");
}
