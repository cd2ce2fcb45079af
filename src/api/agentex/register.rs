//! Registers a build, which gives a caller no access that it did not have, and registers what runs (Agentex contract,
//! section 4).

use serde_json::{Map, Value};

use super::deployments::deployed;
use super::fields::AGENT_ID;
use super::fields::{ACP_TYPE, ACP_URL, DESCRIPTION, INPUT, NAME};
use super::record::{self, METADATA, show};
use super::visible::{by_name, no_agent, role};
use super::{keys, metadata};
use crate::access::scopes::ax_scopes;
use crate::access::{self, AgentRole};
use crate::api::agents::create;
use crate::api::agents::name;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Tx};
use crate::jobs::endpoints::acp_url::AcpUrl;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Fields;
use crate::rest::reply::Reply;
use crate::store::agents;
use crate::store::credentials::KeyType;
use crate::store::deployments;
use crate::store::is_id;
use crate::store::registrations::{self, AcpType, InputType, RegisteredAgent, RegisteredBy, Registration};

/// The content of a registration.
struct RegistrationRequest {
    name: String,
    description: String,
    input_type: Option<InputType>,
    metadata: Option<Map<String, Value>>,
    agent_id: Option<String>,
    /// The agent's address and the type of its server; `None` for a build.
    acp: Option<(String, AcpType)>,
    deployment: Option<String>,
}

/// True for a valid name in this dialect.
fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| plain(b) || b == b'-')
        && text.bytes().next().is_some_and(plain)
        && text.bytes().last().is_some_and(plain)
        && !is_id(text)
}

impl RegistrationRequest {
    fn read(body: &Fields) -> Result<Self, ApiError> {
        let text = |field: &Field| body.text(field).map(str::to_owned);
        let wanted = Self {
            name: text(&NAME).unwrap_or_default(),
            description: text(&DESCRIPTION).unwrap_or_default(),
            input_type: body.word(&INPUT)?,
            metadata: body.value(&METADATA).and_then(Value::as_object).cloned(),
            agent_id: text(&AGENT_ID),
            acp: text(&ACP_URL).zip(body.word(&ACP_TYPE)?),
            deployment: None,
        };
        let mut problems = Vec::new();
        if !is_name(&wanted.name) {
            let rule = "must be 1 to 64 of a-z 0-9 -, a letter or digit first and last, and not of the form of an id";
            problems.push(("name".to_owned(), rule.to_owned()));
        }
        if wanted.acp.as_ref().is_some_and(|(url, _)| AcpUrl::parse(url).is_none()) {
            let rule = "must be an absolute http or https address of at most 2048 characters, without userinfo, query \
                        or fragment";
            problems.push(("acp_url".to_owned(), rule.to_owned()));
        }
        if !problems.is_empty() {
            return Err(ApiError::fields(problems));
        }
        metadata::merged(None, wanted.metadata.as_ref())?;
        let deployment = metadata::deployment_id(wanted.metadata.as_ref())?;
        Ok(Self { deployment: deployment.filter(|_| wanted.acp.is_some()), ..wanted })
    }

    /// Returns the registration to store for a new agent.
    fn fresh(&self, tx: &Tx<'_>) -> Result<Registration, ApiError> {
        let mut fresh = Registration {
            description: self.description.clone(),
            input_type: self.input_type,
            ..Registration::default()
        };
        if self.deployment.is_none() {
            fresh.metadata = metadata::merged(None, self.metadata.as_ref())?;
        }
        if let Some((url, acp_type)) = &self.acp {
            fresh.acp_url = Some(url.clone());
            fresh.acp_type = *acp_type;
            fresh.by_user = tx.caller.agent_id().is_none();
            (fresh.registered_at, fresh.registered_by) = (Some(tx.now), Some(RegisteredBy::Register));
        }
        Ok(fresh)
    }
}

/// Registers a build. A name that exists returns its agent if the caller may read it; only a free name creates an
/// agent.
pub(super) fn build(app: &App, call: Call) -> Handled {
    let wanted = RegistrationRequest::read(&call.input.body)?;
    call.write(app, move |tx| {
        if tx.caller.agent_id().is_some() {
            return Err(codes::CREATE_NOT_ALLOWED.into());
        }
        access::may_create(tx.conn, tx.caller)?;
        if let Some(entry) = by_name(tx.conn, &wanted.name)? {
            return match role(tx.conn, tx.caller, &entry.id)? {
                Some(_) => Ok(Reply::ok(&show(&entry))),
                None => Err(codes::NAME_UNAVAILABLE.into()),
            };
        }
        let entry = make(tx, &wanted)?;
        Ok(Reply::ok(&show(&entry)))
    })
}

/// Creates an agent: its row, its owner's grant and its registration, all in this transaction.
fn make(tx: &Tx<'_>, wanted: &RegistrationRequest) -> Result<RegisteredAgent, ApiError> {
    let slug = name::free_slug(tx.conn, &name::slug_of(&wanted.name))?;
    let scopes = ax_scopes::of_new_agent(tx.caller.credential_scopes());
    let mut birth = create::Birth::named(slug, wanted.name.clone(), &scopes);
    birth.given_name = Some(wanted.name.clone());
    let agent = create::fresh(tx, birth)?;
    create::add(tx, &agent)?;
    registrations::put(tx.conn, &agent.id, &wanted.fresh(tx)?)?;
    again(tx, &agent.id)
}

/// Reads the agent again.
fn again(tx: &Tx<'_>, id: &str) -> Result<RegisteredAgent, ApiError> {
    registrations::by_id(tx.conn, id)?.ok_or_else(|| no_agent(id))
}

pub(super) fn register(app: &App, call: Call) -> Handled {
    let wanted = RegistrationRequest::read(&call.input.body)?;
    call.write(app, move |tx| {
        let (entry, role) = match target(tx, &wanted)? {
            Some((entry, role)) => (update(tx, &wanted, entry)?, role),
            None => {
                let entry = make(tx, &wanted)?;
                if let Some(id) = &wanted.deployment {
                    deployed(tx, &entry.id, id, wanted.metadata.as_ref(), wanted.acp.as_ref())?;
                }
                (entry, AgentRole::Owner)
            }
        };
        note_commit(tx, &entry, &wanted)?;
        let first = tx.caller.agent_id().is_none() && role == AgentRole::Owner && !entry.registration.had_key;
        let key = if first { Some(keys::mint(tx, &entry.id, "registration", KeyType::Internal)?.1) } else { None };
        let key = key.as_ref().map(|issued| issued.plaintext.reveal());
        Ok(Reply::ok(&show(&entry).with_key(key)))
    })
}

/// Returns the agent that the request registers, with the caller's role on it; `None` for a new agent.
fn target(tx: &Tx<'_>, wanted: &RegistrationRequest) -> Result<Option<(RegisteredAgent, AgentRole)>, ApiError> {
    let named = by_name(tx.conn, &wanted.name)?;
    if let Some(own) = tx.caller.agent_id() {
        if let Some(id) = wanted.agent_id.as_deref().filter(|id| *id != own) {
            return Err(no_agent(id));
        }
        return match named {
            Some(entry) if entry.id == own => Ok(Some((entry, AgentRole::Viewer))),
            _ => Err(codes::NAME_UNAVAILABLE.into()),
        };
    }
    if let Some(id) = &wanted.agent_id {
        let entry = registrations::by_id(tx.conn, id)?.ok_or_else(|| no_agent(id))?;
        let role = role(tx.conn, tx.caller, &entry.id)?.ok_or_else(|| no_agent(id))?;
        let renames = named.as_ref().is_none_or(|other| other.id != entry.id);
        super::at_least(role, if renames { AgentRole::Owner } else { AgentRole::Editor })?;
        if renames && named.is_some() {
            return Err(codes::NAME_TAKEN.into());
        }
        return Ok(Some((entry, role)));
    }
    let Some(entry) = named else {
        access::may_create(tx.conn, tx.caller)?;
        return Ok(None);
    };
    let Some(role) = role(tx.conn, tx.caller, &entry.id)? else {
        access::may_create(tx.conn, tx.caller)?;
        return Err(codes::NAME_UNAVAILABLE.into());
    };
    super::at_least(role, AgentRole::Editor)?;
    Ok(Some((entry, role)))
}

/// Registers an existing agent. Writes nothing if only the time would change.
fn update(tx: &Tx<'_>, wanted: &RegistrationRequest, entry: RegisteredAgent) -> Result<RegisteredAgent, ApiError> {
    let renamed = agents::by_name(tx.conn, &wanted.name)?.is_none();
    if renamed {
        let slug = name::free_slug(tx.conn, &name::slug_of(&wanted.name))?;
        agents::rename(tx.conn, &entry.id, &slug, &wanted.name, tx.now)?;
    }
    let Some(acp) = &wanted.acp else { return Ok(entry) };
    if let Some(id) = &wanted.deployment {
        deployed(tx, &entry.id, id, wanted.metadata.as_ref(), Some(acp))?;
        tx.audit(format!("agent:{}", entry.id))?;
        return again(tx, &entry.id);
    }
    let old = &entry.registration;
    let by_user = tx.caller.agent_id().is_none();
    let next = Registration {
        description: wanted.description.clone(),
        acp_url: Some(acp.0.clone()),
        acp_type: acp.1,
        input_type: wanted.input_type.or(old.input_type),
        metadata: metadata::merged(old.metadata.as_ref(), wanted.metadata.as_ref())?,
        // An address that a user gave stays the user's if the agent repeats it.
        by_user: by_user || (old.by_user && old.acp_url.as_ref() == Some(&acp.0)),
        unhealthy: false,
        registered_by: Some(RegisteredBy::Register),
        ..old.clone()
    };
    let is_registered = old.registered_at.is_some() && record::status(&entry).0 != "Failed";
    if !renamed && is_registered && next == *old && entry.production.is_none() {
        return Ok(entry);
    }
    deployments::demote(tx.conn, &entry.id)?;
    registrations::put(tx.conn, &entry.id, &Registration { registered_at: Some(tx.now), ..next })?;
    agents::touch(tx.conn, &entry.id, tx.now)?;
    tx.audit(format!("agent:{}", entry.id))?;
    again(tx, &entry.id)
}

/// Adds an item to the agent's history if the metadata after this registration has a new commit.
fn note_commit(tx: &Tx<'_>, entry: &RegisteredAgent, wanted: &RegistrationRequest) -> Result<(), ApiError> {
    use crate::store::{history, new_id};
    // A deployment's metadata is not in the agent's own row, so both are read here.
    let said = wanted.metadata.as_ref().filter(|_| wanted.deployment.is_some());
    let said = &metadata::both(entry.registration.metadata.as_ref(), said);
    let agent_id = entry.id.as_str();
    let (Some(commit), Some(branch)) = (metadata::text(said, "agent_commit"), metadata::text(said, "branch_name"))
    else {
        return Ok(());
    };
    if history::newest_commit(tx.conn, agent_id)?.as_deref() == Some(commit) {
        return Ok(());
    }
    let author = |key: &str| metadata::text(said, key).unwrap_or("N/A").to_owned();
    history::insert(
        tx.conn,
        &history::HistoryItem {
            id: new_id(),
            agent_id: agent_id.to_owned(),
            author_name: author("author_name"),
            author_email: author("author_email"),
            branch_name: branch.to_owned(),
            commit_hash: commit.to_owned(),
            built_at: metadata::time(said, "build_timestamp").unwrap_or(tx.now),
            deployed_at: tx.now,
        },
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_lower_case_and_end_in_no_dash() {
        for good in ["a", "a-b", "a--b", "0", &"a".repeat(64)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a b", "a\n", "é", &"a".repeat(65)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
