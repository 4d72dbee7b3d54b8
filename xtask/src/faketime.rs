//! Installs `libfaketime`, by which tests hold the clock of the built program, where Debian's package manager may be used.
//! Elsewhere it says so and goes on: those tests then skip themselves, and say so too.

use std::path::Path;

use crate::command;

/// Where Debian and others put it. The tests look there, too (`crates/hallpass/tests/grace/faketime.rs`).
const PLACES: [&str; 6] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
    "/usr/local/lib/faketime/libfaketime.so.1",
    "/opt/homebrew/lib/faketime/libfaketime.1.dylib",
];
const SKIPPED: &str = "skipped: `libfaketime` is not installed and cannot be here, so the two-week tests under a held clock skip themselves \
    (install it by hand: `apt-get install libfaketime`); every other test of the clock runs without it";

pub(crate) fn install() {
    if let Some(place) = found() {
        println!("`{place}` is there");
        return;
    }
    if is_root() && command::is_installed("apt-get", &["--version"]) {
        // What fails here has said why, and must not fail the checks: a machine may have no package mirror.
        let install = ["install", "-y", "--no-install-recommends", "libfaketime"];
        let installed = command::show("apt-get", &install).or_else(|_| {
            command::show("apt-get", &["update"]).and_then(|()| command::show("apt-get", &install))
        });
        if let Err(failure) = installed {
            println!("{failure}");
        }
    }
    match found() {
        Some(place) => println!("`{place}` is there now"),
        None => println!("{SKIPPED}"),
    }
}

fn found() -> Option<&'static str> {
    PLACES.into_iter().find(|place| Path::new(place).exists())
}

fn is_root() -> bool {
    command::read("id", &["-u"]).is_ok_and(|id| id.trim() == "0")
}
