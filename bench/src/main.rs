//! What verifying costs here, beside jsonwebtoken and the bare primitive, in interleaved rounds of one run. Only the
//! ratios mean anything: machines differ and are noisy.

mod tokens;

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("tokens") => tokens::run(),
        _ => {
            eprintln!("error: which measurement?\nhint: `tokens`");
            ExitCode::from(64)
        }
    }
}
