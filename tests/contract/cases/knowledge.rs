//! Knowledge.

use serde_json::{Value, json};

use super::{Case, case};
use crate::harness::Harness;

const CORE: &str = "/api/knowledge/sources/taos-core";

fn items(content: &str) -> Value {
    json!({"items": [{"path": "a", "content": content}]})
}

pub const CASES: &[Case] = &[
    case("knowledge_list", "", |w| {
        let reply = w.operator().get("/api/knowledge/items?source_id=taos-core&limit=500").expect(200);
        assert_eq!(reply.json().as_array().map(Vec::len), Some(taosd::docs::PAGES.len()));
        reply
    }),
    case("knowledge_get", "", |w| {
        let reply = w.request_for("knowledge_get").by(&w.operator()).expect(200);
        let page = reply.json()["source_url"].as_str().expect("a path").to_owned();
        assert_eq!(reply.json()["content"], json!(w.daemon.anonymous().get(&page).expect(200).text()));
        reply
    }),
    case("knowledge_get", "knowledge_item_not_found", |w| w.operator().get("/api/knowledge/items/nothing")),
    case("knowledge_search", "", |w| {
        let word = format!("word{}", w.name());
        w.operator().put("/api/knowledge/sources/app:search", items(&word)).expect(200);
        let reply = w.operator().get(&format!("/api/knowledge/search?q={word}")).expect(200);
        assert_eq!((&reply.json()[0]["snippet"], &reply.json()[0]["source_id"]), (&json!(word), &json!("app:search")));
        reply
    }),
    case("knowledge_search", "validation_error", |w| w.operator().get("/api/knowledge/search")),
    case("knowledge_sources", "", |w| {
        let reply = w.operator().get("/api/knowledge/sources").expect(200);
        let core = reply.json().as_array().expect("a list").iter().find(|s| s["source_id"] == "taos-core").cloned();
        assert_eq!(core.expect("taos-core")["items"], taosd::docs::PAGES.len());
        reply
    }),
    case("knowledge_put", "", |w| {
        let path = format!("/api/knowledge/sources/app:{}", w.name());
        w.operator().put(&path, items("one")).expect(200);
        let reply = w.operator().put(&path, items("two")).expect(200);
        assert_eq!((&reply.json()["added"], &reply.json()["updated"]), (&json!(0), &json!(1)));
        reply
    }),
    case("knowledge_put", "source_reserved", |w| w.operator().put(CORE, items("mine"))),
    case("knowledge_put", "too_many_sources", |_| {
        let full = Harness::new();
        full.daemon.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 255)
            INSERT INTO knowledge_items (id, source_type, source_id, path, title, author, summary, content, categories,
                content_hash, created_at, updated_at)
            SELECT 'i' || i, 'guide', 's' || i, 'a', 't', 'a', '', 'c', '[]', zeroblob(32), 1, 1 FROM n",
            [],
        );
        full.operator().put("/api/knowledge/sources/app:more", items("x"))
    }),
    case("knowledge_put", "source_forbidden", |w| {
        let path = format!("/api/knowledge/sources/app:{}", w.name());
        w.operator().put(&path, items("one")).expect(200);
        w.member().put(&path, items("two"))
    }),
    case("knowledge_delete", "source_forbidden", |w| {
        let path = format!("/api/knowledge/sources/app:{}", w.name());
        w.operator().put(&path, items("one")).expect(200);
        w.member().delete(&path)
    }),
    case("knowledge_delete", "", |w| {
        let request = w.request_for("knowledge_delete");
        let reply = request.by(&w.operator()).expect(204);
        request.by(&w.operator()).expect_error(404, "source_not_found");
        reply
    }),
    case("knowledge_delete", "source_reserved", |w| w.operator().delete(CORE)),
    case("knowledge_delete", "source_not_found", |w| w.operator().delete("/api/knowledge/sources/app:none")),
    case("knowledge_prompt", "", |w| {
        let reply = w.operator().get("/api/knowledge/system-prompt").expect(200);
        assert!(reply.text().len() > 40);
        let text = w.operator().with("Accept", "text/markdown").get("/api/knowledge/system-prompt").expect(200);
        assert_eq!(json!(text.text()), reply.json()["prompt"]);
        reply
    }),
];
