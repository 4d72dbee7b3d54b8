//! What things cost here, beside others or beside the small case, in interleaved rounds of one run. Only the ratios mean
//! anything: machines differ and are noisy.

mod scale;
mod tokens;

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("scale") => scale::run(),
        Some("tokens") => tokens::run(),
        _ => {
            eprintln!("error: which measurement?\nhint: `scale`, `tokens`");
            ExitCode::from(64)
        }
    }
}
