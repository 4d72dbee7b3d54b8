//! Who acts, for the log. A name is what the environment says; the user id is the system's word.

use crate::environment;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether this process is the gateway by now: what it does then nobody has typed.
static IS_THE_GATEWAY: AtomicBool = AtomicBool::new(false);
/// The longest name that is repeated.
const NAME_MOST: usize = 64;

/// From here on this process acts by itself.
pub fn becomes_the_gateway() {
    IS_THE_GATEWAY.store(true, Ordering::Relaxed);
}

/// `ann (uid 1000)`; `the gateway` for what it does by itself.
pub fn who() -> String {
    if IS_THE_GATEWAY.load(Ordering::Relaxed) {
        return "the gateway".into();
    }
    let uid = rustix::process::getuid().as_raw();
    let name = environment::text("USER").or_else(|| environment::text("LOGNAME"));
    let is_name = |name: &String| {
        name.len() <= NAME_MOST
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte))
    };
    match name.filter(is_name) {
        Some(name) => format!("{name} (uid {uid})"),
        None => format!("uid {uid}"),
    }
}
