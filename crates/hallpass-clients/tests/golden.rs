//! Each folder of `golden/APP/CASE` is a file before and after our edit, and what the edit is. A file may be `.json` or
//! `.env`.

use std::fs;
use std::path::{Path, PathBuf};

use hallpass_clients::{Client, Dialect, Edit, Found, KeyPath, Removal, app, read, remove, upsert};
use serde_json::Value;

const PROGRAM: &str = "/opt/hallpass/bin/hallpass";

struct Case {
    dialect: Dialect,
    path: KeyPath,
    value: Value,
    must_exist: usize,
}

impl Case {
    /// `bridge` is an entry of our own, for which everything may be created; `env` goes into somebody's entry, or is a
    /// line of a file that has no entries.
    fn load(folder: &Path) -> Self {
        let case: Value = serde_json::from_slice(&fs::read(folder.join("case.json")).unwrap()).unwrap();
        let app: &Client = app(folder.parent().unwrap().file_name().unwrap().to_str().unwrap())
            .expect("the folder names an app");
        let dialect = app.dialect().expect("it has an editor");
        let entry = case["entry"].as_str().unwrap_or_default();
        if let Some(variable) = case["env"].as_str() {
            let path = app.env_path(entry, variable).expect("it has variables");
            let must_exist = if dialect == Dialect::Env { 0 } else { 2 };
            return Self { dialect, path, value: case["value"].clone(), must_exist };
        }
        let args: Vec<String> = serde_json::from_value(case["bridge"].clone()).unwrap();
        let path = app.entry_path(entry).expect("it is no list");
        let value = app.stdio_entry(entry, PROGRAM, &args).expect("it starts programs");
        Self { dialect, path, value, must_exist: 0 }
    }

    fn upsert(&self, text: &[u8]) -> Edit {
        upsert(text, self.dialect, &self.path, &self.value, self.must_exist).unwrap_or_else(|e| panic!("{e}"))
    }
}

fn cases() -> Vec<PathBuf> {
    let folders =
        |path: &Path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases: Vec<_> =
        folders(&root).iter().filter(|path| path.is_dir()).flat_map(|app| folders(app)).collect();
    cases.sort();
    cases
}

#[test]
fn every_case_gives_its_after_and_comes_back() {
    let cases = cases();
    assert!(cases.len() >= 29, "only {} cases were found", cases.len());
    let wrong: Vec<_> = cases.iter().filter_map(|folder| check(folder).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(folder: &Path) -> Result<(), String> {
    let case = Case::load(folder);
    let name = folder.display();
    let ending = if case.dialect == Dialect::Env { "env" } else { "json" };
    let before = fs::read(folder.join(format!("before.{ending}"))).unwrap();
    let edit = case.upsert(&before);
    let after = format!("after.{ending}");
    if fs::read(folder.join(&after)).unwrap_or_default() != edit.text {
        return Err(format!("{name}: {after} differs from {}", keep(folder, &after, &edit.text).display()));
    }
    assert!(edit.changed, "{name}: changed");
    let again = case.upsert(&edit.text);
    assert!(!again.changed && again.text == edit.text, "{name}: a second edit changes nothing");
    assert!(holds(&case, &edit.text), "{name}: the value is read back");
    let back =
        remove(&edit.text, case.dialect, &case.path, &edit.undo, |value| *value == case.value).unwrap();
    assert!(back == Removal::Done(before), "{name}: what was there before comes back to the byte");
    Ok(())
}

/// Leaves what we made where a person can look at it, and copy it if it is right.
#[expect(clippy::disallowed_methods, reason = "a scratch file of a failing test needs no syncing")]
fn keep(folder: &Path, after: &str, text: &[u8]) -> PathBuf {
    let case = folder.iter().rev().take(2).map(|part| part.to_str().unwrap()).collect::<Vec<_>>();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.{}.{after}", case[1], case[0]));
    fs::write(&file, text).unwrap();
    file
}

fn holds(case: &Case, text: &[u8]) -> bool {
    match read(text, case.dialect, &case.path).unwrap() {
        Found::Present(present) => present.value.as_ref() == Some(&case.value),
        Found::Absent(_) => false,
    }
}
