//! A program that logs in, and the browser of the person who allows it, step by step.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Client, Daemon, Reply, text};

/// The redirect URI of the program.
pub const CALLBACK: &str = "http://127.0.0.1:4711/callback";
/// The PKCE code verifier of the program.
pub const VERIFIER: &str = "a-verifier-of-the-right-length-0123456789-abcdef";

/// The grant type of a program without a browser.
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A text, percent-encoded for a query.
pub fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { (b as char).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// The fields as `application/x-www-form-urlencoded`.
pub fn form(fields: &[(&str, &str)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&")
}

/// The value of a parameter in a URL.
pub fn parameter(url: &str, name: &str) -> Option<String> {
    let query = url.split_once('?')?.1;
    let value = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(known, _)| *known == name)?.1;
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(b) = rest.next() {
        if b == b'%' {
            let hex = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
        } else {
            bytes.push(b);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The PKCE challenge (S256) of a verifier.
pub fn challenge(verifier: &str) -> String {
    BASE64URL_NOPAD.encode(&Sha256::digest(verifier.as_bytes()))
}

/// A browser with a session that this token opened.
pub fn browser(daemon: &Daemon, token: &str) -> Client {
    let opened = daemon.anonymous().post("/api/sessions", json!({"token": token})).expect(200);
    let cookie = opened.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    daemon.anonymous().with("Cookie", &cookie).with("Sec-Fetch-Site", "same-origin")
}

/// A program that has registered.
pub struct Program<'a> {
    pub daemon: &'a Daemon,
    pub id: String,
}

impl<'a> Program<'a> {
    pub fn named(daemon: &'a Daemon, name: &str) -> Self {
        Self::with(daemon, name, &[CALLBACK])
    }

    pub fn with(daemon: &'a Daemon, name: &str, redirects: &[&str]) -> Self {
        Self::using(daemon, name, redirects, &["authorization_code", "refresh_token", DEVICE_CODE])
    }

    /// A program that registers these grant types.
    pub fn using(daemon: &'a Daemon, name: &str, redirects: &[&str], grant_types: &[&str]) -> Self {
        let body = json!({"client_name": name, "redirect_uris": redirects, "token_endpoint_auth_method": "none",
            "application_type": "native", "grant_types": grant_types});
        let told = daemon.anonymous().post("/oauth/register", body).expect(201).json();
        Self { daemon, id: text(&told, "client_id") }
    }

    /// The target of a good authorization request. `changes` replace parameters; an empty value removes one.
    pub fn target(&self, changes: &[(&str, &str)]) -> String {
        let challenge = challenge(VERIFIER);
        let mut all = vec![
            ("response_type", "code"),
            ("client_id", self.id.as_str()),
            ("redirect_uri", CALLBACK),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("state", "s t&=?"),
        ];
        for (name, value) in changes {
            all.retain(|(known, _)| known != name);
            all.push((name, value));
        }
        all.retain(|(_, value)| !value.is_empty());
        format!("/oauth/authorize?{}", form(&all))
    }

    /// Sends the authorization request. Returns the path of the consent page.
    #[track_caller]
    pub fn ask(&self, changes: &[(&str, &str)]) -> String {
        let page = self.daemon.anonymous().get(&self.target(changes)).expect(200).text();
        let from = page.find("/oauth/consent/").unwrap_or_else(|| panic!("{page}"));
        page[from..from + "/oauth/consent/".len() + 43].to_owned()
    }

    /// The person allows the request. Returns the address that the browser is redirected to.
    #[track_caller]
    pub fn allow(&self, browser: &Client, path: &str, act_as: Value, words: &[&str]) -> String {
        browser.get(path).expect(200);
        let body = json!({"decision": "allow", "act_as": act_as, "scope": words});
        text(&browser.post(path, body).expect(200).json(), "redirect_to")
    }

    /// The code of a login that the person allowed.
    #[track_caller]
    pub fn code(&self, browser: &Client, act_as: Value, words: &[&str]) -> String {
        let path = self.ask(&[("scope", &words.join(" "))]);
        parameter(&self.allow(browser, &path, act_as, words), "code").expect("a code")
    }

    /// The fields that show a code.
    fn code_fields<'b>(&'b self, code: &'b str) -> Vec<(&'b str, &'b str)> {
        vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("client_id", self.id.as_str()),
            ("code_verifier", VERIFIER),
        ]
    }

    /// The form that shows a code.
    pub fn code_form(&self, code: &str) -> String {
        form(&self.code_fields(code))
    }

    /// Shows a code at the token endpoint. `changes` replace parameters; an empty value removes one.
    pub fn show_code(&self, code: &str, changes: &[(&str, &str)]) -> Reply {
        let mut all = self.code_fields(code);
        for (name, value) in changes {
            all.retain(|(known, _)| known != name);
            all.push((name, value));
        }
        all.retain(|(_, value)| !value.is_empty());
        self.token(&all)
    }

    /// Shows a refresh token.
    pub fn refresh(&self, token: &str) -> Reply {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", &self.id)])
    }

    /// The form that shows a refresh token.
    pub fn refresh_form(&self, token: &str) -> String {
        form(&[("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", &self.id)])
    }

    pub fn token(&self, fields: &[(&str, &str)]) -> Reply {
        post_form(&self.daemon.anonymous(), "/oauth/token", fields)
    }

    /// The token endpoint's reply of a complete login.
    #[track_caller]
    pub fn log_in(&self, browser: &Client, act_as: Value, words: &[&str]) -> Value {
        let code = self.code(browser, act_as, words);
        self.show_code(&code, &[]).expect(200).json()
    }
}

/// Posts a form.
#[track_caller]
pub fn post_form(client: &Client, path: &str, fields: &[(&str, &str)]) -> Reply {
    let client = client.with("Content-Type", "application/x-www-form-urlencoded");
    client.send("POST", path, Some(form(fields).as_bytes()))
}

/// The string in this field of a reply.
pub fn of(told: &Value, name: &str) -> String {
    text(told, name)
}

/// The payload of a JWT.
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("a payload");
    serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes()).expect("base64url")).expect("JSON")
}
