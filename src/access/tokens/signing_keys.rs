//! The keys that sign short-lived tokens. They are in one 0600 file in the runtime directory, never in the database: a
//! stolen backup cannot sign tokens (DESIGN D6). A new key takes over every day; the previous one goes on verifying
//! until the last token it signed has ended. The next key is published together with the present one, so that no
//! verifier meets a key that is missing in its copy of the set. The keys survive a restart of the daemon, not a reboot.
//!
//! After a restore the published next key takes over at once: it has signed nothing, so no earlier token stays valid.
//! After a reboot no verifier can know the new keys in advance, because no key is on a disk. So no cache may serve the
//! key set for this daemon (it is sent with `no-cache`), and a verifier that meets an unknown `kid` reads the set again
//! (OpenID Connect Core, section 10.1.1). Refusing tokens until old copies have ended would stop all agents for minutes
//! after a power cut.
//!
//! The keys for ES256 rotate in the same way. They are made when the first service needs them.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::jwt::{self, Claims, Refused};
use super::key::{PublicKey, TokenKey};
use crate::config::TokenAlgorithm;
use crate::limits::TOKEN_SECONDS;
use crate::threads::lock;

/// The file's name in the runtime directory.
pub const FILE: &str = "signing-keys.json";
/// Seconds for which a key signs.
const PERIOD: i64 = 24 * 3600;
/// Seconds for which a key is published before it signs. Verifiers that keep a copy for minutes have it by then.
const AHEAD: i64 = 600;
/// The most bytes that the file may have; ours have about 1,200.
const MAX_FILE: u64 = 16 * 1024;

/// All signing keys, in memory and in their file.
pub struct SigningKeys {
    path: PathBuf,
    keys: Mutex<Keys>,
}

#[derive(Clone)]
struct Keys {
    /// The keys for EdDSA.
    own: Ring,
    /// The keys for ES256; `None` until a service needs them.
    es256: Option<Ring>,
    /// The epoch of the database that they sign for.
    epoch: String,
}

/// The present key, the next one and the previous one.
#[derive(Clone)]
struct Ring {
    present: TokenKey,
    /// Published, but not signing yet.
    next: TokenKey,
    before: Option<TokenKey>,
}

impl Ring {
    fn new(alg: TokenAlgorithm, now: i64) -> io::Result<Self> {
        Ok(Self { present: TokenKey::generate(alg, now)?, next: TokenKey::generate(alg, now)?, before: None })
    }

    /// True if the present key has signed for a day and the next one has been published for long enough.
    fn is_due(&self, now: i64) -> bool {
        now - self.present.since >= PERIOD && now - self.next.since >= AHEAD
    }

    /// The ring after the next key has taken over.
    fn turned(&self, now: i64) -> io::Result<Self> {
        let present = self.next.clone().from(now);
        Ok(Self { present, next: TokenKey::generate(self.next.alg(), now)?, before: Some(self.present.clone()) })
    }

    /// The ring for a restored database: the published next key signs, and no earlier token is valid.
    fn restored(&self, now: i64) -> io::Result<Self> {
        Ok(Self { before: None, ..self.turned(now)? })
    }

    /// The present key, and the previous one while one of its tokens may be live.
    fn verifying(&self, now: i64) -> impl Iterator<Item = &TokenKey> {
        let last = self.present.since + TOKEN_SECONDS;
        std::iter::once(&self.present).chain(self.before.iter().filter(move |_| now < last))
    }

    /// The public keys, including the next key's.
    fn public(&self, now: i64) -> impl Iterator<Item = Value> {
        self.verifying(now).chain([&self.next]).map(TokenKey::jwk)
    }

    fn to_json(&self) -> Value {
        let before = self.before.as_ref().map(TokenKey::to_json);
        json!({"present": self.present.to_json(), "next": self.next.to_json(), "before": before})
    }

    /// Reads the ring from its stored form. The flag is true if it was complete. A ring of an older release has no next
    /// key: a new one is made, which signs once it has been published for long enough.
    fn from_json(alg: TokenAlgorithm, value: &Value, now: i64) -> Option<(Self, bool)> {
        let (before, next) = (&value["before"], &value["next"]);
        let ring = Self {
            present: TokenKey::from_json(alg, &value["present"])?,
            next: if next.is_null() { TokenKey::generate(alg, now).ok()? } else { TokenKey::from_json(alg, next)? },
            before: if before.is_null() { None } else { Some(TokenKey::from_json(alg, before)?) },
        };
        Some((ring, !next.is_null()))
    }
}

impl SigningKeys {
    /// Opens the keys in this directory. It makes new ones if there are none, if others may have read them, or if they
    /// were made before the database was restored, which is when `epoch` differs from theirs.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn open(dir: &Path, epoch: &str, now: i64) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let path = dir.join(FILE);
        let keys = match read(&path, now) {
            Ok(Some((keys, is_whole))) if keys.epoch == epoch => {
                if !is_whole {
                    write(&path, &keys)?;
                }
                keys
            }
            found => {
                let (why, old) = match found {
                    Ok(None) => (None, None),
                    Ok(Some((old, _))) => (Some("its keys are older than the restored database".to_owned()), Some(old)),
                    Err(error) => (Some(error.to_string()), None),
                };
                if let Some(why) = why {
                    log::warn!(
                        "{}: {why}; making a new signing key, so all earlier tokens are invalid",
                        path.display()
                    );
                }
                let (own, es256) = match old {
                    Some(old) => (old.own.restored(now)?, old.es256.map(|ring| ring.restored(now)).transpose()?),
                    None => (Ring::new(TokenAlgorithm::EdDsa, now)?, None),
                };
                let keys = Keys { own, es256, epoch: epoch.to_owned() };
                write(&path, &keys)?;
                keys
            }
        };
        Ok(Self { path, keys: Mutex::new(keys) })
    }

    /// Makes the keys for ES256 if there are none, so that they are published before one signs.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn need_es256(&self, now: i64) -> io::Result<()> {
        let mut keys = lock(&self.keys);
        if keys.es256.is_none() {
            let with = Keys { es256: Some(Ring::new(TokenAlgorithm::Es256, now)?), ..keys.clone() };
            write(&self.path, &with)?;
            *keys = with;
        }
        Ok(())
    }

    /// Signs claims, after a rotation if the present key has signed for a day.
    ///
    /// # Errors
    /// There is no key for ES256 and none can be made, or the kernel gives no random bytes.
    pub fn sign(&self, claims: &Claims) -> io::Result<String> {
        let alg = claims.audience.alg();
        if alg == TokenAlgorithm::Es256 {
            self.need_es256(claims.iat)?;
        }
        let mut keys = lock(&self.keys);
        let is_due = keys.ring(alg).is_some_and(|ring| {
            ring.present.since = ring.present.since.min(claims.iat);
            ring.next.since = ring.next.since.min(claims.iat);
            ring.is_due(claims.iat)
        });
        if is_due {
            self.rotate(&mut keys, alg, claims.iat);
        }
        let ring = keys.ring(alg).ok_or_else(|| io::Error::other("there is no key for this algorithm"))?;
        jwt::sign(claims, &ring.present)
    }

    /// Rotates the keys. A key that is not on disk must not sign, because its tokens would not survive a restart.
    fn rotate(&self, keys: &mut Keys, alg: TokenAlgorithm, now: i64) {
        let turned = keys.turned(alg, now).and_then(|turned| write(&self.path, &turned).map(|()| turned));
        match turned {
            Ok(turned) => *keys = turned,
            Err(error) => {
                log::error!("{}: {error}; the old signing key stays in use", self.path.display());
                if let Some(ring) = keys.ring(alg) {
                    ring.present.since = now - PERIOD + 60;
                }
            }
        }
    }

    /// Verifies a token.
    ///
    /// # Errors
    /// A [`Refused`].
    pub fn verify(&self, token: &str, now: i64) -> Result<Claims, Refused> {
        let known: Vec<(String, PublicKey)> = {
            let keys = lock(&self.keys);
            let all = keys.rings().flat_map(|ring| ring.verifying(now));
            all.map(|key| (key.id.clone(), key.public().clone())).collect()
        };
        jwt::verify(token, now, |kid| known.iter().find(|(id, _)| id == kid).map(|(_, key)| key.clone()))
    }

    /// Returns the public keys as a JWK set (RFC 7517).
    pub fn public(&self, now: i64) -> Value {
        let keys = lock(&self.keys);
        json!({"keys": keys.rings().flat_map(|ring| ring.public(now)).collect::<Vec<_>>()})
    }
}

impl Keys {
    fn rings(&self) -> impl Iterator<Item = &Ring> {
        std::iter::once(&self.own).chain(&self.es256)
    }

    fn ring(&mut self, alg: TokenAlgorithm) -> Option<&mut Ring> {
        match alg {
            TokenAlgorithm::EdDsa => Some(&mut self.own),
            TokenAlgorithm::Es256 => self.es256.as_mut(),
        }
    }

    /// The keys after those of this algorithm have rotated.
    fn turned(&self, alg: TokenAlgorithm, now: i64) -> io::Result<Self> {
        let mut turned = self.clone();
        if let Some(ring) = turned.ring(alg) {
            *ring = ring.turned(now)?;
        }
        Ok(turned)
    }
}

/// Reads the keys from the file; the flag is true if it had all of them. `None` if there is no file.
fn read(path: &Path, now: i64) -> io::Result<Option<(Keys, bool)>> {
    let opened = OpenOptions::new().read(true).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32).open(path);
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let meta = file.metadata()?;
    if meta.mode() & 0o077 != 0 || meta.uid() != rustix::process::geteuid().as_raw() || !meta.is_file() {
        return Err(io::Error::other("others may have read it"));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_FILE).read_to_string(&mut text)?;
    let keys = serde_json::from_str::<Value>(&text).ok().and_then(|value| {
        let (own, is_whole) = Ring::from_json(TokenAlgorithm::EdDsa, &value, now)?;
        let es256 = match &value["es256"] {
            Value::Null => None,
            kept => Some(Ring::from_json(TokenAlgorithm::Es256, kept, now)?.0),
        };
        Some((Keys { own, es256, epoch: value["epoch"].as_str().unwrap_or_default().to_owned() }, is_whole))
    });
    keys.map(Some).ok_or_else(|| io::Error::other("it is not a file of ours"))
}

/// Writes a new file beside the old one and renames it into place.
fn write(path: &Path, keys: &Keys) -> io::Result<()> {
    let beside = path.with_extension("next");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut value = keys.own.to_json();
    value["epoch"] = json!(keys.epoch);
    if let Some(ring) = &keys.es256 {
        value["es256"] = ring.to_json();
    }
    let text = Zeroizing::new(value.to_string());
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::tokens::jwt::Audience;
    use crate::rest::class::Class;

    struct KeysDir(PathBuf);

    impl KeysDir {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("taosd-keys-{}-{name}", std::process::id())))
        }
    }

    impl Drop for KeysDir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn claims(iat: i64) -> Claims {
        Claims {
            sub: "u".into(),
            audience: Audience::Api,
            iat,
            exp: iat + 900,
            jti: "j".into(),
            class: Class::User,
            scope: String::new(),
            user_id: "u".into(),
            credential_id: "c".into(),
            space_id: "s".into(),
            agent: None,
            program: None,
        }
    }

    #[test]
    fn the_keys_survive_a_restart_and_belong_to_their_owner_alone() {
        let dir = KeysDir::new("restart");
        let token = SigningKeys::open(&dir.0, "", 1000).unwrap().sign(&claims(1000)).unwrap();
        let again = SigningKeys::open(&dir.0, "", 1001).unwrap();
        assert!(again.verify(&token, 1001).is_ok());
        assert_eq!(fs::metadata(dir.0.join(FILE)).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_new_key_takes_over_every_day_and_the_one_before_verifies_as_long_as_its_tokens_live() {
        let dir = KeysDir::new("rotate");
        let keys = SigningKeys::open(&dir.0, "", 0).unwrap();
        let last = keys.sign(&claims(PERIOD - 1)).unwrap();
        let before = kids(&keys, PERIOD - 1);
        assert_eq!(before.len(), 2, "the present one and the next");
        let first = keys.sign(&claims(PERIOD)).unwrap();
        let after = kids(&keys, PERIOD);
        assert_eq!(after.len(), 3);
        assert_eq!(after[0], before[1], "what signs now was published before");
        let again = SigningKeys::open(&dir.0, "", PERIOD).unwrap();
        assert!(again.verify(&last, PERIOD + 1).is_ok() && again.verify(&first, PERIOD + 1).is_ok());
        assert_eq!(kids(&again, PERIOD + TOKEN_SECONDS).len(), 2);
    }

    #[test]
    fn the_keys_of_services_turn_as_the_others_do_and_are_made_when_one_needs_them() {
        let dir = KeysDir::new("es256");
        let keys = SigningKeys::open(&dir.0, "", 0).unwrap();
        assert_eq!(kids(&keys, 0).len(), 2);
        keys.need_es256(0).unwrap();
        let published = kids(&keys, 0);
        assert_eq!(published.len(), 4);
        let audience = Audience::Service { uri: "https://a".into(), alg: TokenAlgorithm::Es256 };
        let sign = |keys: &SigningKeys, now| keys.sign(&Claims { audience: audience.clone(), ..claims(now) }).unwrap();
        let (old, new) = (sign(&keys, PERIOD - 1), sign(&keys, PERIOD));
        let after = kids(&keys, PERIOD);
        assert_eq!((after.len(), &after[..2]), (5, &published[..2]), "the others did not turn");
        assert_eq!(after[2], published[3], "what signs now was published before");
        let again = SigningKeys::open(&dir.0, "", PERIOD).unwrap();
        for token in [&old, &new] {
            assert_eq!(again.verify(token, PERIOD + 1).unwrap().audience, audience);
        }
        assert_eq!(kids(&again, PERIOD + TOKEN_SECONDS).len(), 4);
    }

    #[test]
    fn the_key_before_verifies_as_long_as_the_longest_token_that_can_be_set_lives() {
        let dir = KeysDir::new("longest");
        let keys = SigningKeys::open(&dir.0, "", 0).unwrap();
        let token = keys.sign(&Claims { exp: PERIOD - 1 + TOKEN_SECONDS, ..claims(PERIOD - 1) }).unwrap();
        keys.sign(&claims(PERIOD)).unwrap();
        assert!(keys.verify(&token, PERIOD - 2 + TOKEN_SECONDS).is_ok());
    }

    fn kids(keys: &SigningKeys, now: i64) -> Vec<String> {
        let set = keys.public(now);
        set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    /// Seconds for which a verifier keeps its copy of the key set.
    const KEPT: usize = 300;

    #[test]
    fn no_key_signs_before_every_cache_of_the_set_has_it() {
        let dir = KeysDir::new("ahead");
        drop(SigningKeys::open(&dir.0, "", 0).unwrap());
        // The file as an older release left it: without a next key, and with a present key that is a day old.
        let path = dir.0.join(FILE);
        let mut file: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        file.as_object_mut().unwrap().remove("next");
        fs::write(&path, file.to_string()).unwrap();
        let keys = SigningKeys::open(&dir.0, "", PERIOD).unwrap();
        let mut known = kids(&keys, PERIOD);
        assert_eq!(known.len(), 2);
        for now in (PERIOD..3 * PERIOD).step_by(KEPT) {
            keys.sign(&claims(now)).unwrap();
            assert!(known.contains(&kids(&keys, now)[0]), "a set of {KEPT} s ago has the key that signs at {now}");
            known = kids(&keys, now);
        }
        assert_ne!(
            kids(&keys, 3 * PERIOD)[0],
            kids(&SigningKeys::open(&KeysDir::new("other").0, "", 0).unwrap(), 0)[0]
        );
    }

    #[test]
    fn a_clock_that_was_ahead_stops_no_rotation() {
        let dir = KeysDir::new("clock");
        let keys = SigningKeys::open(&dir.0, "", 100 * PERIOD).unwrap();
        let first = kids(&keys, 0)[0].clone();
        keys.sign(&claims(PERIOD)).unwrap();
        keys.sign(&claims(2 * PERIOD)).unwrap();
        assert_ne!(kids(&keys, 2 * PERIOD)[0], first);
    }

    #[test]
    fn a_restored_database_knows_no_key_of_before() {
        let dir = KeysDir::new("epoch");
        let token = SigningKeys::open(&dir.0, "", 0).unwrap().sign(&claims(0)).unwrap();
        let published = kids(&SigningKeys::open(&dir.0, "", 1).unwrap(), 1);
        let restored = SigningKeys::open(&dir.0, "e1", 1).unwrap();
        assert_eq!(restored.verify(&token, 1), Err(Refused::Invalid));
        assert_eq!(kids(&restored, 1)[0], published[1], "what signs now was published before");
        let token = restored.sign(&claims(1)).unwrap();
        assert!(SigningKeys::open(&dir.0, "e1", 2).unwrap().verify(&token, 2).is_ok());
        assert!(SigningKeys::open(&dir.0, "", 3).unwrap().verify(&token, 3).is_err());
    }

    #[test]
    fn a_file_that_others_could_read_or_that_is_not_ours_is_replaced() {
        let dir = KeysDir::new("replace");
        let token = SigningKeys::open(&dir.0, "", 0).unwrap().sign(&claims(0)).unwrap();
        let path = dir.0.join(FILE);
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert_eq!(SigningKeys::open(&dir.0, "", 0).unwrap().verify(&token, 1), Err(Refused::Invalid));
        for text in ["", "{}", "[]", r#"{"present": {"seed": "AA", "since": 0}}"#] {
            fs::write(&path, text).unwrap();
            assert!(SigningKeys::open(&dir.0, "", 0).is_ok(), "{text}");
        }
    }
}
