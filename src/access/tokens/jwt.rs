//! Short-lived tokens: compact JWS (RFC 7515), their claims, and their strict parser. Tokens for this daemon are signed
//! with Ed25519 (RFC 8037), those for another service with the algorithm in its settings.
//!
//! What does not belong here: where keys come from ([`super::signing_keys`]) and whether a credential is still live.

use std::io;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value, json};

use super::key::{PublicKey, TokenKey};
use crate::config::TokenAlgorithm;
use crate::rest::class::Class;
use crate::rest::json as strict;

/// The issuer of the tokens, except those of programs.
pub const ISSUER: &str = "taosd";
/// The most characters of a token; ours have about 900.
const MAX_CHARS: usize = 4096;
/// Seconds by which another clock may be ahead of ours.
const SKEW: i64 = 60;

/// The audience of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// The routes of this daemon.
    Api,
    /// The MCP endpoint: only `/mcp` takes these tokens.
    Mcp,
    /// Another service on the box: no route of this daemon takes its tokens.
    Service {
        /// The service's address.
        uri: String,
        /// The algorithm that signs its tokens.
        alg: TokenAlgorithm,
    },
}

impl Audience {
    /// Returns the audience of this daemon with this name; `None` for any other name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Api, Self::Mcp].into_iter().find(|audience| audience.as_str() == name)
    }

    /// The audience's name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Api => "ax-api",
            Self::Mcp => "ax-mcp",
            Self::Service { uri, .. } => uri,
        }
    }

    /// The algorithm that signs its tokens.
    pub const fn alg(&self) -> TokenAlgorithm {
        match self {
            Self::Api | Self::Mcp => TokenAlgorithm::EdDsa,
            Self::Service { alg, .. } => *alg,
        }
    }

    /// Reads the audience of a token that was signed with `alg`. A token signed with another algorithm than ours is
    /// never for this daemon.
    fn read(name: String, alg: TokenAlgorithm) -> Option<Self> {
        match Self::named(&name) {
            Some(own) => (alg == own.alg()).then_some(own),
            None => name.contains("://").then_some(Self::Service { uri: name, alg }),
        }
    }
}

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The agent's id, or the user's if there is no agent.
    pub sub: String,
    /// The audience.
    pub audience: Audience,
    /// When it was issued, seconds since 1970.
    pub iat: i64,
    /// When it ends, seconds since 1970.
    pub exp: i64,
    /// The token's unique id.
    pub jti: String,
    /// The class, which says what the token is for.
    pub class: Class,
    /// Scope words, separated by single spaces.
    pub scope: String,
    /// The id of the user, or of the agent's owner.
    pub user_id: String,
    /// The id of the credential it was exchanged for.
    pub credential_id: String,
    /// The id of the space it works in if a request names none.
    pub space_id: String,
    /// The id and name of the agent it belongs to.
    pub agent: Option<(String, String)>,
    /// For a program's token, the claims that RFC 9068 adds.
    pub program: Option<ProgramClaims>,
}

/// The claims of a program's token beside the usual ones (RFC 9068).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramClaims {
    /// The issuer: the box's public address, if it has one.
    pub issuer: String,
    /// The program's client id.
    pub client_id: String,
}

/// The header types of programs' tokens and of all others.
const AT_JWT: &str = "at+jwt";
const JWT: &str = "JWT";

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not one of our tokens, altered, or not valid yet.
    #[error("the token cannot be verified")]
    Invalid,
    /// A good token past its end.
    #[error("the token has expired")]
    Expired,
}

impl Claims {
    fn to_json(&self) -> Value {
        let mut claims = json!({
            "iss": self.program.as_ref().map_or(ISSUER, |program| &program.issuer),
            "sub": self.sub,
            "aud": self.audience.as_str(),
            "iat": self.iat,
            "exp": self.exp,
            "jti": self.jti,
            "token_class": self.class.as_str(),
            "scope": self.scope,
            "user_id": self.user_id,
            "credential_id": self.credential_id,
            "space_id": self.space_id,
        });
        if let Some((id, name)) = &self.agent {
            claims["agent_id"] = json!(id);
            claims["agent_name"] = json!(name);
        }
        if let Some(program) = &self.program {
            claims["client_id"] = json!(program.client_id);
        }
        claims
    }

    fn from_json(claims: &Map<String, Value>, is_program: bool, alg: TokenAlgorithm) -> Option<Self> {
        let text = |name: &str| claims.get(name)?.as_str().map(str::to_owned);
        let number = |name: &str| claims.get(name)?.as_i64();
        let issuer = text("iss")?;
        // A program's token has the issuer that the box had when it signed it.
        if issuer != ISSUER && !is_program {
            return None;
        }
        let program = if is_program { Some(ProgramClaims { issuer, client_id: text("client_id")? }) } else { None };
        let class = Class::named(&text("token_class")?)?;
        let agent = match class {
            Class::Agent => Some((text("agent_id")?, text("agent_name")?)),
            _ => None,
        };
        Some(Self {
            sub: text("sub")?,
            audience: Audience::read(text("aud")?, alg)?,
            iat: number("iat")?,
            exp: number("exp")?,
            jti: text("jti")?,
            class,
            scope: text("scope")?,
            user_id: text("user_id")?,
            credential_id: text("credential_id")?,
            space_id: text("space_id")?,
            agent,
            program,
        })
    }
}

/// Signs claims with a key.
///
/// # Errors
/// The kernel gives no random bytes.
pub fn sign(claims: &Claims, key: &TokenKey) -> io::Result<String> {
    let typ = if claims.program.is_some() { AT_JWT } else { JWT };
    let header = json!({"alg": key.alg().slug(), "typ": typ, "kid": key.id}).to_string();
    let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    let signed = format!("{}.{}", encode(&header), encode(&claims.to_json().to_string()));
    let signature = key.sign(signed.as_bytes())?;
    Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
}

/// True for a text that may be a token: three parts, of which the first is an encoded JSON object.
pub fn looks_like_one(text: &str) -> bool {
    text.starts_with("eyJ") && text.split('.').count() == 3
}

/// Parses and verifies a token: form, algorithm, key, signature, times, claims. `key` finds a verifying key by its id.
///
/// # Errors
/// A [`Refused`].
pub fn verify(token: &str, now: i64, key: impl Fn(&str) -> Option<PublicKey>) -> Result<Claims, Refused> {
    if token.len() > MAX_CHARS {
        return Err(Refused::Invalid);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Refused::Invalid)?;
    let (header, payload) = signed.split_once('.').ok_or(Refused::Invalid)?;
    let header = object(header)?;
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    let typ = text("typ").unwrap_or(JWT);
    // `crit` lists extensions that must be understood; this parser knows none.
    if (typ != JWT && typ != AT_JWT) || header.contains_key("crit") {
        return Err(Refused::Invalid);
    }
    let is_program = typ == AT_JWT;
    let key = text("kid").and_then(key).ok_or(Refused::Invalid)?;
    // A key is used only with its own algorithm, whatever the header says.
    let alg = key.alg();
    if text("alg") != Some(alg.slug()) || !key.verifies(signed.as_bytes(), &decode(signature)?) {
        return Err(Refused::Invalid);
    }
    let payload = object(payload)?;
    let claims = Claims::from_json(&payload, is_program, alg).ok_or(Refused::Invalid)?;
    let not_before = match payload.get("nbf") {
        None => claims.iat.saturating_sub(SKEW),
        Some(nbf) => nbf.as_i64().ok_or(Refused::Invalid)?.max(claims.iat.saturating_sub(SKEW)),
    };
    if now < not_before {
        return Err(Refused::Invalid);
    }
    if now >= claims.exp { Err(Refused::Expired) } else { Ok(claims) }
}

fn decode(part: &str) -> Result<Vec<u8>, Refused> {
    BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| Refused::Invalid)
}

fn object(part: &str) -> Result<Map<String, Value>, Refused> {
    match strict::parse(&decode(part)?) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(Refused::Invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_800_000_000;

    fn key() -> TokenKey {
        TokenKey::of_seed(&[7; 32], 0).unwrap().named("k1")
    }

    fn claims() -> Claims {
        Claims {
            sub: "agent-1".into(),
            audience: Audience::Api,
            iat: NOW,
            exp: NOW + 900,
            jti: "j".into(),
            class: Class::Agent,
            scope: "messages tasks".into(),
            user_id: "u".into(),
            credential_id: "c".into(),
            space_id: "s".into(),
            agent: Some(("agent-1".into(), "atlas".into())),
            program: None,
        }
    }

    fn read(token: &str, now: i64) -> Result<Claims, Refused> {
        verify(token, now, |kid| (kid == "k1").then(|| key().public().clone()))
    }

    /// A token with any header and payload, signed with our key.
    fn made(header: &Value, payload: &Value) -> String {
        let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", encode(header), encode(payload));
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&key().sign(signed.as_bytes()).unwrap()))
    }

    fn header() -> Value {
        json!({"alg": "EdDSA", "typ": "JWT", "kid": "k1"})
    }

    #[test]
    fn a_signed_token_reads_back_until_the_second_it_ends() {
        let token = sign(&claims(), &key()).unwrap();
        assert!(looks_like_one(&token));
        assert_eq!(read(&token, NOW), Ok(claims()));
        assert_eq!(read(&token, NOW + 899), Ok(claims()));
        assert_eq!(read(&token, NOW + 900), Err(Refused::Expired));
        assert_eq!(read(&token, NOW - 61), Err(Refused::Invalid));
    }

    #[test]
    fn no_other_algorithm_key_or_extension_is_taken() {
        let payload = claims().to_json();
        assert!(read(&made(&header(), &payload), NOW).is_ok());
        for (name, value) in [
            ("alg", json!("none")),
            ("alg", json!("HS256")),
            ("alg", json!("eddsa")),
            ("alg", Value::Null),
            ("kid", json!("k2")),
            ("kid", json!("../k1")),
            ("kid", Value::Null),
            ("typ", json!("JWE")),
            ("crit", json!(["exp"])),
        ] {
            let mut header = header();
            header[name] = value.clone();
            assert_eq!(read(&made(&header, &payload), NOW), Err(Refused::Invalid), "{name} {value}");
        }
        let token = sign(&claims(), &key()).unwrap();
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        assert_eq!(read(&unsigned, NOW), Err(Refused::Invalid));
        let other = sign(&claims(), &TokenKey::of_seed(&[8; 32], 0).unwrap().named("k1")).unwrap();
        assert_eq!(read(&other, NOW), Err(Refused::Invalid));
    }

    #[test]
    fn what_is_signed_for_a_service_is_never_for_this_daemon() {
        let key = TokenKey::generate(TokenAlgorithm::Es256, 0).unwrap().named("e1");
        let read = |token: &str| verify(token, NOW, |kid| (kid == "e1").then(|| key.public().clone()));
        let audience = Audience::Service { uri: "https://a".into(), alg: TokenAlgorithm::Es256 };
        let for_it = Claims { audience, ..claims() };
        assert_eq!(read(&sign(&for_it, &key).unwrap()), Ok(for_it.clone()));
        for own in [Audience::Api, Audience::Mcp] {
            assert_eq!(read(&sign(&Claims { audience: own, ..claims() }, &key).unwrap()), Err(Refused::Invalid));
        }
        // A header that names another algorithm does not change how the key is used.
        let token = sign(&for_it, &key).unwrap();
        let header = BASE64URL_NOPAD.encode(json!({"alg": "EdDSA", "typ": "JWT", "kid": "e1"}).to_string().as_bytes());
        let (_, rest) = token.split_once('.').unwrap();
        assert_eq!(read(&format!("{header}.{rest}")), Err(Refused::Invalid));
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": "k1"});
        assert_eq!(super::tests::read(&made(&header, &for_it.to_json()), NOW), Err(Refused::Invalid));
    }

    #[test]
    fn claims_of_another_issuer_audience_or_time_are_not_taken() {
        for (name, value) in [
            ("iss", json!("other")),
            ("aud", json!("ax-other")),
            ("aud", json!(["ax-api"])),
            ("exp", json!("1800000900")),
            ("exp", Value::Null),
            ("nbf", json!(NOW + 1)),
            ("nbf", json!("soon")),
            ("iat", json!(NOW + 3600)),
            ("token_class", json!("key")),
            ("token_class", json!("root")),
            ("agent_id", Value::Null),
            ("credential_id", json!(7)),
        ] {
            let mut payload = claims().to_json();
            payload[name] = value.clone();
            assert_eq!(read(&made(&header(), &payload), NOW), Err(Refused::Invalid), "{name} {value}");
        }
    }

    #[test]
    fn only_the_one_spelling_of_a_token_is_taken() {
        let token = sign(&claims(), &key()).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let (four, two) = (format!("{token}.{}", parts[2]), format!("{}.{}", parts[0], parts[1]));
        for other in [format!("{token}="), format!("{token}A"), four, two, format!(" {token}"), format!("{token}\n")] {
            assert_eq!(read(&other, NOW), Err(Refused::Invalid), "{other}");
        }
        assert_eq!(read(&"a.".repeat(4000), NOW), Err(Refused::Invalid));
    }

    proptest! {
        #[test]
        fn one_changed_character_is_always_caught(at in 0usize..600, by in 1u8..63) {
            let token = sign(&claims(), &key()).unwrap();
            prop_assume!(at < token.len());
            let mut bytes = token.into_bytes();
            let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
            let place = alphabet.iter().position(|c| *c == bytes[at]).unwrap();
            bytes[at] = alphabet[(place + usize::from(by)) % alphabet.len()];
            prop_assert!(read(std::str::from_utf8(&bytes).unwrap(), NOW).is_err());
        }

        #[test]
        fn any_text_is_read_without_panic(text in "(eyJ)?.{0,200}") {
            let _ = looks_like_one(&text);
            prop_assert!(read(&text, NOW).is_err());
        }

        #[test]
        fn any_signed_payload_is_read_without_panic(text in ".{0,100}", now in any::<i64>()) {
            let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
            let signed = format!("{}.{}", encode(&header().to_string()), encode(&text));
            let signature = BASE64URL_NOPAD.encode(&key().sign(signed.as_bytes()).unwrap());
            let _ = read(&format!("{signed}.{signature}"), now);
        }
    }
}
