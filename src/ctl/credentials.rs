//! The saved login: one JSON object of strings in `<config directory>/credentials`.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::private;
use super::server::Server;
use crate::secret::Plaintext;

/// A token, and the one server it is for.
pub struct Saved {
    /// The server; the token goes nowhere else.
    pub server: Server,
    /// The token.
    pub token: Plaintext,
    /// Who that was when it was saved: `user:NAME` or `agent:NAME`.
    pub principal: String,
}

impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.principal, self.server)
    }
}

/// The file; `None` where there is no place for one.
pub fn file(env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let absolute = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let dir = env("TAOS_CONFIG_DIR")
        .map(PathBuf::from)
        .or_else(|| absolute("XDG_CONFIG_HOME").map(|dir| dir.join("taos")))
        .or_else(|| absolute("HOME").map(|home| home.join(".config/taos")))?;
    Some(dir.join("credentials"))
}

/// The login saved in a file. Anything but a JSON object of strings counts as none.
///
/// # Errors
/// [`Failure::Login`] where the file is not its owner's alone.
pub fn load(path: &Path) -> Result<Option<Saved>, Failure> {
    Ok(private::read(path)?.and_then(|bytes| parse(&bytes)))
}

/// Saves a login in place of the one before.
///
/// # Errors
/// [`Failure::Login`] where the file cannot be written safely.
pub fn save(path: &Path, saved: &Saved) -> Result<(), Failure> {
    let object = json!({"url": saved.server.to_string(), "token": saved.token.reveal(), "principal": saved.principal});
    private::write(path, format!("{object}\n").as_bytes())
}

fn parse(bytes: &[u8]) -> Option<Saved> {
    let object: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
    if !object.values().all(Value::is_string) {
        return None;
    }
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    Some(Saved {
        server: Server::parse(text("url")?).ok()?,
        token: Plaintext::new(text("token").filter(|token| is_token(token))?.to_owned()),
        principal: text("principal").unwrap_or("").to_owned(),
    })
}

/// Whether a text may stand in an `Authorization` header as a token.
pub fn is_token(text: &str) -> bool {
    (1..=4096).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_an_object_of_strings_with_a_url_and_a_token_is_a_login() {
        assert!(parse(br#"{"url":"http://a:1","token":"t","principal":"user:a","space_id":"s"}"#).is_some());
        for bad in [
            "",
            "null",
            "[]",
            "{}",
            "{",
            r#"{"url":"http://a:1"}"#,
            r#"{"url":"http://a:1","token":""}"#,
            r#"{"url":"http://a:1","token":"t","principal":1}"#,
            r#"{"url":"ftp://a","token":"t"}"#,
            r#"{"url":"http://a:1","token":"t\nX-Evil: 1"}"#,
        ] {
            assert!(parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_directory_is_the_callers_then_xdgs_then_homes() {
        let at =
            |pairs: &[(&str, &str)]| file(&|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()));
        let (home, xdg) = (("HOME", "/h"), ("XDG_CONFIG_HOME", "/x"));
        assert_eq!(at(&[home, xdg, ("TAOS_CONFIG_DIR", "/t")]).unwrap(), Path::new("/t/credentials"));
        assert_eq!(at(&[home, xdg]).unwrap(), Path::new("/x/taos/credentials"));
        assert_eq!(at(&[home, ("XDG_CONFIG_HOME", "relative")]).unwrap(), Path::new("/h/.config/taos/credentials"));
        assert_eq!(at(&[]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse(&bytes);
        }
    }
}
