//! Every list finds its rows by an index, whoever asks: none walks through a table that grows, and none sorts one. The
//! plans are kept in `tests/golden/plans.txt`; `UPDATE_GOLDEN=1` writes them anew.

use rusqlite::Connection;

use super::agents::{self, AgentFilter, AgentStatus, Seen};
use super::audit::{self, AuditFilter};
use super::grants::{self, GrantFilter, Grantee, On};
use super::page::{Numbered, Page};
use super::{credentials, expiry, keys, knowledge, notifications, plans, registrations};
use crate::time::Micros;

/// What of a plan may be walked through: what a limit, a credential or a principal's own grants have bounded.
const BOUNDED: &[&str] = &["SCAN v", "SCAN json_each", "SCAN (", "SCAN CONSTANT ROW"];
/// Statements that put few rows in order: one principal's grants, keys or restrictions, or the grants on one agent.
const SORTS_FEW: &[&str] = &[") v", "INDEXED BY agents_container", "g.agent_id = ?", "g.principal_"];

fn pages() -> [Page; 2] {
    [Page { limit: 10, after: None }, Page { limit: 10, after: Some((Micros(1), "a".into())) }]
}

/// More grants than are put into order.
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

fn agents_as(conn: &Connection, seen: &Seen) {
    let status = AgentFilter { status: Some(AgentStatus::Running), ..AgentFilter::default() };
    let space = AgentFilter { space_id: Some("s".into()), ..AgentFilter::default() };
    let only = AgentFilter { only: Some(vec!["a".into()]), ..AgentFilter::default() };
    for page in pages() {
        for filter in [&AgentFilter::default(), &status, &space, &only] {
            agents::list(conn, seen, filter, &page, &mut |_| true).unwrap();
        }
    }
    agents::named(conn, seen, 10).unwrap();
}

fn lists(conn: &Connection) {
    let (user, agent) = (Grantee::User("u".into()), Grantee::Agent("a200".into()));
    let everyone = [Seen::All, Seen::By(user.clone()), Seen::By(agent.clone())];
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
    knowledge::parts(conn, None, &mut |_| true).unwrap();
    knowledge::parts(conn, Some("s"), &mut |_| true).unwrap();
    let inbox = notifications::Inbox::User("u".into());
    for unread in [true, false] {
        for span in [notifications::Span::Before(9), notifications::Span::After(1)] {
            notifications::list(conn, &inbox, span, unread, 10, &mut |_| true).unwrap();
        }
    }
    expiry::next_end(conn, Micros(1)).unwrap();
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
    for seen in [Seen::By(user.clone()), Seen::By(agent.clone())] {
        registrations::list(conn, &seen, None, &numbered, &mut |_| true).unwrap();
        registrations::cards(conn, &seen, None, &mut |_| true).unwrap();
    }
}

fn keys_of(conn: &Connection) {
    for page in pages() {
        keys::of_user(conn, "u", &page, &mut |_| true).unwrap();
        credentials::user_tokens(conn, "u", &page, &mut |_| true).unwrap();
    }
}

#[test]
fn no_list_walks_through_a_table_that_grows_and_the_plans_are_those_that_are_kept() {
    let all = plans::of(lists);
    let mut golden = String::new();
    for (sql, lines) in all.iter().filter(|(sql, _)| !sql.contains("INSERT INTO")) {
        let walks = |line: &&String| {
            line.starts_with("SCAN ") && !line.contains(" USING ") && !BOUNDED.iter().any(|name| line.starts_with(name))
        };
        assert!(!lines.iter().any(|line| walks(&line)), "{sql}\n{lines:#?}");
        let sorts = lines.iter().any(|line| line.contains("TEMP B-TREE FOR ORDER BY"));
        let few = SORTS_FEW.iter().any(|mark| sql.contains(mark)) || sql.contains("a.id = ?");
        assert!(!sorts || few, "{sql}\n{lines:#?}");
        // Which columns there are says nothing of the plan.
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        let sql = sql.find(" FROM ").map_or(sql.clone(), |at| format!("SELECT …{}", &sql[at..]));
        golden.push_str(&format!("{sql}\n"));
        lines.iter().for_each(|line| golden.push_str(&format!("    {line}\n")));
    }
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
    let walk = |seen: &Seen| {
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
    let (user, agent) = (Seen::By(Grantee::User("u".into())), Seen::By(Grantee::Agent("a200".into())));
    assert_eq!(walk(&Seen::All), everything);
    assert_eq!(walk(&user), everything);
    assert_eq!(walk(&agent), everything, "it holds a grant on itself");
    tx.execute("DELETE FROM grants WHERE id = 'ha200'", []).unwrap();
    assert_eq!(walk(&agent), everything, "it sees itself in its place");
    tx.execute("DELETE FROM grants WHERE agent_id > 'a020'", []).unwrap();
    assert_eq!(walk(&user), everything[..20], "few grants");
    let with_itself: Vec<String> = everything[..20].iter().cloned().chain(["a200".into()]).collect();
    assert_eq!(walk(&agent), with_itself);
}
