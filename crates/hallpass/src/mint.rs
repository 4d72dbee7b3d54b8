//! Mints a token: the only place where a signing key is open. What was minted is verified before it is handed out.

use crate::fault::{Doing, Fault, Result};
use hallpass_core::claims::{Draft, LEEWAY, LIFETIME_MOST};
use hallpass_core::judge::check_claims;
use hallpass_core::keys::KeySet;
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::snapshot::{self, TokenType};
use hallpass_core::{Bearer, ClientName, Subject, TokenDigest, UnixTime, check_signature};
use hallpass_store::{NewToken, SigningKey};
use std::fmt;
use zeroize::Zeroizing;

/// A token in full. Printed by nothing but `--print`.
pub struct Token(Zeroizing<String>);

impl Token {
    /// The text itself: for the file it is placed in, and for `--print`.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Who issues.
#[derive(Debug)]
pub struct Authority {
    /// `iss`
    pub issuer: Issuer,
    /// `aud`
    pub audience: Audience,
    /// Seconds that a token lives.
    pub lifetime: i64,
    /// The key that signs.
    pub key: SigningKey,
}

/// A fresh token for one client, and what the store keeps of it.
pub fn mint(
    authority: &Authority,
    client: &ClientName,
    subject: &Subject,
    now: UnixTime,
) -> Result<(Token, NewToken)> {
    let jti = uuid::Uuid::now_v7().to_string();
    let draft = Draft {
        kid: authority.key.kid(),
        algorithm: authority.key.algorithm(),
        issuer: &authority.issuer,
        audience: &authority.audience,
        subject,
        client,
        issued_at: now,
        lifetime: authority.lifetime,
        jti: &jti,
    };
    let signing_input = draft.signing_input();
    let text = Zeroizing::new(format!(
        "{signing_input}.{}",
        authority.key.sign(&signing_input).doing("cannot sign")?
    ));
    verify_minted(&text, authority, &draft)?;
    let row = NewToken {
        jti: jti.clone(),
        client: client.clone(),
        kid: authority.key.kid().to_string(),
        subject: subject.clone(),
        issued_at: now,
        expires_at: draft.expires_at(),
        digest: TokenDigest::of(&text),
    };
    Ok((Token(text), row))
}

fn verify_minted(text: &str, authority: &Authority, draft: &Draft<'_>) -> Result<()> {
    let rules = snapshot::Authority {
        issuer: authority.issuer.clone(),
        audience: authority.audience.clone(),
        keys: KeySet::new([authority.key.verifying_key().doing("the signing key")?]),
        token_type: TokenType::Jwt,
        lifetime_most: LIFETIME_MOST,
        leeway: LEEWAY,
    };
    let bearer = Bearer::new(text).doing("the token just minted cannot be read")?;
    let signed = check_signature(&bearer, &rules).doing("the token just minted does not verify")?;
    check_claims(&signed, &rules, draft.issued_at).doing("the token just minted would be refused")?;
    let claims = signed.claims();
    let as_drafted = claims.subject() == draft.subject.as_str()
        && claims.issued_at == draft.issued_at
        && claims.expires_at == draft.expires_at()
        && claims.jti() == Some(draft.jti)
        && claims.client_id() == Some(draft.client.as_str());
    if as_drafted { Ok(()) } else { Err(Fault::new("the token just minted does not say what it should")) }
}
