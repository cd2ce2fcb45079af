//! A minimal browser: it keeps the cookie of a session, loads pages and sends forms.

use regex::Regex;

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

/// The fields that a browser sends for the form with this id: hidden ones, texts and choices as they stand, ticked
/// boxes. `pressed` is the text of its button, or nothing for the first one, which Enter presses.
#[track_caller]
pub fn fields_of(page: &str, id: &str, pressed: Option<&str>) -> Vec<(String, String)> {
    let start = page.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no form {id}: {page}"));
    let form = page[start..].split("</form>").next().unwrap_or_default();
    let mut fields: Vec<(String, String)> = Vec::new();
    let tags = Regex::new("<(input|select)[^>]*>").expect("a pattern");
    for tag in tags.find_iter(form).map(|found| found.as_str()) {
        let is_off = tag.contains("type=\"checkbox\"") && !tag.contains(" checked");
        let name = attribute(tag, "name").filter(|_| !is_off && attribute(tag, "form").is_none());
        fields.extend(name.map(|name| (name, attribute(tag, "value").unwrap_or_default())));
    }
    let buttons = Regex::new("(<button[^>]*>)(.*?)</button>").expect("a pattern");
    let own = |tag: &str| attribute(tag, "form").is_none();
    let is_it = |text: &str| pressed.is_none_or(|pressed| text.ends_with(pressed));
    let button = buttons.captures_iter(form).find(|found| own(&found[1]) && is_it(&found[2]));
    let button = button.unwrap_or_else(|| panic!("no button {pressed:?}: {form}"));
    let value = attribute(&button[1], "value").unwrap_or_default();
    fields.extend(attribute(&button[1], "name").map(|name| (name, value)));
    fields
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let after = tag.split_once(&format!(" {name}=\""))?.1;
    Some(after.split('"').next().unwrap_or_default().to_owned())
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

    /// Sends the fields that [`fields_of`] gives.
    #[track_caller]
    pub fn submit(&self, fields: &[(String, String)]) -> Reply {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        post(&self.client, "/ui/do", &fields)
    }

    /// The client with the cookie of the session.
    pub fn client(&self) -> &Client {
        &self.client
    }
}
