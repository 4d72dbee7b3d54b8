//! TOML: finds the lines of one entry and edits only those. Never prints a document anew.

mod edit;
mod render;
mod scan;
mod site;
mod take_back;

pub(crate) use edit::{read, upsert};
pub(crate) use take_back::remove;
