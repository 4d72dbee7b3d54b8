//! Who acts, for the log. A name is what the environment says; the user id is the system's word.

use crate::environment;

/// The longest name that is repeated.
const NAME_MOST: usize = 64;

/// `ann (uid 1000)`
pub fn who() -> String {
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
