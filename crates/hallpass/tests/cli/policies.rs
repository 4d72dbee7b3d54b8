//! What `apply` does to policies, and what `policy` says of them.

use crate::stage::{CLAUDE, Stage};
use serde_json::{Value, json};

const READERS: &str = "\n[policy.readers]\nrules = [\"deny sample/delete_*\", \"allow sample/read*\"]\ndefault = \"deny\"\nrate = \"60/m\"\n";

/// The example, applied, with the policy `readers` in the file and nobody under it.
async fn with_readers() -> Stage {
    let stage = Stage::applied().await;
    stage.edit("hallpass.toml", |text| text + READERS);
    stage
}

/// `claude` is under `readers`, and all of it is applied.
async fn with_a_reader() -> Stage {
    let stage = with_readers().await;
    stage.swap("hallpass.toml", "[clients.claude]", "[clients.claude]\npolicy = \"readers\"");
    stage.hallpass.must(&["apply", "--yes"]).await;
    stage
}

fn actions(document: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let policies = document["policies"].as_array().expect("policies");
    policies.iter().map(|policy| (text(&policy["policy"]), text(&policy["action"]))).collect()
}

#[tokio::test]
async fn apply_shows_and_puts_policies_and_a_second_run_changes_nothing() {
    let stage = with_readers().await;
    let before = stage.picture().await;
    let said = stage.hallpass.must(&["apply", "--dry-run"]).await;
    assert!(said.starts_with("policy `readers`: new\nclaude: keep its token"), "{said}");
    assert_eq!(actions(&stage.document(&["apply", "--dry-run"]).await), [("readers".into(), "new".into())]);
    let asked = stage.said(&["apply"]).await;
    assert_eq!(asked.code, Some(1), "without a terminal nobody agreed");
    stage.picture().await.assert_same(&before, "dry runs");
    let said = stage.hallpass.must(&["apply", "--yes"]).await;
    assert!(said.ends_with("\npolicy `readers`: in force\n"), "{said}");
    let before = stage.picture().await;
    let said = stage.hallpass.must(&["apply", "--yes"]).await;
    assert!(said.ends_with("nothing to change\n") && !said.contains("readers"), "{said}");
    let document = stage.document(&["apply", "--yes"]).await;
    assert_eq!(
        (document["changed"].clone(), actions(&document)),
        (false.into(), vec![("readers".into(), "same".into())])
    );
    stage.picture().await.assert_same(&before, "a second apply");
    stage.swap("hallpass.toml", "60/m", "61/m");
    let said = stage.hallpass.must(&["apply", "--yes"]).await;
    assert!(
        said.starts_with("policy `readers`: changed, in force at once in the running gateway\n"),
        "{said}"
    );
    let log = stage.hallpass.must(&["log", "-n", "1"]).await;
    assert!(log.contains("act=policy done reason=\"put readers\""), "{log}");
}

#[tokio::test]
async fn clients_are_registered_under_the_policies_of_the_same_file() {
    let stage = Stage::example();
    stage.edit("hallpass.toml", |text| {
        text.replace("[clients.claude]", "[clients.claude]\npolicy = \"readers\"") + READERS
    });
    stage.hallpass.must(&["init"]).await;
    let document = stage.document(&["apply", "--yes"]).await;
    assert_eq!(
        (&document["changed"], actions(&document)),
        (&true.into(), vec![("readers".into(), "new".into())])
    );
    let shown = stage.document(&["show", "claude"]).await;
    assert_eq!(shown["policy"], "readers");
    let list = stage.document(&["list"]).await;
    let policies: Vec<&Value> =
        list["clients"].as_array().expect("clients").iter().map(|client| &client["policy"]).collect();
    assert_eq!(policies, [&json!("readers"), &Value::Null, &Value::Null]);
    assert!(stage.hallpass.must(&["show", "claude"]).await.contains("\npolicy          readers\n"));
}

#[tokio::test]
async fn up_founds_a_home_with_its_policies() {
    let stage = Stage::example();
    stage.edit("hallpass.toml", |text| text + READERS);
    let said = stage.hallpass.must(&["up", "--dry-run"]).await;
    assert!(said.contains("\npolicy `readers`: new\nclaude: register"), "{said}");
}

#[tokio::test]
async fn a_policy_that_is_no_longer_named_goes_when_nobody_is_under_it() {
    let stage = with_a_reader().await;
    stage.edit("hallpass.toml", |text| text.replace(READERS, "").replace("policy = \"readers\"\n", ""));
    let said = stage.hallpass.must(&["apply", "--yes"]).await;
    assert!(
        said.starts_with("policy `readers`: dropped, hallpass.toml no longer names it and nobody is under it\nclaude: change registration, keep"),
        "{said}"
    );
    assert!(said.ends_with("claude: registered\npolicy `readers`: dropped\n"), "{said}");
    assert_eq!(stage.document(&["policy", "list"]).await, json!({ "policies": [] }));
    assert_eq!(stage.document(&["show", "claude"]).await["policy"], Value::Null);
}

#[tokio::test]
async fn a_policy_in_use_stays_and_that_is_said() {
    let stage = with_readers().await;
    stage.hallpass.must(&["apply", "--yes"]).await;
    stage.hallpass.write("other.json", r#"{ "mcpServers": { "x": { "command": "x", "env": {} } } }"#);
    let add = ["add", "other", "--app", "json", "--config", "other.json", "--entry", "x", "--env", "T"];
    let with_policy = [&add[..], &["--policy", "readers", "--yes"]].concat();
    stage.hallpass.must(&with_policy).await;
    assert_eq!(stage.document(&["show", "other"]).await["policy"], "readers");
    stage.edit("hallpass.toml", |text| text.replace(READERS, ""));
    let before = stage.picture().await;
    let said = stage.hallpass.must(&["apply", "--yes"]).await;
    assert!(
        said.starts_with(
            "policy `readers`: stays although hallpass.toml no longer names it: `other` is under it\n"
        ) && said.ends_with("nothing to change\n"),
        "{said}"
    );
    stage.picture().await.assert_same(&before, "an apply that drops nothing");
    // Again, without a word about the policy: it stays. With one: it goes.
    stage.hallpass.must(&[&add[..], &["--yes"]].concat()).await;
    assert_eq!(stage.document(&["show", "other"]).await["policy"], "readers");
    stage.hallpass.must(&[&add[..], &["--no-policy", "--yes"]].concat()).await;
    assert_eq!(stage.document(&["show", "other"]).await["policy"], Value::Null);
    assert!(stage.hallpass.must(&["apply", "--yes"]).await.ends_with("policy `readers`: dropped\n"));
    let outcome = stage.said(&with_policy).await;
    assert_eq!(
        (outcome.code, outcome.stderr.as_str()),
        (Some(1), "error: no policy named `readers`\nhint: there is none yet\n")
    );
}

#[tokio::test]
async fn pruning_a_client_frees_its_policy_in_the_same_run() {
    let stage = with_a_reader().await;
    stage.edit("hallpass.toml", |text| {
        let (start, end) = (text.find("[clients.claude]").unwrap(), text.find("[servers.sample]").unwrap());
        format!("{}{}", &text[..start], text[end..].replace(READERS, ""))
    });
    let said = stage.hallpass.must(&["apply", "--prune", "--yes"]).await;
    assert!(
        said.starts_with("policy `readers`: dropped,") && said.ends_with("policy `readers`: dropped\n"),
        "{said}"
    );
}

#[tokio::test]
async fn a_test_says_allow_or_deny_and_which_line_decided() {
    let stage = with_a_reader().await;
    stage.edit("hallpass.toml", |text| {
        text.replace("[clients.vscode1]", "[clients.vscode1]\nservers = []")
            + "\n[policy.quiet]\ndefault = \"deny\"\nshadow = true\n"
    });
    stage.hallpass.must(&["apply", "--yes"]).await;
    for (arguments, code, said) in [
        (["claude", "sample", "read_it"], 0, "allow: `allow sample/read*`, rule 2 of `[policy.readers]`"),
        (["readers", "sample", "read_it"], 0, "allow: `allow sample/read*`, rule 2 of `[policy.readers]`"),
        (["claude", "sample", "delete_all"], 1, "deny: `deny sample/delete_*`, rule 1 of `[policy.readers]`"),
        (["claude", "sample", ""], 1, "deny: no rule matches, the default of `[policy.readers]`"),
        (["vscode1", "sample", "x"], 1, "deny: `sample` is none of the `servers` of `vscode1`"),
        (["vscode2", "sample", "x"], 0, "allow: `vscode2` is under no policy"),
        (
            ["quiet", "sample", "x"],
            0,
            "allow: `[policy.quiet]` only watches; deny would be: no rule matches, the default of `[policy.quiet]`",
        ),
    ] {
        let outcome = stage.said(&[&["policy", "test"], &arguments[..]].concat()).await;
        assert_eq!((outcome.code, outcome.stdout), (Some(code), format!("{said}\n")), "{arguments:?}");
        assert_eq!(outcome.stderr.is_empty(), code == 0, "{}", outcome.stderr);
    }
    let outcome = stage.said(&["policy", "test", "claude", "sample", "delete_\u{1b}", "--json"]).await;
    assert_eq!(outcome.code, Some(1));
    assert_eq!(
        serde_json::from_str::<Value>(&outcome.stdout).expect("a document"),
        json!({
            "name": "claude", "kind": "client", "server": "sample", "tool": "delete_\u{1b}", "allowed": false,
            "decided_by": "rule", "policy": "readers", "line": 1, "rule": "deny sample/delete_*", "shadow": false,
            "not_applied": false,
        })
    );
    assert_eq!(
        outcome.stderr,
        "error: `delete_\\u{1b}` on `sample` is denied to `claude`\nhint: change `[policy.readers]` in hallpass.toml, then `hallpass apply`\n"
    );
}

#[tokio::test]
async fn a_test_answers_from_what_is_in_force_and_says_what_is_not() {
    let stage = with_a_reader().await;
    stage.swap("hallpass.toml", "allow sample/read*", "deny sample/read*");
    let outcome = stage.said(&["policy", "test", "claude", "sample", "read"]).await;
    assert_eq!(outcome.code, Some(0));
    assert_eq!(
        outcome.stderr,
        "note: hallpass.toml says something else in `[policy.readers]`, which is not applied yet (`hallpass apply`)\n"
    );
    assert_eq!(stage.document(&["policy", "test", "claude", "sample", "read"]).await["not_applied"], true);
    stage.hallpass.must(&["apply", "--yes"]).await;
    assert_eq!(stage.said(&["policy", "test", "claude", "sample", "read"]).await.code, Some(1));
    stage.edit("hallpass.toml", |text| text.replace("policy = \"readers\"\n", ""));
    let outcome = stage.said(&["policy", "test", "claude", "sample", "write"]).await;
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.stderr.starts_with("note: hallpass.toml says something else in `[clients.claude]`"),
        "{}",
        outcome.stderr
    );
}

#[tokio::test]
async fn wrong_names_are_met_with_the_right_ones() {
    let stage = with_a_reader().await;
    stage.edit("hallpass.toml", |text| {
        text.replace(
            "[clients.vscode1]",
            "[clients.soon]\nsubject = \"s\"\napp = \"vscode\"\n\n[clients.vscode1]",
        ) + "\n[policy.later]\n"
    });
    for (arguments, stderr) in [
        (
            &["test", "claud", "sample", "x"][..],
            "error: no client and no policy named `claud`\nhint: did you mean `claude`?\n",
        ),
        (
            &["test", "reader", "sample", "x"],
            "error: no client and no policy named `reader`\nhint: did you mean `readers`?\n",
        ),
        (
            &["test", "claude", "simple", "x"],
            "error: no server named `simple` in hallpass.toml\nhint: did you mean `sample`?\n",
        ),
        (
            &["test", "claude", "../x", "x"],
            "error: no server named `../x` in hallpass.toml\nhint: there are: sample\n",
        ),
        (
            &["test", "soon", "sample", "x"],
            "error: `soon` is in hallpass.toml and not in force yet\nhint: `hallpass apply` puts it in force\n",
        ),
        (
            &["test", "later", "sample", "x"],
            "error: `later` is in hallpass.toml and not in force yet\nhint: `hallpass apply` puts it in force\n",
        ),
        (&["show", "reader"], "error: no policy named `reader`\nhint: did you mean `readers`?\n"),
        (&["show", "claude"], "error: no policy named `claude`\nhint: there are: readers\n"),
    ] {
        for json in [false, true] {
            let more: &[&str] = if json { &["--json"] } else { &[] };
            let outcome = stage.said(&[&["policy"], arguments, more].concat()).await;
            assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{arguments:?}");
            assert_eq!(outcome.stderr, stderr);
        }
    }
    let add = ["add", "x", "--app", "json", "--config", CLAUDE, "--entry", "e", "--env", "T", "--dry-run"];
    for (policy, stderr) in [
        ("reader", "error: no policy named `reader`\nhint: did you mean `readers`?\n"),
        (
            "later",
            "error: the policy `later` of hallpass.toml is not in force yet\nhint: `hallpass apply` puts it in force; then add the client\n",
        ),
    ] {
        let outcome = stage.said(&[&add[..], &["--policy", policy]].concat()).await;
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), stderr));
    }
    let outcome = stage.said(&["policy", "test", "claude", "sample"]).await;
    assert_eq!(outcome.code, Some(64));
    let help = stage.hallpass.must(&["policy", "test", "--help"]).await;
    assert!(help.contains("Exit code 0: allowed, 1: denied"), "{help}");
}

#[tokio::test]
async fn policies_are_listed_and_shown_as_they_are_in_force() {
    let stage = Stage::applied().await;
    let none = "no policy is in force: write a `[policy.NAME]` in hallpass.toml, then `hallpass apply`\n";
    assert_eq!(stage.hallpass.must(&["policy", "list"]).await, none);
    let stage = with_a_reader().await;
    let said = stage.hallpass.must(&["policy", "list"]).await;
    assert_eq!(said, "POLICY   RULES  DEFAULT  LIMITS  USED BY\nreaders  2      deny     60/m    claude\n");
    let said = stage.hallpass.must(&["policy", "show", "readers"]).await;
    assert_eq!(said, format!("{}# used by claude\n", &READERS[1..]));
    let shown = stage.document(&["policy", "show", "readers"]).await;
    assert_eq!(
        shown,
        json!({
            "policy": "readers", "rules": ["deny sample/delete_*", "allow sample/read*"], "default": "deny",
            "rate": "60/m", "burst": null, "in_flight": null, "shadow": false, "used_by": ["claude"],
            "not_applied": false,
        })
    );
    assert_eq!(stage.document(&["policy", "list"]).await, json!({ "policies": [shown] }));
}
