//! What is in force: clients, tokens, keys, placements, and the events, in one SQLite file. Decides nothing: that is
//! `hallpass-core`'s job, and the gateway sees a snapshot of this, never the database.

mod changes;
mod clients;
mod dialect;
mod events;
mod fault;
mod file;
mod grace;
mod keys;
mod many;
mod placements;
mod policies;
mod rows;
mod seal;
mod signing;
mod snapshot;
mod store;
mod tokens;
mod watch;

pub use events::EventFilter;
pub use fault::StoreFault;
pub use grace::GraceRow;
pub use rows::{ClientRow, KeyRow, KeyState, NewKey, NewToken, PlacementKind, PlacementRow, TokenRow};
pub use seal::{SealFault, SealKey};
pub use signing::SigningKey;
pub use snapshot::{ADOPTED_UNTIL, SHARED_SECRETS};
pub use store::Store;
pub use watch::Watch;
