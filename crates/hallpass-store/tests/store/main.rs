//! The store on real files: what it keeps, what it refuses, what others see of it.

mod clients;
mod crash;
mod events;
mod gateways;
mod grace;
mod increments;
mod keys;
mod measured;
mod opening;
mod placements;
mod placings;
mod policies;
mod rotations;
mod scene;
mod seal;
mod snapshot;
mod switches;
mod tokens;
mod uses;
mod watch;
