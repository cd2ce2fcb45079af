//! `POST /oauth/register`: a program registers itself (RFC 7591). Nothing is written: the issued id holds the whole
//! registration.

use std::time::Instant;

use hyper::header::CACHE_CONTROL;
use hyper::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::{self, ClientRegistration, GRANT_TYPES};
use super::endpoint::{issuer, public};
use super::redirect::Redirect;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::Handled;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::rest::json as strict;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::rest::text::is_hidden;
use crate::time::Micros;

const DOC: &str = "recipes/letting-programs-log-in#register";
/// The maximum bytes of a registration.
const MOST_BYTES: usize = 8 * 1024;
/// The maximum redirect URIs of a client.
pub(super) const MOST_URIS: usize = 10;
/// The maximum characters of a client's name.
pub(super) const NAME: usize = 64;

const METADATA: &[Field] = &[
    Field::texts("redirect_uris", MOST_URIS, MOST_BYTES, "Where it may be redirected to, 1 to 10 addresses.")
        .required(),
    Field::unbounded("client_name", "What the client calls itself; 64 characters of it count."),
    Field::unbounded("client_uri", "The program's page, for the person who is asked."),
    Field::unbounded_texts(
        "grant_types",
        "What it may use at the token endpoint; all that are offered to such programs if absent.",
    ),
    Field::unbounded_texts("response_types", "Only code is offered."),
];

/// The registration endpoint's rows of the route table.
pub const ROUTES: &[ApiRoute] = &[public(Method::POST, "/oauth/register", register)
    .described(
        "oauth_register",
        "Register a program",
        "Dynamic client registration (RFC 7591). The client is public: it gets no secret. The id is valid for 30 days, \
            or as long as a grant uses it.",
        DOC,
    )
    .taking_raw_of(
        "application/json",
        METADATA,
        r#"{"client_name": "my-editor", "redirect_uris": ["http://127.0.0.1/callback"]}"#,
    )
    .answering(
        201,
        Answer::Object(&[
            Field::shown("client_id", "The client's id."),
            Field::integer("client_id_issued_at", 0, i64::MAX, "When it was made, seconds since 1970.").required(),
            Field::shown("client_name", "What the client calls itself."),
            Field::unbounded_texts("redirect_uris", "Where it may be redirected to.").required(),
            Field::unbounded_texts("grant_types", "What it may use at the token endpoint.").required(),
            Field::unbounded_texts("response_types", "Always code.").required(),
            Field::shown("token_endpoint_auth_method", "Always none."),
        ]),
    )
    .failing(&[codes::INVALID_REDIRECT_URI, codes::INVALID_CLIENT_METADATA, codes::RATE_LIMITED, codes::NOT_FOUND])];

fn wrong(detail: impl Into<String>) -> ApiError {
    ApiError::new(codes::INVALID_CLIENT_METADATA).detail(detail)
}

fn register(app: &App, input: Input) -> Handled {
    issuer(app, &input)?;
    let (open, schemes) = app.config.read(|now| (now.oauth.register, now.oauth.redirect_schemes.clone()));
    if !open {
        return Err(codes::NOT_FOUND.into());
    }
    app.logins
        .registrations
        .take(&input.head.peer.key(), Instant::now())
        .map_err(|seconds| ApiError::new(codes::RATE_LIMITED).retry_after(seconds))?;
    if input.raw.len() > MOST_BYTES {
        return Err(wrong(format!("The registration is longer than {MOST_BYTES} bytes.")));
    }
    let said = strict::parse(&input.raw).map_err(|why| wrong(format!("The registration is {why}.")))?;
    let client = read(&said, &schemes)?;
    let id = client.id(&app.logins).ok_or_else(|| {
        wrong(format!(
            "Name and redirect URIs are too long: together they make an id of at most {} characters.",
            client::MOST
        ))
    })?;
    let shown = json!({
        "client_id": id,
        "client_id_issued_at": client.at,
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "grant_types": client.grant_types,
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    Ok(Reply::json(StatusCode::CREATED, &shown).with(CACHE_CONTROL, "no-store").into())
}

/// Reads the registration of a program.
fn read(said: &Value, schemes: &[String]) -> Result<ClientRegistration, ApiError> {
    if !said.is_object() {
        return Err(wrong("The registration is not an object."));
    }
    let redirect_uris = texts(said, "redirect_uris")?.unwrap_or_default();
    if redirect_uris.is_empty() || redirect_uris.len() > MOST_URIS {
        return Err(ApiError::new(codes::INVALID_REDIRECT_URI).detail("Name 1 to 10 redirect_uris."));
    }
    if let Some(bad) = redirect_uris.iter().find(|uri| Redirect::parse(uri, schemes).is_none()) {
        let shown: String = bad.chars().take(128).collect();
        return Err(
            ApiError::new(codes::INVALID_REDIRECT_URI).detail(format!("The redirect URI {shown} is not allowed."))
        );
    }
    // A program that names none may use all that are offered.
    let grant_types = texts(said, "grant_types")?
        .filter(|all| !all.is_empty())
        .unwrap_or_else(|| GRANT_TYPES.map(str::to_owned).to_vec());
    if let Some(other) = grant_types.iter().find(|kind| !GRANT_TYPES.contains(&kind.as_str())) {
        return Err(wrong(format!(
            "grant_types: {} is not offered to programs that register themselves.",
            plain(other)
        )));
    }
    if texts(said, "response_types")?.is_some_and(|all| all.iter().any(|kind| kind != "code")) {
        return Err(wrong("response_types: only code is offered."));
    }
    let name = plain(one(said, "client_name")?.unwrap_or_default());
    let uri = one(said, "client_uri")?.map(plain).filter(|uri| !uri.is_empty());
    Ok(ClientRegistration {
        at: Micros::now().0 / Micros::SECOND,
        name: if name.is_empty() { "unnamed".to_owned() } else { name },
        redirect_uris,
        uri,
        grant_types,
    })
}

fn one<'a>(said: &'a Value, name: &str) -> Result<Option<&'a str>, ApiError> {
    match said.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or_else(|| wrong(format!("{name} is not a text."))),
    }
}

fn texts(said: &Value, name: &str) -> Result<Option<Vec<String>>, ApiError> {
    match said.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let all = value.as_array().map(|all| all.iter().map(|one| one.as_str().map(str::to_owned)));
            let all = all.and_then(Iterator::collect::<Option<Vec<String>>>);
            all.map(Some).ok_or_else(|| wrong(format!("{name} is not a list of texts.")))
        }
    }
}

/// Turns a text from outside into one line, without characters that reorder or hide its parts.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !is_hidden(*c)).take(NAME).collect::<String>().trim().to_owned()
}
