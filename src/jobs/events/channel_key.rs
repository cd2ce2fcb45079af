//! The key that encrypts the secrets of channels. It is in `channels.key` in the data directory, 0600, beside the
//! database and in no backup. So who steals a copy of the database cannot send messages to anybody's phone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::secret::Plaintext;

/// The file's name in the data directory.
const FILE: &str = "channels.key";
/// Bytes of the key.
const KEY: usize = 32;

/// The ChaCha20-Poly1305 key.
pub struct ChannelKey(LessSafeKey);

impl ChannelKey {
    /// Opens the key of a data directory, and makes it at the first start.
    ///
    /// # Errors
    /// The file cannot be made, is no key, or others than its owner could read it. It is never replaced.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let place = data_dir.join(FILE);
        let no_link = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
        let file = match OpenOptions::new().read(true).custom_flags(no_link).open(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::make(data_dir),
            file => file?,
        };
        let meta = file.metadata()?;
        if !meta.is_file() || meta.mode() & 0o077 != 0 {
            return Err(io::Error::other("others may have read it; if you are sure that nobody did, chmod 600 it"));
        }
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(KEY as u64 + 1).read_to_end(&mut bytes)?;
        Self::of(&bytes)
    }

    fn make(data_dir: &Path) -> io::Result<Self> {
        let mut bytes = Zeroizing::new([0; KEY]);
        getrandom::fill(bytes.as_mut()).map_err(io::Error::other)?;
        let beside = data_dir.join("channels.key.next");
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(bytes.as_ref())?;
        file.sync_all()?;
        fs::rename(&beside, data_dir.join(FILE))?;
        File::open(data_dir)?.sync_all()?;
        Self::of(bytes.as_ref())
    }

    fn of(bytes: &[u8]) -> io::Result<Self> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, bytes);
        let key =
            key.map_err(|_| io::Error::other("it is not a key of taosd; move it away, and taosd makes a new one"))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Encrypts a text for one channel; it cannot be decrypted for another one.
    ///
    /// # Errors
    /// The kernel gives no random bytes, or the text cannot be encrypted.
    pub fn seal(&self, channel_id: &str, text: &str) -> io::Result<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(io::Error::other)?;
        let mut sealed = text.as_bytes().to_vec();
        let about = Aad::from(channel_id.as_bytes());
        let done = self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), about, &mut sealed);
        done.map_err(|_| io::Error::other("it cannot be sealed"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Decrypts a secret of a channel; `None` if it belongs to another channel or another key.
    pub fn unseal(&self, channel_id: &str, sealed: &[u8]) -> Option<Plaintext> {
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN)?;
        let mut bytes = Zeroizing::new(rest.to_vec());
        let about = Aad::from(channel_id.as_bytes());
        let opened = self.0.open_in_place(Nonce::try_assume_unique_for_key(nonce).ok()?, about, &mut bytes).ok()?;
        Some(Plaintext::new(String::from_utf8(opened.to_vec()).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_for_its_channel_and_key_alone() {
        let dir = std::env::temp_dir().join(format!("taosd-channel-key-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let key = ChannelKey::open(&dir).unwrap();
        let sealed = key.seal("a", "hunter2").unwrap();
        let again = ChannelKey::open(&dir).unwrap();
        assert_eq!(again.unseal("a", &sealed).unwrap().reveal(), "hunter2");
        assert!(again.unseal("b", &sealed).is_none() && again.unseal("a", &sealed[1..]).is_none());
        assert!(again.unseal("a", &[]).is_none());
        assert_ne!(sealed, key.seal("a", "hunter2").unwrap(), "never the same bytes twice");
        assert_eq!(fs::metadata(dir.join(FILE)).unwrap().mode() & 0o777, 0o600);
        fs::remove_file(dir.join(FILE)).unwrap();
        assert!(ChannelKey::open(&dir).unwrap().unseal("a", &sealed).is_none());
        fs::remove_dir_all(&dir).unwrap();
    }
}
