//! Hostile replies: none of them moves the cursor, causes a panic, or passes for another reply.

use serde_json::{Value, json};

use crate::fake::{Act, Fake};
use crate::run::{Ctl, Run};

fn against(acts: Vec<Act>, args: &[&str]) -> Run {
    let fake = Fake::playing(acts);
    Ctl::bare().env("TAOS_URL", &fake.url).env("TAOS_TOKEN", "secret").run(args)
}

fn has_unsafe(text: &str) -> bool {
    text.chars().any(|c| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c))
}

const EVIL: &str = "a\u{1b}[2J\u{1b}]0;owned\u{7}\r\u{9b}31m\u{202e}b\nc\u{8}";

#[test]
fn escape_sequences_are_spelled_out_in_tables_records_json_and_errors() {
    let row = json!({"name": EVIL, EVIL: EVIL, "status": [EVIL], "owner": {EVIL: EVIL}});
    for args in [&["agents", "list"][..], &["agents", "list", "--json"]] {
        let run = against(vec![Act::json(200, &json!([row]).to_string())], args).expect(0);
        assert!(!has_unsafe(&run.stdout) && run.stdout.contains("owned"), "{run:?}");
        assert!(run.stdout.lines().count() <= 2);
    }
    for args in [&["agents", "get", "a"][..], &["agents", "get", "a", "--json"], &["agents", "export", "a"]] {
        let run = against(vec![Act::json(200, &row.to_string())], args).expect(0);
        assert!(!has_unsafe(&run.stdout) && run.stdout.contains("owned"), "{run:?}");
    }
    let error = json!({"error": EVIL, "detail": EVIL, "fix": EVIL, "doc_url": EVIL, EVIL: EVIL});
    let run = against(vec![Act::json(409, &error.to_string())], &["whoami"]).expect(1);
    assert!(!has_unsafe(&run.stderr) && run.stdout.is_empty(), "{run:?}");
    // The reply's own five fields, and the command to run next.
    assert_eq!(run.stderr.lines().count(), 6);
    assert!(run.stderr.contains("\nrun: taosctl doctor\n"), "{run:?}");
    let docs = against(vec![Act::json(200, EVIL)], &["docs"]).expect(0);
    assert!(!has_unsafe(&docs.stdout), "{docs:?}");
    let issued = against(vec![Act::json(200, &json!({"token": EVIL}).to_string())], &["agents", "token", "issue", "a"]);
    assert!(!has_unsafe(&issued.expect(0).stdout));
}

#[test]
fn json_output_keeps_its_value_through_the_escaping() {
    let row = json!({"name": EVIL});
    let run = against(vec![Act::json(200, &row.to_string())], &["agents", "get", "a", "--json"]).expect(0);
    assert_eq!(serde_json::from_str::<Value>(&run.stdout).unwrap(), row);
}

#[test]
fn a_huge_table_and_a_deep_value_are_printed_or_refused_but_not_choked_on() {
    let row = format!(r#"{{"name":"{}","model":"{}"}}"#, "x".repeat(1000), "字".repeat(1000));
    let body = format!("[{}]", vec![row; 5000].join(","));
    let run = against(vec![Act::json(200, &body)], &["agents", "list"]).expect(0);
    assert_eq!(run.stdout.lines().count(), 5001);
    assert!(run.stdout.lines().all(|line| line.chars().count() < 400));
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    against(vec![Act::json(200, &deep)], &["agents", "list"]).expect_error(3, "unexpected_reply");
}

#[test]
fn an_answer_without_end_is_cut_off() {
    let body = vec![b'['; 65 * 1024 * 1024];
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let run = against(vec![Act::Send([head.as_bytes(), &body].concat())], &["agents", "list"]);
    run.expect_error(3, "unexpected_reply");
}

#[test]
fn a_success_that_is_not_a_taosds_is_3() {
    for body in ["", "garbage", "<html></html>", "3", "\"x\"", "{\"a\":", "\u{0}"] {
        for args in [
            &["agents", "list"][..],
            &["agents", "get", "a"],
            &["agents", "create", "--name", "a"],
            &["auth", "status"],
        ] {
            against(vec![Act::json(200, body)], args).expect_error(3, "unexpected_reply");
        }
    }
    against(vec![Act::json(200, "{}")], &["agents", "list"]).expect_error(3, "unexpected_reply");
    against(vec![Act::json(200, "[]")], &["agents", "get", "a"]).expect_error(3, "unexpected_reply");
    against(vec![Act::json(202, "{}")], &["agents", "start", "a"]).expect_error(3, "unexpected_reply");
}

#[test]
fn an_error_that_is_no_envelope_and_a_redirect_are_1() {
    for (status, body) in [(502, "<html>"), (404, ""), (403, "[]"), (302, "moved"), (418, "{\"error\":5}")] {
        against(vec![Act::json(status, body)], &["whoami"]).expect_error(1, &format!("http_{status}"));
    }
    against(vec![Act::json(401, "")], &["whoami"]).expect_error(2, "http_401");
    let away = Act::json_with(302, "Location: http://127.0.0.1:1/\r\n", "");
    against(vec![away], &["whoami"]).expect_error(1, "http_302");
}

#[test]
fn what_is_not_http_is_3() {
    for bytes in [
        &b"SSH-2.0-x\r\n"[..],
        b"\0\0\0\0",
        b"HTTP/1.1 999999 X\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
    ] {
        let run = against(vec![Act::Send(bytes.to_vec())], &["whoami"]).expect(3);
        assert!(run.stdout.is_empty() && run.stderr.starts_with("error: "), "{run:?}");
    }
}

#[test]
fn a_login_at_a_server_that_is_no_taosd_is_not_saved() {
    let fake = Fake::playing(vec![Act::json(200, "{\"principal\":\"user\"}")]);
    let ctl = Ctl::bare();
    ctl.run_with_stdin(&["login", "--url", &fake.url], "secret").expect_error(3, "unexpected_reply");
    assert!(!ctl.credentials().exists());
}
