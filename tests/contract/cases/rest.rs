//! Routes about the daemon itself: the caller's identity, the audit, health, the surface and the documentation.

use serde_json::json;

use super::{Case, case};
use crate::harness::Harness;

pub const CASES: &[Case] = &[
    case("auth_whoami", "", |w| {
        let reply = w.daemon.user_token("operator", &[]).get("/api/auth/whoami").expect(200);
        let who = reply.json();
        assert_eq!(
            (&who["principal"], &who["username"], &who["role"]),
            (&json!("user"), &json!("operator"), &json!("admin"))
        );
        assert_eq!((&who["kind"], &who["scope"], &who["agent_id"]), (&json!("user_token"), &json!([]), &json!(null)));
        reply
    }),
    case("audit_list", "", |w| {
        let agent = w.agent();
        let id = crate::support::text(&w.daemon.record(&agent), "id");
        let reply =
            w.operator().get(&format!("/api/audit?resource=agent:{id}&action=agents.create&actor=user:operator"));
        assert_eq!(reply.json().as_array().map(Vec::len), Some(1), "{}", reply.text());
        assert_eq!((&reply.json()[0]["outcome"], &reply.json()[0]["count"]), (&json!("ok"), &json!(1)));
        reply
    }),
    case("operations_cancel", "forbidden", |w| {
        let agent = w.agent();
        let id = crate::support::text(&w.daemon.record(&agent), "id");
        let operation = w.operation("start", "queued", Some(&id));
        let reply = w.member_on(&agent, "viewer").post(&format!("/api/operations/{operation}/cancel"), json!({}));
        w.member_on(&agent, "editor").post(&format!("/api/operations/{operation}/cancel"), json!({})).expect(200);
        reply
    }),
    case("audit_head", "", |w| {
        let reply = w.operator().get("/api/audit/head").expect(200);
        let (seq, row) = (&reply.json()["seq"], w.operator().get("/api/audit?limit=500").expect(200).json());
        let row = row.as_array().and_then(|rows| rows.iter().find(|row| row["seq"] == *seq)).expect("the row").clone();
        assert_eq!(row["hash"], reply.json()["hash"]);
        reply
    }),
    case("backups_create", "", |w| {
        let reply = w.operator().post("/api/backups?wait=30", json!({})).expect(200);
        let file = w.daemon.data.join("backup").join(crate::support::text(&reply.json(), "file"));
        let bytes = std::fs::read(file).expect("the backup");
        assert_eq!(reply.json()["bytes"], bytes.len());
        assert_eq!(reply.json()["blake3"], blake3::hash(&bytes).to_hex().as_str());
        reply
    }),
    case("backups_list", "", |w| {
        let made = w.operator().post("/api/backups?wait=30", json!({})).expect(200).json();
        let reply = w.operator().get("/api/backups").expect(200);
        assert_eq!(reply.json()[0], made, "newest first");
        reply
    }),
    case("backups_download", "", |w| {
        let made = w.operator().post("/api/backups?wait=30", json!({})).expect(200).json();
        let file = crate::support::text(&made, "file");
        let reply = w.operator().get(&format!("/api/backups/{file}")).expect(200);
        assert_eq!(made["blake3"], blake3::hash(&reply.body).to_hex().as_str());
        assert_eq!(reply.header("content-type"), Some("application/vnd.sqlite3"));
        reply
    }),
    case("backups_download", "backup_not_found", |w| w.operator().get("/api/backups/taosd.db.covers")),
    case("box_status", "", |w| {
        // A write is in the write-ahead log first.
        let on_disk = |file: &str| std::fs::metadata(w.daemon.data.join(file)).map_or(0, |file| file.len());
        w.operator().post("/api/v1/context", json!({"key": "long", "value": "x".repeat(300_000)}));
        let (reply, size) = std::iter::repeat_with(|| {
            let size = || on_disk("taosd.db") + on_disk("taosd.db-wal");
            let (before, reply) = (size(), w.operator().get("/api/status").expect(200));
            (before == size()).then_some((reply, before))
        })
        .take(50)
        .find_map(|steady| steady)
        .expect("a moment in which nothing is written");
        let told = reply.json();
        assert!(on_disk("taosd.db-wal") > 0);
        assert_eq!(told["database_bytes"], json!(size), "the file and its log");
        assert_eq!((&told["status"], &told["checks"]["disk"]), (&json!("ready"), &json!("ok")));
        assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
        assert!(size > 4096 && told["disk_free_bytes"].as_u64() > Some(0), "{told}");
        assert!(told["workers"].as_u64() > Some(0) && told["listening"].as_array().is_some_and(|l| l.len() == 1));
        reply
    }),
    case("nodes_list", "", |w| {
        let reply = w.operator().get("/api/nodes").expect(200);
        let told = reply.json();
        assert_eq!(
            (&told[0]["name"], &told[0]["status"], &told[0]["away"]),
            (&json!("shed"), &json!("away"), &json!("refusing"))
        );
        w.member().get("/api/nodes").expect_error(403, "forbidden");
        reply
    }),
    case("nodes_check", "node_not_found", |w| w.operator().get("/api/nodes/barn")),
    case("nodes_check", "container_runtime_unavailable", |w| {
        let reply = w.operator().get("/api/nodes/shed");
        assert_eq!((&reply.json()["node"], &reply.json()["away"]), (&json!("shed"), &json!("refusing")));
        reply
    }),
    case("box_settings", "", |w| {
        let reply = w.operator().get("/api/settings").expect(200);
        let rows = reply.json();
        let of = |key: &str| rows.as_array().and_then(|r| r.iter().find(|row| row["key"] == key)).expect("it").clone();
        assert_eq!(of("listen")["source"], "--listen");
        assert_eq!(of("notify_per_minute")["is_default"].as_bool().map(|_| ()), Some(()));
        reply
    }),
    case("database_check_begin", "", |w| {
        let reply = w.operator().post("/api/database/check?wait=30", json!({})).expect(200);
        assert_eq!(reply.json()["state"], "sound", "{}", reply.text());
        reply
    }),
    case("database_check_get", "", |w| {
        let made = w.operator().post("/api/database/check?wait=30", json!({})).expect(200).json();
        let reply = w.operator().get("/api/database/check?wait=1").expect(200);
        assert_eq!(reply.json(), made);
        reply
    }),
    case("database_check_stop", "", |w| w.operator().delete("/api/database/check")),
    case("agents_deploy_choices", "", |w| {
        let reply = w.operator().get("/api/agents/deploy/choices").expect(200);
        assert_eq!(reply.json()["frameworks"][0], "none");
        reply
    }),
    case("audit_verification", "", |w| {
        let reply = w.operator().get("/api/audit/verification?rows=3").expect(200);
        let told = reply.json();
        assert_eq!((&told["state"], &told["checked"], &told["complete"]), (&json!("intact"), &json!(3), &json!(false)));
        let all = w.operator().get("/api/audit/verification?rows=10000").expect(200).json();
        assert_eq!((&all["state"], &all["first_seq"], &all["complete"]), (&json!("intact"), &json!(1), &json!(true)));
        reply
    }),
    case("credentials_expiring", "", |w| {
        let user = w.user();
        let tokens = format!("/api/users/{user}/tokens");
        let soon = w.operator().post(&tokens, json!({"label": "soon", "expires_in_days": 3})).expect(201).json();
        w.operator().post(&tokens, json!({"label": "late", "expires_in_days": 300})).expect(201);
        let reply = w.operator().get("/api/credentials/expiring?within_days=4").expect(200);
        let of_user: Vec<_> = reply
            .json()
            .as_array()
            .expect("a list")
            .iter()
            .filter(|row| row["username"] == user.as_str())
            .cloned()
            .collect();
        assert_eq!((of_user.len(), &of_user[0]["id"], &of_user[0]["kind"]), (1, &soon["id"], &json!("user_token")));
        // Another member sees none of them.
        assert_eq!(w.member().get("/api/credentials/expiring?within_days=4").expect(200).json(), json!([]));
        reply
    }),
    case("healthz", "", |w| {
        let reply = w.daemon.anonymous().get("/healthz").expect(200);
        assert_eq!(reply.json(), json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}));
        reply
    }),
    case("readyz", "", |w| {
        let reply = w.daemon.anonymous().get("/readyz").expect(200);
        assert_eq!(
            reply.json()["checks"],
            json!({"database": "ok", "disk": "ok", "queue": "ok", "workers": "ok", "backups": "ok"})
        );
        reply
    }),
    case("readyz", "not_ready", |_| {
        let other = Harness::new();
        other.daemon.db().execute_batch("DROP TABLE meta").expect("a broken database");
        let reply = other.daemon.anonymous().get("/readyz");
        assert_eq!((&reply.json()["status"], &reply.json()["checks"]["disk"]), (&json!("not_ready"), &json!("ok")));
        other.daemon.anonymous().get("/healthz").expect(200);
        reply
    }),
    case("metrics", "", |w| {
        let reply = w.operator().get("/metrics").expect(200);
        let text = reply.text();
        assert!(text.contains("taosd_http_requests_total{status=\"200\"} "), "{text}");
        assert!(text.lines().all(|line| line.starts_with("# ") || line.starts_with("taosd_")), "{text}");
        reply
    }),
    case("front", "", |w| w.daemon.anonymous().get("/")),
    case("api_index", "", |w| {
        let reply = w.daemon.anonymous().get("/api").expect(200);
        let rows = reply.json()["routes"].clone();
        let table = || taosd::ui::routes().iter().flat_map(|table| table.iter());
        assert_eq!(rows.as_array().map(Vec::len), Some(table().count()));
        for (row, route) in rows.as_array().expect("rows").iter().zip(table()) {
            assert_eq!((row["method"].as_str(), row["path"].as_str()), (Some(route.method.as_str()), Some(route.path)));
            assert_eq!(row["action"], route.action().map_or("public", |action| action.slug()));
            assert_eq!(row["prefix"], route.path.split('{').next().expect("a prefix"));
        }
        reply
    }),
    case("openapi", "", |w| {
        let reply = w.daemon.anonymous().get("/openapi.json").expect(200);
        assert_eq!(reply.json()["openapi"], "3.1.0");
        reply
    }),
    case("docs_index", "", |w| {
        let reply = w.daemon.anonymous().get("/docs").expect(200);
        assert_eq!(reply.header("content-type"), Some("text/markdown; charset=utf-8"));
        reply
    }),
    case("docs_index", "validation_error", |w| w.daemon.anonymous().get(&format!("/docs?q={}", "x".repeat(201)))),
    case("docs_get", "", |w| {
        let markdown = w.daemon.anonymous().get("/docs/agents/errors").expect(200);
        assert_eq!(w.daemon.anonymous().get("/docs/agents/errors.md").expect(200).body, markdown.body);
        let browser = w.daemon.anonymous().with("Accept", "text/html,*/*;q=0.8");
        let html = browser.get("/docs/agents/errors").expect(200);
        assert_eq!(html.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(html.text().contains("<h1 id=\""));
        markdown
    }),
    case("docs_get", "doc_not_found", |w| w.daemon.anonymous().get("/docs/agents/nothing")),
];
