//! A store with an authority, in a folder of its own, and tokens that are really signed.

use hallpass_core::claims::{Draft, LIFETIME_MOST};
use hallpass_core::keys::KeyId;
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::snapshot::{ServerScope, TokenState};
use hallpass_core::{
    Bearer, ClientName, Denial, Event, Outcome, Subject, TokenDigest, UnixTime, check_signature, judge,
};
use hallpass_store::{
    ClientRow, KeyState, NewKey, NewToken, PlacementKind, PlacementRow, SealKey, SigningKey, Store,
};
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// Some instant; tokens live for an hour from here.
pub(crate) const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

pub(crate) struct House {
    folder: TempDir,
    pub(crate) store: Store,
    pub(crate) key: SigningKey,
}

impl House {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::create(&folder.path().join("hallpass.db")).await.expect("a store");
        let seal = SealKey::generate_file(&folder.path().join("seal.key")).expect("a seal");
        let key = SigningKey::generate(KeyId::new("hp-test-1").expect("a key's name")).expect("a key");
        let row = NewKey {
            kid: key.kid().to_string(),
            algorithm: key.algorithm().as_str().to_owned(),
            public: key.verifying_key().expect("its public side").public_bytes().to_vec(),
            sealed: key.to_sealed(&seal).expect("sealed"),
            state: KeyState::Active,
            created_at: NOW,
        };
        store.add_key(&row).await.expect("kept");
        for (name, value) in [("issuer", "us"), ("audience", "them")] {
            store.put_setting(name, value).await.expect("kept");
        }
        Self { folder, store, key }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("hallpass.db")
    }

    pub(crate) async fn register(&self, name: &str) {
        self.store.put_client(&client(name), Some(&act("register", name))).await.expect("registered");
    }

    /// A token that is minted and noted, not yet placed.
    pub(crate) async fn mint(&self, name: &str, jti: &str) -> String {
        let client = client(name);
        let (issuer, audience) = (Issuer::new("us").expect("a name"), Audience::new("them").expect("a name"));
        let draft = Draft {
            kid: self.key.kid(),
            algorithm: self.key.algorithm(),
            issuer: &issuer,
            audience: &audience,
            subject: &client.subject,
            client: &client.name,
            issued_at: NOW,
            lifetime: 3600,
            jti,
        };
        let input = draft.signing_input();
        let text = format!("{input}.{}", self.key.sign(&input).expect("a signature"));
        let row = NewToken {
            jti: jti.into(),
            client: client.name.clone(),
            kid: self.key.kid().to_string(),
            subject: client.subject.clone(),
            issued_at: NOW,
            expires_at: draft.expires_at(),
            digest: TokenDigest::of(&text),
        };
        self.store.add_pending(&row).await.expect("noted");
        text
    }

    pub(crate) async fn activate(&self, name: &str, jti: &str) {
        let placed = placement(name);
        self.store.activate(jti, NOW, Some(&placed), &act("issue", name)).await.expect("activated");
    }

    pub(crate) async fn issue(&self, name: &str, jti: &str) -> String {
        let text = self.mint(name, jti).await;
        self.activate(name, jti).await;
        text
    }

    pub(crate) async fn state(&self, jti: &str) -> TokenState {
        self.store.token(jti).await.expect("the store").expect("a token").state
    }

    /// What the gateway would say to the token now: the client's name, or why not.
    pub(crate) async fn judge(&self, token: &str) -> Result<String, Denial> {
        let snapshot = self.store.snapshot(LIFETIME_MOST).await.expect("a snapshot");
        let authority = snapshot.authority();
        let signed = check_signature(&Bearer::new(token)?, &authority.keys, &authority.issuer)?;
        Ok(judge(&Arc::new(signed), &snapshot, NOW.plus(10))?.client().name.to_string())
    }
}

pub(crate) fn client(name: &str) -> ClientRow {
    ClientRow {
        name: ClientName::new(name).expect("a name"),
        subject: Subject::new(&format!("{name}@here")).expect("a subject"),
        app: "json".into(),
        enabled: true,
        removed: false,
        from_roster: false,
        servers: ServerScope::All,
        config: Some("/somewhere/mcp.json".into()),
        entry: None,
        env: Some("TOKEN".into()),
        created_at: NOW,
    }
}

pub(crate) fn placement(name: &str) -> PlacementRow {
    PlacementRow {
        client: ClientName::new(name).expect("a name"),
        kind: PlacementKind::Env,
        file: "/somewhere/mcp.json".into(),
        token_file: None,
        undo: b"their old secret".to_vec(),
        at: NOW,
    }
}

pub(crate) fn act(kind: &'static str, name: &str) -> Event {
    Event { client: Some(name.into()), ..Event::new(NOW.seconds() * 1000, kind, Outcome::Done) }
}
