//! Joining and coming back, for a caller without a credential (requests contract, section 4): it asks, and fetches the
//! key after a person has approved. This works under every name of the box, whether or not OAuth is offered there.

pub(crate) mod decide;
mod key;

use std::time::Instant;

use hyper::header::CACHE_CONTROL;
use hyper::http::{Method, StatusCode};
use serde_json::json;

use crate::access::Action;
use crate::api::agents::name;
use crate::api::engine::api_route::{ApiRoute, PublicHandler};
use crate::api::engine::app::App;
use crate::api::engine::call::Handled;
use crate::api::engine::joins::{PollPace, WaitingJoin};
use crate::api::engine::site;
use crate::api::requests;
use crate::api::requests::fields::REASON;
use crate::limits::{JOIN_INTERVAL, JOIN_LIFE, NAME_CHARS};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::head::Peer;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::route::{Answer, Need};
use crate::secret::{DeviceCode, UserCode};
use crate::store;
use crate::time::Micros;

const DOC: &str = "recipes/joining#ask";
const DOC_FETCH: &str = "recipes/joining#fetch-the-key";
/// The action that refusals are recorded as.
const NEED: Need = Need { action: Action::RequestsCreate, classes: &[], dialect: Taos };

const NAME: Field = Field::text("name", NAME_CHARS, "The name of the agent: A-Z a-z 0-9 _ -.");
const DESCRIPTION: Field = Field::text("description", 200, "What the agent is for.").line();
const ORIGIN_HINT: Field = Field::text("origin_hint", 64, "Where the caller runs, such as a host's name.").line();
const DEVICE_CODE: Field = Field::text("device_code", 128, "The device code of the reply to POST /api/joins.");

const fn public(path: &'static str, handler: PublicHandler) -> ApiRoute {
    ApiRoute::public(Method::POST, path, Taos, handler).secret().answering(200, Answer::Empty)
}

/// The routes for joins.
pub const ROUTES: &[ApiRoute] = &[
    public("/api/joins", ask)
        .described(
            "joins_create",
            "Ask to join, or to come back",
            "For an agent without a credential. A person sees the code, the name, the reason and the caller's address, \
                and decides: a new agent, or the one of that name again. The daemon stores nothing before that.",
            DOC,
        )
        .taking(
            &[NAME.required(), REASON.required(), DESCRIPTION, ORIGIN_HINT],
            r#"{"name": "scout", "reason": "To watch the builds on this machine."}"#,
        )
        .answering(
            201,
            Answer::Object(&[
                Field::shown("id", "The id of the request."),
                Field::shown("device_code", "The code to fetch the key with; shown only in this reply."),
                Field::shown("user_code", "The code that the person compares, or types."),
                Field::shown("verification_uri", "The page where a person decides."),
                Field::shown("verification_uri_complete", "The page of this request."),
                Field::integer("expires_in", 1, 3600, "Seconds until it expires.").required(),
                Field::integer("interval", 1, 3600, "Seconds between two requests for the key.").required(),
            ]),
        )
        .failing(&[codes::RATE_LIMITED]),
    public("/api/joins/key", fetch)
        .described(
            "joins_fetch",
            "Fetch the key of an approved join",
            "Answers authorization_pending until a person has decided. The key is shown once; a second request for it \
                gets expired_token.",
            DOC_FETCH,
        )
        .taking(&[DEVICE_CODE.required()], r#"{"device_code": "taos_device_…"}"#)
        .answering(
            200,
            Answer::Object(&[
                Field::shown(
                    "access_token",
                    "The agent's key, shown only in this reply. Exchange it at /auth/exchange.",
                ),
                Field::word("token_type", &["pat"], "Always pat.").required(),
                Field::shown("credential_id", "The id of the key."),
                Field::shown("agent_id", "The id of the agent."),
                Field::shown("agent_name", "Its name."),
                Field::shown("space_id", "The space that it lives in."),
                Field::unbounded_texts("scopes", "The scopes of the key.").required(),
                Field::shown("expires_at", "When the key expires."),
            ]),
        )
        .failing(&[
            codes::AUTHORIZATION_PENDING,
            codes::SLOW_DOWN,
            codes::ACCESS_DENIED,
            codes::EXPIRED_TOKEN,
            codes::AGENT_FROZEN,
            codes::RATE_LIMITED,
        ]),
];

/// Returns the caller's address as people read it.
fn told(peer: &Peer) -> String {
    match peer {
        Peer::Ip(ip) => ip.to_canonical().to_string(),
        Peer::Unix { uid, .. } => format!("the box itself, user {uid}"),
        Peer::Agent { id } => format!("the container of agent {id}"),
    }
}

fn ask(app: &App, input: Input) -> Handled {
    let body = &input.body;
    let called = name::given_name(body.required(&NAME))?.to_owned();
    let (id, code, device) =
        (store::new_id(), UserCode::generate().plaintext.reveal().to_owned(), DeviceCode::generate());
    let (now, reason) = (Micros::now(), body.required(&REASON).to_owned());
    let mut join = WaitingJoin::new(id.clone(), code.clone(), called, reason, told(&input.head.peer), now);
    join.description = body.text(&DESCRIPTION).map(str::to_owned);
    join.origin_hint = body.text(&ORIGIN_HINT).map(str::to_owned);
    app.joins
        .put(device.hash, &input.head.peer.key(), join.clone(), Instant::now())
        .map_err(|seconds| ApiError::new(codes::RATE_LIMITED).retry_after(seconds))?;
    if app.joins.may_tell(Instant::now()) {
        let to_webhook = app.config.read(|now| now.webhook.is_some());
        let told = app.store.write(move |conn| decide::notify(conn, &join, to_webhook, now))?;
        requests::after(app)(told);
    }
    let page = format!("{}/ui/requests", site::origin(app, &input.head).unwrap_or_else(|| site::of_box(app)));
    let shown = json!({
        "id": id,
        "device_code": device.plaintext.reveal(),
        "user_code": code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}/{id}"),
        "expires_in": JOIN_LIFE.as_secs(),
        "interval": JOIN_INTERVAL,
    });
    Ok(Reply::json(StatusCode::CREATED, &shown).with(CACHE_CONTROL, "no-store").into())
}

fn fetch(app: &App, input: Input) -> Handled {
    let Ok(device) = DeviceCode::parse(input.body.required(&DEVICE_CODE)) else {
        return Err(app.gate.failed(&input.head, &NEED, codes::EXPIRED_TOKEN.into()));
    };
    let asked = app.joins.asked(&device, Instant::now());
    if asked == Some(PollPace::TooSoon) {
        return Err(codes::SLOW_DOWN.into());
    }
    // Only decided joins are on disk, so only they need the writer.
    if app.store.lookup(|conn| store::joins::by_device(conn, &device))?.is_none() {
        return Err(match asked {
            Some(_) => codes::AUTHORIZATION_PENDING.into(),
            None => app.gate.failed(&input.head, &NEED, codes::EXPIRED_TOKEN.into()),
        });
    }
    let request_id = input.head.request_id.clone();
    let key = app.store.write(move |conn| key::fetch(conn, &device, &request_id, Micros::now()))?;
    let key = key.ok_or(codes::EXPIRED_TOKEN)?;
    Ok(Reply::ok(&key).with(CACHE_CONTROL, "no-store").into())
}
