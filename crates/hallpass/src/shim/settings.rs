//! What the shim is told, by the variables that its predecessor read. Asks no environment itself.

use crate::bridge::failure::{TokenPlace, TokenProblem};
use crate::bridge::token::{read, token_in};
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

/// Where the daemon listens if nothing is said.
const HOST: &str = "127.0.0.1";
const PORT: u16 = 8079;
/// The largest frame if nothing is said.
const BYTES_MOST: usize = 32 * 1024 * 1024;
const PING_INTERVAL: Duration = Duration::from_secs(45);
const PING_TIMEOUT: Duration = Duration::from_mins(4);

/// What a shim connects.
#[derive(Debug)]
pub struct ShimSettings {
    /// The daemon's host, or the gateway's in front of it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What the daemon is shown.
    pub credentials: Credentials,
    /// The name of the session, as the client wants it.
    pub session: Option<String>,
    /// The largest frame that is taken.
    pub bytes_most: usize,
    /// After how much silence the daemon is pinged.
    pub ping_interval: Duration,
    /// After how much more it is taken for gone.
    pub ping_timeout: Duration,
}

/// What the daemon is shown.
pub struct Credentials {
    /// The secret that clients shared; may be empty.
    pub shared: Zeroizing<String>,
    /// The client's own token.
    pub own: OwnToken,
}

/// Where the client's own token is.
pub enum OwnToken {
    /// There is none.
    None,
    /// The environment gave it.
    Given(Zeroizing<String>),
    /// A file, read anew for each call: a new token needs no restart.
    File(PathBuf),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(..)")
    }
}

impl OwnToken {
    /// The token as it is now. A file that cannot be read is an error and not the same as no token: who was given a token
    /// never falls back to the shared secret.
    pub(super) fn now(&self) -> Result<Option<Zeroizing<String>>, TokenProblem> {
        match self {
            Self::None => Ok(None),
            Self::Given(token) => Ok(Some(token.clone())),
            Self::File(path) => {
                let place = || TokenPlace::File(path.clone());
                let bytes = read(path)?;
                let token = token_in(&bytes, place)?;
                let text = std::str::from_utf8(token).map_err(|_| TokenProblem::Malformed(place()))?;
                Ok(Some(Zeroizing::new(text.to_owned())))
            }
        }
    }
}

impl ShimSettings {
    /// Reads the variables. `token_file` was named on the command line. Returns the name of the variable that is wrong.
    pub fn read(
        variable: impl Fn(&str) -> Option<String>,
        token_file: Option<PathBuf>,
    ) -> Result<Self, &'static str> {
        let file = token_file.or_else(|| variable("EXAI_JWT_TOKEN_FILE").map(PathBuf::from));
        let given = || variable("EXAI_JWT_TOKEN").map(Zeroizing::new);
        let own = match file {
            Some(file) => OwnToken::File(file),
            None => given().map_or(OwnToken::None, OwnToken::Given),
        };
        let shared = Zeroizing::new(variable("EXAI_WS_TOKEN").unwrap_or_default());
        Ok(Self {
            host: variable("EXAI_WS_HOST").unwrap_or_else(|| HOST.to_owned()),
            port: number(&variable, "EXAI_WS_PORT")?.unwrap_or(PORT),
            credentials: Credentials { shared, own },
            session: variable("EXAI_SESSION_ID"),
            bytes_most: number(&variable, "EXAI_WS_MAX_BYTES")?.unwrap_or(BYTES_MOST),
            ping_interval: seconds(&variable, "EXAI_WS_PING_INTERVAL")?.unwrap_or(PING_INTERVAL),
            ping_timeout: seconds(&variable, "EXAI_WS_PING_TIMEOUT")?.unwrap_or(PING_TIMEOUT),
        })
    }

    /// The address, as it is dialled.
    pub(super) fn authority(&self) -> String {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        if host.contains(':') { format!("[{host}]:{}", self.port) } else { format!("{host}:{}", self.port) }
    }
}

fn number<T: std::str::FromStr>(
    variable: impl Fn(&str) -> Option<String>,
    name: &'static str,
) -> Result<Option<T>, &'static str> {
    variable(name).map(|text| text.trim().parse().map_err(|_| name)).transpose()
}

/// The predecessor took fractions.
fn seconds(
    variable: impl Fn(&str) -> Option<String>,
    name: &'static str,
) -> Result<Option<Duration>, &'static str> {
    let seconds = number::<f64>(variable, name)?;
    seconds
        .map(|seconds| {
            let duration = Duration::try_from_secs_f64(seconds).map_err(|_| name)?;
            if duration.is_zero() { Err(name) } else { Ok(duration) }
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::{OwnToken, ShimSettings};
    use std::path::PathBuf;
    use std::time::Duration;

    fn read(variables: &[(&str, &str)], file: Option<&str>) -> Result<ShimSettings, &'static str> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        ShimSettings::read(variable, file.map(PathBuf::from))
    }

    #[test]
    fn without_variables_it_is_what_its_predecessor_took() {
        let settings = read(&[], None).unwrap();
        assert_eq!(settings.authority(), "127.0.0.1:8079");
        assert_eq!((settings.bytes_most, settings.session.is_none()), (32 * 1024 * 1024, true));
        assert_eq!(settings.ping_interval, Duration::from_secs(45));
        assert_eq!(settings.ping_timeout, Duration::from_mins(4));
        assert!(matches!(settings.credentials.own, OwnToken::None));
        assert!(settings.credentials.shared.is_empty());
    }

    #[test]
    fn a_file_counts_before_a_token_and_one_on_the_command_line_before_a_variable() {
        let variables = [("EXAI_JWT_TOKEN", "t"), ("EXAI_JWT_TOKEN_FILE", "/a")];
        let file = |settings: ShimSettings| match settings.credentials.own {
            OwnToken::File(path) => path,
            OwnToken::None | OwnToken::Given(_) => panic!("no file"),
        };
        assert_eq!(file(read(&variables, None).unwrap()), PathBuf::from("/a"));
        assert_eq!(file(read(&variables, Some("/b")).unwrap()), PathBuf::from("/b"));
        assert!(matches!(read(&variables[..1], None).unwrap().credentials.own, OwnToken::Given(_)));
    }

    #[test]
    fn what_is_no_number_is_named() {
        for (name, value) in [
            ("EXAI_WS_PORT", "99999"),
            ("EXAI_WS_MAX_BYTES", "-1"),
            ("EXAI_WS_PING_INTERVAL", "0"),
            ("EXAI_WS_PING_TIMEOUT", "nan"),
        ] {
            assert_eq!(read(&[(name, value)], None).err(), Some(name));
        }
        let half = read(&[("EXAI_WS_PING_INTERVAL", "0.5"), ("EXAI_WS_HOST", "::1")], None).unwrap();
        assert_eq!((half.ping_interval, half.authority()), (Duration::from_millis(500), "[::1]:8079".into()));
    }

    #[test]
    fn no_debug_output_shows_a_credential() {
        let settings = read(&[("EXAI_JWT_TOKEN", "mine"), ("EXAI_WS_TOKEN", "shared-by-all")], None).unwrap();
        let shown = format!("{settings:?}");
        assert!(!shown.contains("mine") && !shown.contains("shared-by-all"), "{shown}");
    }
}
