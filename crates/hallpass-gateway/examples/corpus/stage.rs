//! From a profile to what is in force: keys, rules, clients, registered tokens. Opens no file and no connection.
//!
//! What a corpus does not say of registered tokens is their text. The rule: a token that a key of the profile signed
//! counts as the one that is registered under its `jti`, except where the key is the profile's `default_key`: its
//! tokens are known by `legacy_fingerprints_sha256` and by nothing else, so that a leaked secret mints none. A profile
//! without a `registry` has every token registered that one of its keys signed, whether the case expects it or not.

use crate::file::{Corpus, GracePeriod, Keys, Profile, Registry, State, Status};
use hallpass_core::grace::{Grace, GraceTerms, TagKey};
use hallpass_core::keys::{JtiRule, KeySet, VerifyingKey};
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::snapshot::{Authority, Client, ServerScope, TokenRecord, TokenState, TokenType};
use hallpass_core::strict_json::Json;
use hallpass_core::{
    Bearer, ClientName, Denial, Signed, Snapshot, Subject, TokenDigest, TokenId, UnixTime, check_signature,
    jwks,
};

/// A profile that can be put in force.
pub(crate) struct Stage {
    authority: Authority,
    default_key: Option<String>,
    registry: Option<Registry>,
    now: UnixTime,
}

/// The claims without which the verifier takes no token, whatever a profile says.
const ALWAYS_REQUIRED: [&str; 5] = ["iss", "sub", "aud", "iat", "exp"];

impl Stage {
    /// A server that would not start with this is an error: it lets nobody in.
    pub(crate) fn new(corpus: &Corpus, profile: &Profile, keys: &Keys) -> Result<Self, String> {
        let token_type = token_type(profile)?;
        let issuer = profile.issuer.as_deref().unwrap_or(&corpus.issuer);
        let audience = profile.audience.as_deref().unwrap_or(&corpus.audience);
        let authority = Authority {
            issuer: Issuer::new(issuer).map_err(|fault| format!("issuer: {fault}"))?,
            audience: Audience::new(audience).map_err(|fault| format!("audience: {fault}"))?,
            keys: key_set(profile, keys)?,
            token_type,
            lifetime_most: profile.max_lifetime.unwrap_or(i64::MAX),
            leeway: profile.leeway.unwrap_or(corpus.leeway),
        };
        let now = UnixTime::from_seconds(corpus.now);
        let stage =
            Self { authority, default_key: default_key(profile), registry: profile.registry.clone(), now };
        stage.snapshot(&[])?;
        Ok(stage)
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.now
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    pub(crate) fn has_registry(&self) -> bool {
        self.registry.is_some()
    }

    /// What is in force while these tokens are shown.
    pub(crate) fn snapshot(&self, shown: &[&str]) -> Result<Snapshot, String> {
        let shown: Vec<Signed> = shown.iter().filter_map(|token| self.signed(token).ok()).collect();
        let (clients, tokens, cut_off) = match &self.registry {
            None => (all_clients(&shown), all_tokens(&shown), i64::MAX),
            Some(registry) => (
                clients_of(registry)?,
                self.tokens_of(registry, &shown)?,
                registry.legacy_iat_cutoff.unwrap_or(i64::MIN),
            ),
        };
        let snapshot = Snapshot::new(1, self.authority.clone(), clients, tokens);
        Ok(snapshot.with_adopted_until(UnixTime::from_seconds(cut_off)))
    }

    /// The same with a former set-up's shared token in this state.
    pub(crate) fn snapshot_with(&self, shown: &[&str], state: &State) -> Result<Snapshot, String> {
        let snapshot = self.snapshot(shown)?;
        let until = match state.grace {
            GracePeriod::Off => return Ok(snapshot),
            GracePeriod::Active => self.now.plus(1),
            GracePeriod::Ended => self.now,
        };
        let key = TagKey::new(&[7; 32]);
        let terms = GraceTerms {
            period: 1,
            tag: key.tag(state.legacy_shared_token.as_bytes()),
            until,
            ended_at: None,
            servers: ServerScope::All,
            policy: None,
            strict_after_migration: false,
        };
        Ok(snapshot.with_grace(Grace::new(terms, key, UnixTime::from_seconds(0))))
    }

    fn signed(&self, token: &str) -> Result<Signed, Denial> {
        check_signature(&Bearer::new(token)?, &self.authority)
    }

    fn tokens_of(&self, registry: &Registry, shown: &[Signed]) -> Result<Vec<TokenRecord>, String> {
        let mut records = Vec::new();
        for (jti, entry) in &registry.tokens {
            let ours = shown.iter().find(|signed| {
                let by_default_key = Some(signed.key().kid().as_str()) == self.default_key.as_deref();
                signed.claims().jti() == Some(jti) && !by_default_key
            });
            records.push(TokenRecord {
                jti: jti.as_str().into(),
                client: client_name(&entry.client)?,
                digest: ours.map_or_else(|| TokenDigest::of(""), Signed::digest),
                state: match entry.status {
                    Status::Pending => TokenState::Pending,
                    Status::Active => TokenState::Active,
                    Status::Superseded => TokenState::Superseded { until: self.time(entry.accept_until) },
                    Status::Revoked => TokenState::Revoked { at: self.time(entry.revoked_at) },
                },
                adopted: false,
            });
        }
        let adopted = shown.iter().filter(|signed| {
            registry.legacy_fingerprints_sha256.iter().any(|listed| {
                TokenDigest::from_hex(listed).is_some_and(|listed| listed.matches(&signed.digest()))
            })
        });
        records.extend(adopted.filter_map(|signed| adopted_record(signed, registry)));
        Ok(records)
    }

    fn time(&self, seconds: Option<i64>) -> UnixTime {
        seconds.map_or(self.now, UnixTime::from_seconds)
    }
}

/// A fingerprint does not say whose token it is: its `sub` does.
fn adopted_record(signed: &Signed, registry: &Registry) -> Option<TokenRecord> {
    let claims = signed.claims();
    let (name, _) = registry.clients.iter().find(|(_, client)| client.sub == claims.subject())?;
    Some(TokenRecord {
        jti: claims.jti().unwrap_or("adopted").into(),
        client: ClientName::new(name).ok()?,
        digest: signed.digest(),
        state: TokenState::Active,
        adopted: true,
    })
}

fn token_type(profile: &Profile) -> Result<TokenType, String> {
    let all_of = |known: &[&str]| {
        profile.typ.iter().flatten().all(|typ| known.iter().any(|known| typ.eq_ignore_ascii_case(known)))
    };
    match profile.typ.contains(&None) {
        _ if profile.typ.is_empty() => Err("it allows no `typ`".into()),
        false if all_of(&["at+jwt", "application/at+jwt"]) => Ok(TokenType::AccessToken),
        _ if all_of(&["JWT", "application/JWT"]) => Ok(TokenType::Jwt),
        _ => Err("its `typ` is none that the verifier can be told".into()),
    }
}

/// What a profile asks for and the verifier cannot be told.
pub(crate) fn not_told(profile: &Profile) -> Vec<String> {
    let with_none = profile.typ.contains(&None) && profile.typ.len() > 1;
    let access_tokens = token_type(profile) == Ok(TokenType::AccessToken);
    let mut notes = Vec::new();
    if !with_none && !access_tokens {
        notes.push("the verifier takes both `typ` of `JWT` and none, whichever it asks for".to_owned());
    }
    let of_type = |claim: &str| claim == "client_id" && access_tokens;
    let known = |claim: &str| ALWAYS_REQUIRED.contains(&claim) || claim == "jti" || of_type(claim);
    let unknown = profile.required.iter().filter(|claim| !known(claim));
    notes.extend(unknown.map(|claim| format!("the verifier cannot be told to require `{claim}`")));
    notes
}

fn default_key(profile: &Profile) -> Option<String> {
    match profile.keys.as_slice() {
        _ if profile.default_key.is_some() => profile.default_key.clone(),
        [only] if !profile.kid_required => Some(only.clone()),
        _ => None,
    }
}

fn key_set(profile: &Profile, keys: &Keys) -> Result<KeySet, String> {
    let default_key = default_key(profile);
    let mut loaded = Vec::new();
    for kid in &profile.keys {
        let is_default = default_key.as_deref() == Some(kid);
        let required = profile.required.iter().any(|claim| claim == "jti");
        let needs_jti = required || (profile.jti_required_unless_legacy && !is_default);
        let rule = if needs_jti { JtiRule::Required } else { JtiRule::AdoptedWithout };
        loaded.push(load(kid, keys)?.with_jti(rule));
    }
    if loaded.is_empty() {
        return Err("it has no keys".into());
    }
    let set = KeySet::new(loaded);
    match default_key {
        Some(kid) if !profile.kid_required => Ok(set.with_unnamed(&kid)),
        Some(_) | None => Ok(set),
    }
}

fn load(kid: &str, keys: &Keys) -> Result<VerifyingKey, String> {
    let jwk = keys.get(kid).ok_or_else(|| format!("no key `{kid}` in the file of keys"))?;
    let text = jwk.to_string();
    let jwk = Json::parse(text.as_bytes(), 8).map_err(|_| format!("key `{kid}`: not JSON"))?;
    jwks::parse_key(&jwk).map_err(|fault| format!("key `{kid}`: {fault}"))
}

fn clients_of(registry: &Registry) -> Result<Vec<Client>, String> {
    let mut clients = Vec::new();
    for (name, entry) in &registry.clients {
        let subject = Subject::new(&entry.sub).map_err(|fault| format!("`sub` of `{name}`: {fault}"))?;
        clients.push(Client { enabled: !entry.disabled, ..Client::new(client_name(name)?, subject) });
    }
    Ok(clients)
}

fn client_name(name: &str) -> Result<ClientName, String> {
    ClientName::new(name).map_err(|fault| format!("client `{name}`: {fault}"))
}

/// One client for each token: the one that it says it is for.
fn all_clients(shown: &[Signed]) -> Vec<Client> {
    let clients = shown.iter().enumerate().filter_map(|(number, signed)| {
        let subject = Subject::new(signed.claims().subject()).ok()?;
        Some(Client::new(name_in(signed, number)?, subject))
    });
    clients.collect()
}

fn all_tokens(shown: &[Signed]) -> Vec<TokenRecord> {
    let records = shown.iter().enumerate().filter_map(|(number, signed)| {
        let jti: Option<TokenId> = signed.claims().jti().map(Into::into);
        Some(TokenRecord {
            adopted: jti.is_none(),
            jti: jti.unwrap_or_else(|| "adopted".into()),
            client: name_in(signed, number)?,
            digest: signed.digest(),
            state: TokenState::Active,
        })
    });
    // Of two with one `jti` the first is the one that is registered.
    records.rev().collect()
}

fn name_in(signed: &Signed, number: usize) -> Option<ClientName> {
    match signed.claims().client_id() {
        Some(name) => ClientName::new(name).ok(),
        None => ClientName::new(&format!("client-{number}")).ok(),
    }
}
