//! Measurements. `tokens`: what verifying costs here, beside jsonwebtoken and the bare primitive, in interleaved rounds of
//! one run; only the ratios mean anything, machines differ and are noisy. `revoke`: how soon a revocation binds.

mod home;
mod revoke;
mod tokens;
mod upstream;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("tokens") => tokens::run(),
        Some("revoke") => revoke::run(std::env::args().nth(2).as_deref()),
        _ => {
            eprintln!("error: which measurement?\nhint: `tokens` or `revoke`");
            ExitCode::from(64)
        }
    }
}
