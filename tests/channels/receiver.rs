//! Receivers over TLS on loopback, with certificates of a private authority. A test sets how a receiver behaves.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::support::{Daemon, TempDir, text};

/// A private certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Writes the authority's certificate to a file that a daemon can trust, and returns its path.
    pub fn file(&self, dir: &Path) -> PathBuf {
        let path = dir.join("ca.pem");
        std::fs::write(&path, &self.pem).unwrap();
        path
    }

    fn server(&self, name: &str) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        Arc::new(config)
    }
}

/// How a receiver behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Replies with this status.
    Answers(u16),
    /// Reads the request and sends no reply.
    Hangs,
}

/// A request that a receiver got.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub head: String,
    pub body: Value,
}

impl Delivery {
    pub fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")));
        line.and_then(|line| line.split_once(": ")).map_or("", |(_, value)| value)
    }

    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or("")
    }
}

/// A running receiver; its threads end with the process.
pub struct Phone {
    pub port: u16,
    manner: Arc<Mutex<Manner>>,
    deliveries: Receiver<Delivery>,
}

impl Phone {
    /// Starts a receiver for `localhost`, with a certificate of this authority.
    pub fn start(authority: &Authority) -> Self {
        Self::named(authority, "localhost", 0)
    }

    /// Starts a receiver with a certificate for `name`, on `port`; 0 is any free port.
    pub fn named(authority: &Authority, name: &str, port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (config, manner) = (authority.server(name), Arc::new(Mutex::new(Manner::Answers(200))));
        let (sender, deliveries) = channel();
        let now = Arc::clone(&manner);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, sender, now) = (Arc::clone(&config), sender.clone(), Arc::clone(&now));
                std::thread::spawn(move || {
                    let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
                    let connection = ServerConnection::new(config).unwrap();
                    let mut stream = StreamOwned::new(connection, stream);
                    let Some(delivery) = read(&mut stream) else { return };
                    let manner = *now.lock().unwrap();
                    let _ = sender.send(delivery);
                    match manner {
                        Manner::Hangs => std::thread::sleep(Duration::from_secs(60)),
                        Manner::Answers(status) => {
                            let _ = write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\n{{}}");
                            stream.conn.send_close_notify();
                            let _ = stream.flush();
                        }
                    }
                });
            }
        });
        Self { port, manner, deliveries }
    }

    pub fn behaves(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    #[track_caller]
    pub fn next(&self) -> Delivery {
        self.deliveries.recv_timeout(Duration::from_secs(30)).expect("a delivery")
    }

    pub fn is_quiet(&self, time: Duration) -> bool {
        self.deliveries.recv_timeout(time).is_err()
    }
}

fn read(stream: &mut impl Read) -> Option<Delivery> {
    let mut bytes = Vec::new();
    loop {
        let mut some = [0; 4096];
        let n = stream.read(&mut some).ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&some[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Some(Delivery { head: head.to_owned(), body: serde_json::from_str(body).ok()? });
        }
    }
}

/// A daemon that trusts a private authority. With [`Harness::new`] it lets users' channels send to this machine.
pub struct Harness {
    pub daemon: Daemon,
    pub authority: Authority,
    _dir: TempDir,
}

impl Harness {
    pub fn new() -> Self {
        Self::with(&[("TAOSD_CHANNEL_HOSTS", "localhost"), ("TAOSD_PUBLIC_URL", "https://box.example.org")])
    }

    pub fn with(env: &[(&str, &str)]) -> Self {
        let (dir, authority) = (TempDir::new(), Authority::new());
        let file = authority.file(dir.path());
        let trust = ("SSL_CERT_FILE", file.to_str().expect("a path"));
        let daemon = Daemon::with(&[], &[env, &[trust]].concat());
        Self { daemon, authority, _dir: dir }
    }

    /// Creates a channel of the operator and returns its id.
    #[track_caller]
    pub fn channel(&self, kind: &str, url: &str, secret: Option<&str>) -> String {
        let mut body = json!({"kind": kind, "url": url, "min_level": "low"});
        if let Some(secret) = secret {
            body["secret"] = json!(secret);
        }
        text(&self.daemon.operator().post("/api/users/operator/channels", body).expect(201).json(), "id")
    }

    /// Sends the operator a notification.
    #[track_caller]
    pub fn notify(&self, title: &str, priority: &str) {
        let body = json!({"title": title, "body": "Größe: 3", "priority": priority, "action_url": "/ui/requests/7"});
        self.daemon.operator().post("/api/ui/notify", body).expect(200);
    }

    /// The record of a channel.
    #[track_caller]
    pub fn record(&self, id: &str) -> Value {
        let all = self.daemon.operator().get("/api/users/operator/channels").expect(200).json();
        all.as_array().unwrap().iter().find(|one| one["id"] == json!(id)).cloned().expect("the channel")
    }

    #[track_caller]
    pub fn eventually(&self, what: &str, holds: impl Fn() -> bool) {
        let end = std::time::Instant::now() + Duration::from_secs(30);
        while !holds() {
            assert!(std::time::Instant::now() < end, "not within half a minute: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
