//! What is in force: clients, tokens, keys, placements, and the events, in one SQLite file. Decides nothing: that is
//! `hallpass-core`'s job, and the gateway sees a snapshot of this, never the database.

mod acts;
mod changes;
mod clients;
mod dialect;
mod event_reading;
mod events;
mod fault;
mod file;
mod first_uses;
mod gateways;
mod grace;
mod keys;
mod many;
mod placements;
mod placings;
mod policies;
mod rotations;
mod rows;
mod seal;
mod signing;
mod snapshot;
mod store;
mod switches;
mod tokens;
mod uses;
mod watch;

pub use acts::{ActLog, Done};
pub use event_reading::{EventFilter, Kinds, RecordPage, RecordPages};
pub use events::Added;
pub use fault::StoreFault;
pub use first_uses::FirstUse;
pub use gateways::GatewayRow;
pub use grace::GraceRow;
pub use placings::Placing;
pub use rotations::AgeingToken;
pub use rows::{ClientRow, KeyRow, KeyState, NewKey, NewToken, Overlap, PlacementRow, TokenRead, TokenRow};
pub use seal::{SealFault, SealKey};
pub use signing::SigningKey;
pub use snapshot::{ADOPTED_UNTIL, SHARED_SECRETS};
pub use store::Store;
pub use switches::Disabled;
pub use uses::UseRows;
pub use watch::Watch;
