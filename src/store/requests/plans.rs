//! Every statement on requests and changes finds its rows by an index: none walks through a table that grows.

use rusqlite::Connection;

use super::*;
use crate::store::page::Page;
use crate::store::{changes, grants, plans};
use crate::time::Micros;

fn new<'a>(id: &'a str, kind: RequestKind, same: &'a [u8; 32]) -> NewRequest<'a> {
    NewRequest {
        id,
        kind,
        agent_id: "a",
        created_at: Micros(1),
        expires_at: Micros(100),
        duration_seconds: None,
        target_agent_id: None,
        target_space_id: None,
        message_id: Some("m"),
        same,
        reason: "r",
        asked: "{}",
    }
}

fn work(conn: &Connection) {
    conn.execute_batch(
        "INSERT INTO agents (id, slug, display_name, origin, owner_user_id, owner_space_id, space_id, created_by, status,
            scope, created_at, updated_at) VALUES ('a', 'a', 'a', 'cloud', 'u', 's', 's', 'u', 'registered', '[]', 0, 0)",
    )
    .unwrap();
    let (same, now) = ([0; 32], Micros(2));
    for (id, kind) in [("1", RequestKind::Scope), ("2", RequestKind::Grant), ("3", RequestKind::Confirm)] {
        insert(conn, &new(id, kind, &same)).unwrap();
    }
    pending_like(conn, "a", &same, now).unwrap().unwrap();
    denied_since(conn, "a", &same, now).unwrap();
    count_pending(conn, "a", false, now).unwrap();
    count_since(conn, "a", Micros(0), 60).unwrap();
    of_message(conn, "m").unwrap();
    deciders(conn, "u", (Some("a"), Some("s")), now, 16).unwrap();
    let decision = Decision {
        state: RequestState::Approved,
        decider: (Some("u"), "ann"),
        note: None,
        granted: Some(r#"{"scope":[]}"#.into()),
        until: Some(Micros(50)),
        answer: None,
        target_agent_id: None,
        target_space_id: None,
    };
    assert!(decide(conn, "1", &decision, now).unwrap());
    assert!(!decide(conn, "1", &decision, now).unwrap());
    for viewer in [Viewer::Admin, Viewer::User("u".into()), Viewer::Agent("a".into())] {
        visible(conn, &viewer, "1", now).unwrap().unwrap();
        let page = Page { limit: 10, after: None };
        list(conn, &viewer, &Filter::default(), &page, now, &mut |_| true).unwrap();
    }
    assert_eq!(ends(conn).unwrap().len(), 3);
    assert!(end(conn, "1").unwrap() && expire(conn, "2").unwrap());
    assert_eq!(untold(conn, 10).unwrap().len(), 2);
    assert!(told(conn, "1").unwrap());
    assert!(withdraw(conn, "3", now).unwrap() && !revoke(conn, "1", now).unwrap());
    assert!(changes::last(conn).unwrap() > 0);
    changes::after(conn, 0, 10).unwrap();
    grants::delete_of_agent(conn, "a").unwrap();
}

#[test]
fn no_statement_walks_through_a_table_that_grows() {
    for (sql, plan) in plans::of(work) {
        assert_eq!(plans::fault(&sql, &plan), None);
    }
}
