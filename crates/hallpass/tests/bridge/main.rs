//! The bridge between a client on standard input and output, and servers over HTTP.

mod client;
mod failures;
mod fidelity;
mod resuming;
mod rules;
mod sample;
mod script;
