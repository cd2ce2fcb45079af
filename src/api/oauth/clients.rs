//! Programs that an admin registers by hand: with a secret, or without (OAuth contract, section 3).

use hyper::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::client;
use super::redirect::Redirect;
use super::register::{MOST_URIS, NAME, plain};
use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::paging::{CURSOR, LIMIT, Listing};
use crate::limits::OAUTH_CLIENTS;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::secret::ClientSecret;
use crate::store::oauth_clients::{self, Client};
use crate::store::{self, credentials, oauth_grants};

const DOC: &str = "recipes/letting-programs-log-in#register-by-hand";

const CLIENT_NAME: Field = Field::text("name", NAME, "The name that people see on the consent page.").visible();
const REDIRECT_URIS: Field =
    Field::texts("redirect_uris", MOST_URIS, super::redirect::MOST, "The redirect URIs that the program may use.")
        .told(r#"{"items": {"type": "string", "pattern": "^https://[a-z0-9]+[.]example[.][a-z]{2,}/[a-z]*$"}}"#);
const SECRET: Field = Field::flag("secret", "True to make a client secret, with which the program authenticates.");
const INTROSPECT: Field =
    Field::flag("introspect", "True to let the program check every token of the box; it then gets a secret.");

const ID: Field = Field::unbounded("id", "The client id.").required();
const URIS: Field = Field::unbounded_texts("redirect_uris", "The redirect URIs that it may use.").required();
const HAS_SECRET: Field = Field::flag("has_secret", "True if the program has a client secret.").required();
const INTROSPECTS: Field = Field::flag("introspect", "True if the program may check every token.").required();
const CREATED_BY: Field = Field::unbounded("created_by", "Who has registered it.").required();
const CREATED_AT: Field = Field::unbounded("created_at", "When it was registered.").required();

const RECORD: &[Field] = &[ID, CLIENT_NAME.required(), URIS, HAS_SECRET, INTROSPECTS, CREATED_BY, CREATED_AT];
const MADE: &[Field] = &[
    ID,
    CLIENT_NAME.required(),
    URIS,
    HAS_SECRET,
    INTROSPECTS,
    CREATED_BY,
    CREATED_AT,
    Field::unbounded("client_secret", "The secret, shown only in this reply.").required().nullable(),
];

/// The rows of the route table for clients.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::checked(Method::GET, "/api/oauth/clients", Taos, Action::OauthClientsList, list)
        .described(
            "oauth_clients_list",
            "List the programs that were registered by hand",
            "Oldest first. The daemon does not store programs that registered themselves.",
            DOC,
        )
        .asking(&[LIMIT, CURSOR])
        .answering(200, Answer::List(RECORD))
        .failing(&[codes::FORBIDDEN, codes::INVALID_CURSOR]),
    ApiRoute::checked(Method::POST, "/api/oauth/clients", Taos, Action::OauthClientsCreate, create)
        .described("oauth_clients_create", "Register a program by hand", "Only the reply shows the client secret.", DOC)
        .taking(
            &[CLIENT_NAME.required(), REDIRECT_URIS, SECRET, INTROSPECT],
            r#"{"name": "Wiki", "redirect_uris": ["https://wiki.example.org/callback"], "secret": true}"#,
        )
        .secret()
        .answering(201, Answer::Object(MADE))
        .failing(&[codes::FORBIDDEN, codes::INVALID_REDIRECT_URI, codes::LIMIT_REACHED]),
    ApiRoute::checked(Method::DELETE, "/api/oauth/clients/{id}", Taos, Action::OauthClientsDelete, delete)
        .described(
            "oauth_clients_delete",
            "Remove a registered program",
            "The path takes the program's id, or its name if no other program has it. Also ends everything that was \
                granted to it.",
            DOC,
        )
        .answering(204, Answer::Empty)
        .failing(&[codes::FORBIDDEN, codes::OAUTH_CLIENT_NOT_FOUND]),
];

fn show(client: &Client) -> Value {
    let redirect_uris: Value = serde_json::from_str(&client.redirect_uris).unwrap_or_else(|_| json!([]));
    json!({
        "id": client.id,
        "name": client.name,
        "redirect_uris": redirect_uris,
        "has_secret": client.secret.is_some(),
        "introspect": client.can_introspect,
        "created_by": client.created_by,
        "created_at": client.created_at.millis(),
    })
}

fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "oauth_clients")?;
    let page = list.page();
    let mut take = |client: Client| list.push((client.created_at, client.id.clone()), &show(&client));
    app.store.lookup(|conn| oauth_clients::list(conn, &page, &mut take))?;
    Ok(list.reply(&call.input).into())
}

fn create(app: &App, call: Call) -> Handled {
    let schemes = app.config.read(|now| now.oauth.redirect_schemes.clone());
    call.write(app, move |tx| {
        let body = &tx.input.body;
        let name = plain(body.text(&CLIENT_NAME).unwrap_or_default());
        if name.is_empty() {
            return Err(ApiError::field("name", "must have a visible character"));
        }
        let uris = body.texts(&REDIRECT_URIS).unwrap_or_default();
        if let Some(bad) = uris.iter().find(|uri| Redirect::parse(uri, &schemes).is_none()) {
            return Err(
                ApiError::new(codes::INVALID_REDIRECT_URI).detail(format!("The redirect URI {bad} is not allowed."))
            );
        }
        if oauth_clients::count(tx.conn)? >= OAUTH_CLIENTS {
            return Err(ApiError::limit_reached("registered programs", OAUTH_CLIENTS));
        }
        let can_introspect = body.flag(&INTROSPECT) == Some(true);
        let is_confidential = can_introspect || body.flag(&SECRET) == Some(true);
        let issued = is_confidential.then(ClientSecret::generate);
        let client = Client {
            id: store::new_id(),
            name,
            redirect_uris: json!(uris).to_string(),
            secret: issued.as_ref().map(|issued| issued.hash.as_bytes().to_vec()),
            can_introspect,
            created_by: tx.caller.actor(),
            created_at: tx.now,
        };
        oauth_clients::insert(tx.conn, &client)?;
        tx.audit(format!("client:{} {}", client.id, client.name))?;
        let mut shown = show(&client);
        shown["client_secret"] = json!(issued.as_ref().map(|issued| issued.plaintext.reveal()));
        Ok(Reply::json(StatusCode::CREATED, &shown))
    })
}

fn delete(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let client = oauth_clients::resolve(tx.conn, tx.input.param(0))?.ok_or(codes::OAUTH_CLIENT_NOT_FOUND)?;
        oauth_clients::delete(tx.conn, &client.id)?;
        for grant in oauth_grants::of_client(tx.conn, &client::hash(&client.id))? {
            credentials::revoke(tx.conn, &grant, tx.now)?;
        }
        tx.audit(format!("client:{} {}", client.id, client.name))?;
        Ok(Reply::no_content())
    })
}
