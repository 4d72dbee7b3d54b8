//! What things cost here, beside others or beside the small case, in interleaved rounds of one run. Only the ratios mean
//! anything: machines differ and are noisy. `revoke`: how soon a revocation binds.

mod home;
mod revoke;
mod scale;
mod tokens;
mod upstream;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("scale") => scale::run(),
        Some("tokens") => tokens::run(),
        Some("revoke") => revoke::run(std::env::args().nth(2).as_deref()),
        _ => {
            eprintln!("error: which measurement?\nhint: `revoke`, `scale`, `tokens`");
            ExitCode::from(64)
        }
    }
}
