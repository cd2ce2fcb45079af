//! The saved login: one JSON object of strings in `<config directory>/credentials`.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::home::{CREDENTIALS, Home};
use crate::ctl::core::server::Server;
use crate::rest::text::without_bom;
use crate::secret::Plaintext;

/// A saved token, and the only server that it is for.
pub struct Saved {
    /// The server; the token is sent to no other.
    pub server: Server,
    /// The token.
    pub token: Plaintext,
    /// The principal when the login was saved: `user:NAME` or `agent:NAME`.
    pub principal: String,
    /// The default space.
    pub space_id: Option<String>,
}

impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.principal, self.server)
    }
}

/// Loads the saved login. A damaged file is an error, because the next source might have more rights.
///
/// # Errors
/// [`Failure::Login`] if others can read or write the file, or it is not a JSON object of strings.
pub fn load(home: &Home) -> Result<Option<Saved>, Failure> {
    let Some(bytes) = home.read(CREDENTIALS)? else { return Ok(None) };
    parse(&bytes).map(Some).ok_or_else(|| {
        let detail = format!("{} is damaged: it holds no saved login.", home.path(CREDENTIALS).display());
        Failure::login(detail, "Log in again with taosctl login, or remove it with taosctl auth logout.")
    })
}

/// Saves a login and replaces the previous one.
///
/// # Errors
/// [`Failure::Login`] if the file cannot be written safely.
pub fn save(home: &Home, saved: &Saved) -> Result<(), Failure> {
    let mut object =
        json!({"url": saved.server.to_string(), "token": saved.token.reveal(), "principal": saved.principal});
    if let Some(space_id) = &saved.space_id {
        object["space_id"] = json!(space_id);
    }
    home.write(CREDENTIALS, format!("{object}\n").as_bytes()).map(|_| ())
}

fn parse(bytes: &[u8]) -> Option<Saved> {
    let object: Map<String, Value> = serde_json::from_slice(without_bom(bytes)).ok()?;
    if !object.values().all(Value::is_string) {
        return None;
    }
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    Some(Saved {
        server: Server::parse(text("url")?).ok()?,
        token: Plaintext::new(text("token").filter(|token| is_token(token))?.to_owned()),
        principal: text("principal").unwrap_or("").to_owned(),
        space_id: text("space_id").map(str::to_owned),
    })
}

/// True if a text has the form of a token for an `Authorization` header: 1 to 4096 visible ASCII characters.
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

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse(&bytes);
        }
    }
}
