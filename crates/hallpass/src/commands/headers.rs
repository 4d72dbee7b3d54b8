//! `hallpass headers`

use super::Context;
use crate::fault::{Fault, Result};
use crate::given_file;
use crate::output::print_line;
use crate::target::token_in;
use hallpass_core::ClientName;
use serde_json::json;
use std::io::IsTerminal as _;
use zeroize::Zeroizing;

/// The largest token file that is read, in bytes.
const MOST: usize = 1 << 16;

/// Prints the header that carries the client's token, for the program that asks. Not onto a terminal: it is a secret.
pub(super) fn run(context: &Context, client: &str, bare: bool) -> Result<()> {
    let client = ClientName::new(client)
        .map_err(|why| Fault::usage(format!("`{}` is not a client's name: {why}", client.escape_debug())))?;
    if std::io::stdout().is_terminal() {
        return Err(Fault::new("this prints a token, and would print it onto a terminal")
            .hint("it is for a program's `headersHelper`; `hallpass show NAME` says where the token is"));
    }
    context.home.check_private()?;
    let file = context.home.token_file(client.as_str());
    let text = given_file::regular(&file).and_then(|opened| given_file::read_text(opened, MOST));
    let text = Zeroizing::new(text.map_err(|error| {
        Fault::new(format!("there is no token for `{client}` in `{}`: {error}", file.display()))
            .hint(format!("`hallpass issue {client}` gives it one"))
    })?);
    let token = token_in(&text);
    if token.is_empty() {
        return Err(Fault::new(format!(
            "there is no token for `{client}` in `{}`: it is empty",
            file.display()
        ))
        .hint(format!("`hallpass issue {client}` gives it one")));
    }
    let header = Zeroizing::new(format!("Bearer {token}"));
    let line = if bare { token.to_owned() } else { json!({ "Authorization": *header }).to_string() };
    print_line(&Zeroizing::new(line));
    Ok(())
}
