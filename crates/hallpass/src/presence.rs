//! Tells other processes which revision the running gateway has in force: one row, written when it moves, and now and
//! then so that one which has died is told from one that has nothing to say.

use crate::clock;
use hallpass_store::{GatewayRow, Store};
use std::time::Duration;
use tokio::sync::watch;

/// The gateway's name in the store. A home has one.
pub const NODE: &str = "local";
/// How long it is silent when nothing moves.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How long to wait before a row that could not be written is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// Writes for as long as it is polled, `revision` being what is in force.
pub async fn keep(store: &Store, mut revision: watch::Receiver<i64>) {
    loop {
        let row = GatewayRow {
            node: NODE.into(),
            pid: std::process::id(),
            revision: *revision.borrow_and_update(),
            at_ms: clock::now_ms(),
        };
        let pause = if store.put_gateway(&row).await.is_ok() { HEARTBEAT } else { PAUSE };
        tokio::select! {
            moved = revision.changed() => if moved.is_err() { return },
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Takes the row back when the gateway ends. One that is left is told by its process, which is gone.
pub async fn end(store: &Store) {
    let _ = store.drop_gateway(NODE, std::process::id()).await;
}
