//! What a log is like from outside: opened, appended to by two, torn, moved on.

use crate::stage::{NOW, PATIENCE, Stage, append, call, calls, copy_folder, key, opening, sign, vkey};
use hallpass_audit::verify::{Outcome, verify};
use hallpass_audit::{Checkpoint, Fault, Log, Opening, Reader, Recovery};
use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const NO_PINS: [&str; 0] = [];

fn whole(stage: &Stage, size: u64, signed_until: u64) {
    let report = verify(&stage.dir, &vkey(), &NO_PINS).unwrap();
    let unsigned = size - signed_until;
    assert_eq!(
        report.outcome,
        Outcome::Whole { size, signed_until, anchored_until: None, unsigned },
        "{report}"
    );
}

#[test]
fn a_log_begins_with_what_it_is_and_is_whole_at_every_moment() {
    let stage = Stage::new();
    let mut log = stage.opened();
    whole(&stage, 1, 1);
    let first = fs::read_to_string(stage.segment()).unwrap();
    assert!(
        first.contains(
            r#""kind":"log","outcome":"done","origin":"hallpass.local/test/main","vkey":"hallpass"#
        ),
        "{first}"
    );
    append(&mut log, 600);
    whole(&stage, 601, 1);
    sign(&mut log);
    whole(&stage, 601, 601);
    drop(log);
    let mut log = stage.opened();
    assert_eq!(log.size(), 601);
    append(&mut log, 1);
    drop(log);
    assert_eq!(stage.opened().size(), 602);
    assert_eq!(fs::read_to_string(stage.path("vkey")).unwrap(), format!("{}\n", vkey()));
}

#[test]
fn two_writers_take_turns_in_one_log() {
    let stage = Stage::new();
    let (mut one, mut two) = (stage.opened(), stage.opened());
    for round in 0..300 {
        append(&mut one, round % 5);
        if round % 3 == 0 {
            sign(&mut two);
        }
        append(&mut two, round % 7);
        if round % 4 == 0 {
            sign(&mut one);
        }
    }
    let size = 1 + (0..300).map(|round| round % 5 + round % 7).sum::<usize>() as u64;
    sign(&mut one);
    assert_eq!(one.size(), size);
    whole(&stage, size, size);
    let lines: Vec<_> = Reader::lines_from(&stage.dir, 5).unwrap().map(|line| line.unwrap().0).collect();
    assert_eq!(lines, (5..size).collect::<Vec<_>>());
}

#[test]
fn who_waits_for_the_log_gets_it_or_is_told_who_has_it() {
    let stage = Stage::new();
    let (mut one, mut two) = (stage.opened(), stage.opened());
    let held = one.begin(NOW, PATIENCE).unwrap();
    let busy = two.begin(NOW, Duration::from_millis(20)).unwrap_err();
    assert_eq!(busy.to_string(), format!("the audit log is in use by process {}", std::process::id()));
    drop(held);
    assert!(two.begin(NOW, Duration::ZERO).is_ok());
}

#[test]
fn a_new_day_and_a_full_segment_begin_another() {
    let stage = Stage::new();
    let (mut log, mut other) = (stage.opened(), stage.opened());
    append(&mut log, 9);
    let tomorrow = NOW + 86_400_000;
    log.begin(tomorrow, PATIENCE).unwrap().append(&[call(1)]).unwrap();
    log.begin(NOW, PATIENCE).unwrap().append(&[call(1)]).unwrap();
    append(&mut other, 3);
    let names: Vec<_> = stage.segments().iter().map(|path| path.file_stem().unwrap().to_owned()).collect();
    assert_eq!(names, ["00000000000000000000", "00000000000000000010"]);
    let kept = fs::read_to_string(stage.path("checkpoints")).unwrap();
    assert_eq!(Checkpoint::open(&kept, &vkey()).unwrap().size, 10);
    whole(&stage, 15, 10);
    let wide = format!(r#"{{"kind":"call","text":"{}"}}"#, "x".repeat(16_000));
    let group = vec![wide; 1000];
    for _ in 0..5 {
        other.begin(tomorrow, PATIENCE).unwrap().append(&group).unwrap();
    }
    assert_eq!(stage.segments().len(), 4);
    assert_eq!(stage.opened().size(), 5015);
    append(&mut log, 1);
    whole(&stage, 5016, 4015);
}

#[test]
fn a_torn_end_is_cut_aside_and_said() {
    for torn in ["{", r#"{"v":1,"seq":11,"prev":""#, "\0\0\0\0\0", "\0\0\n\0\0\n", "garbage\n"] {
        let stage = Stage::new();
        let mut log = stage.opened();
        append(&mut log, 10);
        let path = stage.segment();
        let before = fs::read(&path).unwrap();
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(torn.as_bytes()).unwrap();
        whole(&stage, 11, 1);
        let bytes = torn.len() as u64;
        let file = stage.path("torn").join(format!("{:020}-{NOW}", 11));
        let recovery = Recovery::Torn { seq: 11, bytes, file: file.clone() };
        // By who is there, and by who comes.
        let copy = Stage::new();
        copy_folder(&stage.dir, &copy.dir);
        assert_eq!(copy.open().1.len(), 1);
        assert_eq!(log.begin(NOW, PATIENCE).unwrap().take_recoveries(), [recovery]);
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(fs::read(file).unwrap(), torn.as_bytes());
        append(&mut log, 1);
        whole(&stage, 12, 1);
    }
}

#[test]
fn damage_stops_the_start_and_says_where() {
    let stage = Stage::new();
    let mut log = stage.opened();
    append(&mut log, 400);
    let signed = sign(&mut log);
    append(&mut log, 10);
    let path = stage.segment();
    let good = fs::read_to_string(&path).unwrap();
    for (seq, from, to) in [
        (7, "\"seq\":7,", "\"seq\":9,"),
        (300, "seq\":300,", "seq\":300 ,"),
        (405, "seq\":405,", "sEq\":405,"),
    ] {
        fs::write(&path, good.replacen(from, to, 1)).unwrap();
        let fault = Log::open(&stage.dir, key(), opening()).unwrap_err();
        assert!(matches!(fault, Fault::Damaged { seq: found, .. } if found == seq), "{seq}: {fault}");
        assert!(log.begin(NOW, PATIENCE).is_ok(), "who knows the log reads only what is new");
    }
    let cut: String = good.split_inclusive('\n').take(380).collect();
    fs::write(&path, cut).unwrap();
    let fault = Log::open(&stage.dir, key(), opening()).unwrap_err();
    assert!(matches!(fault, Fault::Damaged { seq: 380, .. }), "{fault}");
    assert!(log.begin(NOW, PATIENCE).is_err());
    drop(log);

    let how = Opening { last_signed: Some(&signed), ..opening() };
    let (log, recoveries, closed) = Log::begin_new(&stage.dir, key(), how).unwrap();
    assert_eq!((log.size(), recoveries.len()), (1, 0));
    assert!(closed.ends_with(format!("audit-closed-{}", NOW / 1000)));
    let first: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(stage.segment()).unwrap()).unwrap();
    assert_eq!(first["former"], signed);
}

#[test]
fn a_file_of_kept_checkpoints_that_is_full_holds_up_no_record() {
    let stage = Stage::new();
    let mut log = stage.opened();
    append(&mut log, 3);
    let length = (32 << 20) - 100;
    fs::File::create(stage.path("checkpoints")).unwrap().set_len(length).unwrap();
    let mut writing = log.begin(NOW + 86_400_000, PATIENCE).unwrap();
    writing.append(&calls(3)).unwrap();
    assert!(writing.keep_checkpoint().unwrap().contains("\n7\n"));
    assert_eq!(stage.path("checkpoints").metadata().unwrap().len(), length);
    assert_eq!(stage.segments().len(), 2);
}

#[test]
fn nobody_begins_the_new_log_but_who_closed_the_old_one() {
    let stage = Stage::new();
    drop(stage.opened());
    let dir = stage.dir.clone();
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let other = std::thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            let _ = Log::open(&dir, key(), Opening { patience: Duration::ZERO, ..opening() });
        }
    });
    for round in 1..=20 {
        let before = fs::read_to_string(stage.path("checkpoint")).unwrap();
        let how = Opening { now_ms: NOW + round * 1000, ..opening() };
        let (log, _, closed) = Log::begin_new(&stage.dir, key(), how).unwrap();
        assert!(verify(&closed, &vkey(), &NO_PINS).is_ok());
        drop(log);
        let first = Reader::lines_from(&stage.dir, 0).unwrap().next_line().unwrap().unwrap().1.to_owned();
        let first: serde_json::Value = serde_json::from_str(&first).unwrap();
        assert_eq!(first["former"], before, "{round}");
    }
    is_over.store(true, Ordering::Relaxed);
    other.join().unwrap();
}

#[test]
fn a_log_that_went_back_behind_what_was_signed_is_refused() {
    let stage = Stage::new();
    let mut log = stage.opened();
    append(&mut log, 10);
    sign(&mut log);
    let old = Stage::new();
    copy_folder(&stage.dir, &old.dir);
    append(&mut log, 10);
    let signed = sign(&mut log);
    let how = Opening { last_signed: Some(&signed), ..opening() };
    assert!(Log::open(&stage.dir, key(), how).is_ok());
    let fault = Log::open(&old.dir, key(), how).unwrap_err();
    assert!(matches!(fault, Fault::Conflict { size: 21, records: 11 }), "{fault}");
    let empty = Stage::new();
    let fault = Log::open(&empty.dir, key(), how).unwrap_err();
    assert!(matches!(fault, Fault::Conflict { size: 21, records: 0 }), "{fault}");
}

#[test]
fn tiles_that_are_lost_or_wrong_are_made_again() {
    let stage = Stage::new();
    let mut log = stage.opened();
    append(&mut log, 600);
    let tomorrow = NOW + 86_400_000;
    log.begin(tomorrow, PATIENCE).unwrap().append(&calls(600)).unwrap();
    sign(&mut log);
    let tile = stage.path("tile/0/000");
    let good = fs::read(&tile).unwrap();
    for bad in [None, Some(vec![0; 8192]), Some(vec![0; 3])] {
        match bad {
            None => fs::remove_dir_all(stage.path("tile")).unwrap(),
            Some(bad) => fs::write(&tile, bad).unwrap(),
        }
        assert_eq!(stage.opened().root(), log.root());
        assert_eq!(fs::read(&tile).unwrap(), good);
    }
}

#[test]
fn another_key_does_not_open_the_log() {
    let stage = Stage::new();
    drop(stage.opened());
    let other = hallpass_audit::LogKey::from_seed(crate::stage::ORIGIN, &[8; 32]).unwrap();
    assert!(matches!(Log::open(&stage.dir, other, opening()), Err(Fault::Checkpoint(_))));
}

fn begin_at_once(log: &mut Log) -> Result<u64, Fault> {
    log.begin(NOW, Duration::ZERO).map(|writing| writing.size())
}

#[test]
fn a_log_that_is_kept_lets_nobody_in_until_it_is_let_go() {
    let stage = Stage::new();
    let (mut ours, mut other) = (stage.opened(), stage.opened());
    let mut writing = ours.begin(NOW, PATIENCE).unwrap();
    writing.append(&calls(3)).unwrap();
    writing.keep();
    assert!(matches!(begin_at_once(&mut other), Err(Fault::Locked { .. })));
    assert_eq!(begin_at_once(&mut ours).unwrap(), 4, "whoever keeps it goes on");
    assert_eq!(begin_at_once(&mut other).unwrap(), 4, "what was not kept again is free");
    ours.begin(NOW, PATIENCE).unwrap().keep();
    ours.let_go();
    append(&mut other, 2);
    assert_eq!(begin_at_once(&mut ours).unwrap(), 6, "and what others appended is seen");
}

#[test]
fn a_log_that_is_kept_without_pause_lets_those_in_who_wait() {
    let stage = Stage::new();
    let (mut ours, mut other) = (stage.opened(), stage.opened());
    let others = std::thread::spawn(move || {
        for _ in 0..20 {
            append(&mut other, 1);
        }
    });
    let mut size = 1;
    while !others.is_finished() {
        let mut writing = ours.begin(NOW, PATIENCE).unwrap();
        size = writing.append(&calls(1)).unwrap().end;
        writing.keep();
    }
    others.join().unwrap();
    let mut writing = ours.begin(NOW, PATIENCE).unwrap();
    assert!(writing.append(&calls(1)).unwrap().end > size);
    writing.checkpoint().unwrap();
    let size = writing.size();
    writing.keep();
    whole(&stage, size, size);
}
