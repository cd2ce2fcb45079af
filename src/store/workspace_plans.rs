//! Every statement on tasks, context and files finds its rows by an index: none walks through a table that grows.

use rusqlite::Connection;

use super::tasks::{self, NewTask, Priority, TaskActor, TaskChange, Which};
use super::uploads::{NewUpload, Quota};
use super::{context, plans, uploads, usage};
use crate::time::Micros;

fn with_tasks(conn: &Connection, now: Micros) {
    let by = TaskActor { key: "agent:a".into(), name: "a".into() };
    let made: Vec<_> = ["one", "two"]
        .map(|id| {
            let new = NewTask {
                id,
                space_id: "s",
                title: "t",
                description: "",
                status: tasks::NOT_STARTED,
                priority: Priority::Medium,
                assignee: "",
                requirements: None,
                deadline: None,
                max_attempts: 5,
                owner_user_id: "u",
            };
            tasks::insert(conn, &new, &by, 10, now).unwrap().unwrap()
        })
        .into();
    tasks::set_dependencies(conn, made[1].seq, &[made[0].seq]).unwrap().unwrap();
    tasks::dependencies_of(conn, made[1].seq).unwrap();
    for which in [Which::All, Which::Status("done"), Which::Assignee("a")] {
        tasks::list(conn, "s", which, i64::MAX, 10, &mut |_| true).unwrap();
    }
    let free = tasks::next_free(conn, "s", tasks::NOT_STARTED, "a").unwrap().unwrap();
    let held = tasks::claim(conn, &free, &by, 60, now).unwrap().unwrap();
    let held = tasks::renew(conn, &held, held.fence, 60, now).unwrap().unwrap();
    tasks::free_all_of_agent(conn, "a", now).unwrap();
    let free = tasks::by_id(conn, &held.id).unwrap().unwrap();
    let held = tasks::claim(conn, &free, &by, 60, now).unwrap().unwrap();
    let lease =
        tasks::Lease { task_id: held.id.clone(), fence: held.fence, seconds: 60, until: held.lease_until.unwrap() };
    let free = tasks::end_lease(conn, &lease, now).unwrap().unwrap();
    let held = tasks::claim(conn, &free, &by, 60, now).unwrap().unwrap();
    let change = TaskChange { status: Some(tasks::DONE.into()), ..TaskChange::default() };
    tasks::change(conn, &held, change, &by, now).unwrap();
    tasks::history_of(conn, held.seq).unwrap();
    assert!(tasks::is_due(conn, now.plus(1)).unwrap());
    tasks::sweep(conn, now.plus(1), 10).unwrap();
}

fn with_context(conn: &Connection, now: Micros) {
    let entry = context::NewEntry { space_id: "s", key: "k", value: "v", ttl: 60, created_by: "a" };
    context::set(conn, &entry, 10, 1000, now, now).unwrap();
    context::set(conn, &entry, 0, 0, now, now).unwrap();
    context::get(conn, "s", "k", now).unwrap();
    for (prefix, after) in [("", None), ("k", None), ("k", Some("k")), ("", Some("k"))] {
        context::list(conn, "s", context::ContextRange { prefix, after }, now, &mut |_| true).unwrap();
    }
    context::keys(conn, "s", "a", 10, now).unwrap();
    context::keys_from(conn, "s", "a", 10, now).unwrap();
    context::promote(conn, "s", "k", "x", now).unwrap();
    context::delete(conn, "s", "k", now).unwrap();
    context::is_due(conn, now).unwrap();
    context::sweep(conn, now, 10).unwrap();
}

fn with_uploads(conn: &Connection, now: Micros) {
    uploads::has_room(conn, "s", 1, Quota { space: 10, all: 10 }).unwrap();
    for id in ["a", "b"] {
        let content_id = uploads::begin(conn, "s", now).unwrap();
        assert!(uploads::add(conn, content_id, 0, b"bytes").unwrap());
        let upload = NewUpload {
            id: id.into(),
            space_id: "s".into(),
            content_id: Some(content_id),
            hash: [1; 32],
            filename: "f".into(),
            content_type: "text/plain",
            created_by: "a".into(),
        };
        uploads::publish(conn, &upload, now).unwrap();
    }
    let file = uploads::by_id(conn, "a").unwrap().unwrap();
    assert_eq!(uploads::chunk(conn, file.content_id, 0).unwrap().as_deref(), Some(&b"bytes"[..]));
    uploads::is_due(conn, now).unwrap();
    uploads::sweep(conn, now).unwrap();
    assert_eq!(usage::of(conn, usage::UsageHolder::Box).unwrap().upload_bytes, 5 + 2 * uploads::NAME_COUNTS);
    uploads::delete(conn, &file).unwrap();
    assert_eq!(uploads::by_id(conn, "a").unwrap().map(|file| file.id), None);
    uploads::abandon(conn, uploads::begin(conn, "s", now).unwrap()).unwrap();
    assert_eq!(uploads::sweep(conn, now).unwrap(), 1, "one without a chunk");
}

#[test]
fn no_statement_walks_through_a_table_that_grows() {
    let now = Micros(1_000_000);
    let all = plans::of(|conn| {
        with_tasks(conn, now);
        with_context(conn, now);
        with_uploads(conn, now);
    });
    let mut looked_at = 0;
    for (sql, lines) in &all {
        looked_at += 1;
        assert_eq!(plans::fault(sql, lines), None);
    }
    assert!(looked_at > 40, "{looked_at}");
}
