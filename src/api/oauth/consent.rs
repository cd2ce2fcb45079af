//! The consent page and its answer: a person decides as whom a program may act, and with which rights (OAuth contract,
//! section 5).

use std::sync::Arc;
use std::time::Instant;

use hyper::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::authorize::{answer, expired};
use super::endpoint::{issuer, page, public};
use super::fields::{ACT_AS, AGENT_ID, AS_USER, DECISION, NEW_AGENT, TICKED};
use super::form::bad;
use super::pages::{ConsentWord, OfferedAgent, PageReader};
use super::redirect::Redirect;
use super::target::giveable;
use super::{device, forms, login, pages};
use crate::access::scopes::ax_scopes;
use crate::access::{self, Action, AgentRole, Caller, Class, Scopes};
use crate::api::ax;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Tx};
use crate::api::engine::logins::{AnswerTarget, AuthorizationRequest, CodeGrant, DeviceDecision, Logins};
use crate::limits::{OAUTH_GRANTS_OF_AGENT, OAUTH_GRANTS_OF_USER};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::route::{self, Access};
use crate::secret::{AuthorizationCode, ConsentId, Kind, SecretHash};
use crate::store::{agents, oauth_grants};
use crate::time::Micros;

const DOC: &str = "recipes/letting-programs-log-in#consent";
/// The maximum agents that the page offers. For any other agent, the person lets the program act as the user.
const OFFERED: u64 = 200;

const ANSWER: &[Field] = &[DECISION, ACT_AS, TICKED];

/// The consent page's rows of the route table.
pub const ROUTES: &[ApiRoute] = &[
    page(Method::GET, "/oauth/consent/{request}", show)
        .described(
            "oauth_consent_page",
            "Open the consent page",
            "Shows which program asks, for what, and as whom it will act. Without a session it leads to the login page \
                first.",
            DOC,
        )
        .answering(200, route::Answer::OrSeeOther(&route::Answer::Other(&["text/html"])))
        .failing(&[codes::AUTHORIZATION_EXPIRED]),
    consent_row(),
];

const fn consent_row() -> ApiRoute {
    let mut row = public(Method::POST, "/oauth/consent/{request}", |_, _| Err(ApiError::new(codes::INTERNAL)));
    row.access = Access::Action(Action::OauthConsent, decide);
    row.described(
        "oauth_consent",
        "Answer a program that asks to log in",
        "Only the session that has seen the page can answer. The program never gets more than the session has.",
        DOC,
    )
    .taking(ANSWER, r#"{"decision": "allow", "act_as": {"new_agent": "my-editor"}, "scope": ["messages", "tasks"]}"#)
    .answering(200, route::Answer::Object(LED_TO))
    .failing(REFUSALS)
}

const LED_TO: &[Field] = &[Field::unbounded("redirect_to", "The address that the browser opens next.").required()];
const REFUSALS: &[&codes::Code] = &[
    codes::AUTHORIZATION_EXPIRED,
    codes::SCOPE_EXCEEDS_ISSUER,
    codes::LIMIT_REACHED,
    codes::AGENT_NOT_FOUND,
    codes::FORBIDDEN,
    codes::CREATE_NOT_ALLOWED,
    codes::NAME_CONFLICT,
    codes::INVALID_REQUEST,
    codes::CSRF_REFUSED,
    codes::AUTH_REQUIRED,
    codes::INVALID_TOKEN,
    codes::UNSUPPORTED_MEDIA_TYPE,
    codes::RATE_LIMITED,
];

/// Returns a sentence about what a scope word lets a program do.
fn sentence(word: &str) -> &'static str {
    match word {
        "messages" => "Read, send, change and delete messages in your spaces.",
        "messages:read" => "Read messages in your spaces.",
        "messages:write" => "Send, change and delete messages.",
        "tasks" => "Read, create and change tasks.",
        "tasks:read" => "Read tasks.",
        "tasks:write" => "Create and change tasks.",
        "context" => "Read and write shared context and files.",
        "context:read" => "Read shared context.",
        "context:write" => "Write shared context and upload files.",
        "agents" => "See the agents. As you: also create, change and archive your agents.",
        "agents:read" => "See the agents.",
        "agents:write" => "As you: create, change and archive your agents.",
        "spaces" => "See the spaces. As you: also create spaces.",
        "search" => "Search messages.",
        "knowledge" => "Read and search the knowledge.",
        "notify" => "Send you notifications.",
        _ => "Use what this word stands for.",
    }
}

fn request(input: &Input) -> Option<SecretHash> {
    ConsentId::parse(input.param(0)).ok()
}

fn show(app: &App, input: Input) -> Handled {
    let gone = || PageReader::stranger(app, &input).refused("This request is over", &expired());
    if issuer(app, &input).is_err() {
        return Ok(gone().into());
    }
    let (now, hash) = (Instant::now(), request(&input));
    let Some((hash, asked)) = hash.and_then(|hash| Some((hash, app.logins.asked.look(&hash, now)?))) else {
        return Ok(gone().into());
    };
    let Some(viewer) = app.gate.viewer(&input.head)? else {
        let next = format!("/oauth/consent/{}", input.param(0));
        return Ok(login::first(&next).into());
    };
    let session = viewer.credential_id().map(str::to_owned);
    let seen = app.logins.asked.change(&hash, now, |asked| {
        // Only the first session that sees the page may answer.
        asked.seen_by.get_or_insert_with(|| session.clone().unwrap_or_default()).clone()
    });
    if seen != session {
        return Ok(gone().into());
    }
    let Some(place) = place(app, &asked.answer) else { return Ok(gone().into()) };
    Ok(form(app, &input, &viewer, &asked, &place)?.into())
}

/// Describes for people where the answer goes. `None` if an admin has removed the scheme of the redirect URI meanwhile.
fn place(app: &App, answer: &AnswerTarget) -> Option<String> {
    match answer {
        AnswerTarget::Redirect { uri, .. } => {
            let schemes = app.config.read(|now| now.oauth.redirect_schemes.clone());
            Redirect::parse(uri, &schemes).map(|uri| uri.place())
        }
        AnswerTarget::Device { peer, user_code, .. } => {
            Some(format!("a program at {peer} that shows the code {user_code}. Allow it only if you have started it"))
        }
    }
}

/// Renders the consent page.
fn form(
    app: &App,
    input: &Input,
    viewer: &Caller,
    asked: &AuthorizationRequest,
    place: &str,
) -> Result<Reply, ApiError> {
    let request = input.param(0);
    let own = ax_scopes::issuer_of_agents(viewer.scopes());
    let held: Vec<&str> =
        [Class::User, Class::Agent].iter().flat_map(|class| ax_scopes::consentable(*class, &own)).collect();
    let words: Vec<ConsentWord> = asked
        .words
        .iter()
        .filter(|word| held.contains(&word.as_str()))
        .map(|word| ConsentWord { name: word.clone(), about: sentence(word) })
        .collect();
    let (agents, may_create) = app.store.read(|conn| {
        let last = oauth_grants::last_agent(conn, &viewer.user().id, &asked.client.name)?;
        let mut agents = Vec::new();
        for agent in agents::editable(conn, viewer.is_admin(), &viewer.user().id, OFFERED, Micros::now())? {
            let chosen = last.as_deref() == Some(&agent.0);
            agents.push(OfferedAgent { id: agent.0, name: agent.1, chosen });
        }
        let may_create = viewer.scopes().allow(Action::AgentsCreate) && access::may_create(conn, viewer).is_ok();
        Ok::<_, ApiError>((agents, may_create))
    })?;
    let days = app.config.read(|now| (now.oauth.refresh_idle_days, now.oauth.refresh_days));
    let any_chosen = agents.iter().any(|agent| agent.chosen);
    let page = pages::Consent {
        request: &format!("/oauth/consent/{request}"),
        answer: &forms::answer_path(request),
        client: &asked.client.name,
        client_uri: asked.client.uri.as_deref(),
        place,
        username: &viewer.user().username,
        is_admin: viewer.is_admin(),
        words: &words,
        agents: &agents,
        may_create,
        suggested: &suggested(&asked.client.name),
        new_chosen: may_create && !any_chosen,
        user_chosen: !may_create && !any_chosen,
        resource: &match asked.audience.as_str() {
            "ax-mcp" => "the tools of this box (MCP)".to_owned(),
            "ax-api" => "the API of this box".to_owned(),
            service => format!("the service at {service}"),
        },
        idle_days: days.0,
        days: days.1,
    };
    Ok(PageReader { app, input, viewer: Some(viewer) }.shown(StatusCode::OK, &page))
}

/// Returns a name for a new agent, made from the client's name.
fn suggested(client: &str) -> String {
    let plain = client.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let name: Vec<String> =
        plain.collect::<String>().split('-').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let name: String = name.join("-").chars().take(40).collect();
    if name.is_empty() { "program".to_owned() } else { name.trim_end_matches('-').to_owned() }
}

/// The principal that a program will act as.
enum ActAs {
    Agent(String),
    NewAgent(String),
    User,
}

fn act_as(body: Option<&Value>) -> Result<ActAs, ApiError> {
    let text = |field: &Field| body.and_then(|body| body[field.name].as_str()).filter(|text| !text.is_empty());
    let user = body.is_some_and(|body| body[AS_USER.name] == true);
    match (text(&AGENT_ID), text(&NEW_AGENT), user) {
        (Some(id), None, false) => Ok(ActAs::Agent(id.to_owned())),
        (None, Some(name), false) => Ok(ActAs::NewAgent(name.to_owned())),
        (None, None, true) => Ok(ActAs::User),
        _ => Err(bad("act_as must hold exactly one of agent_id, new_agent and user.")),
    }
}

fn decide(app: &App, call: Call) -> Handled {
    issuer(app, &call.input)?;
    let hash = request(&call.input).ok_or_else(expired)?;
    let asked = app.logins.asked.look(&hash, Instant::now()).ok_or_else(expired)?;
    let is_session = call.caller.credential_kind() == Kind::Session.slug();
    let is_seen = asked.seen_by.as_deref() == call.caller.credential_id();
    if !is_session || !is_seen || place(app, &asked.answer).is_none() {
        return Err(expired());
    }
    let logins = Arc::clone(&app.logins);
    if call.input.body.text(&DECISION) == Some("deny") {
        return call.write(app, move |tx| {
            logins.asked.take(&hash, Instant::now()).ok_or_else(expired)?;
            tx.audit_as("oauth.consent.deny", format!("client:{}", asked.client.name))?;
            Ok(led_to(&denied(&logins, &asked)))
        });
    }
    let to = act_as(call.input.body.value(&ACT_AS))?;
    call.write(app, move |tx| {
        let (agent_id, words) = settle(tx, &asked, &to)?;
        logins.asked.take(&hash, Instant::now()).ok_or_else(expired)?;
        Ok(led_to(&allowed(tx, &logins, &asked, agent_id, words)?))
    })
}

fn led_to(to: &str) -> Reply {
    Reply::ok(&json!({"redirect_to": to}))
}

fn denied(logins: &Logins, asked: &AuthorizationRequest) -> String {
    match &asked.answer {
        AnswerTarget::Redirect { uri, state, .. } => {
            let said = [("error", "access_denied"), ("error_description", "The person has refused.")];
            answer(uri, &said, state.as_deref(), &asked.issuer)
        }
        AnswerTarget::Device { code, .. } => {
            logins
                .devices
                .change(code, Instant::now(), |device| device.decision.get_or_insert(DeviceDecision::Denied).clone());
            device::DENIED.to_owned()
        }
    }
}

/// Returns the agent, created if it is new, and the granted scope words.
fn settle(tx: &Tx<'_>, asked: &AuthorizationRequest, to: &ActAs) -> Result<(Option<String>, String), ApiError> {
    let user = tx.caller.user();
    if oauth_grants::count_of_user(tx.conn, &user.id, tx.now)? >= OAUTH_GRANTS_OF_USER {
        return Err(ApiError::limit_reached("grants to programs by this user", OAUTH_GRANTS_OF_USER));
    }
    let class = if matches!(to, ActAs::User) { Class::User } else { Class::Agent };
    let words = granted(tx, asked, class)?;
    let agent_id = match to {
        ActAs::User => None,
        ActAs::Agent(id) => {
            let agent = agents::by_id(tx.conn, id)?.ok_or(codes::AGENT_NOT_FOUND)?.agent;
            access::require(tx.conn, tx.caller, &agent.id, AgentRole::Editor)?;
            if oauth_grants::count_of_agent(tx.conn, &agent.id, tx.now)? >= OAUTH_GRANTS_OF_AGENT {
                return Err(ApiError::limit_reached("grants to programs on this agent", OAUTH_GRANTS_OF_AGENT));
            }
            Some(agent.id)
        }
        ActAs::NewAgent(name) => {
            if !tx.caller.scopes().allow(Action::AgentsCreate) {
                return Err(codes::CREATE_NOT_ALLOWED.into());
            }
            Some(ax::born(tx, name, None, tx.caller.scopes())?.id)
        }
    };
    Ok((agent_id, words))
}

/// Returns the scope words that the program asked for, the person ticked and the session holds.
fn granted(tx: &Tx<'_>, asked: &AuthorizationRequest, class: Class) -> Result<String, ApiError> {
    let ticked = tx.input.body.texts(&TICKED).unwrap_or_default();
    let held = ax_scopes::consentable(class, &giveable(tx.caller.scopes(), class));
    let known = ax_scopes::consentable(class, &Scopes::all());
    let mut words: Vec<&str> = Vec::new();
    for word in asked.words.iter().map(String::as_str).filter(|word| ticked.contains(word)) {
        match (held.contains(&word), known.contains(&word)) {
            (true, _) => words.push(word),
            (false, true) => {
                return Err(ApiError::new(codes::SCOPE_EXCEEDS_ISSUER)
                    .detail(format!("Your session does not have what {word} stands for.")));
            }
            // A word that only fits a user, but an agent acts.
            (false, false) => {}
        }
    }
    if words.is_empty() {
        return Err(bad("Leave at least one scope word ticked that fits whom the program acts as."));
    }
    Ok(words.join(" "))
}

/// Holds the grant until the program fetches it. Returns the address that the browser opens next.
fn allowed(
    tx: &Tx<'_>,
    logins: &Logins,
    asked: &AuthorizationRequest,
    agent_id: Option<String>,
    words: String,
) -> Result<String, ApiError> {
    let busy = || ApiError::new(codes::BUSY).detail("Too many programs have not fetched what they were given.");
    let (redirect_uri, challenge) = match &asked.answer {
        AnswerTarget::Redirect { uri, challenge, .. } => (uri.clone(), challenge.clone()),
        AnswerTarget::Device { .. } => Default::default(),
    };
    let code = CodeGrant {
        client: asked.client.clone(),
        redirect_uri,
        challenge,
        audience: asked.audience.clone(),
        agent_id,
        words,
        session_id: tx.caller.credential_id().unwrap_or_default().to_owned(),
        made: Instant::now(),
        used: None,
        replayed: false,
    };
    match &asked.answer {
        AnswerTarget::Redirect { uri, state, .. } => {
            let issued = AuthorizationCode::generate();
            logins.codes.put(issued.hash, tx.caller.account(), code, Instant::now()).map_err(|_| busy())?;
            Ok(answer(uri, &[("code", issued.plaintext.reveal())], state.as_deref(), &asked.issuer))
        }
        AnswerTarget::Device { code: device, .. } => {
            // If two people typed the same code, the first decides.
            let first = logins.devices.change(device, Instant::now(), |device| {
                let is_first = device.decision.is_none();
                device.decision.get_or_insert_with(|| DeviceDecision::Allowed(Box::new(code)));
                is_first
            });
            if first == Some(true) { Ok(device::ALLOWED.to_owned()) } else { Err(expired()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_suggested_that_an_agent_may_have() {
        for (client, name) in [
            ("Claude Code", "claude-code"),
            ("  Visual Studio Code -- Insiders!", "visual-studio-code-insiders"),
            ("é", "program"),
            ("", "program"),
        ] {
            assert_eq!(suggested(client), name);
        }
        assert!(suggested(&"a b ".repeat(60)).len() <= 40);
    }

    #[test]
    fn every_word_has_its_sentence() {
        for word in ax_scopes::of_programs() {
            assert_ne!(sentence(word), sentence("no such word"), "{word}");
        }
    }

    #[test]
    fn exactly_one_principal_is_named() {
        assert!(matches!(act_as(Some(&json!({"user": true}))), Ok(ActAs::User)));
        for bad in [None, Some(json!({})), Some(json!({"user": false})), Some(json!({"user": true, "agent_id": "x"}))] {
            assert!(act_as(bad.as_ref()).is_err(), "{bad:?}");
        }
    }
}
