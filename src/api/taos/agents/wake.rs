//! How an agent sleeps and wakes (workspace contract, section 4).

use serde_json::json;

use super::fields::{IDLE_STOP, IDLE_STOP_SET, REVISION, SLEEPING, SLUG, STATUS, WAKE_SET};
use crate::access::AgentRole;
use crate::api::agents::find;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Written};
use crate::rest::codes;
use crate::rest::field::Field;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::store::agents::{self, Wake};

const WAKE: Field = Field::word(
    "wake",
    Wake::SLUGS,
    "What news does to the sleeping agent's container: nothing, start it (it sleeps stopped) or resume it (it sleeps \
        frozen).",
);
/// The fields that the route takes.
pub(crate) const FIELDS: &[Field] = &[WAKE, IDLE_STOP];

/// The fields of the route's reply.
pub(crate) const ANSWER: &[Field] = &[STATUS, SLUG, WAKE_SET, IDLE_STOP_SET, SLEEPING, REVISION];

pub(crate) fn update(app: &App, call: Call) -> Handled {
    let sleeper = std::sync::Arc::clone(&app.sleeper);
    call.write(app, move |tx| {
        let mut agent = find(tx.conn, tx.caller, tx.input.param(0), AgentRole::Editor)?.agent;
        tx.input.if_match(agent.revision)?;
        if agent.container_name.is_none() {
            return Err(codes::AGENT_HAS_NO_CONTAINER.into());
        }
        let body = &tx.input.body;
        let wake = body.text(&WAKE).and_then(|word| word.parse().ok()).unwrap_or(agent.wake);
        let minutes = body.integer(&IDLE_STOP).unwrap_or(agent.idle_stop_minutes);
        if (wake, minutes) != (agent.wake, agent.idle_stop_minutes) {
            agents::set_wake(tx.conn, &agent.id, wake, minutes, tx.now)?;
            tx.audit(format!("agent:{}", agent.id))?;
            (agent.wake, agent.idle_stop_minutes) = (wake, minutes);
            agent.revision += 1;
        }
        let reply = Reply::ok(&json!({
            "status": "updated",
            "name": agent.slug,
            "wake": wake,
            "idle_stop_minutes": minutes,
            "sleeping": agent.sleeps(),
            "revision": agent.revision,
        }));
        let after = move |reply, _| {
            sleeper.nudge();
            Outcome::Done(reply)
        };
        Ok(Written::Then(reply, Box::new(after)))
    })
}
