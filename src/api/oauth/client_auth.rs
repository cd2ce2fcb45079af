//! Client authentication at the token endpoint: the id alone, or id and secret, in the header or in the form (RFC 6749,
//! section 2.3.1).

use data_encoding::BASE64;
use hyper::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use percent_encoding::percent_decode_str;

use super::client::KnownClient;
use super::endpoint::NEED;
use super::form::{OauthForm, bad};
use super::{client, fields};
use crate::api::engine::app::App;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::input::Input;
use crate::secret::{ClientSecret, Plaintext};

/// The maximum bytes of the credentials in an `Authorization` header.
const HEADER: usize = 4096;

/// The id and secret that a client presents.
#[derive(Debug)]
pub struct ClientCredentials {
    /// The client id.
    pub id: String,
    /// The client secret, if it presents one.
    pub secret: Option<Plaintext>,
    /// Whether they came in the `Authorization` header.
    pub(super) in_header: bool,
}

/// Reads the client's credentials; `None` if the request names no client.
///
/// # Errors
/// `invalid_request` for two different ids or two secrets; `invalid_client` for a malformed header.
pub fn shown(input: &Input, form: &OauthForm) -> Result<Option<ClientCredentials>, ApiError> {
    let of_form = form.get(&fields::CLIENT_ID);
    let secret = form.get(&fields::CLIENT_SECRET);
    match basic(input)? {
        Some((id, password)) => {
            if of_form.is_some_and(|other| other != id) {
                return Err(bad("client_id is another one than in the Authorization header."));
            }
            if secret.is_some() {
                return Err(bad("Send the client secret either in the Authorization header or in the form."));
            }
            let secret = Some(password).filter(|text| !text.is_empty()).map(Plaintext::new);
            Ok(Some(ClientCredentials { id, secret, in_header: true }))
        }
        None => Ok(of_form.map(|id| ClientCredentials {
            id: id.to_owned(),
            secret: secret.map(|text| Plaintext::new(text.to_owned())),
            in_header: false,
        })),
    }
}

/// Reads the client's credentials like [`shown`], but requires them.
///
/// # Errors
/// As [`shown`], and `invalid_request` if the request names no client.
pub fn needed(input: &Input, form: &OauthForm) -> Result<ClientCredentials, ApiError> {
    shown(input, form)?.ok_or_else(|| bad("client_id is missing."))
}

/// Returns the id and password of `Authorization: Basic`; `None` without that scheme.
fn basic(input: &Input) -> Result<Option<(String, String)>, ApiError> {
    let mut all = input.head.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = all.next().and_then(|value| value.to_str().ok()) else { return Ok(None) };
    let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    let read = Some(rest.trim()).filter(|rest| rest.len() <= HEADER && all.next().is_none()).and_then(pair);
    read.map(Some).ok_or_else(|| refusal(true))
}

/// Decodes the id and password after the word `Basic`.
pub(super) fn pair(encoded: &str) -> Option<(String, String)> {
    let text = String::from_utf8(BASE64.decode(encoded.as_bytes()).ok()?).ok()?;
    let (id, password) = text.split_once(':')?;
    // Clients form-encode both first; that does not change the ids and secrets of this box.
    let decoded =
        |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8().ok().map(|text| text.into_owned());
    let (id, password) = (decoded(id)?, decoded(password)?);
    let plain = |text: &str| !text.chars().any(char::is_control);
    (!id.is_empty() && plain(&id) && plain(&password)).then_some((id, password))
}

/// Returns `invalid_client`. A client that used the header also learns the accepted scheme.
fn refusal(in_header: bool) -> ApiError {
    challenged(in_header, codes::INVALID_CLIENT.into())
}

/// Adds the accepted scheme to `invalid_client`, for a client that used the header.
pub(super) fn challenged(in_header: bool, refusal: ApiError) -> ApiError {
    if in_header && refusal.code == codes::INVALID_CLIENT {
        return refusal.header(WWW_AUTHENTICATE, "Basic realm=\"taosd\"");
    }
    refusal
}

impl ClientCredentials {
    /// Returns the refusal of this client, and counts it as a failed login of the peer.
    pub fn refused(&self, app: &App, input: &Input) -> ApiError {
        let secret = self.secret.as_ref().map_or("", Plaintext::reveal);
        app.gate.report_decoys(&input.head, &NEED, secret);
        app.gate.failed(&input.head, &NEED, refusal(self.in_header))
    }

    /// Checks the presented secret; a client without a secret always passes.
    ///
    /// # Errors
    /// `invalid_client`, or `rate_limited` after too many failures.
    pub fn check(&self, app: &App, input: &Input, known: &KnownClient) -> Result<(), ApiError> {
        let Some(row) = known.row.as_ref().filter(|row| row.secret.is_some()) else { return Ok(()) };
        let shown = self.secret.as_ref().and_then(|text| ClientSecret::parse(text.reveal()).ok());
        if shown.is_some_and(|shown| row.is_secret(&shown)) { Ok(()) } else { Err(self.refused(app, input)) }
    }

    /// Returns the client after its check.
    ///
    /// # Errors
    /// `invalid_client`, `rate_limited`, or a `StoreError`.
    pub fn proved(&self, app: &App, input: &Input) -> Result<KnownClient, ApiError> {
        let known = client::find(app, &self.id)?.ok_or_else(|| self.refused(app, input))?;
        self.check(app, input, &known)?;
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_header_is_read_as_clients_write_it() {
        let read = |text: &str| pair(&BASE64.encode(text.as_bytes()));
        assert_eq!(read("id:se:cret"), Some(("id".into(), "se:cret".into())));
        assert_eq!(
            read("axp_a_0123456789:axp_a_0123456789.x%2By"),
            Some(("axp_a_0123456789".into(), "axp_a_0123456789.x+y".into()))
        );
        assert_eq!(read("id:"), Some(("id".into(), String::new())));
        for text in ["", ":x", "id", "a%00:b", "a\nb:c"] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(pair("%%%"), None);
        assert_eq!(pair(&BASE64.encode(&[0xff, b':', 0xff])), None);
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(text in "[ -~]{0,120}", bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = (pair(&text), pair(&BASE64.encode(&bytes)));
        }
    }
}
