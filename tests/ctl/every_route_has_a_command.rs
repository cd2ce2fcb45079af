//! Coverage: every route of the daemon's own dialect and of aX has a command or a reason for none. Every command of the
//! list below calls the route beside it, as the daemon's access log shows.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use taosd::api::{ApiRoute, routes};
use taosd::rest::error::Dialect;

use crate::run::Ctl;
use crate::support::Daemon;

/// Routes without a command, each with the reason.
const NO_COMMAND: &[(&str, &str)] = &[
    ("docs_index", "taosctl docs reads the pages in itself"),
    ("docs_get", "taosctl docs reads the pages in itself"),
    ("metrics", "Prometheus reads it"),
    ("front", "browsers and programs begin there"),
    ("api_index", "programs read it"),
    ("openapi", "programs read it"),
    ("agents_destroy", "the older path of agents_delete"),
    ("jwks", "what other services read to verify tokens"),
    ("sessions_open", "for browsers: taosctl sends its token itself"),
    ("sessions_list", "for browsers"),
    ("sessions_close", "for browsers"),
    ("sessions_revoke", "for browsers"),
    ("notifications_stream", "pages follow it; watch waits on notifications_list"),
    ("events", "the console follows it; requests watch waits on notifications_list"),
];

/// The reason why a route of aX about agents has no command of its own.
const TWIN: &str = "agents are managed by the routes of the daemon's own dialect";

/// Routes of aX without a command, each with the reason.
const NO_COMMAND_OF_AX: &[(&str, &str)] = &[
    ("ax_agents_create", TWIN),
    ("ax_agents_delete", TWIN),
    ("ax_agents_list", TWIN),
    ("ax_agents_manage_update", TWIN),
    ("ax_agents_read", TWIN),
    ("ax_agents_update", TWIN),
    ("ax_manage_create", TWIN),
    ("ax_manage_list", TWIN),
    ("ax_manage_update", TWIN),
    ("ax_roster", TWIN),
    ("ax_place", "axctl alone moves agents between spaces"),
    ("tasks_create_here", "tasks create does the same, and names the space if need be"),
    ("ax_placement", "axctl alone moves agents between spaces"),
    ("agents_availability", "what other clients show; an agent's record tells its status"),
    ("agents_presence", "what other clients show; an agent's record tells its status"),
    ("agents_presence_list", "what other clients show; an agent's record tells its status"),
    ("agents_state", "what other clients show; an agent's record tells its status"),
    ("agents_heartbeat", "agents call it"),
    ("agents_processing", "agents call it"),
    ("tool_calls", "agents call it"),
    ("messages_mark_these", "messages read and messages read-all do it for people"),
    ("messages_thread", "messages get and messages replies show the two"),
    ("messages_stream", "programs follow it; messages list --follow waits on messages_list"),
    ("ax_health", "a probe asks it"),
    ("ax_honeypot", "programs tell it"),
];

/// Route, command, exit code. The test fills in `{agent}`, `{token}`, `{grant}`, `{export}` and the like. The commands
/// run in this order on one daemon without a container runtime.
const COMMANDS: &[(&str, &str, i32)] = &[
    ("agents_create", "agents create --name Atlas", 0),
    ("agents_list", "agents list", 0),
    ("agents_get", "agents get atlas", 0),
    ("agents_update", "agents update atlas --host h", 0),
    ("agents_permissions", "agents permissions atlas --scope agents.read", 0),
    ("agents_persona", "agents persona atlas --source-persona-id p", 0),
    ("agents_model", "agents model atlas --model m", 0),
    ("agents_memory", "agents memory atlas --memory-plugin taosmd", 0),
    ("agents_token_issue", "agents token issue atlas", 0),
    ("agents_token_show", "agents token show atlas", 0),
    ("agents_token_revoke", "agents token revoke atlas --yes", 0),
    ("grants_list", "agents grants atlas", 0),
    ("agents_export", "agents export atlas", 0),
    ("agents_start", "agents start atlas", 1),
    ("agents_stop", "agents stop atlas", 1),
    ("agents_restart", "agents restart atlas --no-wait", 1),
    ("channels_create", "channels create operator --kind ntfy --to https://localhost/t", 0),
    ("channels_list", "channels list operator", 0),
    ("channels_update", "channels update operator nobody --min-level low", 1),
    ("channels_test", "channels test operator nobody", 1),
    ("channels_delete", "channels delete operator nobody --yes", 1),
    ("nodes_list", "nodes list", 0),
    ("nodes_check", "nodes check shed", 1),
    ("tripwires_plant", "tripwires plant atlas --path /root/.config/x", 1),
    ("tripwires_list", "tripwires list atlas", 0),
    ("tripwires_remove", "tripwires remove atlas nobody", 1),
    ("agents_freeze", "freeze atlas --reason alarm", 0),
    ("agents_thaw", "thaw atlas", 0),
    ("freeze_all", "freeze --all --reason alarm", 0),
    ("thaw_all", "thaw --all", 0),
    ("agents_wake", "agents wake atlas --wake start", 1),
    ("agents_pause", "agents pause atlas", 0),
    ("agents_resume", "agents resume atlas", 0),
    ("agents_bulk_start", "agents bulk start --yes", 1),
    ("agents_bulk_stop", "agents bulk stop --yes", 1),
    ("agents_bulk_restart", "agents bulk restart --yes", 1),
    ("agents_logs", "agents logs atlas --lines 5", 1),
    ("agents_containers", "agents containers", 0),
    ("agents_deploy", "agents deploy --name Hermes --image debian12", 1),
    ("agents_calls", "agents calls atlas", 0),
    ("agents_deploy_status", "agents deploy-status atlas", 1),
    ("operations_list", "operations list", 0),
    ("operations_get", "operations get nothing", 1),
    ("operations_get", "operations wait nothing", 1),
    ("operations_cancel", "operations cancel nothing", 1),
    ("agents_delete", "agents delete atlas --yes", 0),
    ("agents_archived_list", "agents archived", 0),
    ("agents_restore", "agents restore {agent}", 0),
    ("agents_delete", "agents delete atlas --yes", 0),
    ("agents_purge", "agents purge {agent} --yes", 0),
    ("agents_import", "agents import {export}", 0),
    ("agentex_agents_register_build", "agents register-build --name mailer --description x", 0),
    (
        "agentex_agents_register",
        "agents register --name mailer --description x --acp-url http://localhost:1 --acp-type async",
        0,
    ),
    ("users_create", "users create --username ann", 0),
    ("users_list", "users list", 0),
    ("users_get", "users get ann", 0),
    ("users_update", "users update ann --display-name Ann", 0),
    ("users_token_issue", "users token issue operator --label x", 0),
    ("users_token_list", "users token list operator", 0),
    ("users_token_revoke", "users token revoke operator {token} --yes", 0),
    ("grants_create", "grants create --principal user:ann --resource agent:* --role creator", 0),
    ("grants_list", "grants list", 0),
    ("grants_delete", "grants delete {grant} --yes", 0),
    ("users_delete", "users delete ann --yes", 0),
    ("sessions_link", "open /docs", 0),
    ("oauth_clients_create", "oauth clients add wiki", 0),
    ("oauth_clients_list", "oauth clients list", 0),
    ("oauth_clients_delete", "oauth clients remove wiki --yes", 0),
    ("oauth_introspect", "oauth introspect {secret}", 0),
    ("oauth_grants_list", "oauth grants list", 0),
    ("oauth_grants_revoke", "oauth grants revoke nothing --yes", 1),
    ("auth_whoami", "whoami", 0),
    ("auth_whoami", "auth status", 0),
    ("auth_me", "auth whoami", 0),
    ("spaces_list", "spaces list", 0),
    ("spaces_create", "spaces create --name Workshop", 0),
    ("spaces_read", "spaces get {space}", 0),
    ("spaces_members", "spaces members {space}", 0),
    ("spaces_usage", "spaces usage {space}", 0),
    ("spaces_members_add", "spaces let-in {space} --agent mailer --role viewer", 0),
    ("spaces_members_remove", "spaces remove-member {space} nobody --yes", 1),
    ("messages_send", "send hello", 0),
    ("messages_list", "send hello --wait --timeout 1", 1),
    ("messages_receipts", "send @mailer --wait-read --timeout 1", 1),
    ("messages_list", "messages list --limit 3", 0),
    ("messages_list", "inbox", 0),
    ("messages_get", "messages get {message}", 0),
    ("messages_edit", "messages edit {message} hello!", 0),
    ("messages_mark_read", "messages read {message}", 0),
    ("messages_mark_all_read", "messages read-all", 0),
    ("messages_replies", "messages replies {message} --limit 3", 0),
    ("messages_receipts", "messages receipts {message}", 0),
    ("messages_react", "messages react {message} +1", 0),
    ("messages_search", "messages search hello --limit 3", 0),
    ("messages_delete", "messages delete {message} --yes", 0),
    ("tasks_create", "tasks create Sweep --priority high", 0),
    ("tasks_list", "tasks list --limit 3", 0),
    ("tasks_read", "tasks get {task}", 0),
    ("tasks_history", "tasks history {task}", 0),
    ("tasks_next", "tasks next --lease-seconds 60 --wait 1", 0),
    ("tasks_renew", "tasks renew {task} --fence 1", 0),
    ("tasks_release", "tasks release {task} --fence 1", 0),
    ("tasks_claim", "tasks claim {task}", 0),
    ("tasks_update", "tasks update {task} --status done --fence 2", 0),
    ("context_set", "context set a/b value --ttl 60", 0),
    ("context_list", "context list --prefix a", 0),
    ("context_read", "context get a/b", 0),
    ("context_promote", "context promote a/b", 0),
    ("context_delete", "context rm a/b", 0),
    ("uploads_create", "upload {file}", 0),
    ("uploads_list", "files", 0),
    ("uploads_read", "download {upload} --dir {dir}", 0),
    ("uploads_delete", "delete-file {upload} --yes", 0),
    ("keys_create", "keys create --name x --print-token", 0),
    ("keys_list", "keys list", 0),
    ("keys_rotate", "keys rotate {key} --print-token", 0),
    ("keys_revoke", "keys revoke {key} --yes", 0),
    ("ax_agents_manage_read", "token mint minted --create", 0),
    ("ax_agents_manage_create", "token mint again --create", 0),
    ("credentials_agent_pat", "token mint minted", 0),
    ("credentials_agent_pat", "credentials issue-agent-pat minted --print-token", 0),
    ("credentials_enrollment", "credentials issue-enrollment --print-token", 0),
    ("credentials_list", "credentials list", 0),
    ("credentials_list", "credentials audit", 0),
    ("ax_agents_manage_list", "credentials audit", 0),
    ("credentials_revoke", "credentials revoke {key} --yes", 0),
    ("auth_exchange", "auth exchange", 1),
    ("credentials_fingerprint", "profile use minted", 0),
    // Only agents may ask: the operator is refused, so there is no request to decide.
    ("requests_create", "request scope agents.logs --reason why --for 2h", 1),
    ("requests_create", "request grant agent:mailer viewer --reason why", 1),
    ("ui_ask", "ask why? --option a --option b --wait 1s", 1),
    ("ui_answer", "request answer nothing", 1),
    ("requests_list", "requests list --state pending", 0),
    ("requests_get", "requests show nothing", 1),
    ("requests_approve", "requests approve nothing --for 2h --note yes", 1),
    ("requests_deny", "requests deny nothing", 1),
    ("requests_decide", "requests deny nothing none", 1),
    ("requests_revoke", "requests revoke nothing", 1),
    ("requests_withdraw", "requests withdraw nothing", 1),
    ("joins_create", "join --name joiner --reason why --wait 1s --save-to {dir}/joiner.key", 1),
    ("joins_fetch", "join --name joiner --reason why --wait 1s --save-to {dir}/joiner.key", 1),
    ("ui_notify", "ui notify --title T --body B", 0),
    ("notifications_list", "notifications list --unread", 0),
    ("notifications_count", "notifications count", 0),
    ("notifications_get", "notifications get {notification}", 0),
    ("notifications_read", "notifications read {notification}", 0),
    ("notifications_read_all", "notifications read-all", 0),
    ("notifications_delete", "notifications delete {notification} --yes", 0),
    ("knowledge_put", "knowledge put app:x {guides}", 0),
    ("knowledge_list", "knowledge list --source-id app:x", 0),
    ("knowledge_get", "knowledge get {item}", 0),
    ("knowledge_search", "knowledge search token --limit 3", 0),
    ("knowledge_sources", "knowledge sources", 0),
    ("knowledge_delete", "knowledge rm app:x --yes", 0),
    ("knowledge_prompt", "knowledge prompt --max-bytes 2000", 0),
    ("backups_create", "backup", 0),
    ("backups_list", "backups", 0),
    ("backups_list", "backups --kind automatic", 0),
    ("backups_download", "download-backup {backup} --dir {dir}", 0),
    ("box_status", "box status", 0),
    ("box_settings", "box settings", 0),
    ("agents_deploy_choices", "box choices", 0),
    ("database_check_begin", "box check", 0),
    ("database_check_get", "box check --last", 0),
    ("database_check_stop", "box check --stop", 0),
    ("audit_verification", "audit verify --rows 10", 0),
    ("credentials_expiring", "credentials expiring --within-days 90", 0),
    ("users_sessions_list", "users sessions list operator", 0),
    ("users_sessions_end", "users sessions end operator --yes", 0),
    ("audit_head", "audit head", 0),
    ("audit_list", "audit --limit 3", 0),
    ("healthz", "version", 0),
    ("readyz", "status", 0),
    ("readyz", "doctor", 0),
    ("auth_whoami", "tokens list", 0),
];

#[test]
fn every_route_has_a_command_or_a_reason_for_none() {
    let with_command = taosd::ctl::routes_with_a_command();
    for (dialect, excepted) in [(Dialect::Taos, NO_COMMAND), (Dialect::Ax, NO_COMMAND_OF_AX)] {
        let all = routes().iter().flat_map(|table| table.iter());
        let own: BTreeSet<&str> = all.filter(|route| route.dialect == dialect).map(|route| route.id).collect();
        let without: BTreeSet<&str> = excepted.iter().map(|(id, _)| *id).collect();
        assert_eq!(&own - &with_command, without);
    }
    let exercised: BTreeSet<&str> = COMMANDS.iter().map(|(id, ..)| *id).collect();
    assert_eq!(exercised, with_command);
}

#[test]
fn every_command_calls_its_route() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let ctl = Ctl::operator(&daemon);
    for (id, line, code) in COMMANDS {
        let line = line.replace("{agent}", &archived_agent(&daemon)).replace("{export}", &export(&ctl));
        let line = line.replace("{token}", &newest(&daemon, "/api/users/operator/tokens"));
        let line = line.replace("{notification}", &newest(&daemon, "/api/notifications"));
        let line = line.replace("{item}", &newest(&daemon, "/api/knowledge/items")).replace("{guides}", &guides(&ctl));
        let line = line.replace("{grant}", &newest(&daemon, "/api/grants?principal=user:ann"));
        let line = line.replace("{task}", &task(&daemon)).replace("{file}", &ctl.file("notes.txt", "notes"));
        let line = line.replace("{secret}", &ctl.file("operator.token", &daemon.token));
        let line = line.replace("{upload}", &upload(&daemon)).replace("{dir}", &dir(&ctl));
        let line = line.replace("{space}", &space(&daemon)).replace("{key}", &key(&daemon));
        let line = line.replace("{message}", &message(&daemon)).replace("{backup}", &backup(&daemon));
        if *id == "credentials_fingerprint" {
            // The new profile becomes the active one, but the environment still takes precedence.
            ctl.ok(&["token", "mint", "minted", "--profile", "minted"]);
        }
        let before = daemon.log_text().len();
        ctl.run(&line.split(' ').collect::<Vec<_>>()).expect(*code);
        let route = routes().iter().flat_map(|table| table.iter()).find(|route| route.id == *id).unwrap();
        wait_for_call(&daemon, before, route, &line);
    }
}

/// A folder with one document.
fn guides(ctl: &Ctl) -> String {
    let dir = ctl.home().join("guides");
    std::fs::create_dir_all(&dir).expect("a folder");
    std::fs::write(dir.join("a.md"), "# A\n").expect("a document");
    dir.to_str().expect("UTF-8").to_owned()
}

/// The newest task.
fn task(daemon: &Daemon) -> String {
    let tasks = daemon.operator().get("/api/v1/tasks?limit=1").expect(200).json();
    tasks["tasks"][0]["id"].as_str().unwrap_or_default().to_owned()
}

/// The upload with the highest id.
fn upload(daemon: &Daemon) -> String {
    daemon.text("SELECT coalesce(max(id), '') FROM uploads", [])
}

/// The newest backup that was requested.
fn backup(daemon: &Daemon) -> String {
    let rows = daemon.operator().get("/api/backups").expect(200).json();
    rows[0]["file"].as_str().unwrap_or_default().to_owned()
}

/// A folder for downloads.
fn dir(ctl: &Ctl) -> String {
    let dir = ctl.home().join("got");
    std::fs::create_dir_all(&dir).expect("a folder");
    dir.to_str().expect("UTF-8").to_owned()
}

fn archived_agent(daemon: &Daemon) -> String {
    newest(daemon, "/api/agents/archived")
}

fn newest(daemon: &Daemon, list: &str) -> String {
    let reply = daemon.operator().get(list);
    let rows = reply.json();
    rows.as_array().and_then(|rows| rows.last()?["id"].as_str().map(str::to_owned)).unwrap_or_default()
}

fn space(daemon: &Daemon) -> String {
    daemon.operator().get("/auth/me").json()["space_id"].as_str().unwrap().to_owned()
}

/// The newest message.
fn message(daemon: &Daemon) -> String {
    let all = daemon.operator().get("/api/v1/messages?limit=1").json();
    all["messages"][0]["id"].as_str().unwrap_or_default().to_owned()
}

/// The newest live key.
fn key(daemon: &Daemon) -> String {
    let keys = daemon.operator().get("/api/v1/keys").json();
    let live = keys.as_array().unwrap().iter().rfind(|key| key["lifecycle_state"] == "active");
    live.map_or(String::new(), |key| key["credential_id"].as_str().unwrap().to_owned())
}

fn export(ctl: &Ctl) -> String {
    ctl.file("export.json", r#"{"version": 1, "agent": {"name": "hermes"}}"#)
}

/// The access log is written a moment after the reply.
fn wait_for_call(daemon: &Daemon, from: usize, route: &ApiRoute, line: &str) {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let log = daemon.log_text();
        if log[from..].lines().any(|entry| is_call(entry, route)) {
            return;
        }
        assert!(Instant::now() < end, "{line} did not call {} {}: {}", route.method, route.path, &log[from..]);
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a log line, `access ID PEER METHOD PATH STATUS ...`, is a call of this route.
fn is_call(entry: &str, route: &ApiRoute) -> bool {
    let words: Vec<&str> = entry.split(' ').collect();
    let ["access", _, _, method, path, ..] = words[..] else { return false };
    let (wanted, given): (Vec<&str>, Vec<&str>) = (route.path.split('/').collect(), path.split('/').collect());
    let rest = route.path.ends_with("...}") && given.len() >= wanted.len();
    let same = |(w, g): (&&str, &&str)| w.starts_with('{') || w == g;
    method == route.method.as_str() && (rest || wanted.len() == given.len()) && wanted.iter().zip(&given).all(same)
}
