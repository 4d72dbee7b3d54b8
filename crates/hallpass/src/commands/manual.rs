//! `hallpass completions` and `hallpass man`

use crate::cli::Cli;
use crate::fault::{Doing, Result};
use clap::CommandFactory;
use std::io::Write;
use std::path::Path;

/// The completion script of a shell, on standard output.
pub(super) fn completions(shell: clap_complete::Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hallpass", &mut script);
    print(&script);
}

/// A reader who left early (`| head`) has what he wanted.
fn print(text: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text).and_then(|()| out.flush());
}

/// The manual page on standard output, or all pages in a folder.
pub(super) fn pages(folder: Option<&Path>) -> Result<()> {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page).doing("cannot render the page")?;
        print(&page);
        return Ok(());
    };
    std::fs::create_dir_all(folder).doing(format!("cannot make `{}`", folder.display()))?;
    clap_mangen::generate_to(Cli::command(), folder).doing(format!("cannot write in `{}`", folder.display()))
}
