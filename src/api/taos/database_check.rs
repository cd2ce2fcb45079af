//! The database check on demand: it is started, followed and stopped here. All callers share one check.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::http::Method;
use serde_json::{Value, json};

use crate::access::{Action, Caller, Gate};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Step};
use crate::api::engine::dispatch::render;
use crate::jobs::operations::Jobs;
use crate::jobs::operations::check::{self, Check, CheckState};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::{Field, Type};
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::rest::service::Outcome;
use crate::store::CheckFinding;
use crate::time::Micros;

const DOC: &str = "recipes/troubleshooting#check-the-database";
/// The part of the database that was checked.
const NAME: Field = Field::shown("name", "What was looked at: file, schema version, schema, structure, …");
const WAIT: Field = Field::integer("wait", 0, 60, "Seconds to wait for the end of the check; 0 if absent.");
/// How long a stop waits for the check to end.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// The check's record.
const RECORD: Answer = Answer::Object(&[
    Field::word("state", CheckState::SLUGS, "The state of the check.").required(),
    Field::shown("step", "What it looks at now; null if it is not running.").nullable(),
    Field::of(
        "findings",
        Type::Objects(&[
            NAME,
            Field::flag("ok", "Whether nothing is wrong.").required(),
            Field::shown("detail", "What was found, or what is wrong."),
        ]),
        "What it has looked at so far, in this order.",
    )
    .required(),
    Field::shown("started_at", "When it began; null if there was none since the daemon started.").nullable(),
    Field::shown("finished_at", "When it ended; null until then.").nullable(),
]);

/// The routes for the database check.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::checked(Method::POST, "/api/database/check", Taos, Action::BoxCheck, begin)
        .described(
            "database_check_begin",
            "Check the database",
            "Checks the structure, the foreign keys and the audit chain, as taosd check does, while the daemon goes on \
                working. One check runs at a time: if one is running, the reply shows that one. The check writes \
                nothing; the daemon keeps its result in memory until it stops.",
            DOC,
        )
        .asking(&[WAIT])
        .taking(&[], "{}")
        .answering(200, RECORD)
        .failing(&[codes::FORBIDDEN]),
    ApiRoute::checked(Method::GET, "/api/database/check", Taos, Action::BoxCheck, read)
        .described(
            "database_check_get",
            "Read the last check of the database",
            "The check that is running, or else the last one since the daemon started.",
            DOC,
        )
        .asking(&[WAIT])
        .answering(200, RECORD)
        .failing(&[codes::FORBIDDEN]),
    ApiRoute::checked(Method::DELETE, "/api/database/check", Taos, Action::BoxCheck, stop)
        .described(
            "database_check_stop",
            "Stop the check of the database",
            "Stops the check that is running and keeps what it has found so far. If none is running, nothing happens.",
            DOC,
        )
        .answering(200, RECORD)
        .failing(&[codes::FORBIDDEN]),
];

fn begin(app: &App, call: Call) -> Handled {
    if !app.jobs.check.is_running() {
        let key = if call.caller.credential_id().is_some() { "tokens" } else { "socket" };
        app.gate.checks.take(key, Instant::now()).map_err(|seconds| {
            ApiError::new(codes::RATE_LIMITED)
                .detail("The maximum number of database checks per hour is reached.")
                .retry_after(seconds)
        })?;
        check::begin(&app.jobs)?;
    }
    read(app, call)
}

fn read(app: &App, call: Call) -> Handled {
    let wait = call.input.query.integer(&WAIT).and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
    let until = call.input.head.arrived + Duration::from_secs(wait);
    Ok(Step::Later(AwaitedCheck::of(app, call, until).look()))
}

fn stop(app: &App, call: Call) -> Handled {
    app.jobs.check.stop();
    Ok(Step::Later(AwaitedCheck::of(app, call, Instant::now() + STOPS_WITHIN).look()))
}

/// A caller who waits for the end of the check, and until when.
struct AwaitedCheck {
    jobs: Arc<Jobs>,
    gate: Arc<Gate>,
    caller: Caller,
    until: Instant,
}

impl AwaitedCheck {
    fn of(app: &App, call: Call, until: Instant) -> Self {
        Self { jobs: Arc::clone(&app.jobs), gate: Arc::clone(&app.gate), caller: call.caller, until }
    }

    /// Replies when the check has ended, or when the time is up.
    fn look(self) -> Outcome {
        // The wait begins before the read, so that no change in between is missed.
        let wait = self.jobs.check.changed.wait();
        let newest = self.jobs.check.newest();
        let until = self.until;
        if newest.state != CheckState::Running || Instant::now() >= until {
            return Outcome::Done(Reply::ok(&show(&newest)));
        }
        Outcome::Later { wait, until, again: Box::new(move || self.again()) }
    }

    /// Looks again, if the caller would still be admitted.
    fn again(mut self) -> Outcome {
        if self.gate.renew(&mut self.caller, &[Action::BoxCheck]) {
            return self.look();
        }
        Outcome::Done(render(&codes::INVALID_TOKEN.into(), Taos, self.caller.request_id()))
    }
}

fn show(check: &Check) -> Value {
    let finding = |one: &CheckFinding| {
        let (Ok(detail) | Err(detail)) = &one.result;
        json!({"name": one.name, "ok": one.result.is_ok(), "detail": detail})
    };
    json!({
        "state": check.state,
        "step": check.step,
        "findings": check.findings.iter().map(finding).collect::<Vec<_>>(),
        "started_at": check.started_at.map(Micros::millis),
        "finished_at": check.finished_at.map(Micros::millis),
    })
}
