//! What is on the disk before what: system calls under `strace`. Without it, or where it may not trace, nothing is shown.

use crate::stage::{NOW, PATIENCE, Stage, append, calls, key, opening, sign};
use hallpass_audit::Log;
use std::fs;
use std::path::Path;
use std::process::Command;

const DIR: &str = "HALLPASS_TEST_TRACED_LOG";

#[test]
#[ignore = "what the others trace"]
fn one_more_is_signed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let (mut log, _) = Log::open(dir.as_ref(), key(), opening()).unwrap();
    append(&mut log, 1);
    sign(&mut log);
}

/// Traces the above and sees that these calls are made in that order, each with what it names.
fn holds_order(dir: &Path, order: &[(&str, String)]) {
    let file = dir.with_file_name("traced");
    let traced = Command::new("strace")
        .args(["-f", "-y", "-e", "trace=fsync,fdatasync,/^rename,/^unlink", "-o"])
        .arg(&file)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "traced::one_more_is_signed", "--ignored"])
        .env(DIR, dir)
        .output();
    if !traced.is_ok_and(|output| output.status.success()) {
        return;
    }
    let trace = fs::read_to_string(file).unwrap();
    let mut lines = trace.lines();
    for (call, named) in order {
        assert!(lines.any(|line| line.contains(call) && line.contains(named)), "{call} {named}: {trace}");
    }
}

#[test]
fn hashes_of_pruned_records_are_on_the_disk_before_those_go_that_they_replace() {
    let stage = Stage::new();
    let mut log = stage.opened();
    append(&mut log, 59);
    let mut writing = log.begin(NOW + 86_400_000, PATIENCE).unwrap();
    writing.append(&calls(1)).unwrap();
    writing.append(&[r#"{"kind":"prune","before_seq":60}"#]).unwrap();
    assert_eq!(writing.prune(60).unwrap(), 60);
    drop(writing);
    drop(log);
    let tile = stage.path("tile/0/000.p").display().to_string();
    holds_order(
        &stage.dir,
        &[
            ("fsync(", format!("<{tile}/63.new>)")),
            ("rename", format!("\"{tile}/63\"")),
            ("fsync(", format!("<{tile}>)")),
            ("unlink", format!("\"{tile}/62\"")),
        ],
    );
}

#[test]
fn the_folders_of_a_new_log_are_on_the_disk_before_its_first_record() {
    let stage = Stage::new();
    let [outer, dir] = [stage.dir.parent().unwrap(), &stage.dir].map(|path| path.display().to_string());
    holds_order(
        &stage.dir,
        &[
            ("fsync(", format!("<{outer}>)")),
            ("fsync(", format!("<{dir}>)")),
            ("rename", format!("\"{dir}/segments/00000000000000000000.jsonl\"")),
            ("fsync(", format!("<{dir}/segments>)")),
            ("fdatasync(", format!("<{dir}/segments/00000000000000000000.jsonl>)")),
        ],
    );
}
