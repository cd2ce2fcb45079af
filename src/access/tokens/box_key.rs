//! The box's own key. It signs the head of the audit chain, so that a head reported elsewhere can be compared with the
//! file later. It is in `box.key` in the data directory, 0600, beside the database and in no backup: who steals a copy
//! of the database cannot sign.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::{Signature, Signer, SigningKey};
use zeroize::Zeroizing;

/// The file's name in the data directory.
pub const FILE: &str = "box.key";
/// The most bytes that the file may have; ours has 44.
const MAX_FILE: u64 = 1024;

/// The box's Ed25519 key.
pub struct BoxKey(SigningKey);

impl BoxKey {
    /// Opens the key of a data directory, and makes it at the first start.
    ///
    /// # Errors
    /// The file cannot be made, is no key, or others than its owner could read it. It is never replaced: a new key
    /// would make everything that the old one signed worthless.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        match Self::read(data_dir)? {
            Some(key) => Ok(key),
            None => Self::make(data_dir),
        }
    }

    /// Reads the key of a data directory; `None` if it has none.
    ///
    /// # Errors
    /// The file cannot be read, is no key, or others than its owner could read it.
    pub fn read(data_dir: &Path) -> io::Result<Option<Self>> {
        let no_link = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
        let file = match OpenOptions::new().read(true).custom_flags(no_link).open(data_dir.join(FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let meta = file.metadata()?;
        if !meta.is_file() || meta.mode() & 0o077 != 0 {
            return Err(io::Error::other(
                "others may have read or changed it; if you are sure that nobody did, chmod 600 it",
            ));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(MAX_FILE).read_to_string(&mut text)?;
        let seed = BASE64URL_NOPAD.decode(text.trim_end().as_bytes()).ok().map(Zeroizing::new);
        let seed = seed.and_then(|seed| <[u8; 32]>::try_from(seed.as_slice()).ok().map(Zeroizing::new));
        let seed =
            seed.ok_or_else(|| io::Error::other("it is not a key of taosd; move it away, and taosd makes a new one"))?;
        Ok(Some(Self(SigningKey::from_bytes(&seed))))
    }

    /// Derives a secret for another purpose from the key (BLAKE3); it reveals nothing about the key.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        blake3::derive_key(purpose, &self.0.to_bytes())
    }

    fn make(data_dir: &Path) -> io::Result<Self> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut()).map_err(io::Error::other)?;
        let (place, beside) = (data_dir.join(FILE), data_dir.join("box.key.next"));
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let text = Zeroizing::new(format!("{}\n", BASE64URL_NOPAD.encode(seed.as_ref())));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &place)?;
        File::open(data_dir)?.sync_all()?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// The key's id: 16 hex digits of the public key's hash.
    pub fn id(&self) -> String {
        HEXLOWER.encode(&blake3::hash(self.0.verifying_key().as_bytes()).as_bytes()[..8])
    }

    /// Returns an Ed25519 signature in base64url.
    pub fn sign(&self, text: &str) -> String {
        BASE64URL_NOPAD.encode(&self.0.sign(text.as_bytes()).to_bytes())
    }

    /// True if this key made the signature.
    pub fn verifies(&self, text: &str, signature: &str) -> bool {
        let bytes = BASE64URL_NOPAD.decode(signature.as_bytes()).ok();
        let signature = bytes.and_then(|bytes| Signature::from_slice(&bytes).ok());
        signature.is_some_and(|signature| self.0.verifying_key().verify_strict(text.as_bytes(), &signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_made_once_and_belongs_to_its_owner_alone() {
        let dir = std::env::temp_dir().join(format!("taosd-box-key-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        assert!(BoxKey::read(&dir).unwrap().is_none());
        let key = BoxKey::open(&dir).unwrap();
        let signature = key.sign("text");
        let again = BoxKey::open(&dir).unwrap();
        assert!(again.id() == key.id() && again.verifies("text", &signature));
        assert!(!again.verifies("texts", &signature) && !again.verifies("text", "") && !again.verifies("text", "AAAA"));
        let path = dir.join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(BoxKey::open(&dir).is_err());
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short").unwrap();
        assert!(BoxKey::open(&dir).is_err());
        fs::remove_dir_all(&dir).unwrap();
    }
}
