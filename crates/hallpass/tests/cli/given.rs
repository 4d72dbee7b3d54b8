//! Files that a person names: what could be waited for without an end is refused, an open pipe is read.

use crate::stage::{Stage, run};
use std::process::Stdio;
use tokio::io::AsyncWriteExt;

/// Has the form of one.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl";

/// Every command that reads a file by its name, with `FILE` where the name stands.
const READERS: [&[&str]; 8] = [
    &["--config", "FILE", "apply", "--dry-run"],
    &["apply", "FILE", "--dry-run"],
    &["up", "--config", "FILE", "--dry-run"],
    &["init", "--from-env", "FILE"],
    &["adopt", "FILE", "--yes"],
    &["verify", "FILE"],
    &["verify", "token", "--jwks", "FILE"],
    &["status", "--config", "FILE"],
];

#[tokio::test]
async fn a_pipe_that_nobody_writes_to_a_device_and_a_folder_are_refused_at_once() {
    let stage = Stage::founded().await;
    stage.hallpass.write("token", TOKEN);
    run(&stage.hallpass.user(), "mkfifo", &["pipe"]);
    let before = stage.picture().await;
    for (file, expect) in [
        ("pipe", "cannot read `pipe`: it is a pipe, not a file"),
        ("/dev/zero", "cannot read `/dev/zero`: it is a device, not a file"),
        (".", "cannot read `.`: it is a folder, not a file"),
    ] {
        for reader in READERS {
            let arguments: Vec<&str> =
                reader.iter().map(|word| if *word == "FILE" { file } else { word }).collect();
            let outcome = stage.hallpass.run(&arguments).await;
            assert_eq!(outcome.code, Some(1), "{arguments:?}: {outcome:#?}");
            assert!(outcome.stderr.starts_with(&format!("error: {expect}\n")), "{arguments:?}: {outcome:#?}");
        }
    }
    stage.picture().await.assert_same(&before, "what was refused");
}

/// The `hallpass.toml` of the folder is read without being named.
#[tokio::test]
async fn a_pipe_in_the_place_of_the_configuration_is_refused() {
    let stage = Stage::empty();
    run(&stage.hallpass.user(), "mkfifo", &["hallpass.toml"]);
    let outcome = stage.hallpass.run(&["init"]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    assert_eq!(outcome.stderr, "error: cannot read `hallpass.toml`: it is a pipe, not a file\n");
}

/// `hallpass verify <(command)` and its like.
#[tokio::test]
async fn a_pipe_that_is_open_already_is_read() {
    let stage = Stage::founded().await;
    for name in ["-", "/dev/stdin", "/dev/fd/0"] {
        let mut command = stage.hallpass.command(&["verify", name]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(TOKEN.as_bytes()).await.expect("a reader");
        drop(stdin);
        let output = child.wait_with_output().await.expect("an end");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(said.starts_with("error: would be refused (unknown_key)"), "{name}: {said}");
    }
}

#[tokio::test]
async fn a_file_that_is_too_large_or_no_text_is_refused_by_name() {
    let stage = Stage::founded().await;
    stage.hallpass.write("token", TOKEN);
    stage.hallpass.write("large", &"a".repeat((1 << 20) + 1));
    crate::stage::overwrite(&stage.file("bytes"), b"JWT_SECRET_KEY=\xff\n");
    for (arguments, expect) in [
        (["apply", "large"], "cannot read `large`: it is larger than 1048576 bytes"),
        (["verify", "large"], "cannot read `large`: it is larger than 65536 bytes"),
        (["verify", "bytes"], "cannot read `bytes`: it is not UTF-8 text"),
        (["apply", "bytes"], "cannot read `bytes`: it is not UTF-8 text"),
    ] {
        let outcome = stage.hallpass.run(&arguments).await;
        assert_eq!((outcome.code, outcome.stderr), (Some(1), format!("error: {expect}\n")), "{arguments:?}");
    }
    let outcome = stage.hallpass.run(&["verify", "token", "--jwks", "large"]).await;
    assert_eq!(outcome.stderr, "error: `large` is refused: it is larger than 65536 bytes\n");
    let outcome = stage.hallpass.run(&["init", "--from-env", "bytes"]).await;
    assert_eq!(outcome.stderr, "error: cannot read `bytes`: it is not UTF-8 text\n");
}
