//! The device grant (RFC 8628): a program without a browser shows a code. A person types it on a page of the box and
//! decides there, and the program polls for the outcome (OAuth contract, section 8).

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::header::CACHE_CONTROL;
use hyper::http::{Method, StatusCode};
use serde_json::json;

use super::endpoint::{NEED, issuer, page, public};
use super::form::{self, OauthForm, first, posted};
use super::pages::PageReader;
use super::target::audience;
use super::token_grant::{give, invalid_grant, issue};
use super::{client, client_auth, fields, login, pages, target};
use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::logins::{
    AnswerTarget, AuthorizationRequest, CodeGrant, DEVICE_INTERVAL, DEVICES, DeviceDecision, DeviceLogin,
};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::route::{self, Access};
use crate::secret::{ConsentId, DeviceCode, Kind, SecretHash, UserCode};

const DOC: &str = "recipes/letting-programs-log-in#without-a-browser";
/// The path that the browser opens after the person has allowed the program.
pub const ALLOWED: &str = "/oauth/device?done=allowed";
/// The path that the browser opens after the person has denied the program.
pub const DENIED: &str = "/oauth/device?done=denied";

const CODES: &[Field] = &[
    Field::unbounded("device_code", "The code that the program sends to the token endpoint.").required(),
    Field::unbounded("user_code", "What the person types.").required(),
    Field::unbounded("verification_uri", "The page where the person types it.").required(),
    Field::unbounded("verification_uri_complete", "The same page with the code filled in.").required(),
    Field::integer("expires_in", 1, i64::MAX, "Seconds that the codes are valid.").required(),
    Field::integer("interval", 1, i64::MAX, "Seconds to wait between two requests.").required(),
];
const LED_TO: &[Field] = &[Field::unbounded("redirect_to", "The address that the browser opens next.").required()];

const FORM: &[Field] =
    &[fields::CLIENT_ID.required().not_empty(), fields::SCOPE.described("The scope words."), fields::RESOURCE];

/// The device grant's rows of the route table.
pub const ROUTES: &[ApiRoute] = &[
    public(Method::POST, "/oauth/device_authorization", ask)
        .described(
            "oauth_device_authorization",
            "Ask a person to let in a program without a browser",
            "The device authorization endpoint (RFC 8628), with a form as body: client_id, scope, resource. The \
                program shows the user code and asks the token endpoint until the person has decided.",
            DOC,
        )
        .taking_raw_of(form::TYPE, FORM, r#"{"client_id": "…", "scope": "messages tasks"}"#)
        .secret()
        .answering(200, route::Answer::Object(CODES))
        .failing(&[
            codes::INVALID_REQUEST,
            codes::INVALID_CLIENT,
            codes::UNAUTHORIZED_CLIENT,
            codes::INVALID_SCOPE,
            codes::INVALID_TARGET,
            codes::CSRF_REFUSED,
            codes::RATE_LIMITED,
            codes::BUSY,
            codes::NOT_FOUND,
        ]),
    page(Method::GET, "/oauth/device", show)
        .described(
            "oauth_device_page",
            "Open the page where people type a program's code",
            "Without a session it leads to the login page first. user_code fills the code in.",
            DOC,
        )
        .answering(200, route::Answer::OrSeeOther(&route::Answer::Other(&["text/html"]))),
    typed_row(),
];

const fn typed_row() -> ApiRoute {
    let mut row = public(Method::POST, "/oauth/device", |_, _| Err(ApiError::new(codes::INTERNAL)));
    row.access = Access::Action(Action::OauthConsent, typed);
    row.described(
        "oauth_device",
        "Type the code of a program",
        "Leads to the consent page of the program that shows the code. After five wrong codes in a minute, every code is \
            refused until the minute is over.",
        DOC,
    )
    .taking(&[fields::USER_CODE], r#"{"user_code": "BCDF-GHJK"}"#)
    .answering(200, route::Answer::Object(LED_TO))
    .failing(&[
        codes::USER_CODE_NOT_FOUND,
        codes::INVALID_REQUEST,
        codes::CSRF_REFUSED,
        codes::AUTH_REQUIRED,
        codes::INVALID_TOKEN,
        codes::UNSUPPORTED_MEDIA_TYPE,
        codes::RATE_LIMITED,
    ])
}

/// Handles `POST /oauth/device_authorization`.
fn ask(app: &App, input: Input) -> Handled {
    let issuer = issuer(app, &input)?;
    let form = posted(&input)?;
    let shown = client_auth::needed(&input, &form)?;
    let now = Instant::now();
    app.logins
        .registrations
        .take(&format!("device:{}", input.head.peer.key()), now)
        .map_err(|seconds| ApiError::new(codes::RATE_LIMITED).retry_after(seconds))?;
    let known = shown.proved(app, &input)?;
    known.must_use(client::DEVICE_CODE)?;
    let target = audience(&app.config.now(), &issuer, form.get(&fields::RESOURCE))?;
    let words = target::words(form.get(&fields::SCOPE), &target).ok_or_else(target::none_left)?;
    let (device, user) = (DeviceCode::generate(), UserCode::generate());
    let waiting = DeviceLogin {
        client: known.registered.told(&shown.id),
        words,
        audience: target.audience.as_str().to_owned(),
        issuer: issuer.clone(),
        user_code: user.hash,
        peer: input.head.peer.key(),
        interval: DEVICE_INTERVAL,
        polled: None,
        decision: None,
    };
    let busy = |_| ApiError::new(codes::BUSY).detail("Too many programs wait for a person.");
    app.logins.devices.put(device.hash, &input.head.peer.key(), waiting, now).map_err(busy)?;
    let page = format!("{issuer}/oauth/device");
    let told = json!({
        "device_code": device.plaintext.reveal(),
        "user_code": user.plaintext.reveal(),
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={}", user.plaintext.reveal()),
        "expires_in": DEVICES.life.as_secs(),
        "interval": DEVICE_INTERVAL,
    });
    Ok(Reply::ok(&told).with(CACHE_CONTROL, "no-store").into())
}

/// Handles `GET /oauth/device`.
fn show(app: &App, input: Input) -> Handled {
    if issuer(app, &input).is_err() {
        let reader = PageReader::stranger(app, &input);
        return Ok(reader.refused("There is no such page", &codes::NOT_FOUND.into()).into());
    }
    let code = first(&input.head.query, &fields::USER_CODE).and_then(|text| UserCode::read(&text));
    let viewer = app.gate.viewer(&input.head)?;
    let reader = PageReader { app, input: &input, viewer: viewer.as_ref() };
    let done = |is_allowed| Ok(reader.shown(StatusCode::OK, &pages::DonePage { is_allowed }).into());
    match first(&input.head.query, &fields::DONE).as_deref() {
        Some("allowed") => return done(true),
        Some("denied") => return done(false),
        _ => {}
    }
    if viewer.is_none() {
        let next = code.map_or_else(|| "/oauth/device".to_owned(), |code| format!("/oauth/device?user_code={code}"));
        return Ok(login::first(&next).into());
    }
    Ok(reader.shown(StatusCode::OK, &pages::DevicePage { code: code.as_deref().unwrap_or_default() }).into())
}

/// Handles `POST /oauth/device`.
fn typed(app: &App, call: Call) -> Handled {
    issuer(app, &call.input)?;
    if call.caller.credential_kind() != Kind::Session.slug() {
        return Err(codes::USER_CODE_NOT_FOUND.into());
    }
    let now = Instant::now();
    let guesses = &app.logins.user_codes;
    let too_many = |seconds| ApiError::new(codes::RATE_LIMITED).retry_after(seconds);
    // After too many wrong codes a right one is refused as well, or the guesses would go on.
    guesses.check(call.caller.account(), now).map_err(too_many)?;
    let code = call.input.body.text(&fields::USER_CODE).and_then(UserCode::read);
    let hash = code.as_deref().and_then(|code| UserCode::parse(code).ok());
    let waits = |device: &DeviceLogin| device.decision.is_none() && Some(device.user_code) == hash;
    let Some((device, found, _)) = app.logins.devices.list(now, waits).into_iter().next() else {
        guesses.take(call.caller.account(), now).map_err(too_many)?;
        return Err(codes::USER_CODE_NOT_FOUND.into());
    };
    let answer = AnswerTarget::Device { code: device, peer: found.peer, user_code: code.unwrap_or_default() };
    let asked = AuthorizationRequest {
        client: found.client,
        words: found.words,
        audience: found.audience,
        issuer: found.issuer,
        answer,
        seen_by: call.caller.credential_id().map(str::to_owned),
    };
    let id = ConsentId::generate();
    let busy = |_| ApiError::new(codes::BUSY).detail("Too many programs wait for a decision.");
    app.logins.asked.put(id.hash, call.caller.account(), asked, now).map_err(busy)?;
    Ok(Reply::ok(&json!({"redirect_to": format!("/oauth/consent/{}", id.plaintext.reveal())})).into())
}

/// The reply to a program that polls with its device code.
enum DeviceReply {
    Pending,
    TooSoon(u64),
    Denied,
    Allowed(Box<CodeGrant>),
    Over,
}

/// Handles the device grant at the token endpoint.
pub(super) fn poll(app: &App, input: Input, form: &OauthForm) -> Handled {
    let presented = form.required(&fields::DEVICE_CODE)?;
    let shown = client_auth::needed(&input, form)?;
    let known = shown.proved(app, &input)?;
    known.must_use(client::DEVICE_CODE)?;
    let over = |input: &Input| Err(app.gate.failed(&input.head, &NEED, codes::EXPIRED_TOKEN.into()));
    let Ok(hash) = DeviceCode::parse(presented) else { return over(&input) };
    let now = Instant::now();
    let client = client::hash(&shown.id);
    if app.logins.devices.look(&hash, now).is_some_and(|device| device.client.hash != client) {
        return Err(invalid_grant(app, &input, "The device code was given to another client."));
    }
    let told = app.logins.devices.change(&hash, now, |device| told(device, now)).unwrap_or(DeviceReply::Over);
    match told {
        DeviceReply::Pending => Err(codes::AUTHORIZATION_PENDING.into()),
        DeviceReply::TooSoon(seconds) => Err(ApiError::new(codes::SLOW_DOWN)
            .detail(format!("Wait {seconds} seconds between two questions."))
            .with("interval", seconds)),
        DeviceReply::Denied => Err(codes::ACCESS_DENIED.into()),
        DeviceReply::Over => over(&input),
        DeviceReply::Allowed(code) => grant(app, input, hash, *code, shown.id, known.uses(client::REFRESH)),
    }
}

fn told(device: &mut DeviceLogin, now: Instant) -> DeviceReply {
    let last = device.polled.replace(now);
    match &device.decision {
        Some(DeviceDecision::Denied) => return DeviceReply::Denied,
        Some(DeviceDecision::Given) => return DeviceReply::Over,
        _ => {}
    }
    if last.is_some_and(|last| now.saturating_duration_since(last) < Duration::from_secs(device.interval)) {
        device.interval += DEVICE_INTERVAL;
        return DeviceReply::TooSoon(device.interval);
    }
    match device.decision.take() {
        Some(DeviceDecision::Allowed(code)) => {
            device.decision = Some(DeviceDecision::Given);
            DeviceReply::Allowed(code)
        }
        other => {
            device.decision = other;
            DeviceReply::Pending
        }
    }
}

fn grant(app: &App, input: Input, device: SecretHash, code: CodeGrant, id: String, refreshes: bool) -> Handled {
    let (logins, allowed) = (Arc::clone(&app.logins), Box::new(code.clone()));
    // If the program is refused for now, the person's yes still waits for it.
    let give_back = move || {
        let again = |device: &mut DeviceLogin| device.decision = Some(DeviceDecision::Allowed(allowed));
        logins.devices.change(&device, Instant::now(), again);
    };
    let caller = match app.gate.behind(&input.head, &NEED, &code.session_id, Kind::Session) {
        Ok(caller) => caller,
        Err(refusal) => {
            give_back();
            return Err(refusal);
        }
    };
    let Some(caller) = caller else {
        return Err(ApiError::new(codes::ACCESS_DENIED).detail("The session that allowed it has ended."));
    };
    let (config, gate) = (app.config.now(), Arc::clone(&app.gate));
    Call::of(app, caller, input, Action::OauthToken).giving_back(give_back).write(app, move |tx| {
        let given = give(tx, &config, &code, &id, refreshes)?;
        issue(tx, &gate, &config, &given, &id, &code.words)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::engine::logins::LoginClient;

    fn device() -> DeviceLogin {
        DeviceLogin {
            client: LoginClient { hash: SecretHash::of("c"), name: "c".into(), uri: None },
            words: Vec::new(),
            audience: "ax-api".into(),
            issuer: "http://localhost".into(),
            user_code: SecretHash::of("u"),
            peer: "127.0.0.1".into(),
            interval: DEVICE_INTERVAL,
            polled: None,
            decision: None,
        }
    }

    #[test]
    fn who_asks_too_soon_waits_longer_each_time() {
        let (mut device, start) = (device(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(matches!(told(&mut device, at(0)), DeviceReply::Pending));
        assert!(matches!(told(&mut device, at(4)), DeviceReply::TooSoon(10)));
        assert!(matches!(told(&mut device, at(13)), DeviceReply::TooSoon(15)));
        assert!(matches!(told(&mut device, at(28)), DeviceReply::Pending));
    }

    #[test]
    fn a_no_is_told_at_once_and_a_second_yes_never() {
        let (mut device, start) = (device(), Instant::now());
        assert!(matches!(told(&mut device, start), DeviceReply::Pending));
        device.decision = Some(DeviceDecision::Denied);
        assert!(matches!(told(&mut device, start), DeviceReply::Denied));
        device.decision = Some(DeviceDecision::Given);
        assert!(matches!(told(&mut device, start + Duration::from_secs(60)), DeviceReply::Over));
    }
}
