//! The key that signs checkpoints: another than those that sign tokens, sealed in the database, the same for as long as the
//! home lives.

use crate::fault::{Doing, Fault, Result};
use crate::randomness;
use hallpass_audit::LogKey;
use hallpass_core::encoding::{decode_hex, hex};
use hallpass_store::{SealKey, Store};
use zeroize::Zeroizing;

/// The setting that holds it, sealed.
const SETTING: &str = "log_key";
const PURPOSE: &str = "log key";

/// The name of the key, and of the log.
pub fn origin(installation: &str) -> String {
    format!("hallpass.local/{installation}/main")
}

/// The home's key, made if there is none yet.
pub async fn log_key(store: &Store, seal: &SealKey, installation: &str) -> Result<LogKey> {
    let sealed = if let Some(sealed) = store.setting(SETTING).await.doing("the log's key")? {
        sealed
    } else {
        let mut seed = Zeroizing::new([0; 32]);
        randomness::fill(&mut *seed);
        let sealed = hex(&seal.seal(PURPOSE, &*seed).doing("the log's key")?);
        store.keep_setting(SETTING, &sealed).await.doing("the log's key")?
    };
    let damaged =
        || Fault::new("the log's key in the database is damaged").hint("restore the database from a backup");
    let opened = seal.open(PURPOSE, &decode_hex(&sealed).ok_or_else(damaged)?).map_err(|fault| {
        Fault::new(format!("the log's key cannot be opened: {fault}"))
            .hint("`seal.key` and `hallpass.db` belong together: restore both from the same backup")
    })?;
    let seed = Zeroizing::new(<[u8; 32]>::try_from(opened.as_slice()).map_err(|_| damaged())?);
    LogKey::from_seed(&origin(installation), &seed).doing("the log's key")
}
