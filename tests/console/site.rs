//! A minimal browser: it keeps the cookie of a session, loads pages and sends forms.

use crate::support::{Client, Daemon, Reply};

/// A session of a user.
pub struct Site {
    client: Client,
}

/// Encodes fields as `application/x-www-form-urlencoded`.
pub fn form(fields: &[(&str, &str)]) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let encoded = |text: &str| -> String {
        text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
    };
    fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect::<Vec<_>>().join("&")
}

/// Sends a form as a page of the box does.
pub fn post(client: &Client, path: &str, fields: &[(&str, &str)]) -> Reply {
    let client = client.with("Content-Type", "application/x-www-form-urlencoded").with("Sec-Fetch-Site", "same-origin");
    client.send("POST", path, Some(form(fields).as_bytes()))
}

impl Site {
    /// Signs in with a user's token.
    #[track_caller]
    pub fn of(daemon: &Daemon, token: &str) -> Self {
        let browser = daemon.anonymous().with("Accept", "text/html");
        let reply = post(&browser, "/ui/login", &[("token", token), ("next", "/ui/agents")]).expect(303);
        assert_eq!(reply.header("location"), Some("/ui/agents"));
        let cookie = reply.header("set-cookie").expect("a cookie").split(';').next().expect("a value").to_owned();
        Self { client: browser.with("Cookie", &cookie) }
    }

    /// Signs in as the operator.
    #[track_caller]
    pub fn operator(daemon: &Daemon) -> Self {
        Self::of(daemon, &daemon.token)
    }

    /// Loads a page.
    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        self.client.get(path)
    }

    /// Sends a form for the route `what`, such as `POST /api/agents`.
    #[track_caller]
    pub fn act(&self, what: &str, fields: &[(&str, &str)]) -> Reply {
        let mut all = vec![("_do", what)];
        all.extend_from_slice(fields);
        post(&self.client, "/ui/do", &all)
    }

    /// The client with the cookie of the session.
    pub fn client(&self) -> &Client {
        &self.client
    }
}
