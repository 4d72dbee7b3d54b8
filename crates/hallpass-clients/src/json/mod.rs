//! JSON and JSONC: finds the bytes of one entry and edits only those. Never prints a document anew.

pub(crate) mod edit;
mod guard;
mod items;
mod name;
pub(crate) mod render;
mod scan;
mod slot;
pub(crate) mod style;
pub(crate) mod take_back;
mod tree;

pub(crate) use edit::{read, upsert};
pub(crate) use items::{remove_item, upsert_item};
pub(crate) use take_back::remove;
