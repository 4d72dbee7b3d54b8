//! Homes of any size: made by `hallpass init`, then filled in the database, with tokens that a client could show.

use super::Size;
use hallpass_core::claims::Draft;
use hallpass_core::encoding::hex;
use hallpass_core::keys::KeyId;
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::{ClientName, Subject, TokenDigest, UnixTime};
use hallpass_store::{SealKey, SigningKey, Store};
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

const DAY: i64 = 86_400;
/// Months are left: a revoked token that has expired would not have to be known.
const LIFETIME: i64 = 90 * DAY;

/// A home with its clients' tokens.
pub struct Home {
    folder: TempDir,
    /// Live ones, a client's together.
    pub tokens: Vec<String>,
}

impl Home {
    /// Makes one in front of this server.
    pub async fn make(size: Size, server: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("hallpass-scale-").tempdir().unwrap();
        let config = format!("[servers.docs]\nurl = \"{server}\"\n");
        std::fs::write(folder.path().join("hallpass.toml"), config).unwrap();
        let mut home = Self { folder, tokens: Vec::new() };
        let made = home.command(&["init"]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        home.fill(size).await;
        home
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn database(&self) -> PathBuf {
        self.path().join("hallpass.db")
    }

    /// `hallpass` in this home.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/hallpass");
        let mut command = Command::new(program);
        command.args(arguments).env("HALLPASS_HOME", self.path()).current_dir(self.folder.path());
        command
    }

    async fn fill(&mut self, size: Size) {
        // The store itself first: it brings the database up to date.
        let store = Store::open(&self.database()).await.unwrap();
        let mint = Mint::open(&store, &SealKey::load(&self.path().join("seal.key")).unwrap()).await;
        store.close().await;
        let options = SqliteConnectOptions::new().filename(self.database());
        let mut connection = options.pragma("synchronous", "OFF").connect().await.unwrap();
        let mut writing = connection.begin().await.unwrap();
        add_clients(&mut writing, size.clients).await;
        add_revoked(&mut writing, &mint, size).await;
        for client in 0..size.clients {
            for _ in 0..size.tokens_each {
                self.tokens.push(add_live(&mut writing, &mint, client).await);
            }
        }
        // As after so many changes one by one: the store has forgotten which came when.
        sqlx::query("UPDATE revision SET number = number + 1000000").execute(&mut *writing).await.unwrap();
        writing.commit().await.unwrap();
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

pub fn client_name(number: u64) -> String {
    format!("client-{number}")
}

async fn add_clients(connection: &mut SqliteConnection, clients: u64) {
    let sql = "INSERT INTO client (name, subject, app, enabled, removed, from_roster, created_at)
        VALUES ($1, $1 || '@bench.local', 'json', TRUE, FALSE, FALSE, $2)";
    for client in 0..clients {
        sqlx::query(sql).bind(client_name(client)).bind(now()).execute(&mut *connection).await.unwrap();
    }
}

/// Issued one after the other over the last month and revoked at once, each good for two months yet.
async fn add_revoked(connection: &mut SqliteConnection, mint: &Mint, size: Size) {
    if size.revoked == 0 {
        return;
    }
    let sql = "INSERT INTO token (jti, client, kid, subject, issued_at, expires_at, digest, state, ended_at, reason, placed)
        WITH RECURSIVE numbers(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < $1)
        SELECT printf('%08x-%04x-7%s-a%s-%s', (at * 1000) >> 16, (at * 1000) & 65535,
                substr(hex(randomblob(2)), 2) COLLATE NOCASE, substr(hex(randomblob(2)), 2), hex(randomblob(6))),
            client, $3, client || '@bench.local', at, at + $5, lower(hex(randomblob(32))), 'revoked', at + 60,
            'laptop lost', TRUE
        FROM (SELECT 'client-' || (i % $2) AS client, $4 + i * $6 / $1 AS at FROM numbers)";
    let since = now() - 30 * DAY;
    let query = sqlx::query(sql).bind(i64::try_from(size.revoked).unwrap());
    let query = query.bind(i64::try_from(size.clients).unwrap()).bind(mint.key.kid().as_str()).bind(since);
    query.bind(LIFETIME).bind(30 * DAY - 1).execute(&mut *connection).await.unwrap();
    // As the program writes them.
    sqlx::query("UPDATE token SET jti = lower(jti)").execute(connection).await.unwrap();
}

async fn add_live(connection: &mut SqliteConnection, mint: &Mint, client: u64) -> String {
    let sql = "INSERT INTO token (jti, client, kid, subject, issued_at, expires_at, digest, state, placed)
        VALUES ($1, $2, $3, $2 || '@bench.local', $4, $5, $6, 'active', TRUE)";
    let (jti, token) = mint.mint(&client_name(client));
    let query = sqlx::query(sql).bind(jti).bind(client_name(client)).bind(mint.key.kid().as_str());
    let query = query.bind(now()).bind(now() + LIFETIME).bind(TokenDigest::of(&token).to_hex());
    query.execute(connection).await.unwrap();
    token
}

/// Mints as the program does.
struct Mint {
    issuer: Issuer,
    audience: Audience,
    key: SigningKey,
}

impl Mint {
    async fn open(store: &Store, seal: &SealKey) -> Self {
        let issuer = store.setting("issuer").await.unwrap().unwrap();
        let audience = store.setting("audience").await.unwrap().unwrap();
        let row = store.keys().await.unwrap().remove(0);
        let kid = KeyId::new(&row.kid).unwrap();
        Self {
            issuer: Issuer::new(&issuer).unwrap(),
            audience: Audience::new(&audience).unwrap(),
            key: SigningKey::from_sealed(kid, row.algorithm, &row.sealed, seal).unwrap(),
        }
    }

    /// A `jti` and its token.
    fn mint(&self, client: &str) -> (String, String) {
        let client = ClientName::new(client).unwrap();
        let jti = uuid_v7();
        let draft = Draft {
            kid: self.key.kid(),
            algorithm: self.key.algorithm(),
            issuer: &self.issuer,
            audience: &self.audience,
            subject: &Subject::new(&format!("{client}@bench.local")).unwrap(),
            client: &client,
            issued_at: UnixTime::from_seconds(now()),
            lifetime: LIFETIME,
            jti: &jti,
        };
        let input = draft.signing_input();
        let token = format!("{input}.{}", self.key.sign(&input).unwrap());
        (jti, token)
    }
}

fn uuid_v7() -> String {
    let mut random = [0; 10];
    aws_lc_rs::rand::fill(&mut random).unwrap();
    let (time, random) = (now() * 1000, hex(&random));
    let (high, low) = (time >> 16, time & 0xffff);
    format!("{high:08x}-{low:04x}-7{}-a{}-{}", &random[..3], &random[3..6], &random[6..18])
}

pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}
