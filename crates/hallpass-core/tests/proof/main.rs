//! The verifier against vectors of others, and against a second, careless reading of what it accepts.

mod properties;
mod property;
mod wycheproof;
