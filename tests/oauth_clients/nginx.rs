//! nginx in front of a web application, with exactly the configuration and the program of the documentation: only valid
//! tokens pass, and the application learns whose they are.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use serde_json::json;

use super::PAGE;
use crate::support::{Client, Daemon, TempDir, text, wait_until};

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns the text between two lines of the page.
fn part(from: &str, to: &str) -> &'static str {
    let at = PAGE.find(from).unwrap_or_else(|| panic!("the page lacks {from}")) + from.len();
    let rest = &PAGE[at..];
    &rest[..rest.find(to).expect("its end")]
}

/// Starts the web application, which replies with the request that it got. Returns its port.
fn application() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || listener.incoming().flatten().for_each(|client| drop(answer(client))));
    port
}

fn answer(mut client: TcpStream) -> std::io::Result<()> {
    let mut asked = Vec::new();
    let mut piece = [0; 4096];
    let whole = |asked: &[u8]| {
        let asked = String::from_utf8_lossy(asked).into_owned();
        let (head, body) = asked.split_once("\r\n\r\n")?;
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        (body.len() >= length.unwrap_or(0)).then_some(asked)
    };
    let said = loop {
        let n = client.read(&mut piece)?;
        asked.extend_from_slice(&piece[..n]);
        match whole(&asked) {
            Some(said) => break said,
            None if n == 0 => return Ok(()),
            None => {}
        }
    };
    write!(client, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{said}", said.len())
}

/// Starts the program of the page. Returns it with its port.
fn checker(dir: &Path, daemon: &Daemon) -> (Running, u16) {
    let made = json!({"name": "nginx", "introspect": true});
    let made = daemon.operator().post("/api/oauth/clients", made).expect(201).json();
    let port = free_port();
    fs::write(dir.join("checker.py"), part("cat > checker.py <<'END'\n", "END\n")).expect("a program");
    let mut python = Command::new("python3");
    python.arg(dir.join("checker.py")).env("TAOS_URL", format!("http://{}", daemon.address));
    python.env("CHECKER", format!("{}:{}", text(&made, "id"), text(&made, "client_secret")));
    (started(python.env("PORT", port.to_string()), port), port)
}

/// Starts nginx with the block of the page and these two ports. Returns it with its port.
fn nginx(dir: &Path, application: u16, checker: u16) -> (Running, u16) {
    let port = free_port();
    let block = part("```text\nlocation / {\n", "```");
    for said in ["http://127.0.0.1:8080;", "http://127.0.0.1:9090;"] {
        assert!(block.contains(said), "{block}");
    }
    let block = block.replace(":8080;", &format!(":{application};")).replace(":9090;", &format!(":{checker};"));
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {}/{name};\n", dir.display()))
        .collect();
    let whole = format!(
        "daemon off;\nmaster_process off;\npid {0}/pid;\nerror_log {0}/errors;\nevents {{}}\nhttp {{\naccess_log off;\n\
         {temporary}server {{\nlisten 127.0.0.1:{port};\nlocation / {{\n{block}\n}}\n}}\n",
        dir.display()
    );
    fs::write(dir.join("nginx.conf"), whole).expect("the configuration");
    let mut nginx = Command::new("nginx");
    nginx.arg("-p").arg(dir).arg("-c").arg(dir.join("nginx.conf")).arg("-e").arg(dir.join("errors"));
    (started(&mut nginx, port), port)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

fn started(command: &mut Command, port: u16) -> Running {
    let running = Running(command.stderr(Stdio::null()).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")));
    wait_until("it listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    running
}

#[track_caller]
fn get(client: &Client, path: &str, status: u16) -> String {
    client.try_send("GET", path, None).expect("a reply").expect(status).text()
}

#[test]
#[ignore = "needs nginx: apt install nginx"]
fn nginx_lets_good_tokens_pass_alone_as_the_page_shows() {
    let (at, dir) = (super::Box::new(), TempDir::new());
    let (_checker, checks) = checker(dir.path(), &at.daemon);
    let (_nginx, port) = nginx(dir.path(), application(), checks);
    let client = at.daemon.anonymous().at(&format!("127.0.0.1:{port}"));
    let with = |token: &str| client.with("Authorization", &format!("Bearer {token}"));
    let told = get(&with(&at.agent_token), "/wiki?page=1", 200);
    assert!(told.starts_with("GET /wiki?page=1 ") && told.contains("\r\nX-Taos-Agent: atlas\r\n"), "{told}");
    // A body goes to the application, and not to the check.
    let told = with(&at.agent_token).try_send("POST", "/wiki", Some(b"{\"a\":1}")).expect("a reply").expect(200).text();
    assert!(told.starts_with("POST /wiki ") && told.ends_with("{\"a\":1}"), "{told}");
    // A client cannot set its own name.
    let told = get(&with(&at.daemon.token).with("X-Taos-Agent", "atlas"), "/", 200);
    assert!(!told.contains("X-Taos-Agent"), "{told}");
    let exchanged = |audience: &str| {
        let told = at.daemon.client(&at.key).post("/auth/exchange", json!({"audience": audience})).expect(200).json();
        text(&told, "access_token")
    };
    get(&with(&exchanged("ax-api")), "/", 200);
    for bad in [exchanged("ax-mcp"), at.key.clone(), "nobody".to_owned(), format!("{}x", at.agent_token)] {
        get(&with(&bad), "/", 401);
    }
    get(&client, "/", 401);
    get(&client.with("X-Taos-Agent", "atlas"), "/_check", 404);
    // A revoked token is refused at once.
    at.daemon.operator().delete("/api/agents/atlas/token").expect(200);
    get(&with(&at.agent_token), "/", 401);
}
