//! A former set-up that is taken over: one HS256 secret, one shared token, tokens without a `jti`. Reads its environment
//! file; changes nothing.

use crate::fault::{Doing, Fault, Result};
use crate::given_file;
use crate::settings::Settings;
use hallpass_core::ClientName;
use hallpass_core::UnixTime;
use hallpass_core::claims::{LEEWAY, LIFETIME_MOST};
use hallpass_core::env_file::{EnvFault, EnvFile};
use hallpass_core::keys::{JtiRule, KeyId, KeySet, VerifyingKey};
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::snapshot::{Authority, TokenType};
use std::path::Path;
use zeroize::Zeroizing;

/// The former secret's name among the keys.
pub const FORMER_KID: &str = "former-hs256";
/// The largest environment file that is read, in bytes.
const MOST: usize = 1 << 20;
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
    pub shared_token: Option<Zeroizing<String>>,
    /// Copies of the clients' tokens: the client's name and the token.
    pub tokens: Vec<(ClientName, Zeroizing<String>)>,
}

impl Former {
    /// Reads the file and refuses what is missing or empty: that never means "allow".
    pub fn read(file: &Path) -> Result<Self> {
        let shown = file.display();
        let text = given_file::regular_or_open(file).and_then(|opened| given_file::read_text(opened, MOST));
        let text = text.doing(format!("cannot read `{shown}`"))?;
        let env = Variables { env: EnvFile::parse(&text).doing(format!("`{shown}`"))?, file };
        if env.get("JWT_ALGORITHM")?.is_some_and(|algorithm| algorithm != "HS256") {
            return Err(Fault::new(format!(
                "`JWT_ALGORITHM` in `{shown}` is another than HS256: only HS256 set-ups are taken over"
            )));
        }
        let former = Self {
            secret: Zeroizing::new(env.wanted("JWT_SECRET_KEY")?.to_owned()),
            issuer: Issuer::new(env.wanted("JWT_ISSUER")?).doing(format!("`JWT_ISSUER` in `{shown}`"))?,
            audience: Audience::new(env.wanted("JWT_AUDIENCE")?)
                .doing(format!("`JWT_AUDIENCE` in `{shown}`"))?,
            grace_days: env.grace_days()?,
            shared_token: env.get("EXAI_WS_TOKEN")?.map(|token| Zeroizing::new(token.to_owned())),
            tokens: env.copies()?,
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

    /// Until when the shared token would be accepted if it were taken over at `now`. No shared token: no grace period.
    pub fn grace_until(&self, now: UnixTime) -> Option<UnixTime> {
        (self.grace_days > 0 && self.shared_token.is_some()).then(|| now.plus(self.grace_days * DAY))
    }

    /// The key that its tokens are checked with.
    pub fn verifying_key(&self) -> Result<VerifyingKey> {
        let kid = former_kid()?;
        let key = VerifyingKey::secret(kid, self.secret.as_bytes()).doing("`JWT_SECRET_KEY`")?;
        Ok(key.with_jti(JtiRule::AdoptedWithout))
    }

    /// What only its tokens pass.
    pub fn authority(&self) -> Result<Authority> {
        Ok(Authority {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            keys: KeySet::new([self.verifying_key()?]).with_unnamed(FORMER_KID),
            token_type: TokenType::Jwt,
            lifetime_most: LIFETIME_MOST,
            leeway: LEEWAY,
        })
    }
}

/// [`FORMER_KID`] as a key's name.
pub fn former_kid() -> Result<KeyId> {
    KeyId::new(FORMER_KID).ok_or_else(|| Fault::new("the former key's name"))
}

/// The environment file, and its name for errors.
struct Variables<'a> {
    env: EnvFile,
    file: &'a Path,
}

impl Variables<'_> {
    fn get(&self, name: &str) -> Result<Option<&str>> {
        self.env.get(name).map_err(|fault| self.fault(fault))
    }

    fn fault(&self, fault: EnvFault) -> Fault {
        let said = Fault::new(format!("`{}`: {fault}", self.file.display()));
        match fault {
            EnvFault::Unclear { .. } => {
                said.hint("write the value itself, in single quotes if it holds such characters")
            }
            EnvFault::NotAnAssignment { .. } | EnvFault::OpenQuote { .. } | EnvFault::Twice { .. } => said,
        }
    }

    fn wanted(&self, name: &str) -> Result<&str> {
        self.get(name)?.ok_or_else(|| {
            Fault::new(format!("`{name}` is missing or empty in `{}`", self.file.display()))
                .hint("name the environment file of the daemon that made the tokens (`.env.docker`, say)")
        })
    }

    fn grace_days(&self) -> Result<i64> {
        let Some(text) = self.get("JWT_GRACE_PERIOD_DAYS")? else { return Ok(0) };
        text.parse().ok().filter(|days| (0..=GRACE_MOST).contains(days)).ok_or_else(|| {
            Fault::new(format!(
                "`JWT_GRACE_PERIOD_DAYS` in `{}` is not a number of days from 0 to {GRACE_MOST}",
                self.file.display()
            ))
        })
    }

    /// `EXAI_JWT_TOKEN_VSCODE1` is the token of `vscode1`.
    fn copies(&self) -> Result<Vec<(ClientName, Zeroizing<String>)>> {
        let copies = self.env.with_prefix("EXAI_JWT_TOKEN_").map_err(|fault| self.fault(fault))?;
        let named = copies.into_iter().map(|(rest, token)| {
            let name = ClientName::new(&rest.to_ascii_lowercase().replace('_', "-"));
            let name = name.doing(format!("`EXAI_JWT_TOKEN_{rest}` in `{}`", self.file.display()))?;
            Ok((name, Zeroizing::new(token.to_owned())))
        });
        named.collect()
    }
}
