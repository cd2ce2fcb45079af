//! Every statement on messages finds its rows by an index: none walks through a table that grows.

use rusqlite::Connection;

use super::find::{self, MessageFilter, MessageSpan};
use super::retention::Retention;
use super::{members, overdue, reading, receipts, retention, search};
use crate::store::messages::*;
use crate::store::plans;

fn send(conn: &Connection, n: i64, addressee: Option<&str>, parent: Option<&str>) -> StoredMessage {
    let id = format!("m{n}");
    let new = NewMessage {
        id: &id,
        space_id: "s",
        channel: "main",
        message_type: "text",
        parent_id: parent,
        conversation_id: parent.unwrap_or(&id),
        author: "user:u",
        author_name: "ann",
        addressee,
        content: "some words",
        mentions: "[]",
        attachments: "[]",
        metadata: "{}",
        task: None,
        expects_reply_by: Some(Micros(n)),
        created_at: Micros(n),
    };
    insert(conn, &new).unwrap()
}

/// Does everything that is done with messages, once.
fn everything(conn: &Connection) {
    let first = send(conn, 1, None, None);
    send(conn, 2, Some("agent:a"), Some("m1"));
    send(conn, 3, None, Some("m1"));
    let (now, me) = (Micros(10), "agent:a");
    let at = receipts::At { place: first.place, space_id: "s", seq: first.seq };
    receipts::add(conn, at, me, "a", now).unwrap();
    receipts::is_queued(conn, first.place, me).unwrap();
    for state in receipts::ReceiptState::ALL {
        receipts::advance(conn, first.place, me, *state, now).unwrap();
    }
    receipts::of(conn, first.place).unwrap();
    members::named(conn, "s", "ann", now).unwrap();
    members::with_id(conn, "s", "u", now).unwrap();
    let message = find::by_id(conn, "m1").unwrap().unwrap();
    let read = reading::reader(conn, "s", me).unwrap().read;
    for (channel, addressed, unread) in [
        (None, false, None),
        (Some("main"), false, None),
        (None, true, None),
        (Some("main"), true, None),
        (None, false, Some(&read)),
    ] {
        let wanted =
            MessageFilter { space_id: "s", reader: me, channel, addressed, unread, limit: 10, max_bytes: 1000 };
        find::list(conn, &wanted, MessageSpan::Before(i64::MAX)).unwrap();
        find::list(conn, &wanted, MessageSpan::After(0)).unwrap();
    }
    find::after(conn, "s", me, 0, 10).unwrap();
    find::first_of_the_newest(conn, "s", me, 0, 10).unwrap();
    find::replies(conn, "m1", me, 0, 10, 1000).unwrap();
    index(conn).unwrap();
    tidy(conn).unwrap();
    search(conn, "some words", &["s".to_owned()], me, 10, 1000).unwrap();
    reading::mark(conn, "s", me, std::slice::from_ref(&message), None, now).unwrap();
    reading::mark_all(conn, "s", me, now).unwrap();
    reading::held(conn, "s").unwrap();
    edit(conn, &message, "other words", "[]", now).unwrap();
    pin(conn, message.place, true).unwrap();
    count_of_tasks(conn, "s", 10).unwrap();
    count_pinned(conn, "s", 10).unwrap();
    reactions_of(conn, message.place, me, "+").unwrap();
    react(conn, message.place, me, "+", "{}").unwrap();
    put_client_id(conn, me, "c", "m1", now).unwrap();
    by_client_id(conn, me, "c", Micros(0)).unwrap();
    overdue::next(conn).unwrap();
    overdue::due(conn, now, 10).unwrap();
    settle(conn, message.place).unwrap();
    let keep = Retention { messages: 1, bytes: 1, since: Micros(5) };
    retention::spaces_after(conn, "", 10).unwrap();
    retention::is_due(conn, "s", keep).unwrap();
    retention::sweep(conn, "s", keep, 10).unwrap();
    retention::client_ids_are_due(conn, now).unwrap();
    retention::sweep_client_ids(conn, now, 10).unwrap();
    delete(conn, &message).unwrap();
}

#[test]
fn no_statement_walks_through_a_table_that_grows() {
    let mut looked_at = 0;
    for (sql, lines) in plans::of(everything).iter().filter(|(sql, _)| !sql.contains("'main'.'message_words")) {
        looked_at += 1;
        assert_eq!(plans::fault(sql, lines), None);
    }
    assert!(looked_at > 40, "{looked_at}");
}
