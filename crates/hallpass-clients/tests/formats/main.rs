//! All formats by the same property, with generated documents of each.

mod env;
mod json;
mod property;
mod toml;
mod yaml;
