//! JSON and JSONC: finds the bytes of one entry and edits only those. Never prints a document anew.

mod edit;
mod guard;
mod name;
mod render;
mod scan;
mod slot;
mod style;
mod take_back;
mod tree;

pub(crate) use edit::{read, upsert};
pub(crate) use take_back::remove;
