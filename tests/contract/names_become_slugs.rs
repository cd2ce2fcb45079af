//! How a name becomes a slug, and how a path names an agent.

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::Harness;
use crate::support::text;

fn slug(harness: &Harness, name: &str) -> String {
    let made = harness.operator().post("/api/agents", json!({"name": name})).expect(200).json();
    let record = harness.daemon.record(&text(&made, "name"));
    assert_eq!((&record["id"], &record["display_name"]), (&made["id"], &json!(name.trim())));
    text(&made, "name")
}

#[test]
fn a_slug_is_the_ascii_of_the_name_cut_to_what_a_container_may_be_called() {
    let harness = Harness::new();
    let long = |n: usize| "a".repeat(n);
    for (name, wanted) in [
        ("Ünïcode", "n-code"),
        (" Two  Words! ", "two-words"),
        ("7 of 9", "7-of-9"),
        ("../../etc/passwd", "etc-passwd"),
        ("--x--", "x"),
        ("日本 5", "5"),
        ("<b>&amp;'\"", "b-amp"),
        (&long(64), &long(52)),
        (&format!("{}-{}", "b".repeat(51), "c".repeat(9)), &"b".repeat(51)),
    ] {
        assert_eq!(slug(&harness, name), wanted, "{name}");
    }
}

#[test]
fn a_name_without_a_letter_or_digit_or_too_long_is_refused() {
    let harness = Harness::new();
    for name in ["", "   ", "é", "---", "日本", "a\u{7}b", &"a".repeat(65)] {
        harness.operator().post("/api/agents", json!({"name": name})).expect_error(400, "invalid_agent_name");
    }
    for name in [json!(1), json!(["a"]), json!({"a": 1}), json!(true)] {
        harness.operator().post("/api/agents", json!({"name": name})).expect_error(422, "validation_error");
    }
    assert_eq!(harness.operator().get("/api/agents").expect(200).json(), json!([]));
}

#[test]
fn a_taken_slug_gets_the_smallest_free_number_and_stays_within_the_bound() {
    let harness = Harness::new();
    assert_eq!([(); 4].map(|()| slug(&harness, "Atlas")), ["atlas", "atlas-2", "atlas-3", "atlas-4"]);
    harness.operator().delete("/api/agents/atlas-3").expect(200);
    assert_eq!(slug(&harness, "ATLAS"), "atlas-3");
    harness.operator().delete("/api/agents/atlas").expect(200);
    assert_eq!(slug(&harness, "atlas"), "atlas");
    let long = "l".repeat(60);
    assert_eq!((slug(&harness, &long), slug(&harness, &long)), ("l".repeat(52), format!("{}-2", "l".repeat(50))));
    // The cut may be after a dash, which is removed then.
    let dashed = format!("{}-zz", "d".repeat(49));
    assert_eq!((slug(&harness, &dashed), slug(&harness, &dashed)), (dashed.clone(), format!("{}-2", "d".repeat(49))));
}

#[test]
fn reserved_words_get_a_number() {
    let harness = Harness::new();
    for word in ["archived", "containers", "bulk", "deploy", "import", "export", "system-prompt", "self", "me"] {
        assert_eq!(slug(&harness, word), format!("{word}-2"));
        let import = json!({"version": 1, "agent": {"name": word}});
        harness.operator().post("/api/agents/import", import).expect_error(400, "invalid_agent_name");
    }
}

#[test]
fn a_path_names_an_agent_in_any_case_by_slug_or_by_the_name_another_dialect_gave_it() {
    let harness = Harness::new();
    let id = harness.daemon.agent("keeper");
    harness.daemon.execute("UPDATE agents SET given_name = 'Build_Bot' WHERE id = ?1", [&id]);
    for name in ["keeper", "KEEPER", "Keeper", "Build_Bot", "build_bot", "BUILD_BOT"] {
        assert_eq!(harness.daemon.record(name)["id"], json!(id), "{name}");
    }
    // The Kelvin sign folds to `k`, but is not a `k`.
    for name in ["keep", "keeper2", "%E2%84%AAeeper", "keeper%20", "build-bot", "%25"] {
        harness.operator().get(&format!("/api/agents/{name}")).expect_error(404, "agent_not_found");
    }
    harness.operator().get("/api/agents/keeper%2Fx").expect_error(404, "not_found");
}

#[test]
fn a_filter_names_an_agent_as_a_path_does() {
    let harness = Harness::new();
    let id = harness.daemon.agent("keeper");
    harness.daemon.execute("UPDATE agents SET given_name = 'Build_Bot' WHERE id = ?1", [&id]);
    let question = json!({"kind": "confirm", "question": "May I?", "options": ["Yes", "No"], "reason": "It is late."});
    harness.daemon.agent_token("keeper", &["*"]).post("/api/requests", question).expect(201);
    harness.daemon.execute(
        "INSERT INTO operations (id, kind, status, agent_id, agent_name, payload, actor, request_id, created_at,
            finished_at)
            VALUES ('01234567-89ab-7def-8123-456789abcdef', 'stop', 'succeeded', ?1, 'keeper', '{}', 'taosd', 'r', 1, 2)",
        [&id],
    );
    let count = |list: &str, name: &str| {
        harness.operator().get(&format!("{list}?agent={name}")).expect(200).json().as_array().map(Vec::len)
    };
    for list in ["/api/requests", "/api/operations"] {
        for name in ["keeper", "KEEPER", "build_bot", &id, &id.to_uppercase()] {
            assert_eq!(count(list, name), Some(1), "{list} {name}");
        }
        assert_eq!(count(list, "build-bot"), Some(0), "{list}");
    }
}

#[test]
fn a_slug_is_taken_if_another_dialects_name_equals_it() {
    let harness = Harness::new();
    let id = harness.daemon.agent("first");
    harness.daemon.execute("UPDATE agents SET given_name = 'Second' WHERE id = ?1", [&id]);
    assert_eq!(slug(&harness, "second"), "second-2");
    let import = json!({"version": 1, "agent": {"name": "second"}});
    harness.operator().post("/api/agents/import", import).expect_error(409, "agent_exists");
}

#[test]
fn twenty_creates_of_one_name_at_once_get_twenty_slugs() {
    let harness = Harness::new();
    let slugs: BTreeSet<String> = std::thread::scope(|scope| {
        let made: Vec<_> = (0..20).map(|_| scope.spawn(|| slug(&harness, "Same"))).collect();
        made.into_iter().map(|thread| thread.join().expect("a slug")).collect()
    });
    let wanted: BTreeSet<String> = (2..=20).map(|n| format!("same-{n}")).chain(["same".into()]).collect();
    assert_eq!(slugs, wanted);
}
