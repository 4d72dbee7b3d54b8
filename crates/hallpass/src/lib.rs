//! The program: settings, the authority, placement of tokens, the bridge, the commands.
//!
//! Decisions are made in `hallpass-core`, configuration texts are edited in `hallpass-clients`, what is in force is
//! kept in `hallpass-store`, calls go through `hallpass-gateway`. Here they are wired to files, clock and terminal.

pub mod admin;
pub mod atomic_file;
pub mod audit;
pub mod bridge;
pub mod carry_out;
pub mod change;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod confirmation;
pub mod discover;
mod doctor;
pub mod edits;
pub mod environment;
pub mod fault;
pub mod follow;
pub mod former;
mod former_shim;
pub mod git;
pub mod given_file;
pub mod grace_keeper;
pub mod health;
pub mod home;
pub mod installation;
pub mod lookout;
pub mod markup;
pub mod mend;
pub mod metrics;
pub mod mint;
pub mod operator;
pub mod output;
pub mod overview;
pub mod plan;
pub mod presence;
pub mod randomness;
pub mod recorder;
pub mod report;
pub mod sample;
pub mod scan;
pub mod self_rotation;
pub mod settings;
pub mod shared_secret;
pub mod shim;
pub mod standing;
pub mod target;
pub mod tour;
pub mod unverified;
pub mod uses_now;
