//! Tests of query plans: every list finds its rows by an index, whoever calls it. No list scans or sorts a table that
//! grows. `tests/golden/plans.txt` has the expected plans; `UPDATE_GOLDEN=1` writes it anew.

use rusqlite::Connection;

use super::agents::{self, AgentFilter, AgentStatus, AgentViewer};
use super::audit::{self, AuditFilter};
use super::grants::{self, GrantFilter, Grantee, On};
use super::knowledge::ItemFilter;
use super::operations::{self, OperationFilter, OperationKind, OperationStatus};
use super::page::{Numbered, Page};
use super::{
    agent_keys, channels, credentials, deployments, expiry, history, joins, keys, knowledge, notifications,
    oauth_clients, oauth_grants, plans, registrations, sessions, spaces, tripwires, uploads, users,
};
use crate::time::Micros;

fn pages() -> [Page; 2] {
    [Page { limit: 10, after: None }, Page { limit: 10, after: Some((Micros(1), "a".into())) }]
}

/// Gives a user and an agent more grants than a list sorts.
fn many_grants(conn: &Connection) {
    conn.execute_batch(
        "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 300)
            INSERT INTO agents (id, slug, display_name, origin, owner_user_id, owner_space_id, space_id, created_by, status,
                scope, created_at, updated_at)
            SELECT printf('a%03d', i), 's' || i, 's', 'cloud', 'u', 's', 's', 'u', 'registered', '[]', i, i FROM n;
        INSERT INTO grants (id, principal_user_id, agent_id, role, granted_by, granted_at)
            SELECT 'g' || id, 'u', id, 'viewer', 'u', 0 FROM agents;
        INSERT INTO grants (id, principal_agent_id, agent_id, role, granted_by, granted_at)
            SELECT 'h' || id, 'a200', id, 'viewer', 'u', 0 FROM agents;",
    )
    .unwrap();
}

fn agents_as(conn: &Connection, seen: &AgentViewer) {
    let status = AgentFilter { status: Some(AgentStatus::Running), ..AgentFilter::default() };
    let space = AgentFilter { space_id: Some("s".into()), ..AgentFilter::default() };
    let only = AgentFilter { only: Some(vec!["a".into()]), ..AgentFilter::default() };
    let text = AgentFilter { text: Some("atl".into()), ..AgentFilter::default() };
    for page in pages() {
        for filter in [&AgentFilter::default(), &status, &space, &only, &text] {
            agents::list(conn, seen, filter, &page, &mut |_| true).unwrap();
        }
    }
    agents::named(conn, seen, 10).unwrap();
}

fn lists(conn: &Connection) {
    let (user, agent) = (Grantee::User("u".into()), Grantee::Agent("a200".into()));
    let everyone = [AgentViewer::All, AgentViewer::By(user.clone()), AgentViewer::By(agent.clone())];
    everyone.iter().for_each(|seen| agents_as(conn, seen));
    grants_and_keys(conn, &user, &agent);
    many_grants(conn);
    everyone.iter().for_each(|seen| agents_as(conn, seen));
    keys_of(conn);
    agents::with_containers(conn).unwrap();
    for page in pages() {
        expiry::ending(conn, Micros(1), Micros(9), &page, &mut |_| true).unwrap();
    }
    let long_ago = AuditFilter { since: Some(Micros(1)), until: Some(Micros(2)), ..AuditFilter::default() };
    audit::list(conn, &long_ago, i64::MAX, 10, &mut |_| true).unwrap();
    for filter in [
        AuditFilter::default(),
        AuditFilter { resource: Some("agent:a".into()), ..AuditFilter::default() },
        AuditFilter { actor: Some("system".into()), ..AuditFilter::default() },
        AuditFilter { actor: Some("user:ann".into()), actor_id: Some("user:u".into()), ..AuditFilter::default() },
    ] {
        audit::list(conn, &filter, i64::MAX, 10, &mut |_| true).unwrap();
    }
    audit::list(conn, &AuditFilter { action: Some("users.read".into()), ..long_ago }, 9, 10, &mut |_| true).unwrap();
    knowledge::parts(conn, None, &mut |_| true).unwrap();
    knowledge::parts(conn, Some("s"), &mut |_| true).unwrap();
    let inbox = notifications::Inbox::User("u".into());
    for unread in [true, false] {
        for span in [notifications::NotificationSpan::Before(9), notifications::NotificationSpan::After(1)] {
            notifications::list(conn, &inbox, span, unread, 10, &mut |_| true).unwrap();
        }
    }
    expiry::next_end(conn, Micros(1)).unwrap();
    documents(conn);
    small_lists(conn);
    everyone.iter().for_each(|seen| operations_as(conn, seen));
    conn.execute("DELETE FROM grants WHERE agent_id > 'a020'", []).unwrap();
    everyone.iter().for_each(|seen| operations_as(conn, seen));
    grants_and_keys(conn, &user, &agent);
}

fn operations_as(conn: &Connection, seen: &AgentViewer) {
    let filters = [
        OperationFilter::default(),
        OperationFilter { status: Some(OperationStatus::Failed), ..OperationFilter::default() },
        OperationFilter { kind: Some(OperationKind::Deploy), ..OperationFilter::default() },
        OperationFilter { agent: Some("atlas".into()), ..OperationFilter::default() },
    ];
    for page in pages() {
        for filter in &filters {
            operations::list(conn, seen, "user:u", filter, &page, &mut |_| true).unwrap();
        }
    }
}

fn documents(conn: &Connection) {
    let [source, kind, category] = [(Some("s"), None, None), (None, Some("t"), None), (None, None, Some("c"))].map(
        |(source, kind, category): (Option<&str>, Option<&str>, Option<&str>)| ItemFilter {
            source_id: source.map(str::to_owned),
            source_type: kind.map(str::to_owned),
            category: category.map(str::to_owned),
        },
    );
    let all =
        ItemFilter { source_type: kind.source_type.clone(), category: category.category.clone(), ..source.clone() };
    for page in pages() {
        for filter in [&ItemFilter::default(), &source, &kind, &category, &all] {
            knowledge::list(conn, filter, &page, &mut |_| true).unwrap();
            knowledge::search(conn, "some words", filter, &page, &mut |_| true).unwrap();
        }
        knowledge::sources(conn, &page, &mut |_| true).unwrap();
    }
    knowledge::count_other_sources(conn, "s", 9).unwrap();
}

/// Runs the lists of one user's or one agent's rows, and the lists that only admins read.
fn small_lists(conn: &Connection) {
    let numbered = |by: &str| Numbered { limit: 10, offset: 0, by: by.into(), descending: true };
    for page in pages() {
        agents::list_archived(conn, None, &page, &mut |_| true).unwrap();
        agents::list_archived(conn, Some("u"), &page, &mut |_| true).unwrap();
        sessions::of_user(conn, "u", Micros(1), &page, &mut |_| true).unwrap();
        oauth_clients::list(conn, &page, &mut |_| true).unwrap();
        oauth_grants::list(conn, None, Micros(1), &page, &mut |_| true).unwrap();
        joins::list(conn, None, &page, &mut |_| true).unwrap();
        joins::list(conn, Some("u"), &page, &mut |_| true).unwrap();
        users::list(conn, &page, &mut |_| true).unwrap();
        uploads::of_space(conn, "s", &page, &mut |_| true).unwrap();
        for principal in [Grantee::User("u".into()), Grantee::Agent("a".into())] {
            spaces::of(conn, &principal, &page, Micros(1), &mut |_| true).unwrap();
        }
    }
    history::list(conn, "a", &numbered("id"), &mut |_| true).unwrap();
    agent_keys::list(conn, "a", &numbered("name"), &mut |_| true).unwrap();
    deployments::list(conn, "a", &numbered("promoted_at"), &mut |_| true).unwrap();
    for by in ["updated_at", "created_at", "registered_at", "name", "id"] {
        registrations::list(conn, &AgentViewer::All, None, &numbered(by), &mut |_| true).unwrap();
    }
    channels::of_user(conn, "u").unwrap();
    tripwires::of_agent(conn, "a").unwrap();
}

/// Every list of the store must run in this file or in another `*plans.rs` file.
#[test]
fn the_plan_of_every_list_is_looked_at() {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store");
    let mut files = vec![std::path::PathBuf::from(here)];
    let (mut lists, mut tests) = (Vec::new(), String::new());
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let (stem, dir) = (path.file_stem().unwrap().to_str().unwrap(), path.parent().unwrap().file_name().unwrap());
        if stem.ends_with("plans") {
            tests.push_str(&text);
            continue;
        }
        let noun = if dir == "store" { stem } else { dir.to_str().unwrap() };
        let functions = text.split("\npub fn ").skip(1).map(|rest| rest.split('{').next().unwrap_or_default());
        let is_list = |head: &&str| head.contains("take: Take<");
        lists.extend(
            functions.filter(is_list).map(|head| (noun.to_owned(), head.split('(').next().unwrap().to_owned())),
        );
    }
    assert!(lists.len() > 20, "{lists:?}");
    let missing: Vec<_> = lists
        .iter()
        .filter(|(noun, name)| !tests.contains(&format!("{noun}::{name}(")) && (noun != "requests" || name != "list"))
        .collect();
    assert!(missing.is_empty(), "no test looks at the plans of {missing:?}");
}

fn grants_and_keys(conn: &Connection, user: &Grantee, agent: &Grantee) {
    let filters = [
        GrantFilter::default(),
        GrantFilter { grantee: Some(user.clone()), ..GrantFilter::default() },
        GrantFilter { on: Some(On::agent("a")), ..GrantFilter::default() },
        GrantFilter { on: Some(On::space("s")), ..GrantFilter::default() },
        GrantFilter { owned_by: Some(user.clone()), ..GrantFilter::default() },
        GrantFilter { owned_by: Some(agent.clone()), ..GrantFilter::default() },
    ];
    for page in pages() {
        for filter in &filters {
            grants::list(conn, filter, &page, Micros(1), &mut |_| true).unwrap();
        }
    }
    keys_of(conn);
    let numbered = Numbered { limit: 10, offset: 0, by: "updated_at".into(), descending: true };
    for seen in [AgentViewer::By(user.clone()), AgentViewer::By(agent.clone())] {
        registrations::list(conn, &seen, None, &numbered, &mut |_| true).unwrap();
        registrations::cards(conn, &seen, None, &mut |_| true).unwrap();
    }
}

fn keys_of(conn: &Connection) {
    for page in pages() {
        keys::of_user(conn, "u", &page, &mut |_| true).unwrap();
        oauth_grants::list(conn, Some("u"), Micros(1), &page, &mut |_| true).unwrap();
        credentials::user_tokens(conn, "u", &page, &mut |_| true).unwrap();
    }
}

#[test]
fn no_list_walks_through_a_table_that_grows_and_the_plans_are_those_that_are_kept() {
    let all = plans::of(lists);
    let (mut golden, mut faults) = (String::new(), Vec::new());
    for (sql, lines) in all.iter().filter(|(sql, _)| !sql.contains("INSERT INTO")) {
        faults.extend(plans::fault(sql, lines));
        // The columns are left out: they say nothing about the plan.
        let sql = plans::one_line(sql);
        let sql = sql.find(" FROM ").map_or(sql.clone(), |at| format!("SELECT …{}", &sql[at..]));
        golden.push_str(&format!("{sql}\n"));
        lines.iter().for_each(|line| golden.push_str(&format!("    {line}\n")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/plans.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &golden).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == golden, "the plans have changed; look at them, then: UPDATE_GOLDEN=1 cargo test --lib list_plans");
}

#[test]
fn a_principal_with_many_grants_sees_the_same_as_one_with_few_and_page_by_page() {
    let mut conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(super::migrate::SCHEMA).unwrap();
    conn.execute_batch(
        "INSERT INTO users VALUES ('u', 'ann', '', 'member', 0, 0, 0);
        INSERT INTO spaces (id, slug, name, visibility, owner_user_id, created_at) VALUES ('s', 's', 's', 'private', 'u', 0)",
    )
    .unwrap();
    let tx = conn.transaction().unwrap();
    many_grants(&tx);
    let walk = |seen: &AgentViewer| {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = Page { limit: 7, after: after.clone() };
            let before = all.len();
            agents::list(&tx, seen, &AgentFilter::default(), &page, &mut |live| {
                if all.len() - before == 7 {
                    return false;
                }
                after = Some((live.agent.created_at, live.agent.id.clone()));
                all.push(live.agent.id);
                true
            })
            .unwrap();
            if all.len() - before < 7 {
                return all;
            }
        }
    };
    let everything: Vec<String> = (1..=300).map(|n| format!("a{n:03}")).collect();
    let (user, agent) = (AgentViewer::By(Grantee::User("u".into())), AgentViewer::By(Grantee::Agent("a200".into())));
    assert_eq!(walk(&AgentViewer::All), everything);
    assert_eq!(walk(&user), everything);
    assert_eq!(walk(&agent), everything, "it holds a grant on itself");
    let for_a_time = |on: &str, request: &str, end: Option<i64>| {
        let sql = "INSERT INTO grants (id, principal_agent_id, agent_id, role, granted_by, granted_at, expires_at, request_id)
            VALUES (?2, 'a200', ?1, 'owner', 'u', 0, ?3, ?2)";
        tx.execute(sql, rusqlite::params![on, request, end]).unwrap();
    };
    for (on, request) in [("a010", "r1"), ("a010", "r2"), ("a300", "r3")] {
        for_a_time(on, request, None);
    }
    for_a_time("a010", "r0", Some(1));
    assert_eq!(walk(&agent), everything, "what it holds twice it sees once");
    tx.execute("DELETE FROM grants WHERE principal_agent_id = 'a200' AND agent_id = 'a010' AND request_id IS NULL", [])
        .unwrap();
    assert_eq!(walk(&agent), everything, "the ones for a time go on");
    tx.execute("DELETE FROM grants WHERE id = 'r1' OR id = 'r2'", []).unwrap();
    let without: Vec<String> = everything.iter().filter(|id| *id != "a010").cloned().collect();
    assert_eq!(walk(&agent), without, "one that ended counts for nothing");
    tx.execute("UPDATE grants SET expires_at = NULL WHERE id = 'r0'", []).unwrap();
    tx.execute("DELETE FROM grants WHERE id = 'ha200'", []).unwrap();
    assert_eq!(walk(&agent), everything, "it sees itself in its place");
    tx.execute("DELETE FROM grants WHERE agent_id > 'a020'", []).unwrap();
    assert_eq!(walk(&user), everything[..20], "few grants");
    let with_itself: Vec<String> = everything[..20].iter().cloned().chain(["a200".into()]).collect();
    assert_eq!(walk(&agent), with_itself);
}
