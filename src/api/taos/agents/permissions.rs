//! Changing what an agent may do.

use serde_json::json;

use super::fields::MEMORY;
use super::{record, settings};
use crate::access::AgentRole;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::taos::scope;
use crate::rest::reply::Reply;
use crate::store::credentials;

pub(crate) fn update(app: &App, call: Call) -> Handled {
    let scopes = scope::asked(&call.input.body)?;
    if let Some(scopes) = &scopes {
        scope::within(&call.caller, scopes)?;
    }
    call.write(app, move |tx| {
        let live = settings::change(tx, AgentRole::Owner, |agent| {
            if let Some(flag) = tx.input.body.flag(&MEMORY) {
                agent.can_read_user_memory = flag;
            }
            if let Some(scopes) = &scopes {
                agent.scope = scopes.stored();
            }
            Ok(())
        })?;
        // The token may have had scopes of its own: then it changes even if the record does not.
        if scopes.is_some()
            && credentials::set_agent_scopes(tx.conn, &live.agent.id, &live.agent.scope)? > 0
            && live.agent.updated_at != tx.now
        {
            tx.audit(format!("agent:{}", live.agent.id))?;
        }
        Ok(Reply::ok(&json!({
            "status": "updated",
            "name": live.agent.slug,
            "permissions": {
                "can_read_user_memory": live.agent.can_read_user_memory,
                "scope": record::list(&live.agent.scope),
            },
        })))
    })
}
