//! Questions to the user: the short way to a request of the kind confirm (MCP contract, section 4; requests contract).

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::http::Method;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::access::{Action, Caller, Gate};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{After, Call, Handled, Step, Written};
use crate::api::engine::dispatch::render;
use crate::api::requests::{self, RequestDraft, RequestOutcome};
use crate::jobs::events::streams::Streams;
use crate::limits::{ANSWER_CHARS, QUESTION_CHARS, QUESTION_OPTIONS, TOOL_WAIT};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::rest::service::Outcome;
use crate::rest::tool::{Effect, Tool};
use crate::store::Store;
use crate::store::requests::{Request, RequestKind, RequestState};
use crate::time::Micros;

const DOC: &str = "recipes/asking-for-access#question";
/// The states of a question, named otherwise than a request's.
const STATUS: &[&str] = &["waiting", "answered", "denied", "expired", "withdrawn"];
const SPACE: Field = Field::text("space_id", 64, "The space of the message; the agent's home space if absent.");
const WAIT: Field = Field::integer("wait", 0, 60, "Seconds to hold the reply until there is an answer; 0 if absent.");

const CLIENT_ANSWER: Field = Field::text(
    "client_answer",
    ANSWER_CHARS,
    "For MCP clients: the answer that the client's own user gave, empty if that user gave none. The daemon stores the \
        question with it and with answered_by client, and does not ask the owner.",
);

/// Who is asked: the owner, or the client's own user.
const VIA: Field = Field::word(
    "via",
    &["owner", "client"],
    "Where the user is: client shows a form in the client that calls, if it has forms. Its answer counts as the \
        client's, not as the owner's. owner if absent.",
);

/// The field `wait` of the tools, which wait less long.
const TOOL_WAIT_FIELD: Field =
    Field::integer("wait", 0, TOOL_WAIT, "Seconds to hold the call until there is an answer; 0 if absent.");

const RECORD: &[Field] = &[
    Field::unbounded("question_id", "The question's id, which is the id of its request.").required(),
    Field::word("status", STATUS, "The state of the question.").required(),
    Field::unbounded("answer", "The answer."),
    Field::integer("option", 0, 16, "The number of the chosen option, counted from 0."),
    Field::unbounded(
        "answered_by",
        "The username of the person who answered; client for the user of the agent's MCP client, whom the box does not \
            know.",
    ),
    Field::unbounded("answered_at", "When the question was answered."),
    Field::unbounded("note", "What the decider wrote."),
];

/// The routes for questions.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::checked(Method::POST, "/api/ui/ask", Taos, Action::RequestsCreate, ask)
        .described(
            "ui_ask",
            "Ask the user",
            "For agents. The owner gets a message and a notification. The answer is the owner's first reply to the \
                message, or the decision of the request with this id.",
            DOC,
        )
        .taking(
            &[
                Field::text("question", QUESTION_CHARS.1, "The question.").not_empty().required(),
                Field::texts(
                    "options",
                    QUESTION_OPTIONS[1].1,
                    QUESTION_OPTIONS[1].2,
                    "Up to 8 answers to choose from; without them the answer is free text.",
                ),
                SPACE,
                WAIT,
                CLIENT_ANSWER,
            ],
            r#"{"question": "Which branch shall I build?", "options": ["main", "release"]}"#,
        )
        .repeatable()
        .answering(200, Answer::Object(RECORD))
        .failing(&[
            codes::AGENT_REQUIRED,
            codes::SPACE_FORBIDDEN,
            codes::FORBIDDEN,
            codes::TOO_MANY_QUESTIONS,
            codes::RECENTLY_DENIED,
        ])
        .offering(
            Tool::new(
                "user_ask",
                Effect::Adds,
                "Ask your user a question, with up to 8 options to choose from, when you need a decision or an answer. \
                    With wait the call is held until the answer is there; otherwise read it later with user_answer.",
            )
            .narrowed(&[TOOL_WAIT_FIELD])
            .omitting(&[CLIENT_ANSWER.name])
            .with_extra(&[VIA]),
        ),
    ApiRoute::checked(Method::GET, "/api/ui/ask/{id}", Taos, Action::RequestsRead, get)
        .described(
            "ui_answer",
            "Read the answer to a question",
            "For the agent that asked. With wait, the reply comes with the answer, or after that many seconds.",
            DOC,
        )
        .asking(&[WAIT])
        .answering(200, Answer::Object(RECORD))
        .failing(&[codes::QUESTION_NOT_FOUND])
        .offering(
            Tool::new(
                "user_answer",
                Effect::Reads,
                "Read the answer to a question that you asked with user_ask; wait holds the call until it is there.",
            )
            .with_path(&[Field::text("question_id", 64, "The question's id, as user_ask gave it.")])
            .narrowed(&[TOOL_WAIT_FIELD]),
        ),
];

fn show(question: &Request, now: Micros) -> Value {
    let state = question.state_at(now);
    let status = match state {
        RequestState::Pending => "waiting",
        RequestState::Approved => "answered",
        other => other.slug(),
    };
    let mut shown = json!({"question_id": question.id, "status": status});
    if let Some(answer) = requests::answer_of(question) {
        shown["answer"] = answer["text"].clone();
        if !answer["option"].is_null() {
            shown["option"] = answer["option"].clone();
        }
        shown["answered_by"] = json!(question.decided_by);
        shown["answered_at"] = json!(question.decided_at.map(Micros::millis));
    }
    if let Some(note) = &question.note {
        shown["note"] = json!(note);
    }
    shown
}

fn seconds(value: Option<i64>) -> Duration {
    Duration::from_secs(value.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0))
}

fn ask(app: &App, call: Call) -> Handled {
    call.check_allowance()?;
    if call.caller.agent_id().is_none() {
        return Err(codes::AGENT_REQUIRED.into());
    }
    let body = &call.input.body;
    let question = requests::question(body, QUESTION_CHARS.1, QUESTION_OPTIONS[1])?;
    let asked = RequestDraft::question(question, body.text(&SPACE).filter(|id| !id.is_empty()).map(str::to_owned))
        .answered(body.text(&CLIENT_ANSWER).map(str::to_owned));
    let until = call.input.head.arrived + seconds(body.integer(&WAIT));
    let (settings, to_webhook) = app.config.read(|now| (now.requests, now.webhook.is_some()));
    let tell = requests::after(app);
    let waiting = WaitingCaller::of(app, &call, until);
    call.write(app, move |tx| {
        let (question, told) = match requests::create(tx, &asked, settings, to_webhook)? {
            RequestOutcome::New(made) => (made.0, Some(made.1)),
            RequestOutcome::Same(question) => (*question, None),
            RequestOutcome::NotNeeded => return Err(codes::INTERNAL.into()),
        };
        let reply = Reply::ok(&show(&question, tx.now));
        let after: After = Box::new(move |reply, claim| {
            if let Some(told) = told {
                tell(told);
            }
            // With an idempotency key the first reply is stored, so it does not wait; a repeat may wait by the
            // question's id.
            if claim.is_some() || Instant::now() >= waiting.until {
                return Outcome::Done(reply);
            }
            Outcome::Again(Box::new(move || waiting.outcome(&question.id)))
        });
        Ok(Written::Then(reply, after))
    })
}

fn get(app: &App, call: Call) -> Handled {
    let until = call.input.head.arrived + seconds(call.input.query.integer(&WAIT));
    let id = call.input.param(0).to_owned();
    Ok(Step::Later(WaitingCaller::of(app, &call, until).look(&id)?))
}

/// A caller who waits for an answer.
struct WaitingCaller {
    store: Arc<Store>,
    gate: Arc<Gate>,
    streams: Arc<Streams>,
    caller: Caller,
    until: Instant,
}

/// Returns the question, if the caller is the agent that asked it.
fn find(conn: &Connection, caller: &Caller, id: &str, now: Micros) -> Result<Request, ApiError> {
    let unknown = || ApiError::from(codes::QUESTION_NOT_FOUND);
    let found = requests::find(conn, caller, id, now).map_err(|error| match error.code.status {
        404 => unknown(),
        _ => error,
    })?;
    let is_own = caller.agent_id() == Some(found.agent_id.as_str()) && found.kind == RequestKind::Confirm;
    if is_own { Ok(found) } else { Err(unknown()) }
}

impl WaitingCaller {
    fn of(app: &App, call: &Call, until: Instant) -> Self {
        let (store, gate, streams) = (Arc::clone(&app.store), Arc::clone(&app.gate), Arc::clone(&app.streams));
        Self { store, gate, streams, caller: call.caller.clone(), until }
    }

    fn look(self, id: &str) -> Result<Outcome, ApiError> {
        let wait = self.caller.agent_id().map(|agent| self.streams.wait(&requests::topic_of(agent)));
        let now = Micros::now();
        let question = self.store.lookup(|conn| find(conn, &self.caller, id, now))?;
        let is_open = question.state_at(now) == RequestState::Pending;
        match wait.filter(|_| is_open && Instant::now() < self.until && !self.streams.is_closing()) {
            None => Ok(Outcome::Done(Reply::ok(&show(&question, now)))),
            Some(wait) => {
                let (until, id) = (self.until, question.id);
                Ok(Outcome::Later { wait, until, again: Box::new(move || self.outcome(&id)) })
            }
        }
    }

    /// Looks again, if the caller would still be admitted.
    fn outcome(mut self, id: &str) -> Outcome {
        let request_id = self.caller.request_id().to_owned();
        let looked = if self.gate.renew(&mut self.caller, &[Action::RequestsCreate])
            || self.gate.renew(&mut self.caller, &[Action::RequestsRead])
        {
            self.look(id)
        } else {
            Err(codes::INVALID_TOKEN.into())
        };
        looked.unwrap_or_else(|error| Outcome::Done(render(&error, Taos, &request_id)))
    }
}
