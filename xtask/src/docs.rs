//! The page about clients: writes it, or holds the one that is there against the tables it is made from.
//! The words are made by the clients' crate.

use std::{fs, process::ExitCode};

use crate::{
    command::{self, root},
    failure::Failure,
};

const MAKER: [&str; 7] =
    ["run", "--release", "--quiet", "--package", "hallpass-clients", "--example", "page"];

const PAGE: &str = "docs/clients.md";

/// `cargo xtask docs`.
pub(crate) fn write() -> ExitCode {
    match command::read("cargo", &MAKER).and_then(|page| put(&page)) {
        Ok(()) => {
            println!("`{PAGE}` is made");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the page says what the tables say.
pub(crate) fn check() -> Result<(), Failure> {
    let made = command::read("cargo", &MAKER)?;
    let there = fs::read_to_string(root().join(PAGE)).map_err(|error| unusable(&error))?;
    match first_difference(&made, &there) {
        None => Ok(()),
        Some(line) => Err(Failure::Found(vec![format!(
            "`{PAGE}` is not what the tables make of it, from line {line} on: `cargo xtask docs` makes it anew"
        )])),
    }
}

/// The first line, from 1, in which two texts differ.
fn first_difference(one: &str, other: &str) -> Option<usize> {
    if one == other {
        return None;
    }
    let same = one.lines().zip(other.lines()).take_while(|(one, other)| one == other).count();
    Some(same + 1)
}

fn put(page: &str) -> Result<(), Failure> {
    #[expect(clippy::disallowed_methods, reason = "a page of the repository, which git keeps")]
    fs::write(root().join(PAGE), page).map_err(|error| unusable(&error))
}

fn unusable(error: &std::io::Error) -> Failure {
    Failure::File { path: PAGE.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn texts_that_differ_do_so_in_a_line() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("a\n", "a\nb\n"), Some(2));
        assert_eq!(first_difference("a\n", "a"), Some(2));
    }
}
