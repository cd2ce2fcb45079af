//! The authorization server: programs get a token by a person's click (OAuth contract). It also has the pages where
//! people log in.

mod authorize;
mod client;
mod client_auth;
mod clients;
mod consent;
mod device;
mod discovery;
mod ending;
mod endpoint;
mod exchange;
mod fields;
mod form;
mod forms;
mod grants;
mod introspect;
mod login;
mod pages;
mod redirect;
mod refresh;
mod register;
mod revoke;
mod target;
mod token;
mod token_grant;

pub(crate) use authorize::ROUTES as AUTHORIZE;
pub(crate) use clients::ROUTES as CLIENTS;
pub(crate) use consent::ROUTES as CONSENT;
pub(crate) use device::ROUTES as DEVICE;
pub(crate) use discovery::ROUTES as DISCOVERY;
pub(crate) use forms::ROUTES as FORMS;
pub(crate) use grants::ROUTES as GRANTS;
pub(crate) use introspect::ROUTES as INTROSPECT;
pub(crate) use login::ROUTES as LOGIN;
pub(crate) use register::ROUTES as REGISTER;
pub(crate) use revoke::ROUTES as REVOKE;
pub(crate) use token::ROUTES as TOKEN;

/// Returns the value of a parameter in a form, for the fuzz targets.
pub(crate) fn form_value(text: &str, name: &str) -> Option<String> {
    form::value_of(text, name)
}

/// Encodes a value as forms do, for the fuzz targets.
pub(crate) fn form_encoded(text: &str) -> String {
    form::encoded(text)
}

/// Returns the id and secret in an `Authorization: Basic` header, for the fuzz targets.
pub(crate) fn basic_pair(encoded: &str) -> Option<(String, String)> {
    client_auth::pair(encoded)
}

/// True for a redirect URI that a program may have, for the fuzz targets.
pub(crate) fn is_redirect(uri: &str) -> bool {
    redirect::Redirect::parse(uri, &["vscode".to_owned()]).is_some()
}
