//! YAML: finds the lines of one entry and edits only those. Never prints a document anew, and refuses what it could
//! only edit by changing something else: anchors, aliases, tags and merges at the place.

mod edit;
mod render;
mod scan;
mod take_back;
mod tree;

pub(crate) use edit::{read, upsert};
pub(crate) use take_back::remove;
