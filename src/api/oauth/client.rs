//! Clients (OAuth contract, section 3). The box stores nothing about clients that registered themselves: the id holds
//! their registration and a keyed hash that only this box can make. Clients that an admin registered are rows.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::redirect::Redirect;
use crate::api::engine::app::App;
use crate::api::engine::logins::{LoginClient, Logins};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::secret::SecretHash;
use crate::store::oauth_clients::Client as Row;
use crate::store::{self, oauth_clients, oauth_grants};
use crate::time::Micros;

/// The prefix of the id of a self-registered client.
const PREFIX: &str = "dyn_";
/// The maximum bytes of an id.
pub const MOST: usize = 1536;
/// The bytes of the keyed hash in an id.
const MAC: usize = 16;
/// How long an id is valid if no grant uses it, in microseconds.
const LIFE: i64 = 30 * Micros::DAY;

/// The grant type of a code from the consent page.
pub const CODE: &str = "authorization_code";
/// The grant type of a refresh token.
pub const REFRESH: &str = "refresh_token";
/// The grant type of the device grant.
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The grant types that a client may register and use at the token endpoint.
pub(super) const GRANT_TYPES: [&str; 3] = [CODE, REFRESH, DEVICE_CODE];

/// The data that a client registered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRegistration {
    /// The time of the registration, in seconds since 1970.
    pub at: i64,
    /// The client's name for itself.
    pub name: String,
    /// The redirect URIs that it may use.
    pub redirect_uris: Vec<String>,
    /// The home page that it names.
    pub uri: Option<String>,
    /// The grant types that it may use at the token endpoint.
    pub grant_types: Vec<String>,
}

impl ClientRegistration {
    /// Returns the id that contains this registration; `None` if it would be longer than [`MOST`].
    pub fn id(&self, logins: &Logins) -> Option<String> {
        let said = json!([self.at, self.name, self.redirect_uris, self.uri, self.grant_types]);
        let said = BASE64URL_NOPAD.encode(said.to_string().as_bytes());
        let mac = logins.client_mac(&said);
        let id = format!("{PREFIX}{said}.{}", BASE64URL_NOPAD.encode(&mac.as_bytes()[..MAC]));
        (id.len() <= MOST).then_some(id)
    }

    /// Returns the registration in an id; `None` if this box has not made the id.
    pub fn of_id(id: &str, logins: &Logins) -> Option<Self> {
        if id.len() > MOST {
            return None;
        }
        let (said, mac) = id.strip_prefix(PREFIX)?.split_once('.')?;
        let mac: [u8; MAC] = BASE64URL_NOPAD.decode(mac.as_bytes()).ok()?.try_into().ok()?;
        let own: [u8; MAC] = logins.client_mac(said).as_bytes()[..MAC].try_into().ok()?;
        // Both sides are hashed once more, so the time of the comparison does not reveal the expected value.
        if blake3::hash(&mac) != blake3::hash(&own) {
            return None;
        }
        let said: Value = serde_json::from_slice(&BASE64URL_NOPAD.decode(said.as_bytes()).ok()?).ok()?;
        let texts = |value: &Value| -> Option<Vec<String>> {
            value.as_array()?.iter().map(|one| one.as_str().map(str::to_owned)).collect()
        };
        // Earlier releases sealed an empty list as it came.
        let old = || vec![CODE.to_owned(), REFRESH.to_owned()];
        let grant_types = texts(&said[4])?;
        Some(Self {
            at: said[0].as_i64()?,
            name: said[1].as_str()?.to_owned(),
            redirect_uris: texts(&said[2])?,
            uri: said[3].as_str().map(str::to_owned),
            grant_types: if grant_types.is_empty() { old() } else { grant_types },
        })
    }

    /// Returns the client as people see it.
    pub fn told(&self, id: &str) -> LoginClient {
        LoginClient { hash: hash(id), name: self.name.clone(), uri: self.uri.clone() }
    }

    /// Returns the redirect URI that a request names, or the only registered one if it names none. `None` if the URI is
    /// not this client's, or none is named and several are registered.
    pub fn redirect(&self, asked: Option<&str>, schemes: &[String]) -> Option<String> {
        let Some(asked) = asked else {
            let [only] = self.redirect_uris.as_slice() else { return None };
            // An admin may have removed its scheme since it was registered.
            return Redirect::parse(only, schemes).map(|_| only.clone());
        };
        let wanted = Redirect::parse(asked, schemes)?;
        let known = self.redirect_uris.iter().filter_map(|uri| Redirect::parse(uri, schemes));
        known.into_iter().any(|known| known.admits(&wanted)).then(|| asked.to_owned())
    }
}

/// True for the id of a client that registered itself, valid or not.
pub fn registered_itself(id: &str) -> bool {
    id.starts_with(PREFIX)
}

/// Returns the hash of a client's id; only the hash is stored.
pub fn hash(id: &str) -> SecretHash {
    SecretHash::of(id)
}

/// A client that the box knows.
#[derive(Debug)]
pub struct KnownClient {
    /// The client's own registration, or the admin's.
    pub registered: ClientRegistration,
    /// Its row, if an admin registered it.
    pub row: Option<Row>,
}

impl From<Row> for KnownClient {
    fn from(row: Row) -> Self {
        let registered = ClientRegistration {
            at: row.created_at.0 / Micros::SECOND,
            name: row.name.clone(),
            redirect_uris: serde_json::from_str(&row.redirect_uris).unwrap_or_default(),
            uri: None,
            grant_types: GRANT_TYPES.iter().map(|kind| (*kind).to_owned()).collect(),
        };
        Self { registered, row: Some(row) }
    }
}

impl KnownClient {
    /// Whether it registered this grant type.
    pub fn uses(&self, grant_type: &str) -> bool {
        self.registered.grant_types.iter().any(|known| known == grant_type)
    }

    /// Checks that it registered this grant type.
    ///
    /// # Errors
    /// `unauthorized_client`.
    pub fn must_use(&self, grant_type: &str) -> Result<(), ApiError> {
        if self.uses(grant_type) {
            return Ok(());
        }
        Err(ApiError::new(codes::UNAUTHORIZED_CLIENT)
            .detail(format!("The program registered without the grant type {grant_type}.")))
    }

    /// Whether it authenticates with a secret.
    pub fn has_secret(&self) -> bool {
        self.row.as_ref().is_some_and(|row| row.secret.is_some())
    }
}

/// Returns the client with this id. An id that this box made for a self-registered client is valid for 30 days, or
/// while a live grant uses it.
///
/// # Errors
/// Any `StoreError`.
pub fn find(app: &App, id: &str) -> store::Result<Option<KnownClient>> {
    if !registered_itself(id) {
        return Ok(app.store.lookup(|conn| oauth_clients::by_id(conn, id))?.map(KnownClient::from));
    }
    let Some(found) = ClientRegistration::of_id(id, &app.logins) else { return Ok(None) };
    let now = Micros::now();
    if now.0 - found.at * Micros::SECOND < LIFE
        || app.store.lookup(|conn| oauth_grants::uses_client(conn, &hash(id), now))?
    {
        return Ok(Some(KnownClient { registered: found, row: None }));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn logins() -> Logins {
        Logins::new(None, 10.into())
    }

    fn client(name: &str) -> ClientRegistration {
        ClientRegistration {
            at: 1,
            name: name.into(),
            redirect_uris: vec!["http://localhost/cb".into()],
            uri: None,
            grant_types: vec![CODE.into()],
        }
    }

    #[test]
    fn an_id_says_what_was_registered_and_no_other_box_can_make_it() {
        let logins = logins();
        let id = client("x").id(&logins).unwrap();
        assert_eq!(ClientRegistration::of_id(&id, &logins), Some(client("x")));
        assert_eq!(ClientRegistration::of_id(&id, &super::tests::logins()), None, "the key is another");
        assert_eq!(client(&"x".repeat(1200)).id(&logins), None, "too long");
    }

    #[test]
    fn an_omitted_redirect_uri_obeys_the_present_schemes() {
        let client = ClientRegistration { redirect_uris: vec!["cursor://x/cb".into()], ..client("x") };
        assert_eq!(client.redirect(None, &["cursor".into()]).as_deref(), Some("cursor://x/cb"));
        assert_eq!(client.redirect(None, &[]), None);
    }

    #[test]
    fn an_empty_list_of_an_earlier_release_stands_for_what_was_meant_then() {
        let logins = logins();
        let old = ClientRegistration { grant_types: Vec::new(), ..client("x") };
        let read = ClientRegistration::of_id(&old.id(&logins).unwrap(), &logins).unwrap();
        assert_eq!(read.grant_types, [CODE, REFRESH]);
    }

    proptest! {
        #[test]
        fn a_changed_id_is_none(at in 4usize..100, to in "[A-Za-z0-9_.-]") {
            let logins = logins();
            let id = client("program").id(&logins).unwrap();
            let at = at.min(id.len() - 1);
            let mut other = id.clone();
            other.replace_range(at..=at, &to);
            prop_assume!(other != id);
            // The last character of base64 has unused bits.
            prop_assert!(ClientRegistration::of_id(&other, &logins).is_none_or(|same| same == client("program")));
        }

        #[test]
        fn no_text_makes_it_panic(text in "(dyn_)?[A-Za-z0-9_.-]{0,80}") {
            prop_assert_eq!(ClientRegistration::of_id(&text, &logins()), None);
        }
    }
}
