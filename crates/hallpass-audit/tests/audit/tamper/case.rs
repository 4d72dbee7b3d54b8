//! A log that is known record by record, and what a hand can do to a copy of it.

use crate::stage::{NOW, ORIGIN, PATIENCE, Stage, calls, copy_folder, key, sign};
use hallpass_audit::{Checkpoint, Frontier, Hash, LogKey, head};
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

const DAY: i64 = 86_400_000;

/// Records 0 to 299 and 300 to 519 and 520 to 699 in a segment each; checkpoints kept at 300, 400, 520, the newest at
/// 650; 50 records that nobody signed.
pub(super) struct Template {
    pub(super) stage: Stage,
    /// The folder as it was at 400 records.
    pub(super) old: Stage,
    pub(super) pin_400: String,
    pub(super) pin_650: String,
}

pub(super) fn template() -> &'static Template {
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
pub(super) struct Case {
    pub(super) dir: PathBuf,
}

impl Case {
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(super) fn segment(&self, number: usize) -> PathBuf {
        let first = [0, 300, 520][number];
        self.path(&format!("segments/{first:020}.jsonl"))
    }

    /// Changes the lines of the segment that holds record `seq`, of which `at` is the index.
    pub(super) fn lines(&self, seq: usize, change: impl FnOnce(&mut Vec<String>, usize)) {
        let (number, first) =
            [(2, 520), (1, 300), (0, 0)].into_iter().find(|(_, first)| seq >= *first).unwrap();
        let path = self.segment(number);
        let text = fs::read_to_string(&path).unwrap();
        let mut lines: Vec<_> = text.split_inclusive('\n').map(str::to_owned).collect();
        change(&mut lines, seq - first);
        fs::write(path, lines.concat()).unwrap();
    }

    pub(super) fn replace(&self, seq: usize, from: &str, to: &str) {
        self.lines(seq, |lines, at| {
            let changed = lines[at].replacen(from, to, 1);
            assert_ne!(changed, lines[at]);
            lines[at] = changed;
        });
    }

    pub(super) fn edit(&self, name: &str, from: &str, to: &str) {
        let path = self.path(name);
        let text = fs::read_to_string(&path).unwrap();
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{name} {from}");
        fs::write(path, changed).unwrap();
    }

    /// Changes the record and makes the chain after it anew, as a forger would.
    pub(super) fn rewrite(&self, seq: usize) {
        self.replace(seq, "\"tool\":\"echo\"", "\"tool\":\"none\"");
        self.chain();
    }

    pub(super) fn chain(&self) {
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

    pub(super) fn tree(&self) -> Frontier {
        let mut tree = Frontier::default();
        for number in 0..3 {
            for line in fs::read_to_string(self.segment(number)).unwrap().lines() {
                tree.append(Hash::of_leaf(line.as_bytes()));
            }
        }
        tree
    }

    /// Signs what is there with the log's own key and forgets what was signed before.
    pub(super) fn sign_again(&self) {
        let tree = self.tree();
        let note = Checkpoint { size: tree.size(), root: tree.root() }.sign(&key());
        fs::write(self.path("checkpoint"), note).unwrap();
        self.remove("checkpoints");
    }

    pub(super) fn remove(&self, name: &str) {
        let path = self.path(name);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }

    pub(super) fn flip(&self, name: &str, at: usize) {
        let path = self.path(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    }

    pub(super) fn add(&self, name: &str, text: &str) {
        let before = fs::read_to_string(self.path(name)).unwrap();
        self.put(name, &(before + text));
    }

    pub(super) fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Cuts the log off in front of record `seq`, and leaves some bytes of it.
    pub(super) fn cut(&self, seq: usize, bytes: usize) {
        self.lines(seq, |lines, at| {
            let part = lines[at][..bytes].to_owned();
            lines.truncate(at);
            lines.push(part);
        });
    }
}

pub(super) fn flip_prev_100(case: &Case) {
    case.lines(100, |lines, at| {
        let prev = head(lines[at].trim_end().as_bytes()).unwrap().prev.to_string();
        lines[at] = lines[at].replacen(&prev, &Hash::ZERO.to_string(), 1);
    });
}

/// A record of the forger's with the right number and the right hash, in front of the true one.
pub(super) fn put_in(lines: &mut Vec<String>, at: usize) {
    lines.insert(at, lines[at].replacen("echo", "fake", 1));
}

pub(super) fn swap_segments(case: &Case) {
    let (one, two, aside) = (case.segment(1), case.segment(2), case.path("aside"));
    fs::rename(&one, &aside).unwrap();
    fs::rename(&two, &one).unwrap();
    fs::rename(aside, two).unwrap();
}

pub(super) fn rename(case: &Case, name: &str) {
    fs::rename(case.segment(1), case.path("segments").join(name)).unwrap();
}

pub(super) fn cut_to_520(case: &Case) {
    case.remove("segments/00000000000000000520.jsonl");
    case.put("checkpoint", &template().pin_400);
}

pub(super) fn cut_to_400(case: &Case) {
    case.remove("segments/00000000000000000520.jsonl");
    case.cut(400, 0);
    case.put("checkpoint", &template().pin_400);
    case.remove("checkpoints");
}

pub(super) fn old_copy(case: &Case) {
    let tiles = case.path("tile").exists();
    fs::remove_dir_all(&case.dir).unwrap();
    copy_folder(&template().old.dir, &case.dir);
    if !tiles {
        case.remove("tile");
    }
}

pub(super) fn old_segments(case: &Case) {
    case.remove("segments");
    copy_folder(&template().old.path("segments"), &case.path("segments"));
}

pub(super) fn flip_root(case: &Case) {
    let root = template().pin_650.lines().nth(2).unwrap();
    case.edit("checkpoint", root, &Hash::ZERO.to_string());
}

pub(super) fn flip_signature(case: &Case) {
    let at = template().pin_650.len() - 20;
    case.flip("checkpoint", at);
}

pub(super) fn forged(case: &Case) {
    let tree = case.tree();
    let other = LogKey::from_seed(ORIGIN, &[9; 32]).unwrap();
    case.put("checkpoint", &Checkpoint { size: tree.size(), root: tree.root() }.sign(&other));
}

pub(super) fn of_another_log(case: &Case) {
    let tree = case.tree();
    let other = LogKey::from_seed("hallpass.local/other/main", &[7; 32]).unwrap();
    case.put("checkpoint", &Checkpoint { size: tree.size(), root: tree.root() }.sign(&other));
}

pub(super) fn replayed(case: &Case) {
    case.put("checkpoint", &template().pin_400);
    case.remove("checkpoints");
}

pub(super) fn flip_tile(case: &Case, leaf: usize) {
    if case.path("tile").exists() {
        case.flip("tile/0/000", leaf * 32);
    }
}

pub(super) fn put_tile(case: &Case, bytes: &[u8]) {
    if case.path("tile").exists() {
        fs::write(case.path("tile/0/000"), bytes).unwrap();
    }
}
