//! Environment files, `NAME=value` lines: finds the line of one variable and edits only its value. Refuses what shells,
//! service managers and the many readers of such files would take for different things. Expands nothing.

mod edit;
mod scan;
mod take_back;

pub(crate) use edit::{read, upsert};
pub(crate) use take_back::remove;
