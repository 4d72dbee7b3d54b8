//! The tamper matrix: each way to change a log, found by both verifiers at the right record, or said to be out of reach.

mod case;
mod matrix;
mod odd;

use crate::property::Sample;
use crate::python;
use crate::stage::{ORIGIN, copy_folder, vkey};
use case::{Case, Template, template};
use hallpass_audit::verify::{Outcome, VerifyFault, verify};
use hallpass_audit::{LogKey, VerifierKey};
use matrix::{MATRIX, Pins, Say};
use std::fs;
use std::path::Path;

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
            Outcome::Tampered { seq, why } => (Say::Bad(seq), serde_json::json!([1, seq, why])),
            Outcome::Whole { size, signed_until, anchored_until, unsigned } => {
                let words = format!("{size} records, signed up to {signed_until}");
                (Say::Whole(size, signed_until), serde_json::json!([0, anchored_until, words, unsigned]))
            }
        },
        Err(VerifyFault::Io(_)) => (Say::Unreadable, serde_json::json!([64, "unreadable"])),
        Err(fault) => (Say::NoPin, serde_json::json!([64, fault.to_string().trim_start_matches("pin 1 ")])),
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
    assert_eq!(say, Say::Bad(0));
    assert_eq!(python::verdicts(&[(template().stage.dir.clone(), other, vec![])]), [words]);
}

#[test]
fn the_second_verifier_ends_as_the_first_would() {
    const ANCHORED: &str = "whole: 700 records, signed up to 650, anchored up to 650, 50 not signed yet\n";
    let Template { stage, pin_400, pin_650, .. } = template();
    let lines =
        [pin_400, pin_650].map(|pin| serde_json::json!({ "at_ms": 1, "checkpoint": pin }).to_string());
    let files = [
        ("pin", pin_400.clone()),
        ("both", format!("{pin_400}{pin_650}")),
        ("printed", format!("started\n{}\n{}\n", lines[0], lines[1])),
        ("empty", String::new()),
    ];
    let [pin, both, printed, empty] = &files.map(|(name, text)| {
        let path = stage.dir.with_file_name(name);
        fs::write(&path, text).unwrap();
        path.into_os_string().into_string().unwrap()
    });
    let dir = stage.dir.to_str().unwrap();
    let wrong = format!("{dir}/segments");
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
        (&[dir, "--pin", both, "--require-anchor", "650"], 0, ANCHORED),
        (&[dir, "--pin", printed, "--require-anchor", "650"], 0, ANCHORED),
        (&[dir, "--pin", empty], 64, ""),
        (&[], 64, ""),
        (&[dir, "--require-anchor", "many"], 64, ""),
        (&[dir, "--require-anchor", "-1"], 64, ""),
        (&[dir, "--require-anchor", "18446744073709551616"], 64, ""),
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

/// Whoever can write there could otherwise make a verifier work as long as they like.
#[test]
fn the_second_verifier_takes_each_leaf_in_the_tiles_once() {
    let temp = tempfile::tempdir().unwrap();
    let case = Case { dir: temp.path().join("log") };
    copy_folder(&template().stage.dir, &case.dir);
    assert_eq!(python::told(&case.dir, 600), "600\n");
    odd::partial_tile(&case, "100");
    assert_eq!(python::told(&case.dir, 60), "60\n");
    assert_eq!(python::told(&case.dir, 600), "100\n");
}

#[test]
fn both_verifiers_agree_after_any_edits() {
    let temp = tempfile::tempdir().unwrap();
    let sample = Sample::new(&temp.path().join("sample"));
    let mut state = 20_261_126_u64;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    let (mut logs, mut scripts) = (Vec::new(), Vec::new());
    for number in 0..250 {
        let script: Vec<_> = (0..5 * (1 + number % 4)).map(|_| byte()).collect();
        let dir = temp.path().join(number.to_string());
        sample.tampered(&dir, &script);
        let pins = if number % 3 == 0 { vec![sample.pin.clone()] } else { vec![] };
        logs.push((dir, sample.key.clone(), pins));
        scripts.push(script);
    }
    for ((log, second), script) in logs.iter().zip(python::verdicts(&logs)).zip(scripts) {
        let (say, words) = said(&log.0, &log.1, &log.2);
        let count = words.as_array().unwrap().len();
        let second = second.as_array().unwrap()[..count].to_vec();
        assert_eq!(words.as_array().unwrap(), &second, "{say:?} {script:?}");
    }
}
