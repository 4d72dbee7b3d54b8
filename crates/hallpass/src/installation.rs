//! An opened home: its store, its seal, its authority. Made once by `init`, opened by every other command.

use crate::atomic_file::{self, Original};
use crate::audit::{Audit, log_key};
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use crate::home::Home;
use crate::mint::Authority;
use crate::settings::Settings;
use hallpass_core::Snapshot;
use hallpass_core::arguments::ArgumentKey;
use hallpass_core::claims::LIFETIME_MOST;
use hallpass_core::keys::{Algorithm, KeyId, VerifyingKey};
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::session::SessionKey;
use hallpass_store::{KeyRow, KeyState, NewKey, SealFault, SealKey, SigningKey, Store, StoreFault, Watch};
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

const DEFAULT_ISSUER: &str = "hallpass.local";
const DEFAULT_AUDIENCE: &str = "mcp-gateway";
/// 90 days.
const DEFAULT_LIFETIME: i64 = 90 * 86_400;

/// What a home holds, opened.
pub struct Installation {
    /// Where.
    pub home: Home,
    /// What is in force.
    pub store: Store,
    /// Seals what the database must not show.
    pub seal: SealKey,
    /// Eight letters that tell this installation's files from another's.
    pub tag: String,
    /// Tells what this process does from what others did.
    pub run: String,
    /// The record of what happened.
    pub audit: Arc<Audit>,
}

/// What a new installation will be.
#[derive(Clone)]
pub struct Founding {
    /// `iss` of all its tokens.
    pub issuer: Issuer,
    /// `aud` of all its tokens.
    pub audience: Audience,
    /// What its first key signs with.
    pub algorithm: Algorithm,
    /// The secret of a former set-up that its servers verify with themselves: the first key, if that is HS256.
    pub secret: Option<Zeroizing<String>>,
}

impl Founding {
    /// From the configuration, else the defaults.
    pub fn plan(settings: &Settings) -> Result<Self> {
        let authority = &settings.roster.authority;
        let issuer = match &authority.issuer {
            Some(issuer) => issuer.clone(),
            None => Issuer::new(DEFAULT_ISSUER).doing("the default issuer")?,
        };
        let audience = match &authority.audience {
            Some(audience) => audience.clone(),
            None => Audience::new(DEFAULT_AUDIENCE).doing("the default audience")?,
        };
        let algorithm = authority.algorithm.unwrap_or(Algorithm::Es256);
        Ok(Self { issuer, audience, algorithm, secret: None })
    }
}

impl Installation {
    /// Makes what is missing of a home: folders, seal, database, signing key, configuration. An interrupted run is gone on with.
    pub async fn found(home: &Home, founding: &Founding, settings: &Settings) -> Result<Self> {
        if home.has_lost_its_database() {
            return Err(lost_database(home));
        }
        home.make_folders()?;
        let _lock = home.lock()?;
        if home.is_made() {
            return Self::open(home).await;
        }
        let seal = match SealKey::load(&home.seal_key()) {
            Ok(seal) => seal,
            Err(SealFault::Missing) => {
                SealKey::generate_file(&home.seal_key()).map_err(|fault| seal_fault(home, &fault))?
            }
            Err(fault) => return Err(seal_fault(home, &fault)),
        };
        // Under another name until it is complete: a database without its settings and key must never be opened.
        let unfinished = home.folder().join("hallpass.db.new");
        for leftover in ["hallpass.db.new", "hallpass.db.new-wal", "hallpass.db.new-shm"] {
            atomic_file::delete(&home.folder().join(leftover))?;
        }
        let tag = fill(&unfinished, founding, &seal).await?;
        std::fs::rename(&unfinished, home.database()).doing("cannot put the new database in place")?;
        write_roster(home, settings, &tag)?;
        Self::open(home).await
    }

    /// Opens a home that was made before.
    pub async fn open(home: &Home) -> Result<Self> {
        if home.has_lost_its_database() {
            return Err(lost_database(home));
        }
        if !home.is_made() {
            return Err(Fault::new(format!(
                "there is no Hallpass home at `{}` yet",
                home.folder().display()
            ))
            .hint("make one: `hallpass init`, or `hallpass up` for the whole set-up"));
        }
        home.check_private()?;
        let store = Store::open(&home.database()).await.map_err(|fault| store_fault(home, &fault))?;
        let seal = SealKey::load(&home.seal_key()).map_err(|fault| seal_fault(home, &fault))?;
        let tag = setting(&store, "installation").await?;
        let run = uuid::Uuid::now_v7().simple().to_string();
        let key = log_key(&store, &seal, &tag).await;
        let audit = Arc::new(Audit::of(home.audit(), &store, key).await?);
        audit.take_acts_of_store();
        Ok(Self { home: home.clone(), store, seal, tag, run, audit })
    }

    /// The key that binds session ids to clients.
    pub fn session_key(&self) -> SessionKey {
        SessionKey::new(&self.seal.derive("session ids"))
    }

    /// What the hashes of calls' arguments are made with: by it, and by nothing else, a value can be searched for.
    pub fn argument_key(&self) -> ArgumentKey {
        ArgumentKey::new(&self.seal.derive("audit arguments"))
    }

    /// Refuses a configuration that names another issuer or audience than the one this home was made with.
    pub async fn check_authority(&self, settings: &Settings) -> Result<()> {
        let named = &settings.roster.authority;
        let pairs = [
            ("issuer", named.issuer.as_ref().map(Issuer::as_str)),
            ("audience", named.audience.as_ref().map(Audience::as_str)),
        ];
        for (key, named) in pairs {
            let fixed = setting(&self.store, key).await?;
            if named.is_some_and(|named| named != fixed) {
                return Err(Fault::new(format!(
                    "`authority.{key}` is `{}` in the configuration, and this home was made with `{fixed}`",
                    named.unwrap_or_default()
                ))
                .hint("every token carries it: put it back, or use another `--home`"));
            }
        }
        Ok(())
    }

    /// Refuses a `seal.key` that does not open what is kept here, before anything new is sealed with it: that would be lost
    /// once the right one is back.
    pub async fn check_seal(&self) -> Result<()> {
        self.signing_key().await.map(drop)
    }

    /// Opens the signing key for what mints.
    pub async fn authority(&self, settings: &Settings) -> Result<Authority> {
        Ok(Authority {
            issuer: Issuer::new(&setting(&self.store, "issuer").await?).doing("the issuer")?,
            audience: Audience::new(&setting(&self.store, "audience").await?).doing("the audience")?,
            lifetime: settings.roster.authority.lifetime.unwrap_or(DEFAULT_LIFETIME),
            key: self.signing_key().await?,
        })
    }

    async fn signing_key(&self) -> Result<SigningKey> {
        let keys = self.store.keys().await.doing("the keys")?;
        let row = keys
            .iter()
            .find(|key| key.state == KeyState::Active)
            .ok_or_else(|| Fault::new("there is no active signing key in the database"))?;
        let kid = KeyId::new(&row.kid).ok_or_else(|| Fault::new("the signing key's name is damaged"))?;
        SigningKey::from_sealed(kid, row.algorithm, &row.sealed, &self.seal).map_err(|fault| {
            Fault::new(format!("the signing key cannot be opened: {fault}"))
                .hint("`seal.key` and `hallpass.db` belong together: restore both from the same backup")
        })
    }

    /// Whether this row's key is that one, under whatever name: who can sign for one can sign for the other. One that cannot
    /// be opened is taken for another: it must not hold up a revocation.
    pub fn is_kept_as(&self, key: &VerifyingKey, row: &KeyRow) -> bool {
        row.verifying_key(&self.seal).is_ok_and(|kept| kept.has_same_material(key))
    }

    /// Watches what is in force.
    pub async fn watch(&self) -> Result<Watch> {
        self.store.watch(&self.seal, LIFETIME_MOST).await.doing("the store")
    }

    /// What is in force, if that is something else than at the last look.
    pub async fn look(&self, watch: &mut Watch) -> Result<Option<Arc<Snapshot>>, StoreFault> {
        watch.look(&self.seal, LIFETIME_MOST).await
    }

    /// What is in force now.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        self.store.snapshot(&self.seal, LIFETIME_MOST).await.doing("the store")
    }
}

async fn setting(store: &Store, key: &str) -> Result<String> {
    let value = store.setting(key).await.doing("the database's settings")?;
    value.ok_or_else(|| Fault::new(format!("the database has no `{key}`")).hint("restore it from a backup"))
}

async fn fill(database: &Path, founding: &Founding, seal: &SealKey) -> Result<String> {
    let store = Store::create(database).await.doing("cannot make the database")?;
    let tag = uuid::Uuid::now_v7().simple().to_string().split_off(24);
    let kid = format!("hp-{tag}-1");
    let row = match (&founding.secret, founding.algorithm) {
        (Some(secret), Algorithm::Hs256) => key_of_secret(&kid, secret, seal)?,
        (_, algorithm) => new_key(&kid, algorithm, KeyState::Active, seal)?,
    };
    store.add_key(&row, None).await.doing("cannot keep the signing key")?;
    let settings = [
        ("issuer", founding.issuer.as_str()),
        ("audience", founding.audience.as_str()),
        ("installation", &tag),
    ];
    for (name, value) in settings {
        store.put_setting(name, value).await.doing("cannot keep the settings")?;
    }
    store.close().await;
    Ok(tag)
}

/// A new key, its private half sealed.
pub fn new_key(kid: &str, algorithm: Algorithm, state: KeyState, seal: &SealKey) -> Result<NewKey> {
    let key = SigningKey::generate(key_id(kid)?, algorithm).doing("cannot make a signing key")?;
    key_row(&key, state, seal)
}

/// A signing key that servers which verify with this secret themselves accept the tokens of.
fn key_of_secret(kid: &str, secret: &str, seal: &SealKey) -> Result<NewKey> {
    let key = SigningKey::from_secret(key_id(kid)?, secret.as_bytes()).doing("`JWT_SECRET_KEY`")?;
    key_row(&key, KeyState::Active, seal)
}

fn key_id(kid: &str) -> Result<KeyId> {
    KeyId::new(kid).ok_or_else(|| Fault::new("the key's name"))
}

fn key_row(key: &SigningKey, state: KeyState, seal: &SealKey) -> Result<NewKey> {
    let verifying = key.verifying_key().doing("the new signing key")?;
    Ok(NewKey {
        kid: key.kid().to_string(),
        algorithm: key.algorithm(),
        public: verifying.public_bytes().unwrap_or_default().to_vec(),
        sealed: key.to_sealed(seal).doing("cannot seal the signing key")?,
        state,
        former: false,
        created_at: clock::now(),
        reason: None,
    })
}

/// The home's own hallpass.toml: one that follows the file in use, or a commented start.
fn write_roster(home: &Home, settings: &Settings, tag: &str) -> Result<()> {
    let file = home.roster_file();
    let original = Original::read(&file)?;
    if original.exists() {
        return Ok(());
    }
    let text = match settings.file.as_deref().and_then(Path::to_str) {
        Some(used) => format!(
            "# This home was made from the configuration below, and commands that are run elsewhere use it too.\nfollow = {}\n",
            toml::Value::from(used)
        ),
        None => include_str!("hallpass.toml").to_owned(),
    };
    atomic_file::replace(&atomic_file::target_of(&file)?, &original, text.as_bytes(), true, tag)
        .map_err(|_| Fault::new("cannot write hallpass.toml"))
}

/// A new database would know none of the tokens that are out: nothing is made in the place of a lost one.
fn lost_database(home: &Home) -> Fault {
    Fault::new(format!("the database `{}` is gone, and this home was in use", home.database().display()))
        .hint("restore it from a backup, or start anew with another `--home` (if no token was ever issued, delete `seal.key`)")
}

fn seal_fault(home: &Home, fault: &SealFault) -> Fault {
    let path = home.seal_key();
    let shown = path.display();
    let said = Fault::new(format!("the key file `{shown}`: {fault}"));
    match fault {
        SealFault::Missing => {
            said.hint("it opens the signing keys in the database: restore it from a backup")
        }
        SealFault::OthersCanRead { .. } => {
            said.hint(format!("if nobody else can have read it, `chmod 600 {shown}`; else start a new home"))
        }
        SealFault::OtherOwner => said.hint("run hallpass as the user whose home it is"),
        SealFault::WrongSize | SealFault::NotOpened | SealFault::Failed(_) => {
            said.hint("restore it from a backup")
        }
    }
}

fn store_fault(home: &Home, fault: &StoreFault) -> Fault {
    let path = home.database();
    let shown = path.display();
    let said = Fault::new(format!("the database `{shown}`: {fault}"));
    match fault {
        StoreFault::Newer { .. } => said.hint("use the newer hallpass that made it, or another `--home`"),
        StoreFault::Damaged(_) => said.hint("restore it from a backup; nothing was changed"),
        StoreFault::OthersCanRead { .. } => said.hint(format!("`chmod 600 {shown}`")),
        StoreFault::OtherOwner => said.hint("run hallpass as the user whose home it is"),
        StoreFault::Missing | StoreFault::Replaced => said.hint("restore it from a backup"),
        StoreFault::Locked => said.hint("wait until the other command has ended, then run this one again"),
        StoreFault::SetBack { .. } | StoreFault::Foreign | StoreFault::BehindLog => {
            said.hint("put the right file back")
        }
        StoreFault::Older
        | StoreFault::NotRecorded(_)
        | StoreFault::AlreadyThere
        | StoreFault::DuplicateSubject { .. }
        | StoreFault::UnknownClient { .. }
        | StoreFault::KeyStopped { .. }
        | StoreFault::Failed(_) => said,
    }
}
