//! The records of the API, with the fields that pages show.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::core::text::encoded;

/// An agent.
#[derive(Debug, Deserialize)]
pub(super) struct AgentView {
    pub id: String,
    pub name: String,
    pub display_name: String,
    pub host: String,
    pub qmd_index: String,
    pub color: String,
    pub emoji: Option<String>,
    pub can_read_user_memory: bool,
    pub framework: String,
    pub model: Option<String>,
    pub soul_md: String,
    pub agent_md: String,
    pub memory_plugin: String,
    pub status: String,
    pub paused: bool,
    pub sleeping: bool,
    pub wake: String,
    pub idle_stop_minutes: i64,
    pub frozen: bool,
    pub frozen_at: Option<String>,
    pub frozen_by: Option<String>,
    pub frozen_reason: Option<String>,
    pub container: Option<ContainerView>,
    pub owner: String,
    pub scope: Vec<String>,
    pub has_token: bool,
    pub last_used_at: Option<String>,
    pub token_delivery: Option<String>,
    pub token_delivery_error: Option<String>,
    pub created_at: String,
}

impl AgentView {
    /// The state of the agent in one word.
    pub fn state(&self) -> &str {
        match (self.frozen, self.paused, self.sleeping) {
            (true, ..) => "frozen",
            (_, true, _) => "paused",
            (.., true) => "sleeping",
            _ => &self.status,
        }
    }

    /// The text in the agent's circle: its emoji, or the first letter of its name.
    pub fn face(&self) -> String {
        match self.emoji.as_deref().filter(|emoji| !emoji.is_empty()) {
            Some(emoji) => emoji.chars().take(4).collect(),
            None => self.display_name.chars().next().unwrap_or('?').to_uppercase().to_string(),
        }
    }

    /// True if the last delivery of its token failed.
    pub fn failed_delivery(&self) -> bool {
        self.token_delivery.as_deref() == Some("failed")
    }
}

/// The health of an agent whose address the box checks.
#[derive(Debug, Deserialize)]
pub(super) struct RegistrationView {
    pub id: String,
    pub status: String,
    #[serde(default)]
    pub status_reason: String,
}

/// An agent's container.
#[derive(Debug, Deserialize)]
pub(super) struct ContainerView {
    pub name: String,
    pub runtime: Option<String>,
}

/// An archived agent.
#[derive(Debug, Deserialize)]
pub(super) struct Archived {
    pub id: String,
    pub archived_slug: String,
    pub display_name: String,
    pub archived_at: String,
    pub container: Option<String>,
    pub owner: String,
}

/// An operation.
#[derive(Debug, Deserialize)]
pub(super) struct OperationView {
    pub id: String,
    pub kind: String,
    pub status: String,
    pub agent_name: Option<String>,
    pub step: String,
    pub progress: i64,
    pub cancellable: bool,
    pub error: Option<Value>,
    pub created_at: String,
    pub finished_at: Option<String>,
}

impl OperationView {
    /// True while the operation is in progress.
    pub fn is_open(&self) -> bool {
        matches!(self.status.as_str(), "queued" | "running")
    }

    /// The reason why it failed.
    pub fn trouble(&self) -> &str {
        self.error.as_ref().and_then(|error| error["detail"].as_str()).unwrap_or_default()
    }

    /// The fix for the failure.
    pub fn fix(&self) -> &str {
        self.error.as_ref().and_then(|error| error["fix"].as_str()).unwrap_or_default()
    }

    /// The documentation page about the failure.
    pub fn doc_url(&self) -> &str {
        let url = self.error.as_ref().and_then(|error| error["doc_url"].as_str()).unwrap_or_default();
        if url.starts_with("/docs/") { url } else { "/docs" }
    }
}

/// A notification.
#[derive(Debug, Deserialize)]
pub(super) struct NotificationView {
    pub id: String,
    pub created_at: String,
    pub level: String,
    pub title: String,
    pub message: String,
    pub read: bool,
    pub source: String,
    pub app_origin: Option<String>,
    pub action_url: Option<String>,
}

impl NotificationView {
    /// True if the notification links to an address outside this box.
    pub fn leads_out(&self) -> bool {
        self.action_url.as_deref().is_some_and(|url| !url.starts_with('/'))
    }

    /// The agent that sent it.
    pub fn agent(&self) -> Option<&str> {
        self.source.strip_prefix("agent:")
    }
}

/// A grant.
#[derive(Debug, Deserialize)]
pub(super) struct GrantView {
    pub id: String,
    pub principal: String,
    pub role: String,
    pub granted_by: String,
    pub granted_at: String,
    pub expires_at: Option<String>,
}

/// A row of the audit.
#[derive(Debug, Deserialize)]
pub(super) struct AuditEntryView {
    pub seq: i64,
    pub at: String,
    pub actor: String,
    pub actor_name: Option<String>,
    pub action: String,
    pub resource: String,
    pub resource_name: Option<String>,
    pub outcome: String,
    pub count: i64,
    pub prev_hash: String,
    pub hash: String,
}

impl AuditEntryView {
    /// The actor, by its present name.
    pub fn who(&self) -> &str {
        self.actor_name.as_deref().unwrap_or(&self.actor)
    }

    /// The resource: its kind and its present name, or else its id.
    pub fn about(&self) -> String {
        match (&self.resource_name, self.resource.split_once(':')) {
            (Some(name), Some((kind, _))) => format!("{kind} {name}"),
            (Some(name), None) => name.clone(),
            (None, _) => self.resource.clone(),
        }
    }
}

/// The state of the box.
#[derive(Debug, Deserialize)]
pub(super) struct StatusView {
    pub status: String,
    pub checks: Map<String, Value>,
    pub version: String,
    pub uptime_seconds: u64,
    pub disk_free_bytes: Option<u64>,
    pub database_bytes: Option<u64>,
    pub backup_age_seconds: Option<u64>,
    pub backup_failures: u64,
    pub runtime: Option<String>,
    pub listening: Vec<String>,
    pub connections: u64,
    pub streams: u64,
    pub queued: u64,
    pub workers: u64,
}

/// A credential that expires soon.
#[derive(Debug, Deserialize)]
pub(super) struct EndingView {
    pub kind: String,
    pub key_id: String,
    pub label: String,
    pub agent_name: Option<String>,
    pub username: Option<String>,
    pub expires_at: String,
}

impl EndingView {
    /// The kind of the credential, for people.
    pub fn kind_in_words(&self) -> String {
        self.kind.replace('_', " ")
    }

    /// The holder of the credential.
    pub fn whose(&self) -> &str {
        self.agent_name.as_deref().or(self.username.as_deref()).unwrap_or("nobody yet")
    }

    /// The page on which it can be renewed.
    pub fn page(&self) -> String {
        match (&self.agent_name, &self.username) {
            (Some(agent), _) => format!("/ui/agents/{}?tab=access", encoded(agent)),
            (None, Some(user)) => format!("/ui/people/{}", encoded(user)),
            (None, None) => "/ui/people".to_owned(),
        }
    }
}

/// The calls of an agent in each of the last 24 hours.
#[derive(Debug, Deserialize)]
pub(super) struct Calls {
    pub name: String,
    pub total: u64,
    hours: Vec<Hour>,
}

#[derive(Debug, Deserialize)]
struct Hour {
    calls: u64,
}

/// A bar of a small chart.
pub(super) struct ChartBar {
    pub x: usize,
    pub y: u64,
    pub height: u64,
}

impl Calls {
    /// The bars of the chart, at most [`SPARK`] units high; the highest is for the most calls. An hour with at least
    /// one call has a visible bar.
    pub fn bars(&self) -> impl Iterator<Item = ChartBar> {
        let most = self.hours.iter().map(|hour| hour.calls).max().unwrap_or(0).max(1);
        let bars = self.hours.iter().enumerate().filter(|(_, hour)| hour.calls > 0);
        bars.map(move |(at, hour)| {
            let height = (hour.calls * SPARK).div_ceil(most);
            ChartBar { x: at * 3, y: SPARK - height, height }
        })
    }
}

/// The height of the chart.
const SPARK: u64 = 16;
