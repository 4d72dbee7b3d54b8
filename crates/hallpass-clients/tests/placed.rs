//! Each folder of `placed/` is named after a client: its file with three servers of others, and what our entries make
//! of it and of no file, over the bridge and by an address.

use std::fs;
use std::path::{Path, PathBuf};

use hallpass_clients::{
    Client, Dialect, Edit, Found, KeyPath, Removal, client, clients, read, remove, upsert,
};
use serde_json::Value;

/// One kind of entry for one client.
struct Placement {
    dialect: Dialect,
    path: KeyPath,
    first: Value,
    rotated: Value,
}

impl Placement {
    fn upsert(&self, text: &[u8], value: &Value) -> Edit {
        upsert(text, self.dialect, &self.path, value, 0).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Added, added again, rotated, removed: the whole way, and what stood there after the first step.
    fn hold(&self, what: &str, before: &[u8]) -> Vec<u8> {
        let edit = self.upsert(before, &self.first);
        assert!(edit.changed, "{what}: nothing changed");
        let again = self.upsert(&edit.text, &self.first);
        assert!(!again.changed && again.text == edit.text, "{what}: a second time changes something");
        let rotated = self.upsert(&edit.text, &self.rotated);
        let (one, other) = (String::from_utf8_lossy(&edit.text), String::from_utf8_lossy(&rotated.text));
        assert_eq!(one.replace("/first", "/second").replace("FIRST", "SECOND"), other, "{what}: a rotation");
        for (text, ours) in [(&edit.text, &self.first), (&rotated.text, &self.rotated)] {
            let back = remove(text, self.dialect, &self.path, &edit.undo, |value| value == ours).unwrap();
            assert!(back == Removal::Done(before.to_vec()), "{what}: the way back leads somewhere else");
        }
        assert!(self.obeys(&edit.text), "{what}: the client's own parser would refuse it");
        edit.text
    }

    /// Whether another reader than ours finds the entry; strict JSON has to stay strict.
    fn obeys(&self, text: &[u8]) -> bool {
        let keys = self.path.segments();
        let json = |root: Value| keys.iter().try_fold(&root, |node, key| node.get(key)) == Some(&self.first);
        let text = String::from_utf8_lossy(text);
        match self.dialect {
            Dialect::Json => serde_json::from_str(&text).is_ok_and(json),
            Dialect::Toml => toml::from_str(&text).is_ok_and(json),
            Dialect::Jsonc | Dialect::Yaml | Dialect::Env => {
                matches!(read(text.as_bytes(), self.dialect, &self.path), Ok(Found::Present(_)))
            }
        }
    }
}

fn placements(client: &Client) -> Vec<(&'static str, Placement)> {
    let dialect = client.dialect().expect("has an editor");
    let path = client.entry_path("hallpass").expect("is no list");
    let stdio = |program: &str| client.stdio_entry("hallpass", program, &["connect".into(), "docs".into()]);
    let http = |token: &str| client.http_entry("hallpass", "https://gw.example.test/docs", token);
    let both = [
        ("stdio", stdio("/first").zip(stdio("/second"))),
        ("http", http("Bearer hp_test_FIRST").zip(http("Bearer hp_test_SECOND"))),
    ];
    let made = both.into_iter().filter_map(|(kind, values)| values.map(|values| (kind, values)));
    made.map(|(kind, (first, rotated))| (kind, Placement { dialect, path: path.clone(), first, rotated }))
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/placed")
}

#[test]
fn every_verified_client_whose_file_is_edited_has_its_folder() {
    let mut folders: Vec<_> = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    folders.sort();
    let supported = clients().iter().filter(|client| client.verified && !client.list);
    assert_eq!(folders, supported.map(|client| client.id.as_str()).collect::<Vec<_>>());
}

#[test]
fn entries_are_placed_as_the_folders_show_and_taken_back_to_the_byte() {
    let mut wrong = Vec::new();
    for entry in fs::read_dir(root()).unwrap() {
        let folder = entry.unwrap().path();
        let id = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let client = client(&id).expect("the folder names a client");
        let ending =
            ["json", "toml", "yaml"].into_iter().find(|end| folder.join(format!("before.{end}")).exists());
        let ending = ending.expect("a file of before");
        let before = fs::read(folder.join(format!("before.{ending}"))).unwrap();
        for (kind, placement) in placements(client) {
            for (case, text) in [("three", &before[..]), ("none", b"")] {
                let made = placement.hold(&format!("{id} {kind} {case}"), text);
                let name = format!("{case}-{kind}.{ending}");
                if fs::read(folder.join(&name)).unwrap_or_default() != made {
                    wrong.push(format!("{id}/{name} differs from {}", keep(&id, &name, &made).display()));
                }
            }
        }
    }
    wrong.sort();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Leaves what we made where a person can look at it, and copy it if it is right.
#[expect(clippy::disallowed_methods, reason = "a scratch file of a failing test needs no syncing")]
fn keep(id: &str, name: &str, text: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("placed").join(id);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), text).unwrap();
    folder.join(name)
}
