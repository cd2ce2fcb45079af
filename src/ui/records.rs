//! The API's records, as far as pages show them.

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
    /// One word for how it is.
    pub fn state(&self) -> &str {
        match (self.frozen, self.paused, self.sleeping) {
            (true, ..) => "frozen",
            (_, true, _) => "paused",
            (.., true) => "sleeping",
            _ => &self.status,
        }
    }

    /// What stands in its circle.
    pub fn face(&self) -> String {
        match self.emoji.as_deref().filter(|emoji| !emoji.is_empty()) {
            Some(emoji) => emoji.chars().take(4).collect(),
            None => self.display_name.chars().next().unwrap_or('?').to_uppercase().to_string(),
        }
    }

    /// True if the last delivery of its token went wrong.
    pub fn failed_delivery(&self) -> bool {
        self.token_delivery.as_deref() == Some("failed")
    }
}

/// How an agent is whose address the box checks.
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

/// An agent that was archived.
#[derive(Debug, Deserialize)]
pub(super) struct Archived {
    pub id: String,
    pub archived_slug: String,
    pub display_name: String,
    pub archived_at: String,
    pub container: Option<String>,
    pub owner: String,
}

/// Slow work.
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
    /// True while it goes on.
    pub fn is_open(&self) -> bool {
        matches!(self.status.as_str(), "queued" | "running")
    }

    /// Why it failed.
    pub fn trouble(&self) -> &str {
        self.error.as_ref().and_then(|error| error["detail"].as_str()).unwrap_or_default()
    }

    /// What to do about that.
    pub fn fix(&self) -> &str {
        self.error.as_ref().and_then(|error| error["fix"].as_str()).unwrap_or_default()
    }

    /// The page that explains it.
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
    /// True for an address beyond this box.
    pub fn leads_out(&self) -> bool {
        self.action_url.as_deref().is_some_and(|url| !url.starts_with('/'))
    }

    /// The agent it came from.
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

/// An entry of the audit.
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
    /// Who did it, by the name it has now.
    pub fn who(&self) -> &str {
        self.actor_name.as_deref().unwrap_or(&self.actor)
    }

    /// What it was about: its kind and the name it has now, else its id.
    pub fn about(&self) -> String {
        match (&self.resource_name, self.resource.split_once(':')) {
            (Some(name), Some((kind, _))) => format!("{kind} {name}"),
            (Some(name), None) => name.clone(),
            (None, _) => self.resource.clone(),
        }
    }
}

/// How the box is.
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

/// A credential that ends soon.
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
    /// What it is.
    pub fn kind_in_words(&self) -> String {
        self.kind.replace('_', " ")
    }

    /// Whose it is.
    pub fn whose(&self) -> &str {
        self.agent_name.as_deref().or(self.username.as_deref()).unwrap_or("nobody yet")
    }

    /// The page that renews it.
    pub fn page(&self) -> String {
        match (&self.agent_name, &self.username) {
            (Some(agent), _) => format!("/ui/agents/{}?tab=access", encoded(agent)),
            (None, Some(user)) => format!("/ui/people/{}", encoded(user)),
            (None, None) => "/ui/people".to_owned(),
        }
    }
}

/// An agent's calls in each of the last 24 hours.
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
    /// Bars of at most [`SPARK`] units, the highest for most calls; an hour with any call has one that is seen.
    pub fn bars(&self) -> impl Iterator<Item = ChartBar> {
        let most = self.hours.iter().map(|hour| hour.calls).max().unwrap_or(0).max(1);
        let bars = self.hours.iter().enumerate().filter(|(_, hour)| hour.calls > 0);
        bars.map(move |(at, hour)| {
            let height = (hour.calls * SPARK).div_ceil(most);
            ChartBar { x: at * 3, y: SPARK - height, height }
        })
    }
}

/// The height of a spark.
const SPARK: u64 = 16;
