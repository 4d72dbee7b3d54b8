//! The built program under a clock that a test holds, by `libfaketime` (Debian: `faketime`). Where that is not installed,
//! there is none, and the tests that need it say so and end.

use crate::program::{Hallpass, Outcome, Serving};
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// Where Debian and others put the library.
const PLACES: [&str; 6] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
    "/usr/local/lib/faketime/libfaketime.so.1",
    "/opt/homebrew/lib/faketime/libfaketime.1.dylib",
];

/// Seconds that the program's wall clock is ahead of the real one. Its other clock, which only goes forward, is left alone.
pub(crate) struct Clock {
    library: &'static str,
    file: PathBuf,
}

impl Clock {
    /// `None`: not installed here.
    pub(crate) fn of(hallpass: &Hallpass) -> Option<Self> {
        let Some(library) = PLACES.into_iter().find(|place| Path::new(place).exists()) else {
            eprintln!(
                "skipped: `libfaketime` is not installed (`apt-get install faketime`, or `cargo xtask test faketime`)"
            );
            return None;
        };
        let clock = Self { library, file: hallpass.user().join("clock") };
        clock.set(0);
        Some(clock)
    }

    /// For processes that run and for those that start later. Never half written.
    #[expect(clippy::disallowed_methods, reason = "a test's own file, put in place by a rename")]
    pub(crate) fn set(&self, ahead: i64) {
        let fresh = self.file.with_extension("new");
        std::fs::write(&fresh, format!("{ahead:+}\n")).expect("a file");
        std::fs::rename(fresh, &self.file).expect("a file in its place");
    }

    /// A command under this clock.
    pub(crate) fn command(&self, hallpass: &Hallpass, arguments: &[&str]) -> Command {
        let mut command = hallpass.command(arguments);
        command
            .env("LD_PRELOAD", self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("TZ", "UTC");
        command
    }

    pub(crate) async fn run(&self, hallpass: &Hallpass, arguments: &[&str]) -> Outcome {
        hallpass.finish(self.command(hallpass, arguments)).await
    }

    pub(crate) async fn must(&self, hallpass: &Hallpass, arguments: &[&str]) -> String {
        let outcome = self.run(hallpass, arguments).await;
        assert_eq!(outcome.code, Some(0), "{arguments:?}: {outcome:#?}");
        outcome.stdout
    }

    pub(crate) async fn serve(&self, hallpass: &Hallpass) -> Serving {
        hallpass.start(self.command(hallpass, &["serve", "--listen", "127.0.0.1:0"])).await
    }
}
