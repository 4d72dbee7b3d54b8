//! What is left of a list of tools for a caller whose policy shows only some: by cases, and for any policy and any
//! list that is laid out in any way.

mod cases;
mod document;
mod property;
