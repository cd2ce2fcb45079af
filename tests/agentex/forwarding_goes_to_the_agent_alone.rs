//! Forwarding requests: who may, where to, and what passes in each direction.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::agentex::harness::{creator, key, register, registration, share, with_key};
use crate::support::{Client, Daemon, Reply, SOON, text};

/// A server that replies to each request with these bytes. The receiver gets the requests.
fn server(answer: &str) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (tell, told) = channel();
    let answer = answer.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
            let mut got = Vec::new();
            let mut chunk = [0; 4096];
            while let Ok(n @ 1..) = stream.read(&mut chunk) {
                got.extend_from_slice(&chunk[..n]);
            }
            if tell.send(String::from_utf8_lossy(&got).into_owned()).is_err() {
                return;
            }
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (port, told)
}

fn answer(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// Registers an agent of ann's at this address. Returns a client with an external key of it.
fn agent(daemon: &Daemon, ann: &Client, name: &str, url: &str) -> Client {
    let mut body = registration(name);
    body["acp_url"] = json!(url);
    ann.post("/agents/register", body).expect(200);
    with_key(daemon, &text(&key(ann, name, "hook", "external"), "api_key"))
}

/// The reply, from the agent or from the daemon.
fn raw(client: &Client, method: &str, path: &str, body: Option<&[u8]>) -> Reply {
    client.try_send(method, path, body).expect("a reply")
}

#[test]
fn a_request_goes_on_without_credentials_and_comes_back_without_power() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let head = "201 Created\r\nContent-Type: text/html\r\nSet-Cookie: taos_session=x\r\nClear-Site-Data: \"*\"\r\n\
        Access-Control-Allow-Origin: *\r\nContent-Security-Policy: default-src *\r\nService-Worker-Allowed: /\r\n\
        Connection: x-secret\r\nX-Secret: 1\r\nX-Kept: yes\r\n";
    let (port, told) = server(&answer(head, "<script>1</script>"));
    let outside = agent(&daemon, &ann, "mailer", &format!("http://localhost:{port}/base/"))
        .with("Cookie", "a=b")
        .with("X-Forwarded-For", "1.2.3.4")
        .with("Forwarded", "for=1.2.3.4")
        .with("Connection", "keep-alive, X-Mine")
        .with("X-Mine", "dropped")
        .with("X-Other", &format!("Bearer {}", ann.token()))
        .with("X-Hub", "kept")
        .with("Content-Type", "text/plain");
    let reply = raw(&outside, "POST", "/agents/forward/name/mailer/a%20b/c?q=1&q=%zz", Some(b"hello"));
    let got = told.recv().expect("a request").to_lowercase();
    assert!(got.starts_with("post /base/a%20b/c?q=1&q=%zz http/1.1\r\n"), "{got}");
    assert!(
        got.ends_with("\r\n\r\nhello") && got.contains("x-hub: kept") && got.contains("content-type: text/plain"),
        "{got}"
    );
    for gone in ["taos_", "cookie", "forwarded", "x-mine", "authorization", "x-agent-api-key", "host: localhost\r\n"] {
        assert!(!got.contains(gone), "{gone} in {got}");
    }
    assert_eq!((reply.status, reply.text().as_str()), (201, "<script>1</script>"));
    assert_eq!(reply.header("content-security-policy"), Some("sandbox; default-src 'none'"));
    assert_eq!((reply.header("x-content-type-options"), reply.header("x-kept")), (Some("nosniff"), Some("yes")));
    for gone in ["set-cookie", "clear-site-data", "access-control-allow-origin", "service-worker-allowed", "x-secret"] {
        assert_eq!(reply.header(gone), None, "{gone}");
    }
    let scheme = daemon
        .anonymous()
        .with("Authorization", &format!("AgentKey {}", text(&key(&ann, "mailer", "b", "external"), "api_key")));
    assert_eq!(raw(&scheme, "GET", "/agents/forward/name/mailer/x", None).status, 201);
    assert_eq!(raw(&ann, "GET", "/agents/forward/name/mailer/x", None).status, 201);
}

#[test]
fn look_alikes_of_what_is_dropped_and_every_credential_of_the_box_are_dropped_too() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let (port, told) = server(&answer("200 OK\r\n", "ok"));
    let outside = agent(&daemon, &ann, "mailer", &format!("http://localhost:{port}"));
    let made = ann.post("/api/v1/keys", json!({"name": "k"})).expect(201).json();
    let pat = text(&made, "token");
    let jwt = text(&daemon.client(&pat).post("/auth/exchange", json!({})).expect(200).json(), "access_token");
    let internal = text(&key(&ann, "mailer", "in", "internal"), "api_key");
    let foreign = "eyJhbGciOiJ4In0.eyJpc3MiOiJodHRwczovL290aGVyIn0.c2ln";
    let mut sent = outside
        .with("X_Forwarded_For", "1.2.3.4")
        .with("x_forwarded-proto", "https")
        .with("X_Real_IP", "1.2.3.4")
        .with("Transfer_Encoding", "chunked")
        .with("Content_Length", "3")
        .with("X_Agent_Api_Key", "abc")
        .with("X_Agent-Identity", "abc")
        .with("Proxy_Authorization", "abc")
        .with("X-Foreign", foreign)
        .with("X-Hub_Kept", "kept");
    let encoded: String = pat.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let secrets = [pat.as_str(), jwt.as_str(), internal.as_str(), ann.token(), encoded.as_str()];
    for (at, secret) in secrets.iter().enumerate() {
        sent = sent.with(&format!("X-Carries-{at}"), &format!("token={secret}; x=1"));
    }
    assert_eq!(raw(&sent, "GET", "/agents/forward/name/mailer/x", None).status, 200);
    let got = told.recv().expect("a request");
    let lower = got.to_lowercase();
    for gone in ["forwarded", "real_ip", "encoding", "content_length", "api_key", "identity", "proxy", "carries"] {
        assert!(!lower.contains(gone), "{gone} in {got}");
    }
    assert!(!secrets.iter().any(|secret| got.contains(secret)), "{got}");
    assert!(
        got.contains(foreign) && lower.contains("x-hub_kept: kept"),
        "another's token is the agent's business: {got}"
    );
}

#[test]
fn only_the_agents_own_external_key_or_an_editor_passes() {
    let daemon = Daemon::start();
    let (ann, bob) = (creator(&daemon, "ann"), creator(&daemon, "bob"));
    let (port, told) = server(&answer("200 OK\r\n", "ok"));
    let own = agent(&daemon, &ann, "mailer", &format!("http://127.0.0.1:{port}"));
    let other = agent(&daemon, &ann, "other", "http://localhost:1");
    let internal = with_key(&daemon, &text(&key(&ann, "mailer", "in", "internal"), "api_key"));
    let token = daemon.agent_token("mailer", &["*"]);
    let refusal = daemon.anonymous().get("/agents/forward/name/mailer/x").expect_agentex(401, "unauthenticated").body;
    for client in [&other, &internal, &token, &with_key(&daemon, "x"), &with_key(&daemon, ann.token())] {
        for name in ["mailer", "nobody"] {
            let refused = client.get(&format!("/agents/forward/name/{name}/x")).expect_agentex(401, "unauthenticated");
            assert_eq!(refused.body, refusal);
        }
    }
    own.get("/agents/forward/name/nobody/x").expect_agentex(401, "unauthenticated");
    bob.get("/agents/forward/name/mailer/x").expect_agentex(404, "agent_not_found");
    let id = text(&ann.get("/agents/name/mailer").expect(200).json(), "id");
    share(&daemon, "bob", &id, "viewer");
    bob.get("/agents/forward/name/mailer/x").expect_agentex(403, "forbidden");
    assert!(told.try_recv().is_err(), "nothing has reached the agent");
    share(&daemon, "bob", &id, "editor");
    assert_eq!(raw(&bob, "GET", "/agents/forward/name/mailer/x", None).text(), "ok");
    assert_eq!(raw(&own, "GET", "/agents/forward/name/mailer/x", None).text(), "ok");
    ann.delete("/agent_api_keys/name/hook?agent_name=mailer").expect(200);
    own.get("/agents/forward/name/mailer/x").expect_agentex(401, "unauthenticated");
}

#[test]
fn redirects_are_told_and_never_followed() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let (inner, reached) = server(&answer("200 OK\r\n", "secret"));
    let (port, _told) = server(&answer(&format!("302 Found\r\nLocation: http://127.0.0.1:{inner}/\r\n"), ""));
    let own = agent(&daemon, &ann, "mailer", &format!("http://localhost:{port}"));
    assert_eq!(raw(&own, "GET", "/agents/forward/name/mailer/x", None).status, 302);
    assert!(reached.recv_timeout(Duration::from_millis(300)).is_err());
}

#[test]
fn no_other_machine_and_not_the_daemon_itself_is_ever_a_target() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let port = daemon.address.rsplit(':').next().expect("a port").to_owned();
    let own = agent(&daemon, &ann, "mailer", "http://localhost:1");
    let own_listener = [
        format!("http://localhost:{port}"),
        format!("http://127.0.0.1:{port}/api"),
        format!("http://[::1]:{port}"),
        format!("http://127.9.9.9:{port}"),
        format!("http://[::ffff:127.0.0.1]:{port}"),
    ];
    let others = [
        "http://169.254.169.254/latest",
        "http://10.0.0.1",
        "http://0.0.0.0:1",
        "http://[::]:1",
        "http://2130706433",
        "http://0x7f000001",
        "http://0177.0.0.1",
        "http://127.1",
        "http://localhost.",
        "http://localtest.me",
        "https://localhost",
    ];
    for url in own_listener.iter().map(String::as_str).chain(others) {
        let mut body = registration("mailer");
        body["acp_url"] = json!(url);
        ann.post("/agents/register", body).expect(200);
        own.get("/agents/forward/name/mailer/x").expect_agentex(409, "acp_url_not_allowed");
    }
    // An address that the agent itself gave is not used. It is used once a user gave it, also if the agent repeats it.
    let inside = with_key(&daemon, &text(&key(&ann, "mailer", "in", "internal"), "api_key"));
    let (port, _told) = server(&answer("200 OK\r\n", "ok"));
    let mut body = registration("mailer");
    body["acp_url"] = json!(format!("http://localhost:{port}"));
    inside.post("/agents/register", body.clone()).expect(200);
    own.get("/agents/forward/name/mailer/x").expect_agentex(409, "acp_url_not_allowed");
    for client in [&ann, &inside] {
        client.post("/agents/register", body.clone()).expect(200);
        assert_eq!(raw(&own, "GET", "/agents/forward/name/mailer/x", None).text(), "ok");
    }
}

#[test]
fn dot_segments_are_refused_however_they_are_written() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let (port, told) = server(&answer("200 OK\r\n", "ok"));
    let own = agent(&daemon, &ann, "mailer", &format!("http://localhost:{port}/base"));
    for path in [
        "..",
        "a/../b",
        ".",
        "%2e%2e",
        "%2E%2e/x",
        "a%2f..%2fb",
        "%252e%252e",
        "%25252e%25252e",
        "a%252fb",
        "..%5c",
        "%255c",
    ] {
        // The edge refuses most of them before it knows the dialect.
        let refused = raw(&own, "GET", &format!("/agents/forward/name/mailer/{path}"), None);
        assert_eq!((refused.status, text(&refused.json(), "error").as_str()), (400, "invalid_path"), "{path}");
    }
    assert!(told.try_recv().is_err());
    assert_eq!(raw(&own, "GET", "/agents/forward/name/mailer/...", None).status, 200);
}

#[test]
fn an_agent_that_is_silent_broken_or_boundless_is_told_in_fixed_words() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let own = agent(&daemon, &ann, "mailer", "http://localhost:1");
    own.get("/agents/forward/name/mailer/x").expect_agentex(502, "forward_failed");
    let bodies = [
        answer("200 OK\r\n", &"x".repeat(1024 * 1024 + 1)),
        "SSH-2.0-OpenSSH\r\n".into(),
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx".into(),
    ];
    for body in bodies {
        let (port, _told) = server(&body);
        let mut body = registration("mailer");
        body["acp_url"] = json!(format!("http://localhost:{port}"));
        ann.post("/agents/register", body).expect(200);
        own.get("/agents/forward/name/mailer/x").expect_agentex(502, "forward_failed");
    }
    ann.post("/agents/register-build", json!({"name": "built", "description": ""})).expect(200);
    ann.get("/agents/forward/name/built/x").expect_agentex(404, "no_acp_url");
    let large = vec![b'x'; 1024 * 1024 + 1];
    assert_eq!(raw(&own, "POST", "/agents/forward/name/mailer/x", Some(&large)).status, 413);
}

#[test]
fn a_silent_agent_holds_four_requests_no_worker_and_half_a_minute() {
    let daemon = Daemon::with(&[], &[("TAOSD_WORKERS", "1")]);
    let ann = creator(&daemon, "ann");
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let own = agent(&daemon, &ann, "mailer", &format!("http://localhost:{port}"));
    std::thread::scope(|scope| {
        let begun = Instant::now();
        let held: Vec<_> = (0..4).map(|_| scope.spawn(|| own.get("/agents/forward/name/mailer/x"))).collect();
        std::thread::sleep(Duration::from_millis(1500));
        let fifth = own.get("/agents/forward/name/mailer/x").expect_agentex(503, "busy");
        assert!(fifth.header("retry-after").is_some());
        let asked = Instant::now();
        ann.get("/agents/name/mailer").expect(200);
        assert!(asked.elapsed() < SOON, "the one worker is free");
        for one in held {
            one.join().expect("a reply").expect_agentex(504, "forward_timeout");
        }
        assert!((29..40).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    });
    register(&ann, "mailer");
    own.get("/agents/forward/name/mailer/x").expect_agentex(502, "forward_failed");
}

#[test]
fn whoever_writes_to_an_agent_is_not_the_agent() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let outside = agent(&daemon, &ann, "mailer", "http://localhost:1");
    assert_eq!(raw(&outside, "POST", "/agents/forward/name/mailer/x", Some(b"hello")).status, 502);
    assert_eq!(ann.get("/api/v1/agents/mailer/presence").expect(200).json()["presence"], "offline");
    assert_eq!(ann.get("/api/agents/mailer/calls").expect(200).json()["total"], 0);
    // An internal key is the agent's own.
    let own = with_key(&daemon, &text(&key(&ann, "mailer", "own", "internal"), "api_key"));
    own.get("/agents").expect(200);
    assert_eq!(ann.get("/api/v1/agents/mailer/presence").expect(200).json()["presence"], "online");
    assert_eq!(ann.get("/api/agents/mailer/calls").expect(200).json()["total"], 1);
}
