//! The page of one agent: its state, its rights, its activity, and the actions on it.

use askama::Template;
use serde::Deserialize;
use serde_json::Value;

use super::core::done::still_valid;
use super::core::filters;
use super::core::frame::Frame;
use super::core::query;
use super::core::text::encoded;
use super::core::view::{PageResult, View};
use super::records::{AgentView, AuditEntryView, Calls, GrantView, NotificationView, OperationView};
use crate::access::Action;

/// The tabs of the page.
const TABS: &[(&str, &str)] =
    &[("", "Overview"), ("access", "Access"), ("settings", "Settings"), ("activity", "Activity"), ("logs", "Logs")];

/// The most notifications of an agent on its page.
const NEWS: usize = 20;

#[derive(Template)]
#[template(path = "agent.html")]
struct AgentPage<'a> {
    frame: Frame,
    agent: AgentView,
    tabs: &'static [(&'static str, &'static str)],
    tab: &'a str,
    token: Option<AgentTokenView>,
    calls: Option<Calls>,
    /// The secret, which is shown only this once.
    issued: Option<String>,
    keys: Vec<AgentKeyView>,
    grants: Vec<GrantView>,
    tripwires: Vec<TripwireView>,
    tasks: Vec<AgentTaskView>,
    deployments: Vec<DeploymentView>,
    operations: Vec<OperationView>,
    audit: Vec<AuditEntryView>,
    news: Vec<NotificationView>,
    logs: Option<Result<LogsView, String>>,
    may: May,
}

/// The actions that the reader's session allows. The routes decide about the agent itself, where grants count too.
struct May {
    lifecycle: bool,
    issue: bool,
    update: bool,
    delete: bool,
    grant: bool,
    freeze: bool,
    tripwires: bool,
}

/// A decoy credential in the agent's container.
#[derive(Deserialize)]
struct TripwireView {
    id: String,
    path: String,
    kind: String,
    freeze: bool,
    planted: bool,
    created_at: String,
    touches: u64,
    touched_at: Option<String>,
    touched_by: Option<String>,
}

/// A task that is assigned to the agent.
#[derive(Deserialize)]
struct AgentTaskView {
    title: String,
    status: String,
    updated_at: String,
}

#[derive(Deserialize)]
struct AgentTasksView {
    tasks: Vec<AgentTaskView>,
}

/// A deployment of an agent of the Agentex dialect.
#[derive(Deserialize)]
struct DeploymentView {
    id: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    acp_url: Option<String>,
    #[serde(default)]
    created_at: Option<String>,
}

#[derive(Deserialize)]
struct AgentTokenView {
    has_token: bool,
    key_id: Option<String>,
    scope: Vec<String>,
    issued_at: Option<String>,
    issued_by: Option<String>,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    grace_until: Option<String>,
    token_delivery: Option<String>,
    token_delivery_error: Option<String>,
    still_live: Vec<Value>,
}

#[derive(Deserialize)]
struct AgentKeyView {
    name: String,
    key_id: String,
    kind: String,
    bound_agent_id: Option<String>,
    lifecycle_state: String,
    expires_at: String,
    last_used_at: Option<String>,
}

#[derive(Deserialize)]
struct LogsView {
    logs: String,
    truncated: bool,
    source: String,
}

pub(super) fn show(view: &View<'_>) -> PageResult {
    let name = encoded(view.input.param(0));
    let agent: AgentView = view.get(&format!("/api/agents/{name}"))?;
    let slug = encoded(&agent.name);
    // A new secret is shown on the tab with the token.
    let tab = if view.told.issued.is_some() { "access" } else { view.query(&query::TAB).unwrap_or("") };
    let mut page = AgentPage {
        frame: view.frame(agent.display_name.clone(), "/ui/agents"),
        tabs: TABS,
        tab,
        token: None,
        calls: None,
        issued: view.told.issued.as_ref().and_then(|told| told["token"].as_str()).map(str::to_owned),
        keys: Vec::new(),
        grants: Vec::new(),
        tripwires: Vec::new(),
        tasks: Vec::new(),
        deployments: Vec::new(),
        operations: Vec::new(),
        audit: Vec::new(),
        news: Vec::new(),
        logs: None,
        may: May {
            lifecycle: view.may(Action::AgentsLifecycle),
            issue: view.may(Action::AgentsTokenIssue),
            update: view.may(Action::AgentsUpdate),
            delete: view.may(Action::AgentsDelete),
            grant: view.may(Action::GrantsCreate),
            freeze: view.may(Action::AgentsFreeze),
            tripwires: view.may(Action::AgentsTripwires),
        },
        agent,
    };
    match tab {
        "" => page.read_overview(view, &slug),
        "access" => page.read_access(view, &slug),
        "activity" => page.read_activity(view, &slug),
        "logs" => page.read_logs(view, &slug),
        _ => {}
    }
    view.page(&page)
}

impl AgentPage<'_> {
    /// Reads the agent's token and its latest operations.
    fn read_head(&mut self, view: &View<'_>, slug: &str) {
        self.token = view.find(&format!("/api/agents/{slug}/token"));
        self.operations = view.rows(&format!("/api/operations?agent={slug}&limit=5"));
    }

    fn read_overview(&mut self, view: &View<'_>, slug: &str) {
        self.read_head(view, slug);
        self.calls = view.find(&format!("/api/agents/{slug}/calls"));
    }

    fn read_access(&mut self, view: &View<'_>, slug: &str) {
        self.read_head(view, slug);
        self.grants = view.rows(&format!("/api/grants?resource={}&limit=100", self.resource()));
        if self.agent.container.is_some() {
            self.tripwires = view.rows(&format!("/api/agents/{slug}/tripwires"));
        }
        self.keys = view.rows("/credentials");
        self.keys.retain(|key| key.bound_agent_id.as_deref() == Some(&self.agent.id));
    }

    fn read_activity(&mut self, view: &View<'_>, slug: &str) {
        self.operations = view.rows(&format!("/api/operations?agent={slug}&limit=25"));
        self.audit = view.rows(&format!("/api/audit?resource={}&limit=25", self.resource()));
        self.deployments = view.rows(&format!("/agents/{}/deployments?limit=20", encoded(&self.agent.id)));
        let own = format!("/api/v1/tasks?assignee_id={}&limit=10", encoded(&self.agent.id));
        self.tasks = view.find::<AgentTasksView>(&own).map_or_else(Vec::new, |found| found.tasks);
        let own = |one: &NotificationView| one.agent() == Some(&self.agent.name);
        let news = view.list_where("/api/notifications?limit=100", None, NEWS, own);
        self.news = news.map_or_else(|_| Vec::new(), |news| news.rows);
        self.news.truncate(NEWS);
    }

    fn read_logs(&mut self, view: &View<'_>, slug: &str) {
        let logs = view.get(&format!("/api/agents/{slug}/logs?lines=300"));
        self.logs = Some(logs.map_err(|error| format!("{} {}", error.detail, error.code.fix)));
    }

    /// The agent's name in grants and in the audit, encoded for a query.
    fn resource(&self) -> String {
        encoded(&format!("agent:{}", self.agent.id))
    }

    /// The number of its credentials besides the token; 0 also if the reader may not read the token's record.
    fn others(&self) -> usize {
        self.token.as_ref().map_or(0, |token| token.still_live.len())
    }

    /// Says how many those are.
    fn others_told(&self) -> String {
        still_valid(self.others())
    }

    /// True while an operation is in progress.
    fn busy(&self) -> bool {
        self.operations.iter().any(OperationView::is_open)
    }
}
