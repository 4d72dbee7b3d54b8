//! What the store promises, by its public face: lives of tokens, what a snapshot makes of them, which files it opens,
//! what a watcher sees, what the seal keeps.

mod files;
mod house;
mod seal;
mod snapshot;
mod tokens;
mod watch;
