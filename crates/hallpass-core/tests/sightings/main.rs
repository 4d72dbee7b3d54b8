//! What is remembered of calls that go by, and what is odd about them.

mod bounds;
mod flood;
mod legacy;
mod scene;
mod tokens;
