//! A former set-up that is taken over: one HS256 secret, one shared token, tokens without a `jti`. Reads its environment
//! file; changes nothing.

use crate::fault::{Doing, Fault, Result};
use crate::settings::Settings;
use crate::shared_secret::SharedSecret;
use hallpass_core::ClientName;
use hallpass_core::UnixTime;
use hallpass_core::env_file::EnvFile;
use hallpass_core::keys::{JtiRule, KeyId, KeySet, VerifyingKey};
use hallpass_core::name::{Audience, Issuer};
use std::path::Path;
use zeroize::Zeroizing;

/// The former secret's name among the keys.
pub const FORMER_KID: &str = "former-hs256";
/// A day, in seconds.
const DAY: i64 = 86_400;
/// Ten years: more is a typing mistake.
const GRACE_MOST: i64 = 3650;

/// What the environment file of a former set-up says.
pub struct Former {
    /// The text of the secret is the key: 64 characters are 64 bytes.
    pub secret: Zeroizing<String>,
    /// `iss` of its tokens, and of ours.
    pub issuer: Issuer,
    /// `aud` of its tokens, and of ours.
    pub audience: Audience,
    /// How many days the shared token shall still be accepted; 0: not at all.
    pub grace_days: i64,
    /// The token that all clients shared.
    pub shared_token: Option<SharedSecret>,
    /// Copies of the clients' tokens: the client's name and the token.
    pub tokens: Vec<(ClientName, Zeroizing<String>)>,
}

impl Former {
    /// Reads the file and refuses what is missing or empty: that never means "allow".
    pub fn read(file: &Path) -> Result<Self> {
        let shown = file.display();
        let text = Zeroizing::new(std::fs::read_to_string(file).doing(format!("cannot read `{shown}`"))?);
        let env = EnvFile::parse(&text).doing(format!("`{shown}`"))?;
        if let Some(algorithm) = env.get("JWT_ALGORITHM").filter(|algorithm| *algorithm != "HS256") {
            return Err(Fault::new(format!(
                "`JWT_ALGORITHM` in `{shown}` is `{}`: only HS256 set-ups are taken over",
                algorithm.escape_debug()
            )));
        }
        let secret = Zeroizing::new(wanted(&env, "JWT_SECRET_KEY", file)?.to_owned());
        let former = Self {
            issuer: Issuer::new(wanted(&env, "JWT_ISSUER", file)?)
                .doing(format!("`JWT_ISSUER` in `{shown}`"))?,
            audience: Audience::new(wanted(&env, "JWT_AUDIENCE", file)?)
                .doing(format!("`JWT_AUDIENCE` in `{shown}`"))?,
            grace_days: grace_days(&env, file)?,
            shared_token: shared_token(&env, file)?,
            tokens: copies(&env, file)?,
            secret,
        };
        former.verifying_key().map(|_| former)
    }

    /// Refuses a configuration that says otherwise.
    pub fn check_against(&self, settings: &Settings) -> Result<()> {
        let authority = &settings.roster.authority;
        let differs = |key: &str, here: &str, there: &str| {
            Fault::new(format!(
                "`authority.{key}` is `{there}` in hallpass.toml, and the former set-up has `{here}`"
            ))
            .hint("its tokens carry it: take it out of hallpass.toml, or make both the same")
        };
        match (&authority.issuer, &authority.audience) {
            (Some(issuer), _) if *issuer != self.issuer => {
                Err(differs("issuer", self.issuer.as_str(), issuer.as_str()))
            }
            (_, Some(audience)) if *audience != self.audience => {
                Err(differs("audience", self.audience.as_str(), audience.as_str()))
            }
            _ => Ok(()),
        }
    }

    /// Until when the shared token is accepted if it is taken over at `now`. No shared token: no grace period.
    pub fn grace_until(&self, now: UnixTime) -> Option<UnixTime> {
        (self.grace_days > 0 && self.shared_token.is_some()).then(|| now.plus(self.grace_days * DAY))
    }

    /// The key that its tokens are checked with.
    pub fn verifying_key(&self) -> Result<VerifyingKey> {
        let kid = former_kid()?;
        let key = VerifyingKey::secret(kid, self.secret.as_bytes()).doing("`JWT_SECRET_KEY`")?;
        Ok(key.with_jti(JtiRule::AdoptedWithout))
    }

    /// The key set that only its tokens pass.
    pub fn key_set(&self) -> Result<KeySet> {
        Ok(KeySet::new([self.verifying_key()?]).with_unnamed(FORMER_KID))
    }
}

/// [`FORMER_KID`] as a key's name.
pub fn former_kid() -> Result<KeyId> {
    KeyId::new(FORMER_KID).ok_or_else(|| Fault::new("the former key's name"))
}

fn wanted<'a>(env: &'a EnvFile, name: &str, file: &Path) -> Result<&'a str> {
    env.get(name).ok_or_else(|| {
        Fault::new(format!("`{name}` is missing or empty in `{}`", file.display()))
            .hint("name the environment file of the daemon that made the tokens (`.env.docker`, say)")
    })
}

fn grace_days(env: &EnvFile, file: &Path) -> Result<i64> {
    let Some(text) = env.get("JWT_GRACE_PERIOD_DAYS") else { return Ok(0) };
    text.parse().ok().filter(|days| (0..=GRACE_MOST).contains(days)).ok_or_else(|| {
        Fault::new(format!(
            "`JWT_GRACE_PERIOD_DAYS` in `{}` is not a number of days from 0 to {GRACE_MOST}",
            file.display()
        ))
    })
}

/// An empty one means that there is none. One that no client could show is refused: its clients would be left outside.
fn shared_token(env: &EnvFile, file: &Path) -> Result<Option<SharedSecret>> {
    let Some(token) = env.get("EXAI_WS_TOKEN").filter(|token| !token.trim().is_empty()) else {
        return Ok(None);
    };
    let place = format!("`EXAI_WS_TOKEN` in `{}`", file.display());
    SharedSecret::check(Zeroizing::new(token.to_owned()), place).map(Some)
}

/// `EXAI_JWT_TOKEN_VSCODE1` is the token of `vscode1`.
fn copies(env: &EnvFile, file: &Path) -> Result<Vec<(ClientName, Zeroizing<String>)>> {
    env.with_prefix("EXAI_JWT_TOKEN_")
        .map(|(rest, token)| {
            let name = ClientName::new(&rest.to_ascii_lowercase().replace('_', "-"));
            let name = name.doing(format!("`EXAI_JWT_TOKEN_{rest}` in `{}`", file.display()))?;
            Ok((name, Zeroizing::new(token.to_owned())))
        })
        .collect()
}
