//! Creating agents.

use hyper::header::LOCATION;
use serde_json::json;

use super::fields::{FRAMEWORK, NAME};
use super::{model, settings};
use crate::access::{self, Scopes};
use crate::api::agents::create::{Birth, add, fresh};
use crate::api::agents::name;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::taos::scope;
use crate::rest::reply::Reply;

pub(crate) fn create(app: &App, call: Call) -> Handled {
    let body = &call.input.body;
    let display_name = name::display_name(body.required(&NAME))?;
    settings::check(body)?;
    let scopes = scope::asked(body)?.unwrap_or_else(Scopes::agent_default);
    scope::within(&call.caller, &scopes)?;
    let model = settings::model_name(body)?;
    let config = app.config.now();
    call.write(app, move |tx| {
        access::may_create(tx.conn, tx.caller)?;
        if let Some(model) = &model {
            model::locate(&config.models, model, None)?;
        }
        let slug = name::free_slug(tx.conn, &name::slug_of(&display_name))?;
        let body = &tx.input.body;
        let mut agent = fresh(tx, Birth::named(slug, display_name, &scopes))?;
        settings::apply(&mut agent, body);
        agent.framework = body.text(&FRAMEWORK).unwrap_or("none").to_owned();
        agent.model = model;
        add(tx, &agent)?;
        let created = json!({
            "status": "created",
            "id": agent.id,
            "name": agent.slug,
            "display_name": agent.display_name,
        });
        Ok(Reply::ok(&created).with(LOCATION, &format!("/api/agents/{}", agent.slug)))
    })
}
