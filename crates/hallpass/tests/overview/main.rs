//! The one screen, from rows and a time: what stands where, and what needs a person, each by its own cause.

mod needs;
mod rows;
mod screen;
