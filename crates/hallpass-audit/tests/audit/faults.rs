//! A disk that is full, or that fails to sync: nothing that was said to be synced is lost, no record stands in two places.

use crate::stage::{NOW, PATIENCE, Stage, append, call, calls, copy_folder, key, opening, vkey};
use hallpass_audit::verify::{Outcome, verify};
use hallpass_audit::{Disk, Fault, Log, Medium, Reader, Recovery};
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex};

/// What fails from now on.
#[derive(Default)]
struct Wrong {
    /// How many bytes may still be written.
    space: Option<usize>,
    /// How many times syncing fails.
    syncs: usize,
    cuts: usize,
}

#[derive(Clone, Default)]
struct Failing(Arc<Mutex<Wrong>>);

impl Failing {
    fn set(&self, change: impl FnOnce(&mut Wrong)) {
        change(&mut self.0.lock().unwrap());
    }
}

fn count_down(left: &mut usize, errno: i32) -> io::Result<()> {
    if *left == 0 {
        return Ok(());
    }
    *left -= 1;
    Err(io::Error::from_raw_os_error(errno))
}

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

impl Medium for Failing {
    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut wrong = self.0.lock().unwrap();
        let Some(space) = &mut wrong.space else { return Disk.write(file, bytes, offset) };
        let fits = bytes.len().min(*space);
        *space -= fits;
        if fits == 0 {
            Err(io::Error::from_raw_os_error(ENOSPC))
        } else {
            Disk.write(file, &bytes[..fits], offset)
        }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        count_down(&mut self.0.lock().unwrap().syncs, EIO)?;
        Disk.sync(file)
    }

    fn cut(&self, file: &File, length: u64) -> io::Result<()> {
        count_down(&mut self.0.lock().unwrap().cuts, EIO)?;
        Disk.cut(file, length)
    }
}

fn opened(stage: &Stage) -> (Failing, Log) {
    let failing = Failing::default();
    let (log, _) = Log::open_on(Box::new(failing.clone()), &stage.dir, key(), opening()).unwrap();
    (failing, log)
}

/// Every record once, in order, and as many as that; a copy of it opens without a word.
fn holds(stage: &Stage, size: u64) {
    let seqs: Vec<_> = Reader::lines_from(&stage.dir, 0).unwrap().map(|line| line.unwrap().0).collect();
    assert_eq!(seqs, (0..size).collect::<Vec<_>>());
    let report = verify(&stage.dir, &vkey(), &[""; 0]).unwrap();
    assert!(matches!(report.outcome, Outcome::Whole { size: found, .. } if found == size), "{report}");
    let copy = Stage::new();
    copy_folder(&stage.dir, &copy.dir);
    let (log, recoveries) = copy.open();
    assert_eq!((log.size(), recoveries.len()), (size, 0));
}

#[test]
fn a_full_disk_leaves_no_part_of_a_group_and_the_log_goes_on_when_there_is_space() {
    let stage = Stage::new();
    let (failing, mut log) = opened(&stage);
    append(&mut log, 5);
    for space in [0, 1, 100, 1000] {
        failing.set(|wrong| wrong.space = Some(space));
        let mut writing = log.begin(NOW, PATIENCE).unwrap();
        let fault = writing.append(&calls(10)).unwrap_err();
        assert!(fault.is_full(), "{fault}");
        drop(writing);
        holds(&stage, 6);
    }
    failing.set(|wrong| wrong.space = None);
    append(&mut log, 1);
    holds(&stage, 7);
}

#[test]
fn a_full_disk_at_a_new_day_leaves_the_old_segment_in_use() {
    let stage = Stage::new();
    let (failing, mut log) = opened(&stage);
    let mut other = stage.opened();
    append(&mut log, 5);
    failing.set(|wrong| wrong.space = Some(50));
    let tomorrow = NOW + 86_400_000;
    assert!(log.begin(tomorrow, PATIENCE).unwrap().append(&[call(1)]).unwrap_err().is_full());
    assert_eq!(stage.segments().len(), 1);
    append(&mut other, 1);
    failing.set(|wrong| wrong.space = None);
    log.begin(tomorrow, PATIENCE).unwrap().append(&[call(1)]).unwrap();
    append(&mut other, 1);
    assert_eq!(stage.segments().len(), 2);
    holds(&stage, 9);
}

#[test]
fn what_could_not_be_cut_off_after_a_full_disk_is_a_torn_end() {
    let stage = Stage::new();
    let (failing, mut log) = opened(&stage);
    let mut other = stage.opened();
    failing.set(|wrong| (wrong.space, wrong.cuts) = (Some(50), 1));
    let mut writing = log.begin(NOW, PATIENCE).unwrap();
    assert!(writing.append(&[call(1)]).unwrap_err().is_full());
    assert!(matches!(writing.append(&[call(1)]), Err(Fault::Stale)));
    assert!(matches!(writing.checkpoint(), Err(Fault::Stale)));
    drop(writing);
    failing.set(|wrong| wrong.space = None);
    let mut writing = other.begin(NOW, PATIENCE).unwrap();
    assert!(matches!(writing.take_recoveries()[..], [Recovery::Torn { seq: 1, bytes: 50, .. }]));
    writing.append(&calls(3)).unwrap();
    drop(writing);
    append(&mut log, 2);
    holds(&stage, 6);
}

#[test]
fn records_that_could_not_be_synced_are_written_again_to_a_new_segment() {
    let stage = Stage::new();
    let (failing, mut log) = opened(&stage);
    let mut other = stage.opened();
    append(&mut log, 5);
    let mut writing = log.begin(NOW, PATIENCE).unwrap();
    writing.append(&calls(2)).unwrap();
    writing.append(&calls(1)).unwrap();
    failing.set(|wrong| wrong.syncs = 1);
    writing.sync().unwrap();
    assert!(
        matches!(&writing.take_recoveries()[..], [Recovery::SyncFailed { seq: 6, error }] if error.contains("os error 5"))
    );
    writing.append(&calls(1)).unwrap();
    drop(writing);
    assert!(stage.segments()[1].ends_with("00000000000000000006.jsonl"));
    append(&mut other, 4);
    append(&mut log, 1);
    holds(&stage, 15);
}

#[test]
fn a_segment_of_which_nothing_was_synced_is_replaced() {
    let stage = Stage::new();
    let (failing, mut log) = opened(&stage);
    let mut other = stage.opened();
    append(&mut log, 5);
    let tomorrow = NOW + 86_400_000;
    let mut writing = log.begin(tomorrow, PATIENCE).unwrap();
    writing.append(&calls(2)).unwrap();
    failing.set(|wrong| wrong.syncs = 1);
    writing.checkpoint().unwrap();
    drop(writing);
    assert_eq!(stage.segments().len(), 2);
    append(&mut other, 4);
    holds(&stage, 12);
}

#[test]
fn records_that_cannot_be_synced_at_all_are_said_to_be_lost_and_nothing_else_is() {
    // Syncing fails again and again; cutting off too; the space for the new file is missing.
    for (syncs, cuts, space) in [(9, 0, None), (1, 1, None), (1, 0, Some(0)), (9, 9, Some(0))] {
        let stage = Stage::new();
        let (failing, mut log) = opened(&stage);
        append(&mut log, 5);
        let mut writing = log.begin(NOW, PATIENCE).unwrap();
        writing.append(&calls(3)).unwrap();
        failing.set(|wrong| *wrong = super::faults::Wrong { space, syncs, cuts });
        let fault = writing.sync().unwrap_err();
        assert!(matches!(fault, Fault::Lost { seq: 6, .. }), "{fault}");
        assert!(matches!(writing.append(&[call(1)]), Err(Fault::Stale)));
        assert!(matches!(writing.checkpoint(), Err(Fault::Stale)));
        drop(writing);
        if cuts > 1 {
            assert!(log.begin(NOW, PATIENCE).is_err(), "as long as the end cannot be cut off");
        }
        failing.set(|wrong| *wrong = Wrong::default());
        append(&mut log, 2);
        holds(&stage, 8);
        assert_eq!(stage.segments().len(), 2, "nothing is appended to what could not be synced");
    }
}

#[test]
fn what_another_appended_behind_a_failure_stays() {
    let stage = Stage::new();
    let (failing, mut log) = opened(&stage);
    let mut other = stage.opened();
    append(&mut log, 5);
    let mut writing = log.begin(NOW, PATIENCE).unwrap();
    writing.append(&calls(3)).unwrap();
    failing.set(|wrong| (wrong.syncs, wrong.cuts) = (1, 2));
    assert!(writing.sync().is_err());
    drop(writing);
    append(&mut other, 4);
    append(&mut log, 1);
    holds(&stage, 14);
}

#[test]
fn kept_space_is_given_up_and_taken_again() {
    let stage = Stage::new();
    let mut log = stage.opened();
    assert!(log.has_reserve());
    let length = stage.path("reserve").metadata().unwrap().len();
    assert!(length > 0 && length <= 8 << 20);
    let mut writing = log.begin(NOW, PATIENCE).unwrap();
    writing.release_reserve().unwrap();
    assert_eq!(stage.path("reserve").metadata().unwrap().len(), 0);
    writing.checkpoint().unwrap();
    drop(writing);
    assert!(log.has_reserve());
}

#[test]
fn what_one_left_unsynced_the_next_syncs_or_writes_again() {
    let leave = |log: &mut Log, count| drop(log.begin(NOW, PATIENCE).unwrap().append(&calls(count)));
    let stage = Stage::new();
    let (failing, mut log) = opened(&stage);
    let (others, mut other) = opened(&stage);
    append(&mut log, 2);
    leave(&mut log, 3);
    others.set(|wrong| wrong.syncs = 1);
    let mut writing = other.begin(NOW, PATIENCE).unwrap();
    assert!(matches!(writing.take_recoveries()[..], [Recovery::SyncFailed { seq: 1, .. }]));
    writing.append(&calls(2)).unwrap();
    writing.sync().unwrap();
    drop(writing);
    holds(&stage, 8);
    leave(&mut log, 1);
    failing.set(|wrong| wrong.syncs = 1);
    let mut writing = log.begin(NOW, PATIENCE).unwrap();
    writing.sync().unwrap();
    assert!(matches!(writing.take_recoveries()[..], [Recovery::SyncFailed { seq: 8, .. }]));
    drop(writing);
    leave(&mut other, 1);
    assert_eq!(crate::stage::sign(&mut log).lines().nth(1), Some("10"));
    holds(&stage, 10);
}

#[test]
fn what_others_build_on_is_not_cut_off_when_its_writer_cannot_sync_it() {
    for signs in [false, true] {
        let stage = Stage::new();
        let (failing, mut log) = opened(&stage);
        let mut other = stage.opened();
        drop(log.begin(NOW, PATIENCE).unwrap().append(&calls(3)));
        let mut writing = other.begin(NOW + 86_400_000, PATIENCE).unwrap();
        writing.append(&calls(2)).unwrap();
        if signs {
            writing.checkpoint().unwrap();
        }
        drop(writing);
        failing.set(|wrong| wrong.syncs = 1);
        let fault = log.begin(NOW, PATIENCE).unwrap_err();
        assert!(matches!(fault, Fault::Lost { seq: 1, .. }), "{fault}");
        append(&mut log, 1);
        holds(&stage, 7);
    }
}

#[test]
fn an_end_that_could_not_be_cut_off_and_was_pruned_since_is_not_made_again() {
    let stage = Stage::new();
    let (failing, mut log) = opened(&stage);
    let mut other = stage.opened();
    log.begin(NOW, PATIENCE).unwrap().append(&calls(3)).unwrap();
    failing.set(|wrong| (wrong.syncs, wrong.cuts) = (1, 2));
    assert!(log.begin(NOW, PATIENCE).and_then(|mut writing| writing.sync()).is_err());
    let mut writing = other.begin(NOW + 86_400_000, PATIENCE).unwrap();
    writing.append(&[r#"{"kind":"prune","before_seq":4}"#]).unwrap();
    assert_eq!(writing.prune(4).unwrap(), 4);
    drop(writing);
    append(&mut log, 1);
    assert!(stage.segments()[0].ends_with("00000000000000000004.jsonl"));
    let report = verify(&stage.dir, &vkey(), &[""; 0]).unwrap();
    assert!(matches!(report.outcome, Outcome::Whole { size: 6, .. }), "{report}");
}

#[test]
fn synced_records_that_are_gone_are_damage() {
    let stage = Stage::new();
    let mut log = stage.opened();
    append(&mut log, 3);
    let text = std::fs::read_to_string(stage.segment()).unwrap();
    let cut: String = text.split_inclusive('\n').take(2).collect();
    std::fs::write(stage.segment(), cut).unwrap();
    let fault = log.begin(NOW, PATIENCE).unwrap_err();
    assert!(matches!(fault, Fault::Damaged { seq: 2, .. }), "{fault}");
    assert!(log.begin(NOW, PATIENCE).is_err(), "and stays so");
}

#[test]
fn records_that_were_rescued_by_who_died_meanwhile_are_found() {
    for opens in [false, true] {
        let stage = Stage::new();
        let mut log = stage.opened();
        append(&mut log, 5);
        let mut other = stage.opened();
        // As it is after the records 4 and 5 were cut off and before the file with them has its name.
        let text = std::fs::read_to_string(stage.segment()).unwrap();
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        std::fs::write(stage.segment(), lines[..4].concat()).unwrap();
        let rescued = stage.path("segments/00000000000000000004.jsonl.new");
        std::fs::write(rescued, lines[4..].concat()).unwrap();
        if opens {
            other = stage.opened();
        }
        append(&mut other, 1);
        append(&mut log, 1);
        assert_eq!(stage.segments().len(), 2);
        holds(&stage, 8);
    }
}
