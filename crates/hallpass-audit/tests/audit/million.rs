//! How fast: `cargo test --release -p hallpass-audit --test audit million -- --ignored --nocapture`.

use crate::python;
use crate::stage::{NOW, PATIENCE, Stage, sign, vkey};
use hallpass_audit::Reader;
use hallpass_audit::verify::{Outcome, verify};
use std::time::Instant;

fn event(number: u64) -> String {
    format!(
        r#"{{"at_ms":{},"kind":"call","outcome":"ok","client":"vscode{}","jti":"01939b1e-7c5a-7d2e-9f5e-{number:012x}","server":"docs","method":"tools/call","tool":"search","status":200,"duration_us":{},"bytes_in":311,"bytes_out":2048,"address":"127.0.0.1:{}","request_id":"01939b1e-7c5a-7d2e-8000-{number:012x}"}}"#,
        NOW + i64::try_from(number).unwrap(),
        number % 20,
        number % 9000,
        10_000 + number % 50_000,
    )
}

#[test]
#[ignore = "a measurement"]
fn a_million_records_are_written_verified_and_read() {
    let stage = Stage::new();
    let mut log = stage.opened();
    let per_second = |what: &str, from: Instant| {
        println!("{what}: {:.0} records a second", 1e6 / from.elapsed().as_secs_f64());
    };
    let from = Instant::now();
    for group in 0..1000 {
        let bodies: Vec<_> = (group * 1000..(group + 1) * 1000).map(event).collect();
        let mut writing = log.begin(NOW, PATIENCE).unwrap();
        writing.append(&bodies).unwrap();
        writing.sync().unwrap();
    }
    per_second("written in groups of 1000, each synced", from);
    sign(&mut log);
    let from = Instant::now();
    let report = verify(&stage.dir, &vkey(), &[""; 0]).unwrap();
    assert!(matches!(report.outcome, Outcome::Whole { size: 1_000_001, .. }), "{report}");
    per_second("verified", from);
    let from = Instant::now();
    assert_eq!(Reader::lines_from(&stage.dir, 0).unwrap().count(), 1_000_001);
    per_second("read", from);
    let from = Instant::now();
    assert_eq!(stage.opened().size(), 1_000_001);
    println!("opened in {:?}", from.elapsed());
    std::fs::remove_dir_all(stage.path("tile")).unwrap();
    let from = Instant::now();
    assert_eq!(stage.opened().size(), 1_000_001);
    println!("opened without tiles in {:?}", from.elapsed());
    let from = Instant::now();
    let second = python::verdicts(&[(stage.dir.clone(), vkey(), vec![])]);
    assert_eq!(second[0][0], 0);
    per_second("verified by verify.py", from);
}
