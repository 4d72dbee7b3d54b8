//! Old segments taken away: what is left is still whole, and nobody can take more away than was said.

use crate::python;
use crate::stage::{NOW, PATIENCE, Stage, append, calls, copy_folder, key, opening, sign, vkey};
use hallpass_audit::verify::{Note, Outcome, verify};
use hallpass_audit::{Fault, Log, Opening, ProofFault, Reader, Writing, check, prove};
use serde_json::json;
use std::fs;

const DAY: i64 = 86_400_000;

/// 1000 records in three segments of which the first is pruned.
fn pruned() -> Stage {
    let stage = Stage::new();
    let mut log = stage.opened();
    append(&mut log, 399);
    log.begin(NOW + DAY, PATIENCE).unwrap().append(&calls(300)).unwrap();
    log.begin(NOW + 2 * DAY, PATIENCE).unwrap().append(&calls(299)).unwrap();
    let mut writing = log.begin(NOW + 2 * DAY, PATIENCE).unwrap();
    writing.append(&[r#"{"kind":"prune","before_seq":650}"#]).unwrap();
    assert_eq!(writing.prune(650).unwrap(), 400);
    drop(writing);
    assert_eq!(stage.segments().len(), 2);
    stage
}

fn both_say(stage: &Stage, expect: &serde_json::Value) {
    let words = match verify(&stage.dir, &vkey(), &[""; 0]).unwrap().outcome {
        Outcome::Tampered { seq, why } => json!([1, seq, why]),
        Outcome::Whole { size, signed_until, unsigned, .. } => {
            json!([0, null, format!("{size} records, signed up to {signed_until}"), unsigned, 0])
        }
    };
    assert_eq!(&words, expect);
    assert_eq!(&python::verdicts(&[(stage.dir.clone(), vkey(), vec![])])[0], expect);
}

#[test]
fn a_pruned_log_is_whole_opens_and_proves_what_it_has() {
    let stage = pruned();
    both_say(&stage, &json!([0, null, "1000 records, signed up to 1000", 0, 0]));
    let report = verify(&stage.dir, &vkey(), &[""; 0]).unwrap();
    assert!(report.notes.contains(&Note::Pruned { before: 400 }));
    let mut log = stage.opened();
    append(&mut log, 100);
    sign(&mut log);
    both_say(&stage, &json!([0, null, "1100 records, signed up to 1100", 0, 0]));
    let proof = prove(&stage.dir, &vkey(), 400).unwrap();
    assert_eq!(check(&proof, None, &vkey()).unwrap().seq, 400);
    assert!(matches!(prove(&stage.dir, &vkey(), 399), Err(ProofFault::NoRecord)));
    let mut writing = log.begin(NOW, PATIENCE).unwrap();
    writing.append(&[r#"{"kind":"prune","before_seq":9999}"#]).unwrap();
    assert_eq!(writing.prune(9999).unwrap(), 700, "the segment that is written to stays");
    drop(writing);
    both_say(&stage, &json!([0, null, "1101 records, signed up to 1101", 0, 0]));
}

#[test]
fn what_is_gone_without_a_signed_record_of_it_is_missing() {
    let missing =
        json!([1, 0, "the records before 400 are missing, and no signed record says that they were pruned"]);
    for record in [
        None,
        Some(r#"{"kind":"prune","before_seq":399}"#),
        Some(r#"{"kind":"call","before_seq":650}"#),
        Some(r#"{"kind":"prune","before_seq":"650"}"#),
    ] {
        let stage = Stage::new();
        let mut log = stage.opened();
        append(&mut log, 399);
        let mut writing = log.begin(NOW + DAY, PATIENCE).unwrap();
        writing.append(&calls(3)).unwrap();
        writing.append(&record.map_or(vec![], |record| vec![record])).unwrap();
        assert!(matches!(writing.prune(400), Err(Fault::Unsaid { before: 400 })));
        drop(writing);
        fs::remove_file(&stage.segments()[0]).unwrap();
        both_say(&stage, &missing);
    }
}

#[test]
fn a_record_that_nobody_signed_prunes_nothing() {
    let stage = Stage::new();
    let mut log = stage.opened();
    append(&mut log, 399);
    let append = |mut writing: Writing<'_>, body: &str| {
        writing.append(&[body]).unwrap();
    };
    append(log.begin(NOW + DAY, PATIENCE).unwrap(), r#"{"kind":"call"}"#);
    sign(&mut log);
    append(log.begin(NOW + DAY, PATIENCE).unwrap(), r#"{"kind":"prune","before_seq":400}"#);
    fs::remove_file(&stage.segments()[0]).unwrap();
    both_say(
        &stage,
        &json!([1, 0, "the records before 400 are missing, and no signed record says that they were pruned"]),
    );
}

#[test]
fn the_hashes_of_what_was_pruned_cannot_be_changed() {
    let stage = pruned();
    for at in [0, 8191] {
        let copy = Stage::new();
        copy_folder(&stage.dir, &copy.dir);
        let tile = copy.path("tile/0/000");
        let mut bytes = fs::read(&tile).unwrap();
        bytes[at] ^= 1;
        fs::write(&tile, bytes).unwrap();
        both_say(&copy, &json!([1, 0, "from here to 400 is not what a checkpoint signs"]));
    }
    fs::remove_file(stage.path("tile/0/000")).unwrap();
    both_say(&stage, &json!([1, 0, "the records before 400 are missing, and so are their hashes"]));
}

#[test]
fn nothing_is_pruned_while_the_hashes_are_not_there() {
    let stage = Stage::new();
    let mut log = stage.opened();
    append(&mut log, 399);
    log.begin(NOW + DAY, PATIENCE).unwrap().append(&calls(300)).unwrap();
    log.begin(NOW + DAY, PATIENCE).unwrap().append(&[r#"{"kind":"prune","before_seq":400}"#]).unwrap();
    sign(&mut log);
    fs::remove_file(stage.path("tile/0/000")).unwrap();
    let fault = log.begin(NOW + DAY, PATIENCE).unwrap().prune(400).unwrap_err();
    assert!(fault.to_string().ends_with("the tiles do not give the signed root"), "{fault}");
    assert_eq!(stage.segments().len(), 2);
}

/// Begins a segment on a new day and takes those before it away, as a command beside a running gateway does.
fn prune_all(log: &mut Log, day: i64) -> u64 {
    let mut writing = log.begin(NOW + day * DAY, PATIENCE).unwrap();
    let said = format!(r#"{{"kind":"prune","before_seq":{}}}"#, writing.size());
    writing.append(&calls(1)).unwrap();
    writing.append(&[said]).unwrap();
    let stays = writing.size();
    writing.prune(stays).unwrap()
}

#[test]
fn who_writes_and_who_follows_go_on_when_another_pruned_the_segment_they_were_in() {
    let stage = Stage::new();
    let mut log = stage.opened();
    append(&mut log, 3);
    let mut reader = Reader::lines_from(&stage.dir, 0).unwrap();
    let mut late = Reader::lines_from(&stage.dir, 2).unwrap();
    assert_eq!(reader.by_ref().count(), 4);
    let mut other = stage.opened();
    assert_eq!(prune_all(&mut other, 1), 4);
    let mut writing = log.begin(NOW + DAY, PATIENCE).unwrap();
    assert_eq!((writing.size(), writing.take_recoveries().len()), (6, 0));
    writing.append(&calls(2)).unwrap();
    writing.checkpoint().unwrap();
    drop(writing);
    for reader in [&mut reader, &mut late] {
        let seqs: Vec<_> = reader.map(|line| line.unwrap().0).collect();
        assert_eq!(seqs, [4, 5, 6, 7]);
    }
    assert_eq!(prune_all(&mut other, 2), 8);
    assert_eq!(log.begin(NOW + 2 * DAY, PATIENCE).unwrap().size(), 10);
    both_say(&stage, &json!([0, null, "10 records, signed up to 10", 0, 0]));
}

#[test]
fn synced_records_that_are_gone_with_their_segment_are_damage() {
    let stage = Stage::new();
    let mut log = stage.opened();
    append(&mut log, 3);
    fs::remove_file(stage.segment()).unwrap();
    for _ in 0..2 {
        assert!(matches!(log.begin(NOW, PATIENCE), Err(Fault::Damaged { .. } | Fault::Conflict { .. })));
    }
}

#[test]
fn a_pruned_log_opens_whatever_became_of_the_tiles_above_those_of_leaves() {
    let stage = Stage::new();
    let mut log = stage.opened();
    append(&mut log, 66_000);
    let pin = sign(&mut log);
    assert_eq!(prune_all(&mut log, 1), 66_001);
    let (root, signed) = (log.root(), log.last_signed().to_owned());
    drop(log);
    let tile = stage.path("tile/1/000");
    let good = fs::read(&tile).unwrap();
    for bad in [None, Some(vec![0; 8192]), Some(vec![0; 3])] {
        for last_signed in [None, Some(&*pin), Some(&*signed)] {
            match &bad {
                None => drop(fs::remove_file(&tile)),
                Some(bad) => fs::write(&tile, bad).unwrap(),
            }
            let (log, _) = Log::open(&stage.dir, key(), Opening { last_signed, ..opening() }).unwrap();
            assert_eq!(log.root(), root);
            if bad.as_ref().is_some_and(|bad| bad.len() == 8192) {
                assert_eq!(fs::read(&tile).unwrap(), good);
            }
        }
    }
    both_say(&stage, &json!([0, null, "66003 records, signed up to 66003", 0, 0]));
}
