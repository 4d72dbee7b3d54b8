//! What every test needs: a store in a temporary folder, an authority, clients, tokens of theirs.

use hallpass_core::claims::{Draft, LIFETIME_MOST};
use hallpass_core::encoding::hex;
use hallpass_core::keys::{Algorithm, KeyId};
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::snapshot::{ServerScope, TokenState};
use hallpass_core::{
    Bearer, ClientName, Denial, Event, Outcome, Snapshot, Subject, TokenDigest, UnixTime, check_signature,
    judge,
};
use hallpass_store::{
    Added, ClientRow, KeyState, NewKey, NewToken, Overlap, PlacementRow, SealKey, SigningKey, Store,
    StoreFault, TokenRead,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// The tests' present: 2026-11-23T00:00:00Z.
pub(crate) const NOW: UnixTime = UnixTime::from_seconds(1_795_392_000);
const LIFETIME: i64 = 3600;
const ISSUER: &str = "hallpass";
const AUDIENCE: &str = "mcp";

/// A store with an authority and no clients.
pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    pub(crate) store: Store,
    pub(crate) key: SigningKey,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join("hallpass.db")).await.unwrap();
        let seal = SealKey::generate_file(&folder.path().join("seal.key")).unwrap();
        let key = SigningKey::generate(KeyId::new("hp-1").unwrap(), Algorithm::Es256).unwrap();
        store.add_key(&key_row(&key, &seal, KeyState::Active), None).await.unwrap();
        store.put_setting("issuer", ISSUER).await.unwrap();
        store.put_setting("audience", AUDIENCE).await.unwrap();
        Self { folder, store, key }
    }

    /// A store with these clients, each with one active token.
    pub(crate) async fn with_clients(names: &[&str]) -> (Self, Vec<Token>) {
        let scene = Self::new().await;
        let mut tokens = Vec::new();
        for name in names {
            scene.store.put_client(&client(name), None).await.unwrap();
            tokens.push(scene.issue(name).await);
        }
        (scene, tokens)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("hallpass.db")
    }

    /// Another program that has the same database open.
    pub(crate) async fn another(&self) -> Store {
        Store::open(&self.file()).await.unwrap()
    }

    /// Mints a token and notes it as pending.
    pub(crate) async fn mint(&self, client: &str) -> Token {
        let token = mint(&self.key, client, NOW);
        self.store.add_pending(&token.row).await.unwrap();
        token
    }

    /// Mints a token, notes it as pending, and how long the one before shall stay good beside it.
    pub(crate) async fn mint_beside(&self, client: &str, overlap: Overlap) -> Token {
        let token = mint(&self.key, client, NOW);
        self.store.add_successor(&token.row, overlap).await.unwrap();
        token
    }

    /// Makes a pending token active.
    pub(crate) async fn activate(&self, token: &Token, at: UnixTime) {
        let act = act("rotate", token.row.client.as_str());
        assert!(self.store.activate(token.jti(), at, None, &act).await.unwrap());
    }

    /// Mints a token and makes it active.
    pub(crate) async fn issue(&self, client: &str) -> Token {
        let token = self.mint(client).await;
        assert!(self.store.activate(token.jti(), NOW, None, &act("issue", client)).await.unwrap());
        token
    }

    pub(crate) async fn state(&self, token: &Token) -> TokenState {
        self.store.token(token.jti()).await.unwrap().unwrap().state
    }

    pub(crate) fn seal(&self) -> SealKey {
        SealKey::load(&self.folder.path().join("seal.key")).unwrap()
    }

    pub(crate) async fn snapshot(&self) -> Snapshot {
        self.store.snapshot(&self.seal(), LIFETIME_MOST).await.unwrap()
    }

    pub(crate) async fn revision(&self) -> i64 {
        self.snapshot().await.revision()
    }

    /// What the gateway would say to the token now: the client's name, or why not.
    pub(crate) async fn judged(&self, token: &Token) -> Result<String, Denial> {
        self.judged_at(token, NOW).await
    }

    /// The same at another time.
    pub(crate) async fn judged_at(&self, token: &Token, at: UnixTime) -> Result<String, Denial> {
        let snapshot = self.snapshot().await;
        let signed = check_signature(&Bearer::new(&token.text)?, snapshot.authority())?;
        judge(&Arc::new(signed), &snapshot, at)
            .map(|verified| verified.client().map_or_else(String::new, |client| client.name.to_string()))
    }

    /// The kinds of the acts on record, oldest first.
    pub(crate) async fn acts(&self) -> Vec<String> {
        let acts = self.store.waiting_acts(0, u32::MAX).await.unwrap();
        acts.into_iter().map(|(_, event)| event.kind.into_owned()).collect()
    }
}

/// Adds records to the view as if the log had them, and returns the row number of the last.
pub(crate) async fn log(store: &Store, events: &[Event]) -> Result<i64, StoreFault> {
    match store.add_logged(store.next_logged().await?, events, None).await? {
        Added::Until(last) => Ok(last),
        Added::Missing { from } => panic!("rows from {from} on are missing"),
    }
}

/// A minted token and its row.
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) row: NewToken,
}

impl Token {
    pub(crate) fn jti(&self) -> &str {
        &self.row.jti
    }
}

pub(crate) fn mint(key: &SigningKey, client: &str, issued_at: UnixTime) -> Token {
    let name = name(client);
    let subject = subject(client);
    let jti = unique();
    let draft = Draft {
        kid: key.kid(),
        algorithm: key.algorithm(),
        issuer: &Issuer::new(ISSUER).unwrap(),
        audience: &Audience::new(AUDIENCE).unwrap(),
        subject: &subject,
        client: &name,
        issued_at,
        lifetime: LIFETIME,
        jti: &jti,
    };
    let input = draft.signing_input();
    let text = format!("{input}.{}", key.sign(&input).unwrap());
    let row = NewToken {
        digest: TokenDigest::of(&text),
        jti: jti.clone(),
        client: name.clone(),
        kid: key.kid().to_string(),
        subject: subject.clone(),
        issued_at,
        expires_at: draft.expires_at(),
    };
    Token { text, row }
}

fn unique() -> String {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    hex(&bytes)
}

pub(crate) fn name(client: &str) -> ClientName {
    ClientName::new(client).unwrap()
}

pub(crate) fn subject(client: &str) -> Subject {
    Subject::new(&format!("{client}@example")).unwrap()
}

pub(crate) fn client(name_text: &str) -> ClientRow {
    ClientRow {
        name: name(name_text),
        subject: subject(name_text),
        app: "json".into(),
        enabled: true,
        removed: false,
        from_roster: false,
        servers: ServerScope::All,
        policy: None,
        config: Some("/home/ann/mcp.json".into()),
        entry: Some("docs".into()),
        env: None,
        placement: None,
        created_at: NOW,
    }
}

pub(crate) fn placement(client: &str) -> PlacementRow {
    PlacementRow {
        client: name(client),
        read: TokenRead::AtStart,
        file: "/home/ann/mcp.json".into(),
        token_file: None,
        undo: vec![0, 1, 255],
        at: NOW,
    }
}

pub(crate) fn key_row(key: &SigningKey, seal: &SealKey, state: KeyState) -> NewKey {
    NewKey {
        kid: key.kid().to_string(),
        algorithm: key.algorithm(),
        public: key.verifying_key().unwrap().public_bytes().unwrap_or_default().to_vec(),
        sealed: key.to_sealed(seal).unwrap(),
        state,
        former: false,
        created_at: NOW,
        reason: None,
    }
}

/// An operator's act on a client.
pub(crate) fn act(kind: &'static str, client: &str) -> Event {
    Event { client: Some(client.into()), ..Event::new(NOW.seconds() * 1000, kind, Outcome::Done) }
}

/// A client's call to the server `docs`.
pub(crate) fn call(client: &str, at_ms: i64, outcome: Outcome) -> Event {
    Event {
        client: Some(client.into()),
        server: Some("docs".into()),
        method: Some("tools/call".into()),
        tool: Some("search".into()),
        status: Some(200),
        duration_us: Some(4123),
        bytes_in: Some(120),
        bytes_out: Some(4096),
        address: Some("127.0.0.1:50123".into()),
        request_id: Some("0190a1b2c3d4".into()),
        ..Event::new(at_ms, "call", outcome)
    }
}

/// A file's permission bits.
pub(crate) fn mode(file: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).unwrap().permissions().mode() & 0o777
}
