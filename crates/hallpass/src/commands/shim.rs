//! `hallpass shim`

use crate::cli::Shim;
use crate::environment;
use crate::fault::{Fault, Result};
use crate::output::note;
use crate::shim::{self as stand_in, ShimSettings};
use std::net::IpAddr;

/// Stands in for a former set-up's shim. Needs no home: everything is in the variables that its predecessor read.
pub(super) async fn run(shim: Shim) -> Result<()> {
    check_texts()?;
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

/// A variable that is there and cannot be read never means that it is not there: without its token, a client would be let
/// in by the shared one.
fn check_texts() -> Result<()> {
    let names = environment::names_with("EXAI_").into_iter().filter_map(|name| name.into_string().ok());
    match names
        .into_iter()
        .find(|name| environment::variable(name).is_some_and(|value| value.to_str().is_none()))
    {
        Some(name) => Err(Fault::usage(format!("`{name}` is not UTF-8"))
            .hint(format!("leave `{name}` out, or set it in the `env` of the client's entry"))),
        None => Ok(()),
    }
}

fn stays_here(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        || host.eq_ignore_ascii_case("localhost")
}
