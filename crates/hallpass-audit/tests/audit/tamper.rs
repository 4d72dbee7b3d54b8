//! The tamper matrix: each way to change a log, found by both verifiers at the right record, or said to be out of reach.

use crate::python;
use crate::stage::{NOW, ORIGIN, PATIENCE, Stage, calls, copy_folder, key, sign, vkey};
use hallpass_audit::verify::{Outcome, verify};
use hallpass_audit::{Checkpoint, Frontier, Hash, LogKey, VerifierKey, head};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const DAY: i64 = 86_400_000;

/// Records 0 to 299 and 300 to 519 and 520 to 699 in a segment each; checkpoints kept at 300, 400, 520, the newest at
/// 650; 50 records that nobody signed.
struct Template {
    stage: Stage,
    /// The folder as it was at 400 records.
    old: Stage,
    pin_400: String,
    pin_650: String,
}

fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let (stage, old) = (Stage::new(), Stage::new());
        let mut log = stage.opened();
        let mut add = |day: i64, count: usize| {
            let mut writing = log.begin(NOW + day * DAY, PATIENCE).unwrap();
            writing.append(&calls(count)).unwrap();
            writing.size()
        };
        add(0, 299);
        assert_eq!(add(1, 100), 400);
        let pin_400 = log.begin(NOW + DAY, PATIENCE).unwrap().keep_checkpoint().unwrap().to_owned();
        copy_folder(&stage.dir, &old.dir);
        let mut add = |day: i64, count: usize| {
            log.begin(NOW + day * DAY, PATIENCE).unwrap().append(&calls(count)).unwrap().end
        };
        assert_eq!(add(1, 120), 520);
        assert_eq!(add(2, 130), 650);
        let pin_650 = sign(&mut log);
        log.begin(NOW + 2 * DAY, PATIENCE).unwrap().append(&calls(50)).unwrap();
        assert_eq!((log.size(), stage.segments().len()), (700, 3));
        Template { stage, old, pin_400, pin_650 }
    })
}

/// One log that is being tampered with.
struct Case {
    dir: PathBuf,
}

impl Case {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn segment(&self, number: usize) -> PathBuf {
        let first = [0, 300, 520][number];
        self.path(&format!("segments/{first:020}.jsonl"))
    }

    /// Changes the lines of the segment that holds record `seq`, of which `at` is the index.
    fn lines(&self, seq: usize, change: impl FnOnce(&mut Vec<String>, usize)) {
        let (number, first) =
            [(2, 520), (1, 300), (0, 0)].into_iter().find(|(_, first)| seq >= *first).unwrap();
        let path = self.segment(number);
        let text = fs::read_to_string(&path).unwrap();
        let mut lines: Vec<_> = text.split_inclusive('\n').map(str::to_owned).collect();
        change(&mut lines, seq - first);
        fs::write(path, lines.concat()).unwrap();
    }

    fn replace(&self, seq: usize, from: &str, to: &str) {
        self.lines(seq, |lines, at| {
            let changed = lines[at].replacen(from, to, 1);
            assert_ne!(changed, lines[at]);
            lines[at] = changed;
        });
    }

    fn edit(&self, name: &str, from: &str, to: &str) {
        let path = self.path(name);
        let text = fs::read_to_string(&path).unwrap();
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{name} {from}");
        fs::write(path, changed).unwrap();
    }

    /// Changes the record and makes the chain after it anew, as a forger would.
    fn rewrite(&self, seq: usize) {
        self.replace(seq, "\"tool\":\"echo\"", "\"tool\":\"none\"");
        let mut last = None;
        for number in 0..3 {
            let path = self.segment(number);
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let mut out = String::new();
            for line in text.lines() {
                let prev = head(line.as_bytes()).unwrap().prev;
                let line = line.replacen(&prev.to_string(), &last.unwrap_or(prev).to_string(), 1);
                last = Some(Hash::of_leaf(line.as_bytes()));
                out += &(line + "\n");
            }
            fs::write(path, out).unwrap();
        }
    }

    fn tree(&self) -> Frontier {
        let mut tree = Frontier::default();
        for number in 0..3 {
            for line in fs::read_to_string(self.segment(number)).unwrap().lines() {
                tree.append(Hash::of_leaf(line.as_bytes()));
            }
        }
        tree
    }

    /// Signs what is there with the log's own key and forgets what was signed before.
    fn sign_again(&self) {
        let tree = self.tree();
        let note = Checkpoint { size: tree.size(), root: tree.root() }.sign(&key());
        fs::write(self.path("checkpoint"), note).unwrap();
        self.remove("checkpoints");
    }

    fn remove(&self, name: &str) {
        let path = self.path(name);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }

    fn flip(&self, name: &str, at: usize) {
        let path = self.path(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Cuts the log off in front of record `seq`, and leaves some bytes of it.
    fn cut(&self, seq: usize, bytes: usize) {
        self.lines(seq, |lines, at| {
            let part = lines[at][..bytes].to_owned();
            lines.truncate(at);
            lines.push(part);
        });
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Say {
    /// Tampered, first at this record.
    Bad(u64),
    /// Whole: so many records, signed up to there.
    Whole(u64, u64),
    /// What was given is no pin of this log.
    NoPin,
}
use Say::{Bad, NoPin, Whole};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pins {
    None,
    At400,
    At650,
    Both,
    Forged,
}

type Change = fn(&Case);

/// What is done; which pins are given; what is said with the tiles there, and without.
const MATRIX: &[(&str, Change, Pins, Say, Say)] = &[
    ("nothing", |_| (), Pins::None, Whole(700, 650), Whole(700, 650)),
    ("nothing, with pins", |_| (), Pins::Both, Whole(700, 650), Whole(700, 650)),
    // Bytes.
    ("seq", |c| c.replace(100, "\"seq\":100", "\"seq\":900"), Pins::None, Bad(100), Bad(100)),
    (
        "seq to the one before",
        |c| c.replace(101, "\"seq\":101", "\"seq\":100"),
        Pins::None,
        Bad(101),
        Bad(101),
    ),
    ("prev", |c| c.replace(100, "\"prev\":\"", "\"prev\":\"A"), Pins::None, Bad(100), Bad(100)),
    ("prev to another hash", flip_prev_100, Pins::None, Bad(100), Bad(100)),
    ("prev of the first", |c| c.replace(0, "AAAAA", "AAAAB"), Pins::None, Bad(0), Bad(0)),
    ("node", |c| c.replace(100, "\"main\"", "\"mail\""), Pins::None, Bad(100), Bad(100)),
    ("version", |c| c.replace(100, "\"v\":1", "\"v\":2"), Pins::None, Bad(100), Bad(100)),
    ("body", |c| c.replace(100, "echo", "echa"), Pins::None, Bad(100), Bad(100)),
    ("body to no JSON", |c| c.replace(100, "\"tool\"", "\"tool"), Pins::None, Bad(100), Bad(100)),
    ("body names seq again", |c| c.replace(100, "\"tool\"", "\"seq\""), Pins::None, Bad(100), Bad(100)),
    ("body of the first", |c| c.replace(0, "done", "gone"), Pins::None, Bad(0), Bad(0)),
    ("body at a segment's end", |c| c.replace(299, "echo", "echa"), Pins::None, Bad(299), Bad(299)),
    ("body behind a kept checkpoint", |c| c.replace(400, "echo", "echa"), Pins::None, Bad(400), Bad(400)),
    ("body of the last that is signed", |c| c.replace(649, "echo", "echa"), Pins::None, Bad(649), Bad(649)),
    ("newline to a space", |c| c.replace(100, "\n", " "), Pins::None, Bad(100), Bad(100)),
    ("newline to a control character", |c| c.replace(100, "\n", "\u{b}"), Pins::None, Bad(100), Bad(100)),
    ("a newline within", |c| c.replace(100, ",\"tool", ",\n\"tool"), Pins::None, Bad(100), Bad(100)),
    ("a blank at the end", |c| c.replace(100, "}\n", "} \n"), Pins::None, Bad(100), Bad(100)),
    ("a carriage return", |c| c.replace(100, "}\n", "}\r\n"), Pins::None, Bad(100), Bad(100)),
    (
        "an empty line",
        |c| c.lines(100, |lines, at| lines.insert(at, "\n".into())),
        Pins::None,
        Bad(100),
        Bad(100),
    ),
    (
        "a line that is too long",
        |c| c.replace(100, "echo", &"e".repeat(70_000)),
        Pins::None,
        Bad(100),
        Bad(100),
    ),
    // Bytes of what nobody signed yet.
    ("body in the unsigned tail", |c| c.replace(660, "echo", "echa"), Pins::None, Bad(660), Bad(660)),
    (
        "prev in the unsigned tail",
        |c| c.replace(670, "\"prev\":\"", "\"prev\":\"A"),
        Pins::None,
        Bad(670),
        Bad(670),
    ),
    ("body of the first unsigned", |c| c.replace(650, "echo", "echa"), Pins::None, Bad(650), Bad(650)),
    (
        "body of the last of all",
        |c| c.replace(699, "echo", "echa"),
        Pins::None,
        Whole(700, 650),
        Whole(700, 650),
    ),
    (
        "prev of the last of all",
        |c| c.replace(699, "\"prev\":\"", "\"prev\":\"A"),
        Pins::None,
        Whole(699, 650),
        Whole(699, 650),
    ),
    (
        "seq of the last of all",
        |c| c.replace(699, "\"seq\":699", "\"seq\":698"),
        Pins::None,
        Bad(699),
        Bad(699),
    ),
    ("an unsigned record re-made", |c| c.rewrite(660), Pins::None, Whole(700, 650), Whole(700, 650)),
    // Lines.
    ("a line deleted", |c| c.lines(100, |lines, at| drop(lines.remove(at))), Pins::None, Bad(100), Bad(100)),
    ("the first deleted", |c| c.lines(0, |lines, at| drop(lines.remove(at))), Pins::None, Bad(0), Bad(0)),
    (
        "a segment's last deleted",
        |c| c.lines(299, |lines, at| drop(lines.remove(at))),
        Pins::None,
        Bad(299),
        Bad(299),
    ),
    (
        "the last signed deleted",
        |c| c.lines(649, |lines, at| drop(lines.remove(at))),
        Pins::None,
        Bad(649),
        Bad(649),
    ),
    (
        "an unsigned one deleted",
        |c| c.lines(675, |lines, at| drop(lines.remove(at))),
        Pins::None,
        Bad(675),
        Bad(675),
    ),
    (
        "the last of all deleted",
        |c| c.lines(699, |lines, at| drop(lines.remove(at))),
        Pins::None,
        Whole(699, 650),
        Whole(699, 650),
    ),
    (
        "a line doubled",
        |c| c.lines(100, |lines, at| lines.insert(at, lines[at].clone())),
        Pins::None,
        Bad(101),
        Bad(101),
    ),
    (
        "an unsigned line doubled",
        |c| c.lines(670, |lines, at| lines.insert(at, lines[at].clone())),
        Pins::None,
        Bad(671),
        Bad(671),
    ),
    (
        "two lines swapped",
        |c| c.lines(100, |lines, at| lines.swap(at, at + 1)),
        Pins::None,
        Bad(100),
        Bad(100),
    ),
    (
        "two lines far apart swapped",
        |c| c.lines(100, |lines, at| lines.swap(at, at + 50)),
        Pins::None,
        Bad(100),
        Bad(100),
    ),
    ("a line put in", |c| c.lines(100, put_in), Pins::None, Bad(100), Bad(100)),
    ("a line put into the unsigned tail", |c| c.lines(670, put_in), Pins::None, Bad(670), Bad(670)),
    ("re-made from 100 on", |c| c.rewrite(100), Pins::None, Bad(100), Bad(0)),
    ("re-made from 450 on", |c| c.rewrite(450), Pins::None, Bad(450), Bad(400)),
    ("re-made from 600 on", |c| c.rewrite(600), Pins::None, Bad(600), Bad(520)),
    (
        "re-made, and another changed later",
        |c| {
            c.rewrite(450);
            c.replace(560, "echo", "echa");
        },
        Pins::None,
        Bad(450),
        Bad(400),
    ),
    // The end.
    ("cut within a signed line", |c| c.cut(600, 80), Pins::None, Bad(600), Bad(600)),
    ("cut behind a checkpoint", |c| c.cut(640, 0), Pins::None, Bad(640), Bad(640)),
    ("cut at the checkpoint", |c| c.cut(650, 0), Pins::None, Whole(650, 650), Whole(650, 650)),
    ("cut within an unsigned line", |c| c.cut(680, 80), Pins::None, Whole(680, 650), Whole(680, 650)),
    (
        "the last segment removed",
        |c| c.remove("segments/00000000000000000520.jsonl"),
        Pins::None,
        Bad(520),
        Bad(520),
    ),
    ("every segment removed", |c| c.remove("segments"), Pins::None, Bad(0), Bad(0)),
    (
        "every segment and checkpoint removed",
        |c| {
            c.remove("segments");
            c.remove("checkpoint");
        },
        Pins::None,
        Bad(0),
        Bad(0),
    ),
    ("cut, and an older checkpoint put back", cut_to_520, Pins::None, Bad(400), Bad(400)),
    (
        "cut, with every trace of what was signed later",
        cut_to_400,
        Pins::None,
        Whole(400, 400),
        Whole(400, 400),
    ),
    ("the same behind a pin", cut_to_400, Pins::At650, Bad(400), Bad(400)),
    ("an old copy", old_copy, Pins::None, Whole(400, 400), Whole(400, 400)),
    ("an old copy and an old pin", old_copy, Pins::At400, Whole(400, 400), Whole(400, 400)),
    ("an old copy behind a pin", old_copy, Pins::At650, Bad(400), Bad(400)),
    ("old segments under a newer checkpoint", old_segments, Pins::None, Bad(400), Bad(400)),
    // Segments.
    ("two segments swapped", swap_segments, Pins::None, Bad(300), Bad(300)),
    (
        "a segment removed",
        |c| c.remove("segments/00000000000000000300.jsonl"),
        Pins::None,
        Bad(300),
        Bad(300),
    ),
    ("the first removed", |c| c.remove("segments/00000000000000000000.jsonl"), Pins::None, Bad(0), Bad(0)),
    ("a segment renamed", |c| rename(c, "00000000000000000301.jsonl"), Pins::None, Bad(300), Bad(300)),
    ("a segment renamed to no segment", |c| rename(c, "300.jsonl"), Pins::None, Bad(300), Bad(300)),
    (
        "a segment put in",
        |c| c.put("segments/00000000000000000299.jsonl", ""),
        Pins::None,
        Bad(299),
        Bad(299),
    ),
    (
        "a file that is no segment",
        |c| c.put("segments/notes.txt", "x"),
        Pins::None,
        Whole(700, 650),
        Whole(700, 650),
    ),
    // Checkpoints.
    ("checkpoint: size", |c| c.edit("checkpoint", "\n650\n", "\n651\n"), Pins::None, Bad(520), Bad(520)),
    (
        "checkpoint: size, with a pin",
        |c| c.edit("checkpoint", "\n650\n", "\n651\n"),
        Pins::At650,
        Bad(650),
        Bad(650),
    ),
    ("checkpoint: root", flip_root, Pins::None, Bad(520), Bad(520)),
    ("checkpoint: signature", flip_signature, Pins::None, Bad(520), Bad(520)),
    (
        "checkpoint: origin",
        |c| c.edit("checkpoint", "test/main", "text/main"),
        Pins::None,
        Bad(520),
        Bad(520),
    ),
    ("checkpoint: signed by another key", forged, Pins::None, Bad(520), Bad(520)),
    ("checkpoint: of another log", of_another_log, Pins::None, Bad(520), Bad(520)),
    (
        "checkpoint: an older one",
        |c| c.put("checkpoint", &template().pin_400),
        Pins::None,
        Bad(400),
        Bad(400),
    ),
    ("checkpoint: an older one, none kept", replayed, Pins::None, Whole(700, 400), Whole(700, 400)),
    ("the same with a pin", replayed, Pins::At650, Whole(700, 650), Whole(700, 650)),
    ("checkpoint: missing", |c| c.remove("checkpoint"), Pins::None, Bad(520), Bad(520)),
    ("checkpoint: cut", |c| c.put("checkpoint", &template().pin_650[..60]), Pins::None, Bad(520), Bad(520)),
    ("checkpoint: empty", |c| c.put("checkpoint", ""), Pins::None, Bad(520), Bad(520)),
    (
        "every checkpoint missing",
        |c| {
            c.remove("checkpoint");
            c.remove("checkpoints");
        },
        Pins::None,
        Bad(0),
        Bad(0),
    ),
    ("a kept one changed", |c| c.edit("checkpoints", "\n300\n", "\n301\n"), Pins::None, Bad(650), Bad(650)),
    ("kept ones missing", |c| c.remove("checkpoints"), Pins::None, Whole(700, 650), Whole(700, 650)),
    // Pins.
    ("a forged pin", |_| (), Pins::Forged, NoPin, NoPin),
    (
        "all signed again from 100 on, no pin",
        |c| {
            c.rewrite(100);
            c.sign_again();
        },
        Pins::None,
        Whole(700, 700),
        Whole(700, 700),
    ),
    (
        "all signed again from 100 on",
        |c| {
            c.rewrite(100);
            c.sign_again();
        },
        Pins::At400,
        Bad(100),
        Bad(0),
    ),
    (
        "all signed again from 450 on",
        |c| {
            c.rewrite(450);
            c.sign_again();
        },
        Pins::Both,
        Bad(450),
        Bad(400),
    ),
    (
        "all signed again behind the pin",
        |c| {
            c.rewrite(450);
            c.sign_again();
        },
        Pins::At400,
        Whole(700, 700),
        Whole(700, 700),
    ),
    (
        "cut and signed again",
        |c| {
            c.cut(620, 0);
            c.sign_again();
        },
        Pins::At650,
        Bad(620),
        Bad(620),
    ),
    // Tiles are derived: they point to the record, and prove nothing by themselves.
    ("a tile", |c| flip_tile(c, 5), Pins::None, Whole(700, 650), Whole(700, 650)),
    (
        "a tile and a body",
        |c| {
            flip_tile(c, 5);
            c.replace(100, "echo", "echa");
        },
        Pins::None,
        Bad(100),
        Bad(100),
    ),
    (
        "a tile and a chain",
        |c| {
            flip_tile(c, 5);
            c.rewrite(450);
        },
        Pins::None,
        Bad(400),
        Bad(400),
    ),
    (
        "a tile cut short and a chain",
        |c| {
            put_tile(c, b"short");
            c.rewrite(450);
        },
        Pins::None,
        Bad(400),
        Bad(400),
    ),
];

fn flip_prev_100(case: &Case) {
    case.lines(100, |lines, at| {
        let prev = head(lines[at].trim_end().as_bytes()).unwrap().prev.to_string();
        lines[at] = lines[at].replacen(&prev, &Hash::ZERO.to_string(), 1);
    });
}

/// A record of the forger's with the right number and the right hash, in front of the true one.
fn put_in(lines: &mut Vec<String>, at: usize) {
    lines.insert(at, lines[at].replacen("echo", "fake", 1));
}

fn swap_segments(case: &Case) {
    let (one, two, aside) = (case.segment(1), case.segment(2), case.path("aside"));
    fs::rename(&one, &aside).unwrap();
    fs::rename(&two, &one).unwrap();
    fs::rename(aside, two).unwrap();
}

fn rename(case: &Case, name: &str) {
    fs::rename(case.segment(1), case.path("segments").join(name)).unwrap();
}

fn cut_to_520(case: &Case) {
    case.remove("segments/00000000000000000520.jsonl");
    case.put("checkpoint", &template().pin_400);
}

fn cut_to_400(case: &Case) {
    case.remove("segments/00000000000000000520.jsonl");
    case.cut(400, 0);
    case.put("checkpoint", &template().pin_400);
    case.remove("checkpoints");
}

fn old_copy(case: &Case) {
    let tiles = case.path("tile").exists();
    fs::remove_dir_all(&case.dir).unwrap();
    copy_folder(&template().old.dir, &case.dir);
    if !tiles {
        case.remove("tile");
    }
}

fn old_segments(case: &Case) {
    case.remove("segments");
    copy_folder(&template().old.path("segments"), &case.path("segments"));
}

fn flip_root(case: &Case) {
    let root = template().pin_650.lines().nth(2).unwrap();
    case.edit("checkpoint", root, &Hash::ZERO.to_string());
}

fn flip_signature(case: &Case) {
    let at = template().pin_650.len() - 20;
    case.flip("checkpoint", at);
}

fn forged(case: &Case) {
    let tree = case.tree();
    let other = LogKey::from_seed(ORIGIN, &[9; 32]).unwrap();
    case.put("checkpoint", &Checkpoint { size: tree.size(), root: tree.root() }.sign(&other));
}

fn of_another_log(case: &Case) {
    let tree = case.tree();
    let other = LogKey::from_seed("hallpass.local/other/main", &[7; 32]).unwrap();
    case.put("checkpoint", &Checkpoint { size: tree.size(), root: tree.root() }.sign(&other));
}

fn replayed(case: &Case) {
    case.put("checkpoint", &template().pin_400);
    case.remove("checkpoints");
}

fn flip_tile(case: &Case, leaf: usize) {
    if case.path("tile").exists() {
        case.flip("tile/0/000", leaf * 32);
    }
}

fn put_tile(case: &Case, bytes: &[u8]) {
    if case.path("tile").exists() {
        fs::write(case.path("tile/0/000"), bytes).unwrap();
    }
}

fn pins(which: Pins) -> Vec<String> {
    let Template { pin_400, pin_650, .. } = template();
    match which {
        Pins::None => vec![],
        Pins::At400 => vec![pin_400.clone()],
        Pins::At650 => vec![pin_650.clone()],
        Pins::Both => vec![pin_400.clone(), pin_650.clone()],
        Pins::Forged => vec![pin_400.replacen("\n400\n", "\n401\n", 1)],
    }
}

/// What the first verifier says, and the words of both compared: code and record of the one, code and record of the other.
fn said(dir: &Path, key: &VerifierKey, pins: &[String]) -> (Say, serde_json::Value) {
    match verify(dir, key, pins) {
        Ok(report) => match report.outcome {
            Outcome::Tampered { seq, why } => (Bad(seq), serde_json::json!([1, seq, why])),
            Outcome::Whole { size, signed_until, anchored_until, unsigned } => {
                let words = format!("{size} records, signed up to {signed_until}");
                (Whole(size, signed_until), serde_json::json!([0, anchored_until, words, unsigned]))
            }
        },
        Err(fault) => (NoPin, serde_json::json!([64, fault.to_string().trim_start_matches("pin 1 ")])),
    }
}

#[test]
fn each_way_to_tamper_is_found_by_both_verifiers_at_the_right_record() {
    let temp = tempfile::tempdir().unwrap();
    let mut problems = Vec::new();
    let (mut logs, mut expected) = (Vec::new(), Vec::new());
    for (number, (name, change, which, with_tiles, without)) in MATRIX.iter().enumerate() {
        for (tiles, expect) in [(true, with_tiles), (false, without)] {
            let case = Case { dir: temp.path().join(format!("{number}-{tiles}")) };
            copy_folder(&template().stage.dir, &case.dir);
            if !tiles {
                case.remove("tile");
            }
            change(&case);
            let (say, words) = said(&case.dir, &vkey(), &pins(*which));
            if say != *expect {
                problems.push(format!("{name} (tiles: {tiles}): {expect:?}, but {words}"));
            }
            logs.push((case.dir, vkey(), pins(*which)));
            expected.push((format!("{name} (tiles: {tiles})"), words));
        }
    }
    for ((name, words), mut second) in expected.into_iter().zip(python::verdicts(&logs)) {
        if words[0] == 0 {
            second.as_array_mut().unwrap().truncate(4);
        }
        if words != second {
            problems.push(format!("{name}: first {words}, second {second}"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn with_the_wrong_key_nothing_is_vouched_for() {
    let other = LogKey::from_seed(ORIGIN, &[9; 32]).unwrap().verifier();
    let (say, words) = said(&template().stage.dir, &other, &[]);
    assert_eq!(say, Bad(0));
    assert_eq!(python::verdicts(&[(template().stage.dir.clone(), other, vec![])]), [words]);
}

#[test]
fn the_second_verifier_ends_as_the_first_would() {
    let Template { stage, pin_400, .. } = template();
    let pin = stage.dir.with_file_name("pin");
    fs::write(&pin, pin_400).unwrap();
    let (dir, pin) = (stage.dir.to_str().unwrap(), pin.to_str().unwrap());
    let wrong = format!("{}/segments", dir);
    for (arguments, code, out) in [
        (&[dir][..], 0, "whole: 700 records, signed up to 650, not anchored, 50 not signed yet\n"),
        (
            &[dir, "--require-anchor"],
            2,
            "whole: 700 records, signed up to 650, not anchored, 50 not signed yet\n",
        ),
        (
            &[dir, "--pin", pin, "--require-anchor"],
            0,
            "whole: 700 records, signed up to 650, anchored up to 400, 50 not signed yet\n",
        ),
        (
            &[dir, "--pin", pin, "--require-anchor", "401"],
            2,
            "whole: 700 records, signed up to 650, anchored up to 400, 50 not signed yet\n",
        ),
        (&[dir, "--vkey", "nonsense"], 64, ""),
        (&[&wrong, "--vkey", &vkey().to_string()], 64, ""),
    ] {
        let output = python::run(arguments);
        assert_eq!(String::from_utf8_lossy(&output.stdout), out, "{arguments:?}");
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?} {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let report = verify(&stage.dir, &vkey(), &[pin_400]).unwrap();
    assert_eq!(
        report.to_string(),
        "whole: 700 records, signed up to 650, anchored up to 400, 50 not signed yet"
    );
    assert_eq!([None, Some(400), Some(401)].map(|asked| report.exit_code(asked)), [0, 0, 2]);
}
