//! `[[oauth.resources]]`: other services on the box that the daemon issues access tokens for (OAuth contract, section
//! 7).

use super::Origin;
use super::file::{Table, Value, take_text};
use super::source::Sources;
use super::source::shown;
use crate::closed_set::closed_set;

/// The most resources.
const MOST: usize = 64;
/// The most characters of a resource's URI.
const URI_CHARS: usize = 256;
/// The scope words that a program can have; those of the aX dialect.
pub const WORDS: &[&str] = &[
    "messages",
    "tasks",
    "context",
    "agents",
    "spaces",
    "search",
    "knowledge",
    "notify",
    "messages:read",
    "messages:write",
    "tasks:read",
    "tasks:write",
    "context:read",
    "context:write",
    "agents:read",
    "agents:write",
];

closed_set! {
    /// The signature algorithms of tokens (RFC 7518, RFC 8037).
    pub enum TokenAlgorithm {
        EdDsa "EdDSA" "Ed25519.";
        Es256 "ES256" "ECDSA with P-256 and SHA-256.";
    }
}

/// A service that the daemon issues tokens for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectedResource {
    /// `uri`: the `resource` that programs name, and the audience of the tokens; without a slash at the end.
    pub uri: String,
    /// `scopes`: the scope words that its tokens may have.
    pub scopes: Vec<String>,
    /// `alg`: the signature algorithm of its tokens.
    pub alg: TokenAlgorithm,
}

impl ProtectedResource {
    /// Returns those of the words that its tokens may have.
    pub fn narrowed<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        words.into_iter().filter(|word| self.scopes.iter().any(|own| own == word)).collect()
    }
}

pub(super) fn from_sources(sources: &mut Sources) -> Vec<ProtectedResource> {
    let Some((value, origin)) = sources.take(&["oauth", "resources"], "") else { return Vec::new() };
    let Value::List(list) = value else {
        sources.wrong(&origin, "oauth.resources must be a list of tables, each written as [[oauth.resources]]");
        return Vec::new();
    };
    if list.len() > MOST {
        sources.wrong(&origin, format_args!("oauth.resources: at most {MOST} can be set"));
    }
    let mut all: Vec<ProtectedResource> = Vec::new();
    for (nth, one) in list.into_iter().take(MOST).enumerate() {
        match read(one).and_then(|resource| once(&all, resource)) {
            Ok(resource) => all.push(resource),
            Err(why) => wrong(sources, &origin, nth + 1, &why),
        }
    }
    all
}

fn wrong(sources: &mut Sources, origin: &Origin, nth: usize, why: &str) {
    sources.wrong(origin, format_args!("oauth.resources {nth}: {why}"));
}

fn once(all: &[ProtectedResource], resource: ProtectedResource) -> Result<ProtectedResource, String> {
    if all.iter().any(|other| other.uri == resource.uri) {
        return Err("its uri is that of another one".to_owned());
    }
    Ok(resource)
}

fn read(value: Value) -> Result<ProtectedResource, String> {
    let Value::Table(mut table) = value else { return Err("must be a table with uri".to_owned()) };
    let uri = take_text(&mut table, "uri")?.ok_or("uri is missing")?;
    let uri = uri.strip_suffix('/').unwrap_or(&uri).to_owned();
    if !is_uri(&uri) {
        return Err(format!("uri: {} is not an http(s) address without user, query and fragment", shown(&uri)));
    }
    let alg = match take_text(&mut table, "alg")? {
        None => TokenAlgorithm::EdDsa,
        Some(word) => {
            let known = || format!("alg: {} is not one of {}", shown(&word), TokenAlgorithm::SLUGS.join(", "));
            word.parse().map_err(|_| known())?
        }
    };
    let scopes = scopes(&mut table)?;
    if let Some(other) = table.into_keys().next() {
        return Err(format!("accepts only uri, scopes and alg, not {}", shown(&other)));
    }
    Ok(ProtectedResource { uri, scopes, alg })
}

fn scopes(table: &mut Table) -> Result<Vec<String>, String> {
    let wrong = || format!("scopes must be a list of {}", WORDS.join(", "));
    let list = match table.remove("scopes").map(|node| node.value) {
        None => return Ok(WORDS.iter().map(|word| (*word).to_owned()).collect()),
        Some(Value::List(list)) if !list.is_empty() => list,
        Some(_) => return Err(wrong()),
    };
    let word = |value| match value {
        Value::Text(text) if WORDS.contains(&text.as_str()) => Ok(text),
        _ => Err(wrong()),
    };
    list.into_iter().map(word).collect()
}

/// True for an absolute URI with a host, as RFC 8707 requires. User and query are refused because they are of no use
/// here.
fn is_uri(uri: &str) -> bool {
    let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"));
    let plain = |b: u8| b.is_ascii_graphic() && !br#"@?#\"'<>`{}|^*"#.contains(&b);
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && uri.len() <= URI_CHARS
        && uri.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Flags};

    fn config(text: &str) -> Result<Vec<ProtectedResource>, String> {
        let env = [("HOME".to_owned(), "/h".to_owned())].into();
        let read = Config::from_sources(&Flags::default(), None, Sources::new("f".into(), text, env));
        read.map(|config| config.oauth.resources).map_err(|error| error.to_string())
    }

    #[test]
    fn a_resource_has_an_address_words_and_an_algorithm() {
        let text = "[[oauth.resources]]\nuri = 'https://grafana.lan/'\nalg = 'ES256'\nscopes = ['tasks:read']\n\
            [[oauth.resources]]\nuri = 'http://127.0.0.1:8080/app'\n";
        let all = config(text).unwrap();
        assert_eq!((all[0].uri.as_str(), all[0].alg), ("https://grafana.lan", TokenAlgorithm::Es256));
        assert_eq!(all[0].narrowed(["tasks", "tasks:read"]), ["tasks:read"]);
        assert_eq!((all[1].uri.as_str(), all[1].alg), ("http://127.0.0.1:8080/app", TokenAlgorithm::EdDsa));
        assert_eq!(all[1].scopes.len(), WORDS.len());
    }

    #[test]
    fn what_is_no_resource_refuses_the_start() {
        for (resource, told) in [
            ("uri = 'ax-api'", "is not an http(s) address"),
            ("uri = 'https://'", "is not an http(s) address"),
            ("uri = 'https://a@b'", "is not an http(s) address"),
            ("uri = 'https://a#f'", "is not an http(s) address"),
            ("uri = 'https://a b'", "is not an http(s) address"),
            ("alg = 'ES256'", "uri is missing"),
            ("uri = 'https://a'\nalg = 'RS256'", "is not one of EdDSA, ES256"),
            ("uri = 'https://a'\nscopes = []", "scopes must be a list of"),
            ("uri = 'https://a'\nscopes = ['agents.create']", "scopes must be a list of"),
            ("uri = 'https://a'\nsecret = 'x'", "accepts only uri, scopes and alg"),
            ("uri = 'https://a'\n[[oauth.resources]]\nuri = 'https://a/'", "is that of another one"),
        ] {
            let refused = config(&format!("[[oauth.resources]]\n{resource}\n")).unwrap_err();
            assert!(refused.contains(told), "{resource}: {refused}");
        }
        assert!(config("[oauth]\nresources = 'https://a'\n").unwrap_err().contains("must be a list of tables"));
    }
}
