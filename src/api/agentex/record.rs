//! An agent in the form that Agentex clients get, and its status, which is computed and never stored (Agentex contract,
//! sections 3 and 5).

use serde::Serialize;
use serde_json::value::RawValue;

use crate::rest::field::{Field, Type};
use crate::store::agents::AgentStatus;
use crate::store::registrations::{AcpType, InputType, RegisteredAgent, RegisteredBy};

/// The status values that clients may get.
pub const STATUSES: &[&str] = &["Ready", "Failed", "Unknown", "Deleted", "Unhealthy", "BuildOnly"];

/// The fields of an agent.
pub const FIELDS: &[Field] = &[
    Field::shown("id", "The agent's id."),
    Field::shown("name", "The agent's name."),
    Field::shown("description", "The agent's purpose."),
    Field::word("acp_type", AcpType::SLUGS, "How the agent's server answers.").required(),
    Field::shown("created_at", "When the agent was created."),
    Field::shown("updated_at", "When the agent was last changed."),
    Field::word("status", STATUSES, "The agent's state.").required(),
    Field::shown("status_reason", "The reason for the state.").nullable(),
    METADATA.required().nullable(),
    Field::shown("registered_at", "When the agent last registered, or a deployment of it was promoted.").nullable(),
    Field::word("agent_input_type", InputType::SLUGS, "The kind of input that the agent takes.").required().nullable(),
    Field::shown("production_deployment_id", "The id of the deployment in production.").nullable(),
];

/// The data that the agent sent about itself.
pub const METADATA: Field = Field::of(
    "registration_metadata",
    Type::AnyObject,
    "What the agent sent about itself when it registered; at most 64 KiB.",
);

/// Returns stored JSON unchanged. It is not parsed into values, because it may be long.
pub fn stored(text: Option<&String>) -> Option<&RawValue> {
    text.and_then(|text| serde_json::from_str(text).ok())
}

/// An agent in the form that clients get.
#[derive(Debug, Serialize)]
pub struct AgentexAgent<'a> {
    id: &'a str,
    name: &'a str,
    description: &'a str,
    acp_type: AcpType,
    created_at: String,
    updated_at: String,
    status: &'static str,
    status_reason: String,
    registration_metadata: Option<&'a RawValue>,
    registered_at: Option<String>,
    agent_input_type: Option<InputType>,
    production_deployment_id: Option<&'a str>,
    /// Only in the reply to a registration.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_api_key: Option<Option<&'a str>>,
}

impl<'a> AgentexAgent<'a> {
    /// Adds the key that the registration made, or null if it made none.
    pub fn with_key(self, key: Option<&'a str>) -> Self {
        Self { agent_api_key: Some(key), ..self }
    }
}

/// Returns the agent in the form that clients get.
pub fn show(entry: &RegisteredAgent) -> AgentexAgent<'_> {
    let r = &entry.registration;
    let (status, status_reason) = status(entry);
    AgentexAgent {
        id: &entry.id,
        name: &entry.name,
        description: &r.description,
        acp_type: r.acp_type,
        created_at: entry.created_at.micros(),
        updated_at: entry.updated_at.micros(),
        status,
        status_reason,
        registration_metadata: stored(r.metadata.as_ref()),
        registered_at: r.registered_at.map(crate::time::Micros::micros),
        agent_input_type: r.input_type,
        production_deployment_id: entry.production.as_deref(),
        agent_api_key: None,
    }
}

/// Returns the status and its reason: the first that fits.
pub fn status(entry: &RegisteredAgent) -> (&'static str, String) {
    let r = &entry.registration;
    let failed_at = entry.failure.as_ref().map(|(at, _)| *at);
    // If the time of the failure is no longer known, a registration counts as later.
    if entry.status == AgentStatus::Failed
        && r.registered_at.is_none_or(|at| failed_at.is_some_and(|failed| failed > at))
    {
        let why = entry.failure.as_ref().map(|(_, why)| why.clone()).filter(|why| !why.is_empty());
        return ("Failed", why.unwrap_or_else(|| "the deployment failed".into()));
    }
    let has_container = entry.container_name.is_some();
    match (r.registered_at, entry.status) {
        (Some(_), _) if r.unhealthy => ("Unhealthy", "health check failed".into()),
        (Some(_), status)
            if has_container && (entry.paused || matches!(status, AgentStatus::Stopped | AgentStatus::Failed)) =>
        {
            ("Unhealthy", "container is not running".into())
        }
        (Some(_), _) if r.registered_by == Some(RegisteredBy::Promote) => ("Ready", "promoted".into()),
        (Some(_), _) => ("Ready", "registered".into()),
        (None, AgentStatus::Running | AgentStatus::Stopped) => ("Unknown", "no ACP registration".into()),
        (None, _) => ("BuildOnly", "build registered, not deployed".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::registrations::Registration;
    use crate::time::Micros;

    fn told(
        status_of: AgentStatus,
        registered: Option<i64>,
        change: impl FnOnce(&mut RegisteredAgent),
    ) -> &'static str {
        let mut entry = RegisteredAgent {
            id: "i".into(),
            name: "n".into(),
            status: status_of,
            paused: false,
            container_name: matches!(status_of, AgentStatus::Running | AgentStatus::Stopped).then(|| "c".into()),
            created_at: Micros(0),
            updated_at: Micros(0),
            registration: Registration {
                registered_at: registered.map(Micros),
                registered_by: registered.map(|_| RegisteredBy::Register),
                ..Registration::default()
            },
            production: None,
            failure: None,
        };
        change(&mut entry);
        status(&entry).0
    }

    #[test]
    fn the_first_status_that_fits_is_told() {
        assert_eq!(told(AgentStatus::Registered, None, |_| ()), "BuildOnly");
        assert_eq!(told(AgentStatus::Deploying, None, |_| ()), "BuildOnly");
        assert_eq!(told(AgentStatus::Running, None, |_| ()), "Unknown");
        assert_eq!(told(AgentStatus::Stopped, None, |_| ()), "Unknown");
        assert_eq!(told(AgentStatus::Failed, None, |_| ()), "Failed");
        assert_eq!(told(AgentStatus::Registered, Some(5), |_| ()), "Ready");
        assert_eq!(told(AgentStatus::Running, Some(5), |_| ()), "Ready");
        assert_eq!(told(AgentStatus::Running, Some(5), |e| e.paused = true), "Unhealthy");
        assert_eq!(told(AgentStatus::Stopped, Some(5), |_| ()), "Unhealthy");
        assert_eq!(told(AgentStatus::Registered, Some(5), |e| e.registration.unhealthy = true), "Unhealthy");
        assert_eq!(told(AgentStatus::Failed, Some(5), |e| e.failure = Some((Micros(6), "x".into()))), "Failed");
        assert_eq!(told(AgentStatus::Failed, Some(5), |e| e.failure = Some((Micros(4), "x".into()))), "Ready");
    }
}
