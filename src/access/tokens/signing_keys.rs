//! The keys that sign short-lived tokens. They lie in one 0600 file in the runtime directory, never in the database: a
//! stolen backup can mint nothing (DESIGN D6). A new key takes over every day; the one before goes on verifying until
//! the last token it signed has ended. The key after the present one is published with it, so that no verifier meets a
//! key that its copy of the set does not have. They survive a restart of the daemon, not a reboot.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::{SigningKey, VerifyingKey};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::jwt::{self, Claims, Refused};
use crate::rest::class::Class;
use crate::threads::lock;

/// The file's name in the runtime directory.
pub const FILE: &str = "signing-keys.json";
/// Seconds a key signs.
const PERIOD: i64 = 24 * 3600;
/// For how many seconds others may keep the set of public keys.
pub const MAX_AGE: i64 = 300;
/// Seconds for which a key is published before it signs: caches have renewed their copy by then, slow ones too.
const AHEAD: i64 = 2 * MAX_AGE;
/// Bytes the file may have; ours have about 400.
const MAX_FILE: u64 = 16 * 1024;

/// The present key, the next one and the one before.
pub struct SigningKeys {
    path: PathBuf,
    keys: Mutex<Keys>,
}

struct Keys {
    present: Key,
    /// Published, and not signing yet.
    next: Key,
    before: Option<Key>,
    /// Of the database they sign for.
    epoch: String,
}

#[derive(Clone)]
struct Key {
    id: String,
    secret: SigningKey,
    /// When it began to sign, of the next one when it was published; seconds since 1970.
    since: i64,
}

impl Key {
    fn generate(now: i64) -> Self {
        let mut seed = Zeroizing::new([0u8; 32]);
        getrandom::fill(seed.as_mut()).expect("the kernel's random source answers on every Linux taosd runs on");
        Self::of(&seed, now)
    }

    fn of(seed: &[u8; 32], since: i64) -> Self {
        let secret = SigningKey::from_bytes(seed);
        // The id says nothing of the secret and is the same wherever it is worked out.
        let hash = blake3::hash(secret.verifying_key().as_bytes());
        Self { id: HEXLOWER.encode(&hash.as_bytes()[..8]), secret, since }
    }

    fn to_json(&self) -> Value {
        json!({"seed": BASE64URL_NOPAD.encode(&self.secret.to_bytes()), "since": self.since})
    }

    fn from_json(value: &Value) -> Option<Self> {
        let seed = Zeroizing::new(BASE64URL_NOPAD.decode(value["seed"].as_str()?.as_bytes()).ok()?);
        let seed: Zeroizing<[u8; 32]> = Zeroizing::new(seed.as_slice().try_into().ok()?);
        Some(Self::of(&seed, value["since"].as_i64()?))
    }

    fn public(&self) -> Value {
        json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": "EdDSA",
            "kid": self.id,
            "x": BASE64URL_NOPAD.encode(self.secret.verifying_key().as_bytes()),
        })
    }
}

impl SigningKeys {
    /// The keys of this directory, made if there are none, if they may have been read by others, or if they were made
    /// before the database was restored: `epoch` is what that says.
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
                let why = match found {
                    Ok(None) => None,
                    Ok(Some(_)) => Some("its keys are older than the restored database".to_owned()),
                    Err(error) => Some(error.to_string()),
                };
                if let Some(why) = why {
                    log::warn!(
                        "{}: {why}; making a new signing key, so all earlier tokens are invalid",
                        path.display()
                    );
                }
                let (present, next) = (Key::generate(now), Key::generate(now));
                let keys = Keys { present, next, before: None, epoch: epoch.to_owned() };
                write(&path, &keys)?;
                keys
            }
        };
        Ok(Self { path, keys: Mutex::new(keys) })
    }

    /// Signs claims, with a new key where the present one has had its day.
    pub fn sign(&self, claims: &Claims) -> String {
        let mut keys = lock(&self.keys);
        keys.present.since = keys.present.since.min(claims.iat);
        keys.next.since = keys.next.since.min(claims.iat);
        if claims.iat - keys.present.since >= PERIOD && claims.iat - keys.next.since >= AHEAD {
            self.rotate(&mut keys, claims.iat);
        }
        jwt::sign(claims, &keys.present.id, &keys.present.secret)
    }

    /// A key that is not on disk must not sign: its tokens would not survive a restart.
    fn rotate(&self, keys: &mut Keys, now: i64) {
        let present = Key { since: now, ..keys.next.clone() };
        let turned =
            Keys { present, next: Key::generate(now), before: Some(keys.present.clone()), epoch: keys.epoch.clone() };
        match write(&self.path, &turned) {
            Ok(()) => *keys = turned,
            Err(error) => {
                log::error!("{}: {error}; the old signing key stays in use", self.path.display());
                keys.present.since = now - PERIOD + 60;
            }
        }
    }

    /// Verifies a token.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn verify(&self, token: &str, now: i64) -> Result<Claims, Refused> {
        let keys = lock(&self.keys);
        let known: Vec<(String, VerifyingKey)> =
            keys.verifying(now).map(|key| (key.id.clone(), key.secret.verifying_key())).collect();
        drop(keys);
        jwt::verify(token, now, |kid| known.iter().find(|(id, _)| id == kid).map(|(_, key)| *key))
    }

    /// The public keys, as a JWK set (RFC 7517).
    pub fn public(&self, now: i64) -> Value {
        let keys = lock(&self.keys);
        json!({"keys": keys.verifying(now).chain([&keys.next]).map(Key::public).collect::<Vec<_>>()})
    }
}

impl Keys {
    /// The present key, and the one before while a token of it may live.
    fn verifying(&self, now: i64) -> impl Iterator<Item = &Key> {
        let last = self.present.since + Class::User.lifetime();
        std::iter::once(&self.present).chain(self.before.iter().filter(move |_| now < last))
    }
}

/// The keys in the file, and whether it had them all; `None` where there is no file. A file of an older release has no
/// next key: one that is published now signs when others know it.
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
        let (before, next) = (&value["before"], &value["next"]);
        let keys = Keys {
            present: Key::from_json(&value["present"])?,
            next: if next.is_null() { Key::generate(now) } else { Key::from_json(next)? },
            before: if before.is_null() { None } else { Some(Key::from_json(before)?) },
            epoch: value["epoch"].as_str().unwrap_or_default().to_owned(),
        };
        Some((keys, !next.is_null()))
    });
    keys.map(Some).ok_or_else(|| io::Error::other("it is not a file of ours"))
}

/// Writes the file beside its place and moves it there.
fn write(path: &Path, keys: &Keys) -> io::Result<()> {
    let beside = path.with_extension("next");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let before = keys.before.as_ref().map(Key::to_json);
    let (present, next) = (keys.present.to_json(), keys.next.to_json());
    let value = json!({"present": present, "next": next, "before": before, "epoch": keys.epoch});
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

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("taosd-keys-{}-{name}", std::process::id())))
        }
    }

    impl Drop for Dir {
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
        let dir = Dir::new("restart");
        let token = SigningKeys::open(&dir.0, "", 1000).unwrap().sign(&claims(1000));
        let again = SigningKeys::open(&dir.0, "", 1001).unwrap();
        assert!(again.verify(&token, 1001).is_ok());
        assert_eq!(fs::metadata(dir.0.join(FILE)).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_new_key_takes_over_every_day_and_the_one_before_verifies_as_long_as_its_tokens_live() {
        let dir = Dir::new("rotate");
        let keys = SigningKeys::open(&dir.0, "", 0).unwrap();
        let last = keys.sign(&claims(PERIOD - 1));
        let before = kids(&keys, PERIOD - 1);
        assert_eq!(before.len(), 2, "the present one and the next");
        let first = keys.sign(&claims(PERIOD));
        let after = kids(&keys, PERIOD);
        assert_eq!(after.len(), 3);
        assert_eq!(after[0], before[1], "what signs now was published before");
        let again = SigningKeys::open(&dir.0, "", PERIOD).unwrap();
        assert!(again.verify(&last, PERIOD + 1).is_ok() && again.verify(&first, PERIOD + 1).is_ok());
        assert_eq!(kids(&again, PERIOD + 900).len(), 2);
    }

    fn kids(keys: &SigningKeys, now: i64) -> Vec<String> {
        let set = keys.public(now);
        set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn no_key_signs_before_every_cache_of_the_set_has_it() {
        let dir = Dir::new("ahead");
        drop(SigningKeys::open(&dir.0, "", 0).unwrap());
        // As an older release left it: without a next key, and its day is over.
        let path = dir.0.join(FILE);
        let mut file: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        file.as_object_mut().unwrap().remove("next");
        fs::write(&path, file.to_string()).unwrap();
        let keys = SigningKeys::open(&dir.0, "", PERIOD).unwrap();
        let mut known = kids(&keys, PERIOD);
        assert_eq!(known.len(), 2);
        for now in (PERIOD..3 * PERIOD).step_by(MAX_AGE as usize) {
            keys.sign(&claims(now));
            assert!(known.contains(&kids(&keys, now)[0]), "a set of {MAX_AGE} s ago has the key that signs at {now}");
            known = kids(&keys, now);
        }
        assert_ne!(kids(&keys, 3 * PERIOD)[0], kids(&SigningKeys::open(&Dir::new("other").0, "", 0).unwrap(), 0)[0]);
    }

    #[test]
    fn a_clock_that_was_ahead_stops_no_rotation() {
        let dir = Dir::new("clock");
        let keys = SigningKeys::open(&dir.0, "", 100 * PERIOD).unwrap();
        let first = kids(&keys, 0)[0].clone();
        keys.sign(&claims(PERIOD));
        keys.sign(&claims(2 * PERIOD));
        assert_ne!(kids(&keys, 2 * PERIOD)[0], first);
    }

    #[test]
    fn a_restored_database_knows_no_key_of_before() {
        let dir = Dir::new("epoch");
        let token = SigningKeys::open(&dir.0, "", 0).unwrap().sign(&claims(0));
        let restored = SigningKeys::open(&dir.0, "e1", 1).unwrap();
        assert_eq!(restored.verify(&token, 1), Err(Refused::Invalid));
        let token = restored.sign(&claims(1));
        assert!(SigningKeys::open(&dir.0, "e1", 2).unwrap().verify(&token, 2).is_ok());
        assert!(SigningKeys::open(&dir.0, "", 3).unwrap().verify(&token, 3).is_err());
    }

    #[test]
    fn a_file_that_others_could_read_or_that_is_not_ours_is_replaced() {
        let dir = Dir::new("replace");
        let token = SigningKeys::open(&dir.0, "", 0).unwrap().sign(&claims(0));
        let path = dir.0.join(FILE);
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert_eq!(SigningKeys::open(&dir.0, "", 0).unwrap().verify(&token, 1), Err(Refused::Invalid));
        for text in ["", "{}", "[]", r#"{"present": {"seed": "AA", "since": 0}}"#] {
            fs::write(&path, text).unwrap();
            assert!(SigningKeys::open(&dir.0, "", 0).is_ok(), "{text}");
        }
    }
}
