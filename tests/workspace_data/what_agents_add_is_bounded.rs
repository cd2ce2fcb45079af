//! The quotas of spaces and of the box, and the daily allowance of an agent.

use serde_json::json;

use crate::support::{AxReply, Daemon};
use crate::workspace::harness::{agent, member};
use crate::workspace_data::form::upload;

/// The number of uploads that one principal may have in progress at once.
const UPLOADS_AT_ONCE: usize = 4;

#[test]
fn uploads_stop_at_the_quota_of_the_space_and_of_the_box() {
    let env = [("TAOSD_WORKSPACE_UPLOAD_BYTES_PER_SPACE", "1000000"), ("TAOSD_WORKSPACE_UPLOAD_BYTES", "1500000")];
    let daemon = Daemon::with(&[], &env);
    let (ann, bob) = (member(&daemon, "ann"), member(&daemon, "bob"));
    upload(&ann.client, "a.txt", "text/plain", &vec![b'a'; 800_000]).expect(201);
    upload(&ann.client, "b.txt", "text/plain", &vec![b'b'; 300_000]).expect_ax(413, "quota_exceeded");
    let refused = upload(&bob.client, "c.txt", "text/plain", &vec![b'c'; 900_000]).expect_ax(413, "quota_exceeded");
    assert!(refused["setting"].as_str().unwrap().contains("upload_bytes"), "{refused}");
    upload(&bob.client, "d.txt", "text/plain", &vec![b'd'; 600_000]).expect(201);
    let used = daemon.number("SELECT upload_bytes FROM workspace_usage WHERE holder = 'box'", []);
    assert_eq!(used, 1_400_000 + 2 * 512);
}

/// Each refusal comes after chunks were written, and the next file fits only once they are deleted.
#[test]
fn a_refused_file_holds_neither_room_nor_place_when_its_sender_knows() {
    let daemon = Daemon::with(&[], &[("TAOSD_WORKSPACE_UPLOAD_BYTES_PER_SPACE", "1000000")]);
    let senders: Vec<_> = (0..UPLOADS_AT_ONCE).map(|n| (n, member(&daemon, &format!("m{n}")))).collect();
    std::thread::scope(|scope| {
        for (n, sender) in &senders {
            scope.spawn(move || {
                for round in 0..8 {
                    let name = format!("{n}-{round}.txt");
                    upload(&sender.client, &name, "text/plain", &vec![b'a'; 1_100_000])
                        .expect_ax(413, "quota_exceeded");
                    upload(&sender.client, &name, "text/plain", &not_text()).expect_ax(415, "unsupported_media_type");
                    let file = upload(&sender.client, &name, "text/plain", &vec![b'b'; 900_000]).expect(201).json();
                    let file = file["attachment_id"].as_str().unwrap();
                    sender.client.delete(&format!("/api/v1/uploads/files/{file}")).expect(204);
                }
            });
        }
    });
}

#[test]
fn one_sender_has_all_its_places_again_with_each_answer() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    std::thread::scope(|scope| {
        for n in 0..UPLOADS_AT_ONCE {
            let ann = &ann;
            scope.spawn(move || {
                for round in 0..16 {
                    let name = format!("{n}-{round}.txt");
                    upload(&ann.client, &name, "text/plain", name.as_bytes()).expect(201);
                    upload(&ann.client, &name, "text/plain", &not_text()).expect_ax(415, "unsupported_media_type");
                }
            });
        }
    });
}

/// Bytes that turn out not to be text only at the end, after chunks were written.
fn not_text() -> Vec<u8> {
    let mut bytes = vec![b'c'; 700_000];
    bytes.push(0xff);
    bytes
}

#[test]
fn an_agent_that_has_added_its_share_waits_for_the_next_day_and_people_do_not() {
    let env = [("TAOSD_WORKSPACE_AGENT_ROWS_PER_DAY", "3"), ("TAOSD_WORKSPACE_AGENT_BYTES_PER_DAY", "10000")];
    let daemon = Daemon::with(&[], &env);
    let ann = member(&daemon, "ann");
    let (a, b, c) = (agent(&daemon, &ann, "a"), agent(&daemon, &ann, "b"), agent(&daemon, &ann, "c"));
    for n in 0..3 {
        a.client.post("/api/v1/context", json!({"key": format!("k{n}"), "value": "v"})).expect(200);
    }
    let used = a.client.post("/api/v1/tasks", json!({"title": "t"}));
    let wait: u64 = used.header("retry-after").expect("when it opens again").parse().unwrap();
    assert!((1..=86_401).contains(&wait));
    let detail = used.expect_ax(429, "allowance_used");
    assert_eq!(detail["setting"], "workspace.agent_rows_per_day");
    assert!(detail["opens_at"].as_str().unwrap().ends_with("T00:00:00.000000Z"), "{detail}");
    upload(&a.client, "a.txt", "text/plain", b"a").expect_ax(429, "allowance_used");
    b.client.post("/api/v1/context", json!({"key": "large", "value": "v".repeat(9000)})).expect(200);
    let detail = b.client.post("/api/v1/context", json!({"key": "more", "value": "v".repeat(2000)}));
    assert_eq!(detail.expect_ax(429, "allowance_used")["setting"], "workspace.agent_bytes_per_day");
    // Claiming work is no addition.
    ann.client.post("/api/v1/tasks", json!({"title": "t"})).expect(201);
    a.client.post("/api/v1/tasks/next", json!({})).expect(200);
    c.client.post("/api/v1/context", json!({"key": "another", "value": "v"})).expect(200);
    for n in 0..5 {
        ann.client.post("/api/v1/context", json!({"key": format!("p{n}"), "value": "v".repeat(9000)})).expect(200);
    }
    daemon.execute("UPDATE agent_allowances SET day = day - 1", []);
    a.client.post("/api/v1/tasks", json!({"title": "t"})).expect(201);
}
