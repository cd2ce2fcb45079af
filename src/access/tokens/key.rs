//! One key that signs tokens: Ed25519 for this daemon and most services, P-256 for services that verify only ES256
//! (OAuth contract, section 7).

use std::io;
use std::sync::Arc;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::config::TokenAlgorithm;

/// The bytes of a P-256 public key as a point: a mark, then x and y.
const POINT: usize = 65;

/// A signing key with its id.
#[derive(Clone)]
pub struct TokenKey {
    /// The key's id in tokens (`kid`): 16 hex digits of the public key's hash.
    pub id: String,
    /// When the key began to sign; for the next key, when it was published. Seconds since 1970.
    pub since: i64,
    secret: Arc<Secret>,
    public: PublicKey,
}

enum Secret {
    Ed25519(SigningKey),
    /// The key pair, and the PKCS #8 document that stores it.
    P256(EcdsaKeyPair, Zeroizing<Vec<u8>>),
}

/// The public key that verifies a key's tokens.
#[derive(Clone)]
pub enum PublicKey {
    /// For EdDSA.
    Ed25519(VerifyingKey),
    /// For ES256: a point, uncompressed.
    P256([u8; POINT]),
}

impl PublicKey {
    /// The only algorithm that the key is used with.
    pub const fn alg(&self) -> TokenAlgorithm {
        match self {
            Self::Ed25519(_) => TokenAlgorithm::EdDsa,
            Self::P256(_) => TokenAlgorithm::Es256,
        }
    }

    /// True if the key made the signature.
    pub fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => {
                Signature::from_slice(signature).is_ok_and(|signature| key.verify_strict(signed, &signature).is_ok())
            }
            Self::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok()
            }
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(key) => key.as_bytes(),
            Self::P256(point) => point,
        }
    }
}

impl TokenKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// The kernel gives no random bytes.
    pub fn generate(alg: TokenAlgorithm, now: i64) -> io::Result<Self> {
        match alg {
            TokenAlgorithm::EdDsa => {
                let mut seed = Zeroizing::new([0u8; 32]);
                getrandom::fill(seed.as_mut()).map_err(io::Error::other)?;
                Self::of(Secret::Ed25519(SigningKey::from_bytes(&seed)), now)
            }
            TokenAlgorithm::Es256 => {
                let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
                let made = made.map_err(|_| io::Error::other("no P-256 key could be made"))?;
                Self::of(p256(made.as_ref())?, now)
            }
        }
    }

    /// Returns the key with this Ed25519 seed.
    ///
    /// # Errors
    /// None: every seed is a valid key.
    pub fn of_seed(seed: &[u8; 32], since: i64) -> io::Result<Self> {
        Self::of(Secret::Ed25519(SigningKey::from_bytes(seed)), since)
    }

    fn of(secret: Secret, since: i64) -> io::Result<Self> {
        let public = secret.public()?;
        // The id reveals nothing about the secret, and is the same whoever computes it.
        let id = HEXLOWER.encode(&blake3::hash(public.bytes()).as_bytes()[..8]);
        Ok(Self { id, since, secret: Arc::new(secret), public })
    }

    /// The same key, which signs from now on.
    #[must_use]
    pub fn from(self, now: i64) -> Self {
        Self { since: now, ..self }
    }

    /// The same key under another id, for tests.
    #[must_use]
    pub fn named(self, id: &str) -> Self {
        Self { id: id.to_owned(), ..self }
    }

    /// The key in the JSON form of the keys file.
    pub fn to_json(&self) -> Value {
        match &*self.secret {
            Secret::Ed25519(key) => json!({"seed": BASE64URL_NOPAD.encode(&key.to_bytes()), "since": self.since}),
            Secret::P256(_, document) => json!({"pkcs8": BASE64URL_NOPAD.encode(document), "since": self.since}),
        }
    }

    /// Reads a key of this algorithm from the JSON form of the keys file; `None` if it is none.
    pub fn from_json(alg: TokenAlgorithm, value: &Value) -> Option<Self> {
        let since = value["since"].as_i64()?;
        let bytes = |name: &str| Some(Zeroizing::new(BASE64URL_NOPAD.decode(value[name].as_str()?.as_bytes()).ok()?));
        match alg {
            TokenAlgorithm::EdDsa => {
                let seed: Zeroizing<[u8; 32]> = Zeroizing::new(bytes("seed")?.as_slice().try_into().ok()?);
                Self::of_seed(&seed, since).ok()
            }
            TokenAlgorithm::Es256 => Self::of(p256(&bytes("pkcs8")?).ok()?, since).ok(),
        }
    }

    /// The algorithm that it signs with.
    pub const fn alg(&self) -> TokenAlgorithm {
        self.public.alg()
    }

    /// The public key that verifies its tokens.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Returns a signature in the form of JWS (RFC 7515): for ES256 the two numbers in 32 bytes each.
    ///
    /// # Errors
    /// The kernel gives no random bytes.
    pub fn sign(&self, text: &[u8]) -> io::Result<Vec<u8>> {
        match &*self.secret {
            Secret::Ed25519(key) => Ok(key.sign(text).to_bytes().to_vec()),
            Secret::P256(pair, _) => {
                let signature = pair.sign(&SystemRandom::new(), text);
                Ok(signature.map_err(|_| io::Error::other("no signature could be made"))?.as_ref().to_vec())
            }
        }
    }

    /// The public key as a JWK (RFC 7517).
    pub fn jwk(&self) -> Value {
        let mut jwk = json!({"use": "sig", "alg": self.alg().slug(), "kid": self.id});
        let encode = |bytes: &[u8]| json!(BASE64URL_NOPAD.encode(bytes));
        match &self.public {
            PublicKey::Ed25519(key) => {
                jwk["kty"] = json!("OKP");
                jwk["crv"] = json!("Ed25519");
                jwk["x"] = encode(key.as_bytes());
            }
            PublicKey::P256(point) => {
                let (x, y) = point[1..].split_at(32);
                jwk["kty"] = json!("EC");
                jwk["crv"] = json!("P-256");
                jwk["x"] = encode(x);
                jwk["y"] = encode(y);
            }
        }
        jwk
    }
}

impl Secret {
    fn public(&self) -> io::Result<PublicKey> {
        match self {
            Self::Ed25519(key) => Ok(PublicKey::Ed25519(key.verifying_key())),
            Self::P256(pair, _) => {
                let point = pair.public_key().as_ref().try_into();
                Ok(PublicKey::P256(point.map_err(|_| io::Error::other("a P-256 key without its point"))?))
            }
        }
    }
}

fn p256(document: &[u8]) -> io::Result<Secret> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document, &SystemRandom::new());
    let pair = pair.map_err(|_| io::Error::other("not a P-256 key"))?;
    Ok(Secret::P256(pair, Zeroizing::new(document.to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_and_verifies_what_it_signed() {
        for alg in TokenAlgorithm::ALL {
            let key = TokenKey::generate(*alg, 7).unwrap();
            let again = TokenKey::from_json(*alg, &key.to_json()).unwrap();
            assert_eq!((&again.id, again.since, again.alg()), (&key.id, 7, *alg));
            let (public, signature) = (again.public(), key.sign(b"text").unwrap());
            assert_eq!((signature.len(), public.alg()), (64, *alg));
            assert!(public.verifies(b"text", &signature) && !public.verifies(b"texts", &signature));
            assert!(!public.verifies(b"text", &signature[1..]) && !public.verifies(b"text", &[0; 64]));
        }
        let (ed, ec) = (
            TokenKey::generate(TokenAlgorithm::EdDsa, 0).unwrap(),
            TokenKey::generate(TokenAlgorithm::Es256, 0).unwrap(),
        );
        assert!(TokenKey::from_json(TokenAlgorithm::Es256, &ed.to_json()).is_none());
        assert!(TokenKey::from_json(TokenAlgorithm::EdDsa, &ec.to_json()).is_none());
        assert!(!ed.public().verifies(b"text", &ec.sign(b"text").unwrap()));
        assert_eq!((ec.jwk()["kty"].as_str(), ec.jwk()["alg"].as_str()), (Some("EC"), Some("ES256")));
        assert_eq!(ec.jwk()["y"].as_str().unwrap().len(), 43);
    }
}
