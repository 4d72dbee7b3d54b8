//! Whatever happens to the store: the snapshot made of the one before and what changed is the one that is read whole.

use crate::scene::{NOW, Scene, act, client, key_row, mint};
use hallpass_core::claims::LIFETIME_MOST;
use hallpass_core::grace::SecretTag;
use hallpass_core::keys::{Algorithm, KeyId};
use hallpass_core::policy::PolicySettings;
use hallpass_core::snapshot::ServerScope;
use hallpass_core::{PolicyName, ServerName, Snapshot, UnixTime};
use hallpass_store::{
    ADOPTED_UNTIL, ClientRow, GraceRow, KeyState, NewToken, Overlap, SigningKey, StoreFault,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const CLIENTS: [&str; 4] = ["ann", "bob", "eve", "joe"];
const POLICIES: [&str; 2] = ["readers", "writers"];
const DAY: i64 = 86_400;

/// What may happen. Numbers choose among what there is, also where it is not possible: then nothing may change.
#[derive(Clone, Debug)]
enum Step {
    Look,
    Day(i64),
    Mint(usize),
    MintBeside { client: usize, until_seen: bool },
    FirstUse(usize),
    Activate(usize),
    DropPending(usize),
    Adopt(usize),
    AdoptedUntil(i64),
    RevokeToken(usize),
    RevokeClient(usize),
    RemoveClient(usize),
    DisableClient(usize),
    EnableClient(usize),
    PutClient { client: usize, enabled: bool, servers: bool, policy: Option<usize> },
    AddKey(bool),
    PromoteKey(usize),
    RevokeKey(usize),
    RetireKeys,
    PutPolicy { policy: usize, calls: u32 },
    DropPolicies,
    PutGrace { days: i64, policy: Option<usize> },
    EndGrace,
    Event,
}

fn step() -> impl Strategy<Value = Step> {
    let some = 0..64_usize;
    prop_oneof![
        6 => Just(Step::Look),
        2 => (-4..5_i64).prop_map(Step::Day),
        6 => some.clone().prop_map(Step::Mint),
        4 => (some.clone(), any::<bool>())
            .prop_map(|(client, until_seen)| Step::MintBeside { client, until_seen }),
        3 => some.clone().prop_map(Step::FirstUse),
        1 => some.clone().prop_map(Step::DisableClient),
        1 => some.clone().prop_map(Step::EnableClient),
        6 => some.clone().prop_map(Step::Activate),
        2 => some.clone().prop_map(Step::DropPending),
        1 => some.clone().prop_map(Step::Adopt),
        1 => (-4..5_i64).prop_map(Step::AdoptedUntil),
        2 => some.clone().prop_map(Step::RevokeToken),
        1 => some.clone().prop_map(Step::RevokeClient),
        1 => some.clone().prop_map(Step::RemoveClient),
        3 => (some.clone(), any::<bool>(), any::<bool>(), prop::option::of(some.clone()))
            .prop_map(|(client, enabled, servers, policy)| Step::PutClient { client, enabled, servers, policy }),
        1 => any::<bool>().prop_map(Step::AddKey),
        1 => some.clone().prop_map(Step::PromoteKey),
        1 => some.clone().prop_map(Step::RevokeKey),
        1 => Just(Step::RetireKeys),
        2 => (some.clone(), 1..4_u32).prop_map(|(policy, calls)| Step::PutPolicy { policy, calls }),
        1 => Just(Step::DropPolicies),
        1 => (1..9_i64, prop::option::of(some)).prop_map(|(days, policy)| Step::PutGrace { days, policy }),
        1 => Just(Step::EndGrace),
        1 => Just(Step::Event),
    ]
}

/// A store, and all that was ever in it.
struct World {
    scene: Scene,
    now: UnixTime,
    tokens: Vec<NewToken>,
    keys: Vec<String>,
}

impl World {
    async fn new() -> Self {
        let scene = Scene::new().await;
        for name in CLIENTS {
            scene.store.put_client(&client(name), None).await.unwrap();
        }
        Self { scene, now: NOW, tokens: Vec::new(), keys: vec!["hp-1".into()] }
    }

    /// Does it, or finds that it cannot be done.
    async fn take(&mut self, step: &Step) -> Result<(), StoreFault> {
        let (store, at) = (self.scene.store.clone(), self.now);
        let nobody = act("test", "ann");
        match *step {
            Step::Look => {}
            Step::Day(day) => self.now = NOW.plus(day * DAY),
            Step::Mint(number) => {
                let token = mint(&self.scene.key, one_of(&CLIENTS, number), at).row;
                store.add_pending(&token).await?;
                self.tokens.push(token);
            }
            Step::MintBeside { client, until_seen } => {
                let token = mint(&self.scene.key, one_of(&CLIENTS, client), at).row;
                store.add_successor(&token, Overlap { seconds: 2 * DAY, until_seen }).await?;
                self.tokens.push(token);
            }
            Step::DisableClient(number) => {
                store.disable_client(one_of(&CLIENTS, number), at, "away", &nobody).await?;
            }
            Step::EnableClient(number) => {
                store.enable_client(one_of(&CLIENTS, number), &nobody).await?;
            }
            Step::Adopt(number) => {
                let token = mint(&self.scene.key, one_of(&CLIENTS, number), at).row;
                store.adopt(&token, at, &nobody).await?;
                self.tokens.push(token);
            }
            Step::AdoptedUntil(day) => {
                store.put_setting(ADOPTED_UNTIL, &NOW.plus(day * DAY).seconds().to_string()).await?;
            }
            Step::RevokeClient(number) => {
                store.revoke_client(one_of(&CLIENTS, number), at, "lost", &nobody).await?;
            }
            Step::RemoveClient(number) => {
                store.remove_client(one_of(&CLIENTS, number), at, "left", &nobody).await?;
            }
            Step::PutClient { client: number, enabled, servers, policy } => {
                let only = ServerScope::Only([ServerName::new("docs").unwrap()].into());
                let servers = if servers { ServerScope::All } else { only };
                let policy = policy.map(policy_name);
                let row = ClientRow { enabled, servers, policy, ..client(one_of(&CLIENTS, number)) };
                store.put_client(&row, None).await?;
            }
            Step::PutPolicy { policy, calls } => {
                let settings = serde_json::json!({ "rules": ["deny docs/drop*"], "in_flight": calls });
                let settings: PolicySettings = serde_json::from_value(settings).unwrap();
                store.put_policies(&BTreeMap::from([(policy_name(policy), settings)]), &nobody).await?;
            }
            Step::DropPolicies => {
                let policies = POLICIES.map(|name| PolicyName::new(name).unwrap());
                store.drop_policies(&policies.each_ref(), &nobody).await?;
            }
            Step::PutGrace { days, policy } => {
                let before = store.grace().await?.map(|grace| grace.period);
                store.put_grace(&grace(at, days, policy.map(policy_name)), before, &nobody).await?;
            }
            Step::EndGrace => {
                let period = store.grace().await?.map_or(0, |grace| grace.period);
                store.end_grace(period, at, &nobody).await?;
            }
            Step::Event => {
                crate::scene::log(&store, &[nobody]).await?;
            }
            Step::Activate(_) | Step::DropPending(_) | Step::RevokeToken(_) | Step::FirstUse(_) => {
                self.change_token(step).await?;
            }
            Step::AddKey(_) | Step::PromoteKey(_) | Step::RevokeKey(_) | Step::RetireKeys => {
                self.change_keys(step).await?;
            }
        }
        Ok(())
    }

    async fn change_token(&self, step: &Step) -> Result<(), StoreFault> {
        let (store, act) = (&self.scene.store, act("test", "ann"));
        let (Step::Activate(number)
        | Step::DropPending(number)
        | Step::RevokeToken(number)
        | Step::FirstUse(number)) = *step
        else {
            return Ok(());
        };
        if self.tokens.is_empty() {
            return Ok(());
        }
        let NewToken { jti, client, .. } = pick(&self.tokens, number);
        match step {
            Step::Activate(_) => store.activate(jti, self.now, None, &act).await.map(drop),
            Step::DropPending(_) => store.drop_pending(jti).await,
            Step::FirstUse(_) => store.note_first_use(client.as_str(), jti, self.now).await.map(drop),
            _ => store.revoke_token(jti, self.now, "lost", &act).await.map(drop),
        }
    }

    async fn change_keys(&mut self, step: &Step) -> Result<(), StoreFault> {
        let (store, act) = (self.scene.store.clone(), act("test", "ann"));
        match *step {
            Step::AddKey(is_next) => {
                let kid = format!("hp-{}", self.keys.len() + 1);
                let key = SigningKey::generate(KeyId::new(&kid).unwrap(), Algorithm::Es256).unwrap();
                let state = if is_next { KeyState::Next } else { KeyState::Active };
                store.add_key(&key_row(&key, &self.scene.seal(), state), None).await?;
                self.keys.push(kid);
            }
            Step::PromoteKey(number) => store.promote_key(pick::<String>(&self.keys, number), &act).await?,
            Step::RevokeKey(number) => {
                let kid = pick::<String>(&self.keys, number).as_str();
                store.revoke_keys(&[(kid, act)], self.now, "leaked").await?;
            }
            _ => {
                store.retire_spent_keys(self.now).await?;
            }
        }
        Ok(())
    }

    fn assert_same(&self, made: &Snapshot, read: &Snapshot) {
        assert_eq!(made.revision(), read.revision());
        let (one, other) = (made.authority(), read.authority());
        assert_eq!((&one.issuer, &one.audience), (&other.issuer, &other.audience));
        assert!(one.keys.is_same(&other.keys));
        for name in CLIENTS {
            assert_eq!(made.client(name), read.client(name));
        }
        for token in &self.tokens {
            assert_eq!(made.token(&token.jti), read.token(&token.jti), "{token:?}");
            for at in [token.issued_at, token.issued_at.plus(DAY)] {
                assert_eq!(made.adopted(&token.digest, at), read.adopted(&token.digest, at), "{token:?}");
            }
        }
        let terms = |snapshot: &Snapshot| {
            snapshot.grace().map(|grace| format!("{:?} {:?}", grace.terms(), grace.seen()))
        };
        assert_eq!(terms(made), terms(read));
    }
}

fn pick<T>(things: &[T], number: usize) -> &T {
    &things[number % things.len()]
}

fn one_of(words: &[&'static str], number: usize) -> &'static str {
    words[number % words.len()]
}

fn policy_name(number: usize) -> PolicyName {
    PolicyName::new(one_of(&POLICIES, number)).unwrap()
}

fn grace(at: UnixTime, days: i64, policy: Option<PolicyName>) -> GraceRow {
    GraceRow {
        period: 0,
        tag: SecretTag::from_bytes(&[7; 32]).unwrap(),
        until: at.plus(days * DAY),
        started_at: at,
        ended_at: None,
        seen: at,
        servers: ServerScope::All,
        policy,
        strict: days % 2 == 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_of_changes_is_what_is_read_whole(steps in prop::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            let seal = world.scene.seal();
            let mut watch = world.scene.store.watch(&seal, LIFETIME_MOST).await.unwrap();
            for step in steps.iter().chain([&Step::Look]) {
                let _impossible = world.take(step).await;
                if matches!(step, Step::Look) {
                    let looked = watch.look(&seal, LIFETIME_MOST).await;
                    match world.scene.store.snapshot(&seal, LIFETIME_MOST).await {
                        Ok(whole) => {
                            looked.unwrap();
                            world.assert_same(watch.snapshot(), &whole);
                        }
                        // Every key was retired: nobody can be let in, and a key that is added later must be seen.
                        Err(_) => assert!(looked.is_err()),
                    }
                }
            }
        });
    }
}
