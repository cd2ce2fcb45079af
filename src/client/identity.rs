//! The daemon's identity for servers that ask for a client certificate: a key (0600) and a self-signed certificate in a
//! folder of their own, made when first needed. They are in no database and in no backup.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rcgen::{
    Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

const KEY_FILE: &str = "client.key";
const CERTIFICATE_FILE: &str = "client.crt";
/// The most bytes of each file.
const FILE_BYTES: u64 = 16 * 1024;

/// A key and its certificate.
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    place: PathBuf,
}

impl Identity {
    /// Opens the key and the certificate of a folder. Creates them if they do not exist.
    ///
    /// # Errors
    /// An I/O error if a file cannot be made or read, others may have read the key, or it is not a key of taosd. A key
    /// is never replaced.
    pub fn open(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let place = folder.join(CERTIFICATE_FILE);
        let pem = match read(&folder.join(KEY_FILE), true)? {
            Some(pem) => pem,
            None => {
                let made = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(io::Error::other)?;
                let pem = Zeroizing::new(made.serialize_pem().into_bytes());
                // The certificate of a lost key is useless.
                remove(&place)?;
                write(folder, KEY_FILE, &pem, 0o600)?;
                pem
            }
        };
        let unfit = |place: &Path, why: &dyn std::fmt::Display| {
            io::Error::other(format!("{}: {why}; move it away, and taosd makes a new one", place.display()))
        };
        let (key, pair) = key_in(&pem).map_err(|why| unfit(&folder.join(KEY_FILE), &why))?;
        if !place.try_exists()? {
            let made = self_signed(&pair).map_err(io::Error::other)?;
            write(folder, CERTIFICATE_FILE, made.pem().as_bytes(), 0o644)?;
        }
        let pem = read(&place, false)?.unwrap_or_default();
        let certificate = CertificateDer::from_pem_slice(&pem).map_err(|why| unfit(&place, &why))?;
        Ok(Self { certificate, key, place })
    }

    /// The path of the certificate, for a person who makes a server trust it.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Both parts in the form for TLS.
    pub(super) fn parts(&self) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        (self.certificate.clone(), self.key.clone_key())
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.place.display())
    }
}

fn read(place: &Path, secret: bool) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let no_link = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    let file = match OpenOptions::new().read(true).custom_flags(no_link).open(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let meta = file.metadata()?;
    if !meta.is_file() || (secret && meta.mode() & 0o077 != 0) {
        let why = "others may have read it; if you are sure that nobody did, chmod 600 it";
        return Err(io::Error::other(format!("{}: {why}", place.display())));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn write(folder: &Path, name: &str, content: &[u8], mode: u32) -> io::Result<()> {
    let beside = folder.join(format!("{name}.next"));
    remove(&beside)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, folder.join(name))?;
    File::open(folder)?.sync_all()
}

fn remove(place: &Path) -> io::Result<()> {
    match fs::remove_file(place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Parses a PEM key into the form for TLS and the form that signs.
fn key_in(pem: &[u8]) -> Result<(PrivateKeyDer<'static>, KeyPair), String> {
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| "it is not a key in PEM")?;
    let pair = KeyPair::try_from(&key).map_err(|_| "it is not a key of taosd's")?;
    Ok((key, pair))
}

/// A client certificate for this key, signed by the key itself.
fn self_signed(key: &KeyPair) -> Result<Certificate, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "taosd");
    // Valid for the whole life of a small board, whatever its clock says; 9999-12-31 is RFC 5280's "no end" (section
    // 4.1.2.5).
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(9999, 12, 31);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.self_signed(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    struct IdentityDir(PathBuf);

    impl IdentityDir {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("taosd-identity-{}-{name}", std::process::id())))
        }
    }

    impl Drop for IdentityDir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn it_is_made_once_and_its_key_is_the_daemons_alone() {
        let dir = IdentityDir::new("made");
        let first = Identity::open(&dir.0).unwrap();
        let again = Identity::open(&dir.0).unwrap();
        assert_eq!(first.certificate, again.certificate);
        assert_eq!(first.key.secret_der(), again.key.secret_der());
        let mode = |name: &str| fs::metadata(dir.0.join(name)).unwrap().mode() & 0o777;
        assert_eq!((mode(""), mode(KEY_FILE)), (0o700, 0o600));
        assert!(!format!("{first:?}").contains("PRIVATE"));
    }

    #[test]
    fn a_key_that_others_may_read_or_that_is_none_is_refused_and_kept() {
        let dir = IdentityDir::new("open");
        Identity::open(&dir.0).unwrap();
        let place = dir.0.join(KEY_FILE);
        fs::set_permissions(&place, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Identity::open(&dir.0).unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&place, fs::Permissions::from_mode(0o600)).unwrap();
        for text in [String::new(), "-----BEGIN PRIVATE KEY-----\n".into(), "x".repeat(100_000)] {
            fs::write(&place, &text).unwrap();
            assert!(Identity::open(&dir.0).is_err());
            assert_eq!(fs::read_to_string(&place).unwrap(), text);
        }
    }
}
