//! The one door to environment variables.

use std::ffi::OsString;

/// The variable's value, if it is set and not empty.
#[expect(clippy::disallowed_methods, reason = "this is the one door")]
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The names of all variables that start so.
#[expect(clippy::disallowed_methods, reason = "this is the one door")]
pub fn names_with(prefix: &str) -> Vec<OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| name.as_encoded_bytes().starts_with(prefix.as_bytes())).collect()
}

/// The variable's value, if it is set, not empty and UTF-8.
pub fn text(name: &str) -> Option<String> {
    variable(name)?.into_string().ok()
}
