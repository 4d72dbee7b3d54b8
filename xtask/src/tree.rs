//! What is built for what, as `cargo tree` resolves it (`cargo metadata` also lists what no feature asks for).
//! Reads names, versions and licences; knows no rule about them.

use std::collections::BTreeSet;

use crate::{command, failure::Failure};

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) licence: String,
}

/// All that goes into one package on any platform, itself included; no build scripts' or tests' needs.
pub(crate) fn closure_of(package: &str) -> Result<BTreeSet<Package>, Failure> {
    list(&["--package", package, "--edges", "normal", "--target", "all"])
}

/// All that the workspace is built and tested with on these platforms.
pub(crate) fn everything(targets: &[String]) -> Result<BTreeSet<Package>, Failure> {
    let mut arguments = vec!["--workspace", "--edges", "normal,build,dev"];
    arguments.extend(targets.iter().flat_map(|target| ["--target", target]));
    list(&arguments)
}

/// The packages that ask for this one themselves.
pub(crate) fn dependents_of(package: &Package, targets: &[String]) -> Result<BTreeSet<Package>, Failure> {
    let inverted = format!("{}@{}", package.name, package.version);
    let mut arguments =
        vec!["--workspace", "--edges", "normal,build,dev", "--invert", &inverted, "--depth", "1"];
    arguments.extend(targets.iter().flat_map(|target| ["--target", target]));
    let mut dependents = list(&arguments)?;
    dependents.remove(package);
    Ok(dependents)
}

fn list(arguments: &[&str]) -> Result<BTreeSet<Package>, Failure> {
    let format = ["tree", "--prefix", "none", "--format", "{p}|{l}"];
    let text = command::read("cargo", &[&format, arguments].concat())?;
    Ok(text.lines().filter_map(parse).collect())
}

/// A line is `NAME vVERSION (notes)|LICENCE (*)`, or empty between two trees.
fn parse(line: &str) -> Option<Package> {
    let (package, licence) = line.split_once('|')?;
    let (name, rest) = package.split_once(" v")?;
    let version = rest.split(' ').next()?;
    let licence = licence.trim_end_matches("(*)").trim();
    Some(Package { name: name.into(), version: version.into(), licence: licence.into() })
}

#[cfg(test)]
mod tests {
    use super::{Package, parse};

    fn check(line: &str, expected: (&str, &str, &str)) {
        let (name, version, licence) = expected;
        let expected = Package { name: name.into(), version: version.into(), licence: licence.into() };
        assert_eq!(parse(line), Some(expected));
    }

    #[test]
    fn a_line_of_cargo_tree() {
        check("ring v0.17.14|Apache-2.0 AND ISC", ("ring", "0.17.14", "Apache-2.0 AND ISC"));
        check(
            "toml v1.2.1+spec-1.1.0|MIT OR Apache-2.0 (*)",
            ("toml", "1.2.1+spec-1.1.0", "MIT OR Apache-2.0"),
        );
        check("own v0.1.0 (/tmp/own)|MIT", ("own", "0.1.0", "MIT"));
        check("serde_derive v1.0.229 (proc-macro)|", ("serde_derive", "1.0.229", ""));
        assert_eq!(parse(""), None);
    }
}
