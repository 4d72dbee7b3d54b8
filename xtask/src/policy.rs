//! Holds every dependency against `deny.toml`: its licence, and whether it is banned.
//! Decides nothing: what is allowed stands in that file.

use std::{collections::BTreeSet, fs};

use serde::Deserialize;

use crate::{
    command,
    failure::Failure,
    spdx,
    tree::{self, Package},
};

#[derive(Deserialize)]
struct Policy {
    graph: Graph,
    licenses: Licences,
    bans: Bans,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
    /// Through these it may come in.
    #[serde(default)]
    wrappers: BTreeSet<String>,
}

pub(crate) fn check() -> Result<(), Failure> {
    let policy = load()?;
    let packages = tree::everything(&policy.graph.targets)?;
    let mut problems = unlicensed(&packages, &policy.licenses.allow);
    for ban in &policy.bans.deny {
        problems.extend(broken(ban, &packages, &policy.graph.targets)?);
    }
    if !problems.is_empty() {
        return Err(Failure::Found(problems));
    }
    println!("{} packages: licences and bans are as `deny.toml` says", packages.len());
    check_with_cargo_deny()
}

fn load() -> Result<Policy, Failure> {
    let path = command::root().join("deny.toml");
    let unusable =
        |reason: String| Failure::File { path: path.display().to_string(), reason: reason.trim().to_owned() };
    let text = fs::read_to_string(&path).map_err(|error| unusable(error.to_string()))?;
    toml::from_str(&text).map_err(|error| unusable(error.to_string()))
}

fn unlicensed(packages: &BTreeSet<Package>, allowed: &[String]) -> Vec<String> {
    let not_met = packages.iter().filter(|package| !spdx::is_met(&package.licence, allowed));
    not_met
        .map(|Package { name, version, licence }| {
            format!("`{name}` {version} has the licence `{licence}`, which `deny.toml` does not allow")
        })
        .collect()
}

fn broken(ban: &Ban, packages: &BTreeSet<Package>, targets: &[String]) -> Result<Vec<String>, Failure> {
    let mut problems = Vec::new();
    for package in packages.iter().filter(|package| package.name == ban.name) {
        let dependents = tree::dependents_of(package, targets)?;
        problems.extend(uninvited(ban, &dependents));
    }
    Ok(problems)
}

fn uninvited(ban: &Ban, dependents: &BTreeSet<Package>) -> Vec<String> {
    let others = dependents.iter().filter(|dependent| !ban.wrappers.contains(&dependent.name));
    others
        .map(|dependent| {
            format!("`{}` is banned ({}), and `{}` asks for it", ban.name, ban.reason, dependent.name)
        })
        .collect()
}

fn check_with_cargo_deny() -> Result<(), Failure> {
    if !command::is_installed("cargo", &["deny", "--version"]) {
        println!("cargo-deny is not installed, and was not asked");
        return Ok(());
    }
    command::cargo(&["deny", "check", "licenses", "bans"])
}

#[cfg(test)]
mod tests {
    use super::{Ban, Package, load, uninvited, unlicensed};

    fn package(name: &str, licence: &str) -> Package {
        Package { name: name.into(), version: "1.0.0".into(), licence: licence.into() }
    }

    #[test]
    fn a_licence_that_is_not_listed_is_named_with_its_package() {
        let packages = [package("good", "MIT"), package("bad", "GPL-3.0"), package("none", "")].into();
        let problems = unlicensed(&packages, &["MIT".into()]);
        assert_eq!(
            problems,
            [
                "`bad` 1.0.0 has the licence `GPL-3.0`, which `deny.toml` does not allow",
                "`none` 1.0.0 has the licence ``, which `deny.toml` does not allow",
            ]
        );
    }

    #[test]
    fn a_banned_package_comes_in_through_its_wrappers_only() {
        let dependents = [package("rmcp", "MIT"), package("hallpass", "MIT")].into();
        let mut ban =
            Ban { name: "chrono".into(), reason: "one calendar".into(), wrappers: ["rmcp".into()].into() };
        let problem = "`chrono` is banned (one calendar), and `hallpass` asks for it";
        assert_eq!(uninvited(&ban, &dependents), [problem]);
        ban.wrappers.insert("hallpass".into());
        assert_eq!(uninvited(&ban, &dependents), [""; 0]);
    }

    #[test]
    fn the_policy_can_be_read_and_bans_a_second_cryptography_library() {
        let policy = load().unwrap_or_else(|failure| panic!("{failure}"));
        assert!(policy.bans.deny.iter().any(|ban| ban.name == "ring" && ban.wrappers.is_empty()));
    }
}
