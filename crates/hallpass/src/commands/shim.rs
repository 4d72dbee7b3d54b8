//! `hallpass shim`

use crate::cli::Shim;
use crate::environment;
use crate::fault::{Fault, Result};
use crate::output::note;
use crate::shim::{self as stand_in, ShimSettings};
use std::net::IpAddr;

/// Stands in for a former set-up's shim. Needs no home: everything is in the variables that its predecessor read.
pub(super) async fn run(shim: Shim) -> Result<()> {
    let settings = ShimSettings::read(environment::text, shim.token_file).map_err(|variable| {
        Fault::usage(format!("`{variable}` is not a number that it could be"))
            .hint(format!("leave `{variable}` out, or set it in the `env` of the client's entry"))
    })?;
    if !shim.cleartext_ok && !stays_here(&settings.host) {
        return Err(Fault::new(
            "`EXAI_WS_HOST` is another machine, and the token would go there unencrypted",
        )
        .hint("let a tunnel of yours listen on this machine, or say `--cleartext-ok` if nobody else is on the way"));
    }
    let stdin = tokio::io::BufReader::new(tokio::io::stdin());
    stand_in::run(settings, stdin, tokio::io::stdout(), note)
        .await
        .map_err(|error| Fault::new(format!("cannot read standard input: {error}")))
}

fn stays_here(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        || host.eq_ignore_ascii_case("localhost")
}
