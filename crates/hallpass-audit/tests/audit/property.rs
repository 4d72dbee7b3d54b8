//! Whatever is done to the files of a log: what the verifier vouches for is what was written, and nothing is called
//! tampered with that was not. Held by generated edits here and by the fuzzer.

use hallpass_audit::verify::{Outcome, verify};
use hallpass_audit::{Hash, Log, LogKey, Opening, VerifierKey, head};
use std::fs;
use std::path::Path;
use std::time::Duration;

const NOW: i64 = 1_795_651_200_000;

/// The files of a small log, and what was written to it.
pub(crate) struct Sample {
    pub(crate) key: VerifierKey,
    files: Vec<(&'static str, Vec<u8>)>,
    lines: Vec<Vec<u8>>,
    /// At each of these sizes a checkpoint was signed.
    signed: [u64; 3],
    pub(crate) pin: String,
}

const FILES: [&str; 5] = [
    "segments/00000000000000000000.jsonl",
    "segments/00000000000000000020.jsonl",
    "checkpoint",
    "checkpoints",
    "tile/0/000.p/30",
];

impl Sample {
    /// 35 records in two segments, signed at 20 and at 30; the pin is of 25.
    pub(crate) fn new(dir: &Path) -> Self {
        let key = LogKey::from_seed("hallpass.local/fuzz/main", &[3; 32]).unwrap();
        let verifier = key.verifier();
        let how = Opening { node: "main", now_ms: NOW, last_signed: None, patience: Duration::ZERO };
        let (mut log, _) = Log::open(dir, key, how).unwrap();
        let mut add = |day: i64, count: usize, sign: bool| {
            let mut writing = log.begin(NOW + day * 86_400_000, Duration::ZERO).unwrap();
            writing.append(&vec![r#"{"at_ms":1,"kind":"call","tool":"echo"}"#; count]).unwrap();
            if sign { writing.checkpoint().unwrap().to_owned() } else { String::new() }
        };
        add(0, 19, false);
        let pin = add(1, 5, true);
        add(1, 5, true);
        add(1, 5, false);
        let files: Vec<_> = FILES.iter().map(|name| (*name, fs::read(dir.join(name)).unwrap())).collect();
        let text = [&files[0].1[..], &files[1].1].concat();
        let lines = text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        Self { key: verifier, files, lines, signed: [20, 25, 30], pin }
    }
}

impl Sample {
    /// Does to a copy in `dir` what the bytes say, five at a time, and returns what the files hold then.
    pub(crate) fn tampered(&self, dir: &Path, script: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
        let mut files = self.files.clone();
        for edit in script.chunks_exact(5).take(12) {
            let at = usize::from(edit[2]) << 8 | usize::from(edit[3]);
            apply(&mut files, edit[0], usize::from(edit[1]) % FILES.len(), at, edit[4]);
        }
        for (name, bytes) in &files {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if bytes.is_empty() {
                let _ = fs::remove_file(path);
            } else {
                fs::write(path, bytes).unwrap();
            }
        }
        files
    }
}

/// Tampers with a copy in `dir` and holds the verdict against what was written.
pub(crate) fn tampered(sample: &Sample, dir: &Path, script: &[u8]) {
    let files = sample.tampered(dir, script);
    let left = [&files[0].1[..], &files[1].1].concat();
    let left: Vec<_> = left.split_inclusive(|byte| *byte == b'\n').collect();
    for pins in [&[][..], std::slice::from_ref(&sample.pin)] {
        let Ok(report) = verify(dir, &sample.key, pins) else { continue };
        let good = match report.outcome {
            Outcome::Whole { size, signed_until, anchored_until, unsigned } => {
                assert!(size == signed_until + unsigned && sample.signed.contains(&signed_until), "{size}");
                assert_eq!(anchored_until, (!pins.is_empty()).then_some(25));
                signed_until
            }
            Outcome::Tampered { seq, .. } => {
                assert!(files != sample.files, "nothing was done");
                assert!(report.vouched_until <= seq);
                report.vouched_until
            }
        };
        for (seq, line) in sample.lines.iter().enumerate().take(usize::try_from(good).unwrap()) {
            assert!(left.get(seq) == Some(&&line[..]), "record {seq}, before {good}: {script:?}");
        }
    }
}

fn apply(files: &mut [(&'static str, Vec<u8>)], what: u8, file: usize, at: usize, value: u8) {
    let is_segment = file < 2;
    let bytes = &mut files[file].1;
    let byte_at = at % bytes.len().max(1);
    match what % 10 {
        0 | 1 if byte_at < bytes.len() => bytes[byte_at] ^= value,
        2 => bytes.insert(byte_at.min(bytes.len()), value),
        3 => bytes.truncate(byte_at),
        4 => drop(bytes.drain(byte_at..(byte_at + usize::from(value)).min(bytes.len()).max(byte_at))),
        5 if is_segment => of_lines(bytes, |lines| drop(lines.remove(at % lines.len()))),
        6 if is_segment => of_lines(bytes, |lines| {
            lines.insert(at % lines.len(), lines[usize::from(value) % lines.len()].clone());
        }),
        7 if is_segment => of_lines(bytes, |lines| {
            let count = lines.len();
            lines.swap(at % count, usize::from(value) % count);
        }),
        8 => rewrite(files, at % 40),
        9 => {
            let (one, two) = (file, usize::from(value) % FILES.len());
            let aside = files[one].1.clone();
            files[one].1 = std::mem::replace(&mut files[two].1, aside);
        }
        _ => (),
    }
}

fn of_lines(bytes: &mut Vec<u8>, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let mut lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if !lines.is_empty() {
        change(&mut lines);
    }
    *bytes = lines.concat();
}

/// Changes a record and makes the chain after it anew.
fn rewrite(files: &mut [(&'static str, Vec<u8>)], seq: usize) {
    let mut last = None;
    let mut number = 0;
    for (_, bytes) in &mut files[..2] {
        of_lines(bytes, |lines| {
            for line in lines {
                remake(line, number == seq, &mut last);
                number += 1;
            }
        });
    }
}

fn remake(line: &mut Vec<u8>, changed: bool, last: &mut Option<Hash>) {
    let Ok(text) = String::from_utf8(line.clone()) else { return };
    let text = text.trim_end_matches('\n');
    let Ok(head) = head(text.as_bytes()) else { return };
    let prev = last.unwrap_or(head.prev).to_string();
    let mut text = text.replacen(&head.prev.to_string(), &prev, 1);
    if changed {
        text = text.replacen("echo", "none", 1);
    }
    *last = Some(Hash::of_leaf(text.as_bytes()));
    *line = (text + "\n").into_bytes();
}

#[cfg(test)]
mod tests {
    use super::{Sample, tampered};
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static SAMPLE: LazyLock<Sample> =
        LazyLock::new(|| Sample::new(&tempfile::tempdir().unwrap().path().join("audit")));

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_vouched_for_is_what_was_written(script in prop::collection::vec(any::<u8>(), 5..60)) {
            tampered(&SAMPLE, tempfile::tempdir().unwrap().path(), &script);
        }
    }
}
