//! Lists: each page has a link to the next. No row is skipped or seen twice, even if rows are added or removed
//! meanwhile.

use serde_json::{Value, json};

use crate::harness::Harness;
use crate::support::{Client, text};

/// Follows the links from `first` and calls `between` with the number of pages so far. Returns all rows.
fn walk(client: &Client, first: &str, mut between: impl FnMut(usize)) -> Vec<Value> {
    let (mut rows, mut next, mut pages) = (Vec::new(), Some(first.to_owned()), 0);
    while let Some(path) = next {
        let reply = client.get(&path).expect(200);
        rows.extend(reply.json().as_array().expect("a bare array").clone());
        pages += 1;
        between(pages);
        next = reply.header("link").map(|link| {
            let url = link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\"")).expect("a link");
            assert!(url.starts_with("/api/"), "{url} is not relative");
            url.to_owned()
        });
    }
    rows
}

fn names(rows: &[Value], field: &str) -> Vec<String> {
    rows.iter().map(|row| text(row, field)).collect()
}

#[test]
fn pages_follow_each_other_in_order_and_the_last_has_no_link() {
    let harness = Harness::new();
    let made: Vec<String> = (0..7).map(|_| harness.agent()).collect();
    for limit in [1, 2, 3, 7, 8, 500] {
        assert_eq!(names(&walk(&harness.operator(), &format!("/api/agents?limit={limit}"), |_| ()), "name"), made);
    }
    let exact = harness.operator().get("/api/agents?limit=7").expect(200);
    assert_eq!(exact.header("link"), None, "nothing follows");
    for name in &made {
        harness.operator().delete(&format!("/api/agents/{name}")).expect(200);
    }
    let newest_first: Vec<String> = made.iter().rev().cloned().collect();
    assert_eq!(
        names(&walk(&harness.operator(), "/api/agents/archived?limit=2", |_| ()), "archived_slug"),
        newest_first
    );
    let seqs: Vec<i64> =
        walk(&harness.operator(), "/api/audit?limit=3", |_| ()).iter().filter_map(|row| row["seq"].as_i64()).collect();
    assert!(seqs.len() > 10 && seqs.windows(2).all(|pair| pair[0] == pair[1] + 1), "{seqs:?}");
}

#[test]
fn no_row_is_skipped_or_seen_twice_while_others_come_and_go() {
    let harness = Harness::new();
    let made: Vec<String> = (0..9).map(|_| harness.agent()).collect();
    let rows = walk(&harness.operator(), "/api/agents?limit=2", |page| {
        if page <= 3 {
            // Removes an agent that was listed, keeps the others, and adds one at the end.
            harness.operator().delete(&format!("/api/agents/{}", made[page * 2 - 1])).expect(200);
            harness.agent();
        }
    });
    let seen = names(&rows, "name");
    assert_eq!(seen[..9], made[..], "those that were there");
    assert_eq!(seen.len(), 12, "and those that came: {seen:?}");
    let newest = walk(&harness.operator(), "/api/audit?limit=5", |_| drop(harness.agent()));
    let mut seqs: Vec<i64> = newest.iter().filter_map(|row| row["seq"].as_i64()).collect();
    let count = seqs.len();
    seqs.dedup();
    assert_eq!((seqs.len(), seqs[0] - seqs[count - 1] + 1), (count, count as i64));
}

#[test]
fn rows_of_one_moment_are_told_apart() {
    let harness = Harness::new();
    let mut made: Vec<String> = (0..5).map(|_| harness.agent()).collect();
    harness.daemon.execute("UPDATE agents SET created_at = 7", []);
    let mut seen = names(&walk(&harness.operator(), "/api/agents?limit=2", |_| ()), "name");
    seen.sort();
    made.sort();
    assert_eq!(seen, made);
}

#[test]
fn the_next_page_keeps_the_filters() {
    let harness = Harness::new();
    for name in ["Über eins", "ÜBER zwei", "Über drei", "Unter"] {
        harness.operator().post("/api/agents", json!({"name": name})).expect(200);
    }
    let encoded = walk(&harness.operator(), "/api/agents?q=%C3%9Cb&limit=1&status=registered", |_| ());
    assert_eq!(names(&encoded, "display_name"), ["Über eins", "ÜBER zwei", "Über drei"]);
    // The query is sent unencoded. The link must encode it for the header.
    let raw = walk(&harness.operator(), "/api/agents?q=Üb&limit=1", |_| ());
    assert_eq!(raw, encoded);
    assert_eq!(walk(&harness.operator(), "/api/agents?status=running", |_| ()), [] as [Value; 0]);
}

#[test]
fn a_cursor_belongs_to_the_list_that_gave_it() {
    let harness = Harness::new();
    harness.agent();
    harness.agent();
    let link = harness.operator().get("/api/agents?limit=1").expect(200).header("link").expect("a link").to_owned();
    let cursor = link.split("cursor=").nth(1).and_then(|rest| rest.split('>').next()).expect("a cursor").to_owned();
    harness.operator().get(&format!("/api/users?cursor={cursor}")).expect_error(400, "invalid_cursor");
    for bad in ["", "x", "%00", "bm8", "YWdlbnRzOng6eQ", &cursor[1..], &format!("{cursor}A")] {
        let reply = harness.operator().get(&format!("/api/agents?cursor={bad}"));
        assert!([400, 422].contains(&reply.status), "{bad}: {}", reply.text());
    }
}

#[test]
fn a_page_holds_a_hundred_rows_unless_more_are_asked_for() {
    let harness = Harness::new();
    harness.agent();
    harness.daemon.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)
        INSERT INTO agents (id, slug, display_name, origin, owner_user_id, owner_space_id, space_id, created_by, status,
            scope, created_at, updated_at)
        SELECT 'x' || i, 'x' || i, 'x', a.origin, a.owner_user_id, a.owner_space_id, a.space_id, 'test', 'registered',
            '[]', i, i FROM n, agents a",
        [],
    );
    let count = |path: &str| harness.operator().get(path).expect(200).json().as_array().map(Vec::len);
    assert_eq!((count("/api/agents"), count("/api/agents?limit=500")), (Some(100), Some(500)));
    assert_eq!(walk(&harness.operator(), "/api/agents", |_| ()).len(), 601);
}
