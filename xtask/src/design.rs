//! Holds the crates against the design: what the core and the gateway must never reach.
//! Looks at dependencies and at words in the code; what a test needs is the test's affair.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    command::root,
    failure::Failure,
    tree::{self, Package},
};

struct Rule {
    package: &'static str,
    /// What may not be among its dependencies, however far down. A `*` at the end stands for any rest.
    dependencies: &'static [&'static str],
    /// What its code may not say, because the crate that it comes from is there for other things.
    words: &'static [&'static str],
}

const RULES: [Rule; 3] = [CORE, GATEWAY, AUDIT];

/// Decides: no runtime, no SQL, no files, no network, no clock, no randomness, no signing.
const CORE: Rule = Rule {
    package: "hallpass-core",
    dependencies: &[
        "tokio*",
        "mio",
        "socket2",
        "polling",
        "async-*",
        "smol",
        "hyper*",
        "reqwest",
        "axum",
        "rustls*",
        "sqlx*",
        "rusqlite",
        "libsqlite3-sys",
        "redb",
        "sled",
        "tempfile",
        "walkdir",
        "memmap2",
        "notify",
        "rand",
        "rand_*",
        "getrandom",
        "fastrand",
        "uuid",
        "chrono",
        "time",
        "jiff",
        "hallpass*",
    ],
    words: &[
        "EcdsaKeyPair",
        "Ed25519KeyPair",
        "RsaKeyPair",
        "SystemRandom",
        "SystemTime::now",
        "Instant::now",
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "File::open",
    ],
};

/// Forwards: no database, no store, no signing key, no clock of its own.
const GATEWAY: Rule = Rule {
    package: "hallpass-gateway",
    dependencies: &[
        "sqlx*",
        "rusqlite",
        "libsqlite3-sys",
        "redb",
        "sled",
        "postgres*",
        "tokio-postgres",
        "hallpass",
        "hallpass-store",
        "hallpass-clients",
    ],
    words: &["EcdsaKeyPair", "Ed25519KeyPair", "RsaKeyPair", "SystemRandom", "SystemTime::now", "std::fs"],
};

/// Stands alone: an auditor builds it without the rest. No database, no network, no clock, no randomness.
const AUDIT: Rule = Rule {
    package: "hallpass-audit",
    dependencies: &[
        "tokio*",
        "mio",
        "socket2",
        "async-*",
        "hyper*",
        "reqwest",
        "rustls*",
        "aws-lc*",
        "sqlx*",
        "rusqlite",
        "libsqlite3-sys",
        "rand",
        "getrandom",
        "fastrand",
        "uuid",
        "chrono",
        "time",
        "jiff",
        "cc",
        "cmake",
        "hallpass*",
    ],
    words: &["SystemTime::now", "Instant::now", "std::net", "std::env", "std::process::Command", "OsRng"],
};

pub(crate) fn check() -> Result<(), Failure> {
    let mut problems = Vec::new();
    for rule in &RULES {
        problems.extend(unwanted(rule, &tree::closure_of(rule.package)?));
        for (path, code) in sources(rule.package)? {
            problems.extend(said(rule, &path, &code));
        }
    }
    if !problems.is_empty() {
        return Err(Failure::Found(problems));
    }
    println!("{} crates keep to their rules", RULES.len());
    Ok(())
}

fn unwanted<'a>(rule: &Rule, closure: impl IntoIterator<Item = &'a Package>) -> Vec<String> {
    let names = closure.into_iter().map(|package| &*package.name).filter(|name| *name != rule.package);
    let unwanted = names.filter(|name| rule.dependencies.iter().any(|pattern| matches(pattern, name)));
    unwanted.map(|name| format!("`{}` must not depend on `{name}`", rule.package)).collect()
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |prefix| name.starts_with(prefix))
}

fn said(rule: &Rule, path: &str, code: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (index, line) in product(code) {
        let line = line.split("//").next().unwrap_or_default();
        let words = rule.words.iter().filter(|word| line.contains(**word));
        problems.extend(
            words.map(|word| format!("{path}:{}: `{}` must not use `{word}`", index + 1, rule.package)),
        );
    }
    problems
}

/// The lines before the tests, which stand last in each file.
fn product(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut lines = code.lines().enumerate().peekable();
    std::iter::from_fn(move || {
        let (index, line) = lines.next()?;
        let next = lines.peek().map(|(_, next)| next.trim_start()).unwrap_or_default();
        let tests_begin = line.trim() == "#[cfg(test)]" && next.starts_with("mod ") && next.ends_with('{');
        (!tests_begin).then_some((index, line))
    })
}

/// Every source file of a package but its tests, with its path from the workspace's folder.
fn sources(package: &str) -> Result<Vec<(String, String)>, Failure> {
    let top = PathBuf::from("crates").join(package).join("src");
    let mut folders = vec![top];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in entries(&folder)? {
            if root().join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files.retain(|path| !is_test(path));
    files.into_iter().map(|path| Ok((path.display().to_string(), read(&path)?))).collect()
}

fn is_test(path: &Path) -> bool {
    path.components()
        .any(|part| ["tests", "tests.rs", "testing.rs"].iter().any(|name| part.as_os_str() == *name))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let listing = fs::read_dir(root().join(folder)).map_err(|error| unusable(folder, &error))?;
    listing
        .map(|entry| {
            entry.map(|entry| folder.join(entry.file_name())).map_err(|error| unusable(folder, &error))
        })
        .collect()
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(root().join(path)).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::File { path: path.display().to_string(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::{CORE, GATEWAY, Package, Rule, check, said, unwanted};

    #[test]
    fn the_crates_keep_to_the_design() {
        check().unwrap_or_else(|failure| panic!("{failure}"));
    }

    fn check_dependency(rule: &Rule, name: &str, expected: &[&str]) {
        let package = Package { name: name.into(), version: String::new(), licence: String::new() };
        assert_eq!(unwanted(rule, [&package]), expected);
    }

    #[test]
    fn a_dependency_is_found_by_its_name_or_the_start_of_it() {
        check_dependency(&CORE, "tokio", &["`hallpass-core` must not depend on `tokio`"]);
        check_dependency(&CORE, "sqlx-core", &["`hallpass-core` must not depend on `sqlx-core`"]);
        check_dependency(&CORE, "timely", &[]);
        check_dependency(&CORE, "hallpass-core", &[]);
        check_dependency(
            &GATEWAY,
            "hallpass-store",
            &["`hallpass-gateway` must not depend on `hallpass-store`"],
        );
        check_dependency(&GATEWAY, "hallpass-core", &[]);
    }

    #[test]
    fn a_word_counts_in_the_code_and_not_in_comments_or_tests() {
        let code = "\
// SystemTime::now
let a = 1; // SystemRandom
let now = SystemTime::now();
#[cfg(test)]
fn for_tests() { SystemRandom::new(); }
#[cfg(test)]
mod tests {
    use EcdsaKeyPair;
}
";
        let expected = [
            "a.rs:3: `hallpass-core` must not use `SystemTime::now`",
            "a.rs:5: `hallpass-core` must not use `SystemRandom`",
        ];
        assert_eq!(said(&CORE, "a.rs", code), expected);
    }
}
