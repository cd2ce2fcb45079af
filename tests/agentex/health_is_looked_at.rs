//! Health checks are off by default. Five failures in a row make an agent unhealthy, and one success makes it healthy.
//! An agent's reply has no other effect.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use crate::agentex::harness::{creator, registration};
use crate::support::{Client, Daemon, SOON, text};

const ON: (&str, &str) = ("TAOSD_AGENTEX_HEALTH_CHECKS", "true");
const OFTEN: (&str, &str) = ("TAOSD_AGENTEX_HEALTH_INTERVAL", "1");
const WELL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"status\":\"healthy\"}";

/// An agent that replies to each request with `answer`, and keeps the requests.
struct Agent {
    port: u16,
    got: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<String>>,
}

impl Agent {
    fn answering(answer: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (got, answer) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(Mutex::new(answer.to_owned())));
        let (keep, say) = (Arc::clone(&got), Arc::clone(&answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (keep, say) = (Arc::clone(&keep), Arc::clone(&say));
                std::thread::spawn(move || serve(stream, &keep, &say));
            }
        });
        Self { port, got, answer }
    }

    fn says(&self, answer: &str) {
        *self.answer.lock().unwrap() = answer.to_owned();
    }

    fn asked(&self) -> usize {
        self.got.lock().unwrap().len()
    }

    #[track_caller]
    fn is_asked_again(&self, times: usize) {
        let before = self.asked();
        until("it is asked again", || self.asked() >= before + times);
    }
}

fn serve(mut stream: TcpStream, got: &Mutex<Vec<String>>, answer: &Mutex<String>) {
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(n @ 1..) => request.extend_from_slice(&chunk[..n]),
            _ => return,
        }
    }
    got.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
    let answer = answer.lock().unwrap().clone();
    if answer.is_empty() {
        // No reply, until the other side closes the connection.
        let _ = stream.read(&mut chunk);
    }
    let _ = stream.write_all(answer.as_bytes());
}

fn said(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Registers an agent at this address and returns its id.
#[track_caller]
fn register(client: &Client, name: &str, url: &str) -> String {
    let mut body = registration(name);
    body["acp_url"] = json!(url);
    text(&client.post("/agents/register", body).expect(200).json(), "id")
}

fn status(client: &Client, name: &str) -> (String, String) {
    let agent = client.get(&format!("/agents/name/{name}")).expect(200).json();
    (text(&agent, "status"), agent["status_reason"].as_str().unwrap_or_default().to_owned())
}

fn is(client: &Client, name: &str, wanted: &str) -> bool {
    status(client, name).0 == wanted
}

#[test]
fn without_the_setting_nobody_is_asked() {
    let daemon = Daemon::with(&[], &[OFTEN]);
    let ann = creator(&daemon, "ann");
    let agent = Agent::answering("");
    register(&ann, "quiet", &format!("http://localhost:{}", agent.port));
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(agent.asked(), 0);
}

#[test]
fn five_misses_make_an_agent_unhealthy_and_one_hit_or_a_registration_heals_it() {
    let daemon = Daemon::with(&[], &[ON, OFTEN]);
    let ann = creator(&daemon, "ann");
    let agent = Agent::answering(WELL);
    let url = format!("http://localhost:{}/base/", agent.port);
    let id = register(&ann, "mailer", &url);
    agent.is_asked_again(2);
    let request = agent.got.lock().unwrap()[0].to_lowercase();
    assert!(request.starts_with("get /base/healthz http/1.1\r\n"), "{request}");
    assert!(!request.contains("authorization") && !request.contains("taos_"), "{request}");
    assert_eq!(status(&ann, "mailer"), ("Ready".into(), "registered".into()));

    // Four failures and a success change nothing. The count starts again.
    agent.says(&said("503 Service Unavailable", ""));
    agent.is_asked_again(4);
    agent.says(&said("200 OK", &json!({"status": "healthy", "agent_id": id}).to_string()));
    agent.is_asked_again(2);
    assert!(is(&ann, "mailer", "Ready"));
    let before = agent.asked();
    agent.says(&said("503 Service Unavailable", ""));
    until("it is unhealthy", || is(&ann, "mailer", "Unhealthy"));
    assert!(agent.asked() >= before + 5, "{} checks", agent.asked() - before);
    assert_eq!(status(&ann, "mailer").1, "health check failed");

    // The daemon writes nothing while the state does not change.
    let changed = |daemon: &Daemon| {
        ["taosd.db", "taosd.db-wal"].map(|file| -> SystemTime {
            std::fs::metadata(daemon.data.join(file)).and_then(|meta| meta.modified()).expect("a file")
        })
    };
    let files = changed(&daemon);
    agent.is_asked_again(3);
    assert_eq!(changed(&daemon), files);
    agent.says(WELL);
    until("it is healthy", || is(&ann, "mailer", "Ready"));

    agent.says(&said("404 Not Found", ""));
    until("it is unhealthy again", || is(&ann, "mailer", "Unhealthy"));
    register(&ann, "mailer", &url);
    assert!(is(&ann, "mailer", "Ready"), "whoever registers is believed");
}

#[test]
fn only_a_plain_yes_counts() {
    let daemon = Daemon::with(&[], &[ON, OFTEN]);
    let ann = creator(&daemon, "ann");
    let inner = Agent::answering(WELL);
    let long = json!({"status": "healthy", "more": "x".repeat(4096)}).to_string();
    let answers = [
        said("500 Oops", "{\"status\":\"healthy\"}"),
        said("200 OK", "{\"status\":\"fine\"}"),
        said("200 OK", "{\"status\":\"healthy\",\"agent_id\":\"another\"}"),
        said("200 OK", "[\"healthy\"]"),
        said("200 OK", &"[".repeat(4000)),
        said("200 OK", &long),
        "SSH-2.0-OpenSSH\r\n".to_owned(),
        format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{}/\r\nContent-Length: 0\r\n\r\n", inner.port),
    ];
    let agents: Vec<Agent> = answers.iter().map(|answer| Agent::answering(answer)).collect();
    for (n, agent) in agents.iter().enumerate() {
        register(&ann, &format!("a{n}"), &format!("http://127.0.0.1:{}", agent.port));
    }
    register(&ann, "gone", "http://localhost:1");
    // Agents at addresses that the daemon sends nothing to are not checked. Their status stays.
    let own = daemon.address.rsplit(':').next().expect("a port").to_owned();
    for (name, url) in [
        ("far", "http://169.254.169.254".to_owned()),
        ("secure", "https://localhost".to_owned()),
        ("own", format!("http://127.0.0.1:{own}")),
    ] {
        register(&ann, name, &url);
    }
    for name in (0..agents.len()).map(|n| format!("a{n}")).chain(["gone".to_owned()]) {
        until(&name, || is(&ann, &name, "Unhealthy"));
    }
    for name in ["far", "secure", "own"] {
        assert!(is(&ann, name, "Ready"), "{name}");
    }
    assert_eq!(inner.asked(), 0, "no redirect is followed");
}

#[test]
fn a_crowd_of_silent_agents_holds_up_nobody_and_not_the_stop() {
    let mut daemon = Daemon::with(&[], &[ON, OFTEN, ("TAOSD_WORKERS", "1")]);
    let ann = creator(&daemon, "ann");
    let silent = Agent::answering("");
    for n in 0..80 {
        register(&ann, &format!("a{n}"), &format!("http://127.0.0.1:{}", silent.port));
    }
    until("a round is under way", || silent.asked() >= 32);
    let open = silent.asked();
    let began = Instant::now();
    for _ in 0..20 {
        ann.get("/agents?limit=1").expect(200);
    }
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert!(silent.asked() <= open.max(64), "not all at once");
    let began = Instant::now();
    assert_eq!(daemon.stop(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
