//! The second verifier, started once for many logs.

use hallpass_audit::VerifierKey;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Reads a log, a key and pins from each line and prints what the verifier finds, as `main` in it would.
const DRIVER: &str = r"
import json, sys
sys.path.insert(0, sys.argv[1])
import verify
for line in sys.stdin:
    log, vkey, pins = json.loads(line)
    try:
        key = verify.read_key(vkey)
        found = verify.verify(log, key, [verify.read_checkpoint(pin, key) for pin in pins])
        print(json.dumps(list(found)))
    except verify.Bad as bad:
        print(json.dumps([64, str(bad)]))
    except OSError:
        print(json.dumps([64, 'unreadable']))
";

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("verify.py")
}

/// What the second verifier says of each log.
pub(crate) fn verdicts(logs: &[(PathBuf, VerifierKey, Vec<String>)]) -> Vec<Value> {
    let folder = script().parent().unwrap().to_owned();
    let mut python = Command::new("python3")
        .args(["-B", "-c", DRIVER])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = String::new();
    for (dir, key, pins) in logs {
        input += &json!([dir, key.to_string(), pins]).to_string();
        input.push('\n');
    }
    let mut stdin = python.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let verdicts: Vec<_> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(verdicts.len(), logs.len(), "it stopped at log {}", verdicts.len());
    verdicts
}

/// How many leaves the second verifier finds in the tiles of a log, of so many.
pub(crate) fn told(log: &Path, size: u64) -> String {
    let code = "import sys; sys.path.insert(0, sys.argv[1]); import verify; print(len(list(verify.told(sys.argv[2], int(sys.argv[3])))))";
    let mut python = Command::new("python3");
    python.args(["-B", "-c", code]).arg(script().parent().unwrap()).arg(log).arg(size.to_string());
    String::from_utf8(python.output().unwrap().stdout).unwrap()
}

/// The second verifier as a person starts it.
pub(crate) fn run(arguments: &[&str]) -> Output {
    Command::new("python3").arg("-B").arg(script()).args(arguments).output().unwrap()
}
