//! Parses the command line, runs the command, prints what it ended with.

use clap::Parser;
use hallpass::cli::{Cli, Command};
use hallpass::fault::Fault;
use hallpass::home::SHIM;
use hallpass::{commands, output};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(typed(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let text = error.render().to_string();
            let text = text.trim_end();
            // The same face as every other error's.
            output::print_fault(&Fault::usage(text.strip_prefix("error: ").unwrap_or(text)));
            return ExitCode::from(64);
        }
        Err(help) => {
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
    };
    // Whatever is made, nobody else may read it.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    if !matches!(cli.command, Command::Tour { .. }) {
        dump_no_core();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(commands::run(cli));
            // A read of standard input that nobody waits for any more must not hold the process.
            runtime.shutdown_background();
            ended
        }
        Err(error) => Err(Fault::new(format!("cannot start: {error}"))),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            if !fault.was_said() {
                output::print_fault(&fault);
            }
            ExitCode::from(fault.exit_code())
        }
    }
}

/// What was typed. By the shim's name this is the shim, whatever its predecessor was started with.
fn typed(arguments: std::env::ArgsOs) -> Vec<OsString> {
    let arguments: Vec<OsString> = arguments.collect();
    let name = arguments.first().and_then(|program| Path::new(program).file_name());
    if name.is_some_and(|name| name == SHIM) { vec!["hallpass".into(), "shim".into()] } else { arguments }
}

/// Keys and tokens are in memory: no core file may hold them.
fn dump_no_core() {
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
}
