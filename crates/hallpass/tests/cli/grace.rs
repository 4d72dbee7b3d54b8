//! `hallpass grace`: what is refused and by which words, what a second run does, and what is left behind.

use crate::asked::Asking;
use crate::program::Outcome as Ended;
use crate::stage::{CLAUDE, Stage};
use hallpass_core::uses::{LegacyCaller, LegacyUse};
use hallpass_core::{ClientName, Event, Outcome, UnixTime};
use hallpass_store::UseRows;
use serde_json::{Value, json};

const SECRET: &str = "Zt4kqW9xLm2v-b7nYc5sHd8pJf3gQ";
const START: [&str; 7] = ["grace", "start", "--until", "3000d", "--secret-file", "secret", "--yes"];
const DAY: i64 = 86_400;
const NO_PERIOD: &str = "grace    none: no shared secret lets anybody in\n         `hallpass grace start --until DATE --secret-env NAME` starts a grace period\n";

#[expect(clippy::disallowed_methods, reason = "rows of a test are of now")]
pub(crate) fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    i64::try_from(now.as_secs()).expect("a time")
}

/// So many days from now, as an instant.
fn in_days(days: i64) -> String {
    UnixTime::from_seconds(now() + days * DAY).to_string()
}

/// The example, applied, with the secret in a file.
async fn stage() -> Stage {
    let stage = Stage::applied().await;
    stage.hallpass.write("secret", &format!("{SECRET}\n"));
    stage
}

async fn start(stage: &Stage, until: &str, more: &[&str]) -> Ended {
    let mut arguments = vec!["grace", "start", "--until", until, "--secret-file", "secret", "--yes"];
    arguments.extend(more);
    stage.hallpass.run(&arguments).await
}

/// The stage with a period of two weeks.
async fn started() -> Stage {
    let stage = stage().await;
    assert_eq!(start(&stage, "14d", &[]).await.code, Some(0));
    stage
}

async fn with_variable(stage: &Stage, arguments: &[&str], value: &str) -> Ended {
    let mut command = stage.hallpass.command(arguments);
    command.env("SHARED", value);
    stage.hallpass.finish(command).await
}

/// What was let in by the secret on this client's address, so many seconds ago.
async fn used(stage: &Stage, client: Option<&str>, ago: i64) {
    let last_ms = (now() - ago) * 1000;
    let caller = LegacyCaller {
        path_client: client.map(|name| ClientName::new(name).expect("a name")),
        client_info: Some("old-editor/1".into()),
        user_agent: Some("<b>\"node\" & 'co'</b>".into()),
        address: Some("10.0.0.5".into()),
    };
    let asked = [("sample/echo".to_owned(), 3)].into();
    let usage = LegacyUse {
        caller,
        first_ms: last_ms,
        last_ms,
        let_in_ms: Some(last_ms),
        calls: 3,
        refused: 1,
        called: asked,
    };
    let rows = UseRows { legacy: std::slice::from_ref(&usage), ..UseRows::default() };
    let store = stage.store().await.expect("the store");
    store.put_uses(rows).await.expect("rows");
    store.close().await;
}

/// Acts on record, with their reasons and who did them.
async fn acts(stage: &Stage) -> Vec<(String, String)> {
    let log = stage.hallpass.must(&["log", "--json"]).await;
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("an object a line"));
    let acts = events.filter(|event| event["kind"].as_str().is_some_and(|kind| kind.starts_with("grace")));
    acts.map(|event| {
        assert!(event["by"].as_str().is_some_and(|by| by.contains("uid ")), "{event}");
        let text = |key: &str| event[key].as_str().expect("text").to_owned();
        (text("kind"), text("reason"))
    })
    .collect()
}

/// Runs a command that must be refused with exactly these words and must change nothing.
async fn refused(stage: &Stage, arguments: &[&str], code: i32, words: &str) {
    let before = stage.picture().await;
    let outcome = stage.said(arguments).await;
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(code), words), "{arguments:?}");
    stage.picture().await.assert_same(&before, &arguments.join(" "));
}

#[tokio::test]
async fn an_end_that_is_none_is_refused() {
    let stage = started().await;
    let how = "hint: a day (`2026-12-24`, to its end in UTC), an instant (`2026-12-24T18:00:00Z`), or a time from now (`14d`)\n";
    for command in ["start", "extend"] {
        for text in ["tomorrow", "24.12.2026", "14", "-1d", "2026-02-30", ""] {
            let mut arguments = vec!["grace", command, "--until", text, "--yes"];
            if command == "start" {
                arguments.extend(["--secret-file", "secret"]);
            }
            if text.starts_with('-') {
                arguments[2] = "--until=-1d";
                arguments.remove(3);
            }
            refused(&stage, &arguments, 64, &format!("error: `--until {text}` is no date\n{how}")).await;
        }
    }
    let outcome = stage.hallpass.run(&["grace", "extend", "--until", "2020-01-31", "--yes"]).await;
    assert!(
        outcome.stderr.starts_with(
            "error: `--until 2020-01-31` ended on 2020-02-01T00:00:00Z, and that is past\nhint: it is 20"
        ),
        "{outcome:#?}"
    );
    let outcome = stage.hallpass.run(&["grace", "extend", "--until", "4000d", "--yes"]).await;
    assert!(outcome.stderr.contains("`--until 4000d` is more than ten years ahead"), "{outcome:#?}");
    assert_eq!(outcome.code, Some(64));
}

#[tokio::test]
async fn a_secret_that_is_none_is_refused_by_name() {
    let stage = stage().await;
    let by_variable = ["grace", "start", "--until", "14d", "--secret-env", "SHARED", "--yes"];
    let before = stage.picture().await;
    let no_client = "no client could show it";
    for (value, words) in [
        ("", "the variable `SHARED` is empty or not set: no secret is no permission"),
        (" ", "the variable `SHARED` holds nothing: no secret is no permission"),
        ("\n", "the variable `SHARED` holds nothing"),
        ("two words", "has characters that stand in no `Authorization: Bearer` header"),
        ("caf\u{e9}", no_client),
        ("\"quoted\"", no_client),
        ("trailing ", "begins or ends with a blank"),
        ("in\tside", no_client),
        (&"x".repeat(8193), "is longer than 8192 bytes"),
    ] {
        let outcome = with_variable(&stage, &by_variable, value).await;
        assert_eq!(outcome.code, Some(1), "{value:?}: {outcome:#?}");
        assert!(outcome.stderr.contains(words), "{value:?}: {outcome:#?}");
        assert!(outcome.stderr.contains("\nhint: "), "{outcome:#?}");
    }
    stage.picture().await.assert_same(&before, "secrets that are none");
    for (bytes, words) in [
        (&b""[..], "the file `empty` holds nothing"),
        (b"\n", "the file `empty` holds nothing"),
        (b"one\ntwo\n", "has characters that stand in no"),
        (b"\xff\xfe", "not UTF-8"),
    ] {
        crate::stage::overwrite(&stage.file("empty"), bytes);
        let outcome = stage
            .hallpass
            .run(&["grace", "start", "--until", "14d", "--secret-file", "empty", "--yes"])
            .await;
        assert_eq!(outcome.code, Some(1), "{outcome:#?}");
        assert!(outcome.stderr.contains(words), "{outcome:#?}");
    }
    for place in ["missing", "."] {
        let outcome =
            stage.hallpass.run(&["grace", "start", "--until", "14d", "--secret-file", place, "--yes"]).await;
        assert_eq!(outcome.code, Some(1), "{outcome:#?}");
        assert!(
            outcome.stderr.starts_with(&format!("error: cannot read the file `{place}`: ")),
            "{outcome:#?}"
        );
    }
    assert_eq!(stage.hallpass.must(&["grace", "status"]).await, NO_PERIOD);
}

#[tokio::test]
async fn a_secret_in_an_argument_is_not_taken_and_not_repeated() {
    let stage = stage().await;
    for arguments in [
        &["grace", "start", "--until", "14d", "--secret-env", SECRET][..],
        // Nobody can tell a secret from another word here: it is refused, and the refusal names it.
        &["grace", "start", "--until", "14d", "a-word"],
        &["grace", "start", "--until", "14d"],
        &["grace", "start", "--until", "14d", "--secret-env", "SHARED", "--secret-file", "secret"],
        &["grace", "start", "--secret-file", "secret"],
        &["grace", "extend"],
        &["grace"],
        &["grace", "status", "--format", "html"],
        &["grace", "status", "--output", "x"],
        &["grace", "status", "--report", "--format", "pdf"],
        &["grace", "status", "--report", "--format", "html", "--json"],
    ] {
        let outcome = stage.hallpass.run(arguments).await;
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(64), ""), "{arguments:?}: {outcome:#?}");
    }
    let outcome = stage.hallpass.run(&["grace", "start", "--until", "14d", "--secret-env", SECRET]).await;
    assert!(!outcome.stderr.contains(&SECRET[..12]), "{outcome:#?}");
    assert!(outcome.stderr.contains("the name, not the secret itself"), "{outcome:#?}");
    // One that could be a name, too.
    let typed = SECRET.replace('-', "");
    let outcome = stage.hallpass.run(&["grace", "start", "--until", "14d", "--secret-env", &typed]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    let words = "error: the variable that `--secret-env` names is empty or not set";
    assert!(outcome.stderr.starts_with(words), "{outcome:#?}");
}

#[tokio::test]
async fn a_clients_token_is_no_shared_secret() {
    let stage = stage().await;
    stage.hallpass.write("secret", &stage.token(CLAUDE).expect("a token"));
    let words = "error: what is in the file `secret` is a client's token, not a shared secret\n\
        hint: clients with tokens need no grace period; a former set-up's token is taken over with `hallpass adopt`\n";
    refused(&stage, &START, 1, words).await;
    stage.hallpass.must(&["revoke", "claude", "--reason", "lost"]).await;
    refused(&stage, &START, 1, words).await;
}

#[tokio::test]
async fn wrong_names_are_named() {
    let stage = stage().await;
    let with = |more: &[&'static str]| [&START[..], more].concat();
    refused(
        &stage,
        &with(&["--server", "smaple"]),
        1,
        "error: no server named `smaple`\nhint: did you mean `sample`?\n",
    )
    .await;
    refused(
        &stage,
        &with(&["--server", "sample", "--server", ""]),
        1,
        "error: no server named ``\nhint: there are: sample\n",
    )
    .await;
    refused(
        &stage,
        &with(&["--policy", "readers"]),
        1,
        "error: no policy named `readers` is in force\nhint: there is none yet\n",
    )
    .await;
    stage.edit("hallpass.toml", |text| text + "\n[policy.readers]\nrules = [\"allow sample/*\"]\n");
    refused(
        &stage,
        &with(&["--policy", "readers"]),
        1,
        "error: no policy named `readers` is in force\nhint: it stands in hallpass.toml: `hallpass apply` puts it in force\n",
    )
    .await;
    put_policy(&stage, "readers").await;
    let mut arguments = with(&["--policy", "readers", "--server", "sample"]);
    arguments.push("--strict");
    let mut made = stage.document(&arguments).await;
    assert!(made["until"].take().as_str().is_some_and(|until| until.ends_with('Z')));
    let expect = json!({
        "changed": true, "dry_run": false, "until": null, "servers": ["sample"], "policy": "readers", "strict": true,
    });
    assert_eq!(made, expect);
}

/// As `apply` does.
async fn put_policy(stage: &Stage, name: &str) {
    let settings = serde_json::from_value(json!({ "rules": ["allow sample/*"] })).expect("a policy");
    let name = name.parse().expect("a name");
    let act = Event::new(0, "policy", Outcome::Done);
    let store = stage.store().await.expect("the store");
    store.put_policies(&[(name, settings)].into(), &act).await.expect("a change");
    store.close().await;
}

#[tokio::test]
async fn a_start_is_safe_to_run_twice_and_never_moves_the_end() {
    let stage = stage().await;
    let until = in_days(20);
    let outcome = start(&stage, &until, &["--reason", "moving to tokens"]).await;
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    assert!(
        outcome.stdout.starts_with(&format!(
            "grace: let in who shows the shared secret until {until} (in 20 days): every server\n"
        )),
        "{outcome:#?}"
    );
    let before = stage.picture().await;
    for again in [until.as_str(), "14d", "365d"] {
        let outcome = start(&stage, again, &[]).await;
        let words =
            format!("grace: it runs already until {until} (in 19 days), every server: nothing to change\n");
        assert_eq!((outcome.code, outcome.stdout.replace("in 20 days", "in 19 days")), (Some(0), words));
        stage.picture().await.assert_same(&before, "a second start");
    }
    let words = format!(
        "error: the grace period runs already, until {until}\nhint: a second start does not move its end: `hallpass grace extend --until DATE` does\n"
    );
    let other = in_days(30);
    refused(&stage, &["grace", "start", "--until", &other, "--secret-file", "secret", "--yes"], 1, &words)
        .await;
    stage.hallpass.write("secret", "another-shared-token");
    let words = format!(
        "error: a grace period for another secret runs until {until}\nhint: one secret at a time: `hallpass grace end` ends that one, then start this one\n"
    );
    refused(&stage, &["grace", "start", "--until", &until, "--secret-file", "secret", "--yes"], 1, &words)
        .await;
    assert_eq!(
        acts(&stage).await,
        [("grace-start".into(), format!("until {until}, every server: moving to tokens"))]
    );
}

#[tokio::test]
async fn other_terms_are_set_by_a_start_with_the_same_end() {
    let stage = stage().await;
    let until = in_days(20);
    start(&stage, &until, &[]).await;
    let outcome = start(&stage, &until, &["--server", "sample", "--strict"]).await;
    let said = "from now on `sample`; refused on the address of a client that has used its own token\n";
    assert!(outcome.code == Some(0) && outcome.stdout.contains(said), "{outcome:#?}");
    let report = stage.document(&["grace", "status"]).await;
    assert_eq!(
        (&report["period"]["servers"], &report["period"]["strict"]),
        (&json!(["sample"]), &json!(true))
    );
    assert_eq!(report["period"]["until"], until.as_str());
    let status = stage.hallpass.must(&["grace", "status"]).await;
    assert!(
        status.contains(", for `sample`, refused on the address of a client that has used its own token\n"),
        "{status}"
    );
}

#[tokio::test]
async fn what_is_over_comes_back_by_an_extension_with_a_reason_only() {
    let stage = started().await;
    stage.hallpass.must(&["grace", "end", "--yes", "--reason", "all have moved"]).await;
    let said = stage.hallpass.must(&["grace", "end", "--yes"]).await;
    assert_eq!(said, "grace: no period runs, nothing to change\n");
    let over = stage.document(&["grace", "status"]).await;
    let since = over["period"]["over_since"].as_str().expect("an instant").to_owned();
    assert_eq!(over["verdict"], json!({ "state": "over", "since": since }));
    let words = format!(
        "error: the grace period of this secret is over since {since}\nhint: if it has to come back: `hallpass grace extend --until DATE --reason TEXT`\n"
    );
    refused(&stage, &["grace", "start", "--until", "14d", "--secret-file", "secret", "--yes"], 1, &words)
        .await;
    let words = format!(
        "error: this would bring back what is over since {since}, and no reason is given\nhint: say why: `--reason \"two laptops were away\"`; it is kept in the log\n"
    );
    refused(&stage, &["grace", "extend", "--until", "14d", "--yes"], 64, &words).await;
    let until = in_days(3);
    let back =
        stage.document(&["grace", "extend", "--until", &until, "--yes", "--reason", "one was away"]).await;
    assert_eq!(
        (&back["changed"], &back["brought_back"], &back["until"]),
        (&json!(true), &json!(true), &json!(until))
    );
    let again = stage.document(&["grace", "extend", "--until", &until, "--yes"]).await;
    assert_eq!(again["changed"], false, "{again}");
    let kinds: Vec<_> =
        acts(&stage).await.into_iter().map(|(kind, reason)| format!("{kind}: {reason}")).collect();
    assert_eq!(kinds[1], "grace-end: nobody was let in by it for 7 days: all have moved");
    assert_eq!(kinds[2], format!("grace-extend: until {until}, before {since}: one was away"));
    assert_eq!(kinds.len(), 3);
}

#[tokio::test]
async fn another_secret_may_follow_one_that_is_over() {
    let stage = started().await;
    stage.hallpass.must(&["grace", "end", "--yes"]).await;
    stage.hallpass.write("secret", "another-shared-token");
    assert_eq!(start(&stage, "2d", &[]).await.code, Some(0));
    assert_eq!(acts(&stage).await.len(), 3);
}

#[tokio::test]
async fn an_extension_says_which_way_the_end_moves() {
    let stage = stage().await;
    refused(
        &stage,
        &["grace", "extend", "--until", "14d", "--yes"],
        1,
        "error: there is no grace period to extend\nhint: `hallpass grace start --until DATE --secret-env NAME` starts one\n",
    )
    .await;
    let (first, sooner, later) = (in_days(10), in_days(5), in_days(30));
    start(&stage, &first, &[]).await;
    let said = stage.hallpass.must(&["grace", "extend", "--until", &sooner, "--yes"]).await;
    assert!(
        said.starts_with(&format!("grace: end it sooner, on {sooner} ("))
            && said.contains(&format!(" instead of {first}\n")),
        "{said}"
    );
    let said = stage.hallpass.must(&["grace", "extend", "--until", &later, "--yes"]).await;
    assert!(said.starts_with(&format!("grace: move the end from {sooner} to {later} (")), "{said}");
    let said = stage.hallpass.must(&["grace", "extend", "--until", &later, "--yes"]).await;
    assert!(said.contains(" already: nothing to change\n"), "{said}");
}

#[tokio::test]
async fn an_end_over_recent_use_wants_to_be_forced_and_says_over_whom() {
    let stage = started().await;
    used(&stage, Some("claude"), 3 * 3600).await;
    used(&stage, None, 2 * DAY).await;
    let listed = "    old-editor/1 at 10.0.0.5, on the address of `claude`: 3 calls, the last 3 hours ago\n    old-editor/1 at 10.0.0.5: 3 calls, the last 2 days ago\n    it cannot end yet: `claude` has not moved\n";
    // The period has just begun in this test; what was used before it does not count, so it is made older.
    age(&stage, 9).await;
    let words = "error: 2 callers were let in by the shared secret in the last 7 days, and would be refused\n\
        hint: `hallpass grace status --report` says who to talk to; if the secret has leaked, say `--force`\n";
    for more in [&["--yes"][..], &["--dry-run"], &["--yes", "--reason", "x"]] {
        refused(&stage, &[&["grace", "end"], more].concat(), 1, words).await;
    }
    let said = stage.hallpass.run(&["grace", "end", "--yes"]).await.stdout;
    assert!(said.ends_with(listed), "{said}");
    let shown = stage.document(&["grace", "end", "--force", "--dry-run"]).await;
    assert_eq!((&shown["changed"], &shown["dry_run"]), (&json!(false), &json!(true)));
    assert_eq!(shown["recent_callers"][0]["path_client"], "claude");
    let said = stage.hallpass.must(&["grace", "end", "--force", "--yes", "--reason", "it leaked"]).await;
    assert!(
        said.ends_with(
            "grace: ended. `hallpass grace extend --until DATE --reason TEXT` would bring it back\n"
        ),
        "{said}"
    );
    assert_eq!(
        acts(&stage).await.pop(),
        Some(("grace-end".into(), "forced over recent use: it leaked".into()))
    );
}

/// Makes the period as old as so many days.
async fn age(stage: &Stage, days: i64) {
    let store = stage.store().await.expect("the store");
    let mut row = store.grace().await.expect("a row").expect("a period");
    row.started_at = row.started_at.plus(-days * DAY);
    let (by, reason) = (Some("uid 0".into()), Some("older".into()));
    let act = Event { by, reason, ..Event::new(0, "grace-start", Outcome::Done) };
    assert!(store.put_grace(&row, Some(row.period), &act).await.expect("a change"));
    store.close().await;
}

#[tokio::test]
async fn an_end_seven_days_after_the_last_use_needs_no_force() {
    let stage = started().await;
    age(&stage, 20).await;
    used(&stage, Some("claude"), 7 * DAY + 5).await;
    used(&stage, None, 8 * DAY).await;
    let said = stage.hallpass.must(&["grace", "end", "--yes"]).await;
    assert!(
        said.contains("it cannot end yet: `claude` has not moved"),
        "the rule is said all the same: {said}"
    );
    assert!(said.contains("grace: ended."), "{said}");
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let stage = stage().await;
    let before = stage.picture().await;
    let mut dry = START.to_vec();
    dry.push("--dry-run");
    let shown = stage.document(&dry).await;
    assert_eq!((&shown["changed"], &shown["dry_run"]), (&json!(false), &json!(true)));
    stage.picture().await.assert_same(&before, "a dry start");
    start(&stage, "14d", &[]).await;
    let before = stage.picture().await;
    for arguments in [
        &["grace", "extend", "--until", "20d", "--dry-run", "--wait"][..],
        &["grace", "end", "--dry-run", "--wait"],
    ] {
        stage.hallpass.must(arguments).await;
        stage.picture().await.assert_same(&before, &arguments.join(" "));
    }
    for arguments in
        [&["grace", "status"][..], &["grace", "status", "--report"], &["grace", "status", "--json"]]
    {
        stage.hallpass.must(arguments).await;
        stage.picture().await.assert_same(&before, &arguments.join(" "));
    }
}

#[tokio::test]
async fn without_a_terminal_it_wants_a_yes_and_at_one_it_asks() {
    let stage = started().await;
    let words = "error: this would change things, and there is no terminal to ask\nhint: look at it with `--dry-run`, then say `--yes`\n";
    refused(&stage, &["grace", "extend", "--until", "20d"], 1, words).await;
    refused(&stage, &["grace", "end"], 1, words).await;
    stage.hallpass.write("other", "another-shared-token");
    for (arguments, act) in [
        (&["grace", "extend", "--until", "20d"][..], "grace-extend"),
        (&["grace", "end"], "grace-end"),
        (&["grace", "start", "--until", "20d", "--secret-file", "other"], "grace-start"),
    ] {
        let before = stage.picture().await;
        let (status, said) = Asking::start(&stage, arguments).await.answer("n").await;
        assert_eq!(
            (status.code(), said.as_str()),
            (Some(1), "error: nothing was changed: the answer was no\n")
        );
        Asking::start(&stage, arguments).await.interrupt().await;
        stage.picture().await.assert_same(&before, "no and an interrupt");
        let (status, _) = Asking::start(&stage, arguments).await.answer("y").await;
        assert_eq!((status.code(), acts(&stage).await.pop().expect("an act").0.as_str()), (Some(0), act));
    }
}

/// While a person thinks about the question, another command ends the period.
#[tokio::test]
async fn what_others_decided_while_a_person_thought_stands() {
    let stage = started().await;
    for arguments in [&["grace", "extend", "--until", "20d"][..], &["grace", "end"]] {
        let asking = Asking::start(&stage, arguments).await;
        stage.hallpass.must(&["grace", "end", "--yes"]).await;
        let (status, said) = asking.answer("y").await;
        assert_eq!(status.code(), Some(1));
        assert!(said.starts_with("error: another command changed the grace period meanwhile"), "{said}");
        stage.hallpass.must(&["grace", "extend", "--until", "14d", "--yes", "--reason", "again"]).await;
    }
}

#[tokio::test]
async fn the_secret_is_in_nothing_that_is_printed_or_kept() {
    let stage = stage().await;
    let by_variable = ["grace", "start", "--until", "14d", "--secret-env", "SHARED", "--yes", "--json"];
    assert_eq!(with_variable(&stage, &by_variable, SECRET).await.code, Some(0));
    stage.hallpass.must(&["grace", "status", "--report"]).await;
    stage.hallpass.must(&["grace", "end", "--yes"]).await;
    stage.hallpass.must(&["log", "--json"]).await;
    assert!(!stage.hallpass.transcript().contains(&SECRET[..12]));
    stage.store().await.expect("the store").close().await;
    for entry in std::fs::read_dir(stage.hallpass.home()).expect("the home") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("a file");
            assert!(
                !bytes.windows(12).any(|window| window == &SECRET.as_bytes()[..12]),
                "{}",
                path.display()
            );
        }
    }
}

#[tokio::test]
async fn a_short_secret_gets_a_note() {
    let stage = stage().await;
    let by_variable = ["grace", "start", "--until", "14d", "--secret-env", "SHARED", "--yes"];
    let outcome = with_variable(&stage, &by_variable, "hunter2").await;
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    assert!(outcome.stderr.starts_with("note: the secret has only 7 characters"), "{outcome:#?}");
    assert!(!outcome.stderr.contains("hunter"));
}

#[tokio::test]
async fn the_report_is_written_as_text_json_and_a_page() {
    let stage = started().await;
    age(&stage, 9).await;
    used(&stage, Some("claude"), 3600).await;
    used(&stage, None, 7200).await;
    let text = stage.hallpass.must(&["grace", "status", "--report"]).await;
    for piece in [
        "it cannot end yet: `claude` has not moved",
        "claude   claude-desktop  not moved  never used  60 minutes ago, 3 calls, 1 refused",
        "`claude` has a token of its own and has never used it: restart the program",
        "      hallpass show claude\n",
        "      hallpass add NAME --app APP\n",
        "sample/echo 3",
    ] {
        assert!(text.replace("1 hour ago", "60 minutes ago").contains(piece), "{piece}: {text}");
    }
    let printed = stage.hallpass.must(&["grace", "status", "--report", "--format", "json"]).await;
    let mut json: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(json["clients"][0]["standing"], "not_moved");
    assert_eq!(json["next"][0], json!({ "do": "restart", "client": "claude" }));
    let mut again = stage.document(&["grace", "status", "--report"]).await;
    json["at"].take();
    again["at"].take();
    assert_eq!(json, again);

    let outcome =
        stage.said(&["grace", "status", "--report", "--format", "html", "--output", "report.html"]).await;
    assert_eq!(
        (outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()),
        (Some(0), "", "written to `report.html`\n")
    );
    assert_eq!(crate::stage::mode_of(&stage.file("report.html")), 0o600);
    let page = stage.text("report.html");
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert!(page.contains("&lt;b&gt;&quot;node&quot; &amp; &#39;co&#39;&lt;/b&gt;"), "{page}");
    assert!(!page.contains("<b>\"node\""), "what a caller says of itself is text");
    for nothing in ["<script", "http://", "https://", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(nothing), "the page needs nothing else: {nothing}");
    }
    assert_eq!(
        stage.hallpass.must(&["grace", "status", "--report", "--format", "html"]).await.len(),
        page.len()
    );
    // Again over itself, and not over what is no file.
    stage.hallpass.must(&["grace", "status", "--report", "--output", "report.html"]).await;
    assert!(stage.text("report.html").starts_with("Who still uses the shared secret"));
    let outcome = stage.hallpass.run(&["grace", "status", "--report", "--output", "config"]).await;
    assert!(outcome.code == Some(1) && outcome.stderr.contains("is a folder"), "{outcome:#?}");
}

#[tokio::test]
async fn without_a_home_each_says_so() {
    let stage = Stage::example();
    stage.hallpass.write("secret", SECRET);
    for arguments in
        [&START[..], &["grace", "extend", "--until", "3d"], &["grace", "end"], &["grace", "status"]]
    {
        let outcome = stage.said(arguments).await;
        assert_eq!(outcome.code, Some(1), "{outcome:#?}");
        assert!(outcome.stderr.starts_with("error: there is no Hallpass home at `HOME` yet"), "{outcome:#?}");
    }
}
