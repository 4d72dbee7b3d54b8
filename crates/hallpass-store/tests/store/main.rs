//! The store on real files: what it keeps, what it refuses, what others see of it.

mod clients;
mod crash;
mod events;
mod keys;
mod measured;
mod opening;
mod placements;
mod policies;
mod scene;
mod seal;
mod snapshot;
mod tokens;
mod watch;
