//! Archiving, restoring and purging agents. For an agent with a container each is an operation.

use rusqlite::Connection;
use serde_json::json;

use crate::access::{AgentRole, Caller, Principal};
use crate::api::agents::archive::ArchiveEnding;
use crate::api::agents::create::own;
use crate::api::agents::{find, name};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::paging::Listing;
use crate::api::engine::slow::Slow;
use crate::containers::ContainerPlace;
use crate::jobs::operations::archive::purge_parts;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::reply::{Decided, Reply};
use crate::store::agents::{self, Agent, ArchivedAgent};
use crate::store::grants::Grantee;
use crate::store::operations::OperationKind;

/// Archives an agent. Without a container one transaction ends every credential and grant and frees the name. With a
/// container it is an operation.
pub(crate) fn archive(app: &App, call: Call) -> Handled {
    let ending = ArchiveEnding::new(app, &call);
    call.write(app, move |tx| {
        let agent = find(tx.conn, tx.caller, tx.input.param(0), AgentRole::Owner)?.agent;
        let archived = json!({
            "status": "archived",
            "id": agent.id,
            "name": agent.slug,
            "archived_at": tx.now.millis(),
            "snapshot_name": agent.snapshot_name,
        });
        ending.run(tx, &agent, &archived)
    })
}

pub(crate) fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "archived")?;
    let page = list.page();
    // An agent owns no archived agent: its grants ended with the archiving.
    let owner = match call.caller.principal() {
        _ if call.caller.is_admin() => None,
        Principal::User(user) => Some(user.id.as_str()),
        Principal::Agent { .. } => Some(""),
    };
    let show = |row: &ArchivedAgent| {
        json!({
            "id": row.id,
            "archived_slug": row.slug,
            "display_name": row.display_name,
            "archived_at": row.archived_at.millis(),
            "snapshot_name": row.snapshot_name,
            "container": row.container,
            "owner": row.owner,
        })
    };
    let mut take = |row: ArchivedAgent| {
        let place = (row.archived_at, row.id.clone());
        if call.caller.may_touch(&row.id) { list.push(place, &show(&row)) } else { list.pass(place) }
    };
    app.store.lookup(|conn| agents::list_archived(conn, owner, &page, &mut take))?;
    Ok(list.reply(&call.input).decided(Decided::ByDatabase).into())
}

/// Returns the archived agent of this id, if the caller owns it or is an admin, and its credential is not restricted to
/// other agents.
fn owned(conn: &Connection, caller: &Caller, id: &str) -> Result<Agent, ApiError> {
    let agent = agents::archived(conn, id)?.filter(|agent| caller.may_touch(&agent.id));
    let agent = agent.ok_or(codes::ARCHIVED_AGENT_NOT_FOUND)?;
    let own = matches!(caller.principal(), Principal::User(user) if user.id == agent.owner_user_id);
    if own || caller.is_admin() { Ok(agent) } else { Err(codes::ARCHIVED_AGENT_NOT_FOUND.into()) }
}

/// Restores an agent with the same id, under a free slug. Old credentials stay revoked, and of the grants only the
/// owner's is given again.
pub(crate) fn restore(app: &App, call: Call) -> Handled {
    let runtimes = app.jobs.runtimes();
    let slow = Slow::new(app, &call.input);
    call.write(app, move |tx| {
        let agent = owned(tx.conn, tx.caller, tx.input.param(0))?;
        if let Some(container) = &agent.container_name {
            runtimes.of(&agent)?;
            let node = ContainerPlace::node_in(container);
            let slug = name::free_slug_with_container(tx.conn, &agent.slug, &agent.id, node.as_ref())?;
            return slow.promise(tx, OperationKind::Restore, &agent, &json!({"slug": slug}));
        }
        let slug = name::free_slug(tx.conn, &agent.slug)?;
        agents::restore(tx.conn, &agent.id, &slug, tx.now)?;
        own(tx, &agent.id, &Grantee::User(agent.owner_user_id.clone()))?;
        tx.audit(format!("agent:{}", agent.id))?;
        Ok(Reply::ok(&json!({
            "status": "restored",
            "id": agent.id,
            "name": slug,
            "display_name": agent.display_name,
            "container_renamed": false,
        }))
        .into())
    })
}

pub(crate) fn purge(app: &App, call: Call) -> Handled {
    let agent = app.store.read(|conn| owned(conn, &call.caller, call.input.param(0)))?;
    if agent.container_name.is_none() {
        purge_parts(&app.store, &agent.id)?;
    }
    let runtimes = app.jobs.runtimes();
    let slow = Slow::new(app, &call.input);
    call.write(app, move |tx| {
        let agent = owned(tx.conn, tx.caller, tx.input.param(0))?;
        if agent.container_name.is_some() {
            runtimes.of(&agent)?;
            return slow.promise(tx, OperationKind::Purge, &agent, &json!({}));
        }
        agents::purge(tx.conn, &agent.id)?;
        tx.audit(format!("agent:{}", agent.id))?;
        Ok(Reply::ok(&json!({"status": "purged", "id": agent.id})).into())
    })
}
