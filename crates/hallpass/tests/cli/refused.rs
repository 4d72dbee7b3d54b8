//! Bad input of every kind: the exit code, the words, a next step, and nothing changed.

use crate::stage::{CLAUDE, Stage, VSCODE1, VSCODE2, mode, overwrite, run};
use std::fs;

/// Runs a command that must be refused with exactly these words and must change nothing at all.
async fn refused(stage: &Stage, arguments: &[&str], code: i32, words: &str) {
    let before = stage.picture().await;
    let outcome = stage.said(arguments).await;
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(code), words), "{arguments:?}");
    assert!(!outcome.stderr.contains("eyJ") && !outcome.stdout.contains("eyJ"), "no token in {arguments:?}");
    stage.picture().await.assert_same(&before, &arguments.join(" "));
}

#[tokio::test]
async fn a_configuration_file_that_is_missing_or_no_json() {
    let stage = Stage::founded().await;
    let good = stage.text(VSCODE1);
    let path = format!("`USER/{VSCODE1}`");
    let mend = "hint: mend the file, then run the command again\n";
    let bad: [(String, String); 8] = [
        (
            "nope".into(),
            format!("error: {path} is left alone: expected a value, at line 1, column 1\n{mend}"),
        ),
        (
            String::new(),
            format!(
                "error: {path} is left alone: there is no `mcpServers` (nothing is there)\n\
                 hint: name the entry that starts your MCP server: `entry = \"...\"`\n"
            ),
        ),
        (
            format!("{good}{good}"),
            format!(
                "error: {path} is left alone: the document has ended, but more follows at line 23, column 1\n{mend}"
            ),
        ),
        (
            "[]".into(),
            format!(
                "error: {path} is left alone: the document is an array, not an object, at line 1, column 1\n{mend}"
            ),
        ),
        (
            format!("\u{feff}{good}"),
            format!(
                "error: {path} is left alone: the file begins with a byte order mark, which MCP clients may not read\n\
                 hint: save it as UTF-8 without a byte order mark\n"
            ),
        ),
        (
            good.replace("EXAI-WS-VSCode1", "other"),
            format!(
                "error: {path} is left alone: there is no `mcpServers.EXAI-WS-VSCode1` (entries there: `other`)\n\
                 hint: name the entry that starts your MCP server: `entry = \"...\"`\n"
            ),
        ),
        (
            good.replace("\"env\": {", "\"env\": {\n        \"EXAI_JWT_TOKEN\": 7,"),
            format!(
                "error: {path}: `mcpServers.EXAI-WS-VSCode1.env.EXAI_JWT_TOKEN` is not a text\n\
                 hint: a token goes where nothing or a text stands: name another variable, or take out what is there\n"
            ),
        ),
        (
            good.replace("\"trust\"", "\"cwd\": \".\",\n      \"trust\""),
            format!(
                "error: {path} is left alone: the key `cwd` is there twice: at line 9, column 7 and at line 19, column 7\n{mend}"
            ),
        ),
    ];
    for (text, words) in bad {
        overwrite(&stage.file(VSCODE1), text);
        refused(&stage, &["apply", "--yes"], 1, &words).await;
    }
    fs::remove_file(stage.file(VSCODE1)).expect("the file");
    let words = format!(
        "error: there is no {path}\nhint: the token goes into an entry that is there already: add the MCP server in the client \
         first, or name the right file\n"
    );
    refused(&stage, &["apply", "--yes"], 1, &words).await;
    // Without a home, `up` refuses before it makes one.
    let stage = Stage::example();
    fs::remove_file(stage.file(VSCODE1)).expect("the file");
    refused(&stage, &["up", "--yes", "--listen", "127.0.0.1:0"], 1, &words).await;
    assert!(!stage.hallpass.home().exists());
}

#[tokio::test]
async fn a_folder_a_pipe_and_a_file_that_nobody_may_write() {
    let stage = Stage::founded().await;
    let good = stage.text(VSCODE1);
    let (file, path) = (stage.file(VSCODE1), format!("USER/{VSCODE1}"));
    mode(&file, 0o444);
    let words = format!("error: `{path}` is read-only\nhint: `chmod u+w {path}` if it may be changed\n");
    refused(&stage, &["apply", "--yes"], 1, &words).await;
    fs::remove_file(&file).expect("the file");
    fs::create_dir(&file).expect("a folder");
    let name = "hint: name the client's configuration file itself\n";
    refused(&stage, &["apply", "--yes"], 1, &format!("error: `{path}` is a folder, not a file\n{name}"))
        .await;
    fs::remove_dir(&file).expect("the folder");
    run(&stage.hallpass.user(), "mkfifo", &[VSCODE1]);
    let words =
        format!("error: `{path}` is something special (a pipe, a socket or a device), not a file\n{name}");
    refused(&stage, &["apply", "--yes"], 1, &words).await;
    fs::remove_file(&file).expect("the pipe");
    overwrite(&file, good);
    mode(&stage.file("config/daemon"), 0o777);
    let words = "error: everybody may write in `USER/config/daemon`\nhint: `chmod o-w USER/config/daemon`\n";
    refused(&stage, &["apply", "--yes"], 1, words).await;
}

#[tokio::test]
async fn names_and_values_in_the_configuration() {
    let stage = Stage::founded().await;
    let good = stage.text("hallpass.toml");
    let long = "a".repeat(64);
    let tail = "hint: nothing was changed; mend the file and run the command again\n";
    let url = "url = \"http://127.0.0.1:9000/mcp\"";
    let only = "which this version does not serve yet: only URLs";
    let bad = [
        ("\"augment-vscode\"", "\"augment-vscod\"", "error: unknown app `augment-vscod`\nhint: did you mean `augment-vscode`?\n".into()),
        (
            "[clients.claude]",
            "[clients.\"../claude\"]",
            format!("error: `hallpass.toml` is refused: `clients.../claude` is not a name: it contains `.` (a-z, 0-9 and `-`, at most 63)\n{tail}"),
        ),
        (
            "[clients.claude]",
            "[clients.\"a/b\"]",
            format!("error: `hallpass.toml` is refused: `clients.a/b` is not a name: it contains `/` (a-z, 0-9 and `-`, at most 63)\n{tail}"),
        ),
        (
            "[clients.claude]",
            &format!("[clients.{long}]"),
            format!("error: `hallpass.toml` is refused: `clients.{long}` is not a name: it has more than 63 characters (a-z, 0-9 and `-`, at most 63)\n{tail}"),
        ),
        (
            "vscode2@",
            "vscode1@",
            format!("error: `hallpass.toml` is refused: `clients.vscode1` and `clients.vscode2` have the same subject `vscode1@exai-mcp.local`\n{tail}"),
        ),
        ("\"exai-mcp-server\"", "\"\"", format!("error: `hallpass.toml` is refused: `authority.issuer`: it is empty\n{tail}")),
        (
            "\"exai-mcp-server\"",
            "\"another\"",
            "error: `authority.issuer` is `another` in the configuration, and this home was made with `exai-mcp-server`\n\
             hint: every token carries it: put it back, or use another `--home`\n"
                .into(),
        ),
        (url, "url = \"wss:127.0.0.1:9000\"", format!("error: `hallpass.toml` is refused: `servers.sample.url`: it must be `http://HOST[:PORT]/PATH`, `https://...`, `ws://...` or `wss://...`, without user, query and fragment\n{tail}")),
        (url, "command = [\"npx\"]", format!("error: `hallpass.toml` is refused: `servers.sample` is a command, {only}\n{tail}")),
        (
            "[servers.sample]",
            "[servers]\nsampel = 1\n[servers.sample]",
            format!(
                "error: `hallpass.toml` is refused: line 28, column 10: invalid type: integer, expected a table\n{tail}"
            ),
        ),
        (
            "[authority]",
            "[authority]\nisuer = \"x\"",
            format!(
                "error: `hallpass.toml` is refused: line 3, column 1: unknown field `isuer`, expected one of `issuer`, `audience`, `lifetime`, `algorithm`, `rotate`\n{tail}"
            ),
        ),
    ];
    for (old, new, words) in bad {
        overwrite(&stage.file("hallpass.toml"), good.replace(old, new));
        for command in [&["apply", "--yes"][..], &["up", "--yes"], &["issue", "--all", "--yes"]] {
            refused(&stage, command, 1, &words).await;
        }
    }
    let words = "error: there is no `nowhere.toml`\nhint: name another with `--config FILE`, or start one with `hallpass init`\n";
    refused(&stage, &["apply", "nowhere.toml", "--yes"], 1, words).await;
    refused(&stage, &["up", "--config", "nowhere.toml", "--yes"], 1, words).await;
}

#[tokio::test]
async fn one_place_or_one_subject_for_two_clients() {
    let stage = Stage::applied().await;
    let hint = "hint: give each client its own `subject` (to hand one on, take it from the other first)\n";
    let add = |subject: &'static str, variable: &'static str| {
        [
            "add",
            "x",
            "--app",
            "json",
            "--config",
            VSCODE1,
            "--entry",
            "EXAI-WS-VSCode1",
            "--env",
            variable,
            "--subject",
            subject,
            "--yes",
        ]
    };
    let words = format!("error: `x` and `claude` have the same subject `claude@exai-mcp.local`\n{hint}");
    refused(&stage, &add("claude@exai-mcp.local", "Q"), 1, &words).await;
    let words = "error: `vscode1` and `x` would share one place: `mcpServers.EXAI-WS-VSCode1.env.EXAI_JWT_TOKEN` in \
                 `USER/config/daemon/mcp-config.augmentcode.vscode1.json`\n\
                 hint: give each client its own `config` or its own `entry`\n";
    refused(&stage, &add("x", "EXAI_JWT_TOKEN"), 1, words).await;
    // In the file against the store: a client that was added by hand has it.
    stage.hallpass.must(&add("x@somewhere", "Q")).await;
    stage.swap("hallpass.toml", "claude@exai-mcp.local", "x@somewhere");
    let words = format!("error: `x` and `claude` have the same subject `x@somewhere`\n{hint}");
    refused(&stage, &["apply", "--yes"], 1, &words).await;
    // Two that swap theirs cannot both be right on the way.
    stage.swap("hallpass.toml", "x@somewhere", "vscode1@exai-mcp.local");
    stage.swap(
        "hallpass.toml",
        "subject = \"vscode1@exai-mcp.local\"\napp     = \"augment-vscode\"",
        "subject = \"claude@exai-mcp.local\"\napp = \"augment-vscode\"",
    );
    let outcome = stage.said(&["apply", "--yes"]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    assert!(outcome.stderr.contains("have the same subject"), "{outcome:#?}");
}

#[tokio::test]
async fn wrong_words_on_the_command_line() {
    let stage = Stage::applied().await;
    let long = "a".repeat(64);
    let names = "hint: a-z, 0-9 and `-`, at most 63 characters, like `vscode1`\n";
    let near = "error: no client named `cluade`\nhint: did you mean `claude`?\n";
    let far = "error: no client named `zzz`\nhint: there are: claude, vscode1, vscode2\n";
    let cases: [(&[&str], i32, &str); 21] = [
        (
            &["add", "a/b", "--app", "json"],
            64,
            &format!("error: `a/b` is not a client's name: it contains `/`\n{names}"),
        ),
        (
            &["add", &long, "--app", "json"],
            64,
            &format!("error: `{long}` is not a client's name: it has more than 63 characters\n{names}"),
        ),
        (&["add", "x", "--app", "jsn"], 1, "error: unknown app `jsn`\nhint: did you mean `json`?\n"),
        (
            &["add", "x", "--app", "json"],
            1,
            "error: a JSON file has no configuration file of its own that is known\nhint: name the file: `config = \"...\"` in [clients.x], or `--config`\n",
        ),
        (
            &["add", "x", "--app", "json", "--config", VSCODE1, "--placement", "variable"],
            1,
            "error: which variable holds the token of `x` is not said\nhint: name it: `env = \"...\"` in [clients.x], or `--env`\n",
        ),
        (
            &["add", "x", "--app", "json", "--config", VSCODE1, "--placement", "keychain"],
            1,
            "error: a JSON file does not offer the placement `keychain`\nhint: it offers: bridge, header, variable\n",
        ),
        (
            &["add", "x", "--app", "json", "--config", VSCODE1, "--env", "A B"],
            64,
            "error: `A B` is not the name of an environment variable\nhint: letters, digits and `_`, like `EXAI_JWT_TOKEN`\n",
        ),
        (
            &["add", "x", "--app", "json", "--config", VSCODE1, "--env", "A", "--entry", ""],
            64,
            "error: `--entry` is empty\nhint: name it, or leave the option out\n",
        ),
        (
            &["add", "claude", "--app", "json"],
            1,
            "error: `claude` is described in hallpass.toml\nhint: change it there, then `hallpass apply`\n",
        ),
        (
            &["add", "x", "--app", "vscode", "--server", "sampel"],
            1,
            "error: no server named `sampel` in hallpass.toml\nhint: did you mean `sample`?\n",
        ),
        (&["issue", "cluade", "--yes"], 1, near),
        (&["show", "cluade"], 1, near),
        (&["revoke", "cluade", "--reason", "x"], 1, near),
        (&["remove", "cluade", "--yes"], 1, near),
        (&["log", "--client", "cluade"], 1, near),
        (&["issue", "zzz", "--print", "--yes"], 1, far),
        (
            &["revoke", "01a20afb-7f91-76bd-b25e-bebdfd8dfd47", "--reason", "x"],
            1,
            "error: no token with the `jti` 01a20afb-7f91-76bd-b25e-bebdfd8dfd47\nhint: `hallpass show NAME` lists a client's tokens\n",
        ),
        (
            &["revoke", "claude", "--reason", " "],
            64,
            "error: the reason is empty\nhint: say why: `--reason \"laptop lost\"`; it is kept in the log\n",
        ),
        (
            &["revoke", "claude", "--reason", "\u{1b}[2J"],
            64,
            "error: the reason holds control characters\nhint: one line of plain text: it is shown in lists and logs\n",
        ),
        (
            &["log", "--outcome", "zzz"],
            64,
            "error: `zzz` is no outcome\nhint: one of ok, error, refused, cut, gone, failed, done\n",
        ),
        (
            &["verify", "nowhere"],
            1,
            "error: cannot read `nowhere`: No such file or directory (os error 2)\nhint: a token is never an argument: give a file that holds it, or `-` for standard input\n",
        ),
    ];
    for (arguments, code, words) in cases {
        refused(&stage, arguments, code, words).await;
    }
    for usage in [
        &["bogus"][..],
        &["issue"],
        &["issue", "claude", "--all"],
        &["issue", "--all", "--print"],
        &["revoke", "claude"],
    ] {
        let before = stage.picture().await;
        let outcome = stage.said(usage).await;
        assert_eq!(outcome.code, Some(64), "{usage:?}");
        assert!(outcome.stderr.starts_with("error: "), "{outcome:#?}");
        stage.picture().await.assert_same(&before, &usage.join(" "));
    }
}

#[tokio::test]
async fn nobody_to_ask() {
    let words = "error: this would change things, and there is no terminal to ask\n\
                 hint: look at it with `--dry-run`, then say `--yes`\n";
    let stage = Stage::example();
    refused(&stage, &["up"], 1, words).await;
    let stage = Stage::founded().await;
    refused(&stage, &["apply"], 1, words).await;
    refused(&stage, &["up"], 1, words).await;
    stage.hallpass.must(&["apply", "--yes"]).await;
    let add = ["add", "x", "--app", "json", "--config", VSCODE2, "--entry", "filesystem", "--env", "T"];
    for command in [&add[..], &["issue", "claude"], &["issue", "--all"], &["remove", "claude"]] {
        refused(&stage, command, 1, words).await;
    }
    let with_note = format!(
        "claude: issue a token and print it; the one before it ends, and `hallpass apply` places none while this one is good\n{words}"
    );
    refused(&stage, &["issue", "claude", "--print"], 1, &with_note).await;
}

#[tokio::test]
async fn a_seal_that_is_missing_open_cut_or_another_ones() {
    let stage = Stage::founded().await;
    let key = stage.hallpass.home().join("seal.key");
    let bytes = fs::read(&key).expect("the key");
    let restore = "hint: restore it from a backup\n";
    mode(&key, 0o644);
    let words = "error: the key file `HOME/seal.key`: it is open to others (mode 644)\n\
                 hint: if nobody else can have read it, `chmod 600 HOME/seal.key`; else start a new home\n";
    refused(&stage, &["apply", "--yes"], 1, words).await;
    mode(&key, 0o600);
    overwrite(&key, &bytes[..31]);
    let words = format!("error: the key file `HOME/seal.key`: it does not hold a key of 32 bytes\n{restore}");
    refused(&stage, &["apply", "--yes"], 1, &words).await;
    overwrite(&key, [7; 32]);
    let words = "error: the signing key cannot be opened: it was not sealed by this home's `seal.key`, or was changed\n\
                 hint: `seal.key` and `hallpass.db` belong together: restore both from the same backup\n";
    refused(&stage, &["apply", "--yes"], 1, words).await;
    fs::remove_file(&key).expect("the key");
    let words = "error: the key file `HOME/seal.key`: it is not there\n\
                 hint: it opens the signing keys in the database: restore it from a backup\n";
    for command in [&["apply", "--yes"][..], &["up", "--yes"], &["init"], &["list"]] {
        refused(&stage, command, 1, words).await;
    }
}

#[tokio::test]
async fn a_database_that_is_open_newer_damaged_or_gone() {
    let stage = Stage::founded().await;
    let database = stage.hallpass.home().join("hallpass.db");
    let name = "error: the database `HOME/hallpass.db`";
    let backup = "hint: restore it from a backup; nothing was changed\n";
    mode(&database, 0o644);
    refused(
        &stage,
        &["apply", "--yes"],
        1,
        &format!("{name}: it is open to others (mode 644)\nhint: `chmod 600 HOME/hallpass.db`\n"),
    )
    .await;
    mode(&database, 0o600);
    let good = fs::read(&database).expect("the database");
    for (bytes, why) in [
        (Vec::new(), "it is empty"),
        (b"hello".repeat(999), "it is not an SQLite database"),
        ([&good[..4096], &b"nonsense".repeat(4096)].concat(), "database disk image is malformed"),
    ] {
        overwrite(&database, bytes);
        for command in [&["apply", "--yes"][..], &["up", "--yes"], &["list"]] {
            refused(&stage, command, 1, &format!("{name}: it is damaged: {why}\n{backup}")).await;
        }
    }
    fs::remove_file(&database).expect("the database");
    let words = format!(
        "{name} is gone, and this home was in use\n\
         hint: restore it from a backup, or start anew with another `--home` (if no token was ever issued, delete `seal.key`)\n"
    );
    for command in [&["apply", "--yes"][..], &["up", "--yes"], &["init"]] {
        refused(&stage, command, 1, &words).await;
    }
    overwrite(&database, &good);
    mode(&database, 0o600);
    stage.hallpass.must(&["apply", "--yes"]).await;
}

#[tokio::test]
async fn a_home_that_others_can_look_into_and_one_that_is_not_there() {
    let stage = Stage::founded().await;
    mode(&stage.hallpass.home(), 0o755);
    let words =
        "error: `HOME` is open to others (mode 755)\nhint: look who put what there, then `chmod 700 HOME`\n";
    for command in [&["apply", "--yes"][..], &["up", "--yes"], &["list"], &["init"]] {
        refused(&stage, command, 1, words).await;
    }
    let stage = Stage::example();
    let words = "error: there is no Hallpass home at `HOME` yet\nhint: make one: `hallpass init`, or `hallpass up` for the whole set-up\n";
    for command in [
        &["apply", "--yes"][..],
        &["issue", "--all", "--yes"],
        &["list"],
        &["status"],
        &["log"],
        &["remove", "x", "--yes"],
    ] {
        refused(&stage, command, 1, words).await;
        assert!(!stage.hallpass.home().exists());
    }
    fs::create_dir(stage.hallpass.home()).expect("a folder");
    mode(&stage.hallpass.home(), 0o755);
    let words =
        "error: `HOME` is open to others (mode 755)\nhint: look who put what there, then `chmod 700 HOME`\n";
    refused(&stage, &["init"], 1, words).await;
}

/// Only where the tests run as root can another user be played; everywhere else the test has nothing to show.
#[tokio::test]
async fn a_folder_and_files_of_another_user() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let stage = Stage::founded().await;
    run(&stage.hallpass.user(), "chown", &["1", CLAUDE]);
    let path = format!("USER/{CLAUDE}");
    let words = format!(
        "error: `{path}` belongs to another user (uid 1)\nhint: run hallpass as the user whose client it is\n"
    );
    refused(&stage, &["apply", "--yes"], 1, &words).await;
    run(&stage.hallpass.user(), "chown", &["0", CLAUDE]);
    run(&stage.hallpass.user(), "chown", &["1", "config/daemon"]);
    let words = "error: the folder `USER/config/daemon` belongs to another user (uid 1)\n\
                 hint: run hallpass as the user whose client it is\n";
    refused(&stage, &["apply", "--yes"], 1, words).await;
    run(&stage.hallpass.user(), "chown", &["0", "config/daemon"]);
    run(&stage.hallpass.user(), "chown", &["1", "../home"]);
    let words = "error: `HOME` belongs to another user (uid 1)\nhint: run hallpass as that user, or name another `--home`\n";
    refused(&stage, &["apply", "--yes"], 1, words).await;
}
