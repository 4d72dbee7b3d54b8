//! The project's own folder of samples behaves, and the runner notices what does not.

use std::fs;
use std::path::{Path, PathBuf};

#[path = "../examples/configs/operation.rs"]
mod operation;
#[path = "../examples/configs/samples.rs"]
mod samples;
#[path = "../examples/configs/trial.rs"]
mod trial;

fn own() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/client-configs")
}

/// What falls short in a folder, each with the sample's name.
fn shortfalls(folder: &Path) -> Vec<String> {
    let samples = samples::of(folder).unwrap();
    let tried = samples.iter().filter_map(|sample| match &sample.plan {
        samples::Plan::Try(wanted) => Some((&sample.name, trial::hold(wanted).1)),
        samples::Plan::Skip(_) => None,
    });
    tried.flat_map(|(name, found)| found.into_iter().map(move |found| format!("{name}: {found}"))).collect()
}

#[test]
fn every_sample_behaves_as_its_notes_say() {
    let all = samples::of(&own()).unwrap();
    let skipped: Vec<_> = all
        .iter()
        .filter_map(|sample| match sample.plan {
            samples::Plan::Try(_) => None,
            samples::Plan::Skip(why) => Some((&*sample.name, why)),
        })
        .collect();
    assert_eq!(
        skipped,
        [("21-filesystem-cases/setup.sh", "it builds files and links, which no editor sees")]
    );
    assert!(all.len() >= 24);
    assert_eq!(shortfalls(&own()), Vec::<String>::new());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "scratch files of a test need no syncing")]
fn what_does_not_behave_is_found() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("configs-short");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("a.json"), "{\"mcpServers\": {\"docs\": {\"url\": \"https://x\"}}}").unwrap();
    fs::write(folder.join("a.md"), "Operation: add `hallpass`").unwrap();
    let sample = "[[sample]]\nfile = \"a.json\"\nclient = \"cursor\"\nop = \"add hallpass\"\n";
    let with = |rest: &str| {
        fs::write(folder.join("manifest.toml"), format!("{sample}{rest}")).unwrap();
        shortfalls(&folder)
    };
    assert_eq!(with("outcome = \"edit\"\n"), Vec::<String>::new());
    assert_eq!(with("outcome = \"refuse\"\n"), ["a.json: edited, where a refusal was wanted"]);
    assert_eq!(with("outcome = \"edit\"\nmust_keep = [\"nowhere\"]\n"), ["a.json: lost: nowhere"]);
    assert_eq!(
        with("outcome = \"edit\"\nfinal_newline = true\n"),
        ["a.json: the end of the file is another one"]
    );
    fs::write(folder.join("a.json"), "[]").unwrap();
    assert_eq!(
        with("outcome = \"edit\"\n"),
        ["a.json: refused: the document is an array, not an object, at line 1, column 1"]
    );
}
