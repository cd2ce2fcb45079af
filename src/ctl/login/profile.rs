//! Profiles: an agent's identity, bound to the hash of its token, the host, the directory and its expiry. A profile
//! that cannot be verified is not used.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::connection::{SavedLogin, checked};
use super::context::Context;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::home::{ACTIVE, Home, PROFILES, is_name};
use crate::ctl::core::private;
use crate::ctl::core::server::Server;
use crate::ctl::show::texts::{self, Texts};
use crate::secret::Plaintext;

/// The most characters of a host name that the daemon accepts.
const HOST_CHARS: usize = 255;

/// A profile as saved in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedProfile {
    /// The name of the profile.
    pub name: String,
    /// The URL of the server.
    pub url: String,
    /// The absolute path of the file with the token.
    pub token_file: PathBuf,
    /// The name of the agent.
    pub agent_name: String,
    /// The id of the agent.
    pub agent_id: Option<String>,
    /// The default space.
    pub space_id: Option<String>,
    /// The SHA-256 of the token in hexadecimal.
    pub token_sha256: String,
    /// The name of the host on which the profile was added.
    pub host_binding: String,
    /// The SHA-256 of the directory in which it was added; `None` if it is valid in every directory.
    pub workdir_hash: Option<String>,
    /// When the token expires, in RFC 3339, if known.
    pub expires_at: Option<String>,
}

/// The SHA-256 of some bytes in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// The name of this host.
pub fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().chars().take(HOST_CHARS).collect()
}

/// The hash of the working directory.
pub fn workdir_hash() -> Option<String> {
    env::current_dir().ok().map(|dir| hash_of(&dir))
}

fn hash_of(dir: &Path) -> String {
    sha256(dir.as_os_str().as_encoded_bytes())
}

fn file(name: &str) -> String {
    format!("{PROFILES}/{name}.toml")
}

/// Checks the name of a profile.
///
/// # Errors
/// [`Failure::Usage`] if the name is not valid.
pub fn check_name(name: &str) -> Result<(), Failure> {
    let fix = "Use at most 64 letters, digits, - and _, and begin with a letter or digit.";
    if is_name(name) { Ok(()) } else { Err(Failure::usage("This profile name is not valid.", fix)) }
}

/// The names of all profiles.
pub fn names(home: &Home) -> Vec<String> {
    let all = home.list(PROFILES).into_iter();
    all.filter_map(|file| file.strip_suffix(".toml").filter(|name| is_name(name)).map(str::to_owned)).collect()
}

/// Loads the profile of this name.
///
/// # Errors
/// The name is not valid, there is no such profile, or its file cannot be read or trusted.
pub fn load(home: &Home, name: &str) -> Result<SavedProfile, Failure> {
    check_name(name)?;
    let list = "See taosctl profile list.";
    let bytes = home.read(&file(name))?;
    let bytes = bytes.ok_or_else(|| Failure::login(format!("There is no profile {name}."), list))?;
    let broken = || Failure::login(format!("The profile {name} is not readable."), "Remove it and add it again.");
    texts::parse(&bytes).and_then(|texts| from_texts(name, &texts)).ok_or_else(broken)
}

/// Saves a profile and replaces the one of the same name.
///
/// # Errors
/// [`Failure::Login`] if the file cannot be written safely.
pub fn save(home: &Home, profile: &SavedProfile) -> Result<(), Failure> {
    home.write(&file(&profile.name), to_text(profile).as_bytes()).map(|_| ())
}

/// Checks that no profile of this name is for another server: it and its key would be lost.
///
/// # Errors
/// [`Failure::Usage`] if there is one, and [`Failure::Login`] if the present profile cannot be read.
pub fn check_server(home: &Home, name: &str, server: &Server) -> Result<(), Failure> {
    if !names(home).iter().any(|known| known == name) {
        return Ok(());
    }
    let url = load(home, name)?.url;
    if Server::parse(&url).is_ok_and(|known| known == *server) {
        return Ok(());
    }
    let fix = format!("Choose another name, or run taosctl profile remove {name} first.");
    Err(Failure::usage(format!("The profile {name} is for {url}."), fix))
}

/// Removes a profile. Returns false if there was none.
///
/// # Errors
/// [`Failure::Login`] if the file cannot be removed.
pub fn remove(home: &Home, name: &str) -> Result<bool, Failure> {
    home.remove(&file(name))
}

fn from_texts(name: &str, texts: &Texts) -> Option<SavedProfile> {
    let text = |key: &str| texts.get(key).cloned();
    Some(SavedProfile {
        name: name.to_owned(),
        url: text("url")?,
        token_file: text("token_file").map(PathBuf::from).filter(|path| path.is_absolute())?,
        agent_name: text("agent_name")?,
        agent_id: text("agent_id"),
        space_id: text("space_id"),
        token_sha256: text("token_sha256")?,
        host_binding: text("host_binding")?,
        workdir_hash: text("workdir_hash"),
        expires_at: text("expires_at"),
    })
}

fn to_text(profile: &SavedProfile) -> String {
    texts::render(&[
        ("url", Some(&profile.url)),
        ("token_file", profile.token_file.to_str()),
        ("agent_name", Some(&profile.agent_name)),
        ("agent_id", profile.agent_id.as_deref()),
        ("space_id", profile.space_id.as_deref()),
        ("token_sha256", Some(&profile.token_sha256)),
        ("host_binding", Some(&profile.host_binding)),
        ("workdir_hash", profile.workdir_hash.as_deref()),
        ("expires_at", profile.expires_at.as_deref()),
    ])
}

/// The name of the active profile.
///
/// # Errors
/// The file with the name cannot be trusted, or the name is not valid.
pub fn active(home: &Home) -> Result<Option<String>, Failure> {
    let Some(bytes) = home.read(ACTIVE)? else { return Ok(None) };
    let name = String::from_utf8_lossy(&bytes).trim().to_owned();
    check_name(&name)?;
    Ok(Some(name))
}

/// The login of the active profile, after verification.
///
/// # Errors
/// The profile cannot be loaded or verified.
pub fn in_use() -> Result<Option<SavedLogin>, Failure> {
    let Some(home) = Context::find_home()? else { return Ok(None) };
    active(&home)?.map(|name| kept(&home, &name)).transpose()
}

/// The login of the profile of this name, after verification.
///
/// # Errors
/// The profile cannot be loaded or verified.
pub fn kept(home: &Home, name: &str) -> Result<SavedLogin, Failure> {
    let profile = load(home, name)?;
    let token = verify(&profile).map_err(|problems| unverified(name, &problems))?;
    let (server, source) = (Server::parse(&profile.url)?, format!("profile {name}"));
    Ok(SavedLogin { server, token, source, space_id: profile.space_id })
}

/// The failure for a profile with these problems.
pub fn unverified(name: &str, problems: &[String]) -> Failure {
    let fix = format!("Correct the differences, add the profile again, or run taosctl profile remove {name}");
    Failure::login(format!("The profile {name} does not verify: {}", problems.join(" ")), fix)
}

/// Verifies everything that a profile is bound to, and returns its token.
///
/// # Errors
/// Every problem, one sentence each.
pub fn verify(profile: &SavedProfile) -> Result<Plaintext, Vec<String>> {
    let mut problems = Vec::new();
    let token = token(profile).map_err(|problem| problems.push(problem)).ok();
    if Server::parse(&profile.url).is_err() {
        problems.push("Its URL is not one of a taosd.".to_owned());
    }
    if host() != profile.host_binding {
        problems.push(format!("It was added on the host {}, this is {}.", profile.host_binding, host()));
    }
    if let Some(bound) = &profile.workdir_hash
        && !env::current_dir().is_ok_and(|dir| dir.ancestors().any(|dir| hash_of(dir) == *bound))
    {
        problems.push("It was added in another directory.".to_owned());
    }
    if let Some(end) = &profile.expires_at {
        match end.parse::<Timestamp>() {
            Ok(end) if end > Timestamp::now() => {}
            Ok(_) => problems.push(format!("Its token expired at {end}.")),
            Err(_) => problems.push("Its expiry is not a time.".to_owned()),
        }
    }
    token.filter(|_| problems.is_empty()).ok_or(problems)
}

fn token(profile: &SavedProfile) -> Result<Plaintext, String> {
    let shown = profile.token_file.display();
    let bytes = private::read(&profile.token_file).map_err(|failure| failure.to_string())?;
    let bytes = bytes.ok_or_else(|| format!("{shown} is not there."))?;
    let token = checked(&String::from_utf8_lossy(&bytes)).map_err(|failure| format!("{shown}: {failure}"))?;
    if sha256(token.reveal().as_bytes()) == profile.token_sha256 {
        Ok(token)
    } else {
        Err(format!("{shown} holds another token than the one it was added with."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_file_is_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = texts::parse(&bytes).and_then(|texts| from_texts("p", &texts));
        }

        #[test]
        fn a_profile_comes_back_as_it_was_saved(
            url in "[ -~]{0,30}",
            path in "/[ -~]{0,30}",
            id in proptest::option::of("[a-f0-9-]{1,36}"),
            space in proptest::option::of("\\PC{0,20}"),
        ) {
            let profile = SavedProfile {
                name: "p".to_owned(), url, token_file: PathBuf::from(path), agent_name: "a\"b".to_owned(), agent_id: id,
                space_id: space.filter(|space| !space.contains(char::is_control)), token_sha256: "00".to_owned(),
                host_binding: "h".to_owned(), workdir_hash: None, expires_at: None,
            };
            let texts = texts::parse(to_text(&profile).as_bytes()).expect("it is TOML");
            prop_assert_eq!(from_texts("p", &texts), Some(profile));
        }
    }
}
