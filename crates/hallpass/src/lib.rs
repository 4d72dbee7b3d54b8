//! Hallpass.

pub mod bridge;
pub mod sample;
