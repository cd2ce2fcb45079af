//! The failures of a command: each kind has its exit code, and says what is wrong and what to do.

use std::fmt::Write as _;
use std::io;

use serde_json::{Map, Value, json};

use super::format::Format;
use super::{next, text};

/// The documentation about logging in.
const DOC_LOGIN: &str = "/docs/agents/getting-started#auth";
/// The documentation about the first steps.
const DOC_START: &str = "/docs/agents/getting-started";
/// The documentation about a daemon that does not reply.
const DOC_TROUBLE: &str = "/docs/agents/recipes/troubleshooting";

/// The documentation about who may use the socket.
const DOC_FIRST: &str = "/docs/agents/operations/first-login#the-operators-token";
/// The fix for a user who may not use the socket.
pub const JOIN_THE_GROUP: &str =
    "Join its group: sudo usermod -aG taosd \"$USER\", then log in again. Or use a token: taosctl login.";

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line, a file or an answer to a question cannot be used.
    #[error("{detail}")]
    Usage {
        /// What is wrong.
        detail: String,
        /// What to do.
        fix: String,
    },
    /// There is no login, or the saved one cannot be trusted.
    #[error("{detail}")]
    Login {
        /// What is wrong.
        detail: String,
        /// What to do.
        fix: String,
    },
    /// The daemon does not reply.
    #[error("{0}")]
    Unreachable(String),
    /// The daemon's socket exists, but this user may not use it.
    #[error("{0}")]
    NotAllowed(String),
    /// The reply does not look like one of taosd.
    #[error("{0}")]
    Unexpected(String),
    /// The server refused the request.
    #[error("{}: {}", .0.error, .0.detail)]
    Refused(Box<ServerRefusal>),
    /// The output could not be written.
    #[error("the output could not be written: {0}")]
    Output(#[source] io::Error),
}

/// An error reply of the server.
#[derive(Debug)]
pub struct ServerRefusal {
    /// The HTTP status.
    pub status: u16,
    /// The error code.
    pub error: String,
    /// What went wrong.
    pub detail: String,
    /// What to do.
    pub fix: String,
    /// The page that explains the error.
    pub doc_url: String,
    /// The command to run next, if that depends on more than the code.
    pub run: Option<String>,
    /// The other fields of the error reply, and other useful facts.
    pub more: Vec<(String, Value)>,
}

impl ServerRefusal {
    /// Another field of the error reply.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.more.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

impl Failure {
    /// A wrong use of the command.
    pub fn usage(detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Usage { detail: detail.into(), fix: fix.into() }
    }

    /// A missing or unusable login.
    pub fn login(detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Login { detail: detail.into(), fix: fix.into() }
    }

    /// The refusal from a reply with an error status. A body that is not an error envelope becomes the error
    /// `http_STATUS`.
    pub fn refused(status: u16, body: &[u8], request_id: Option<&str>) -> Self {
        let object = serde_json::from_slice::<Map<String, Value>>(body).unwrap_or_default();
        let mut refusal = if object.get("error").is_some_and(Value::is_string) {
            envelope(status, object)
        } else {
            let detail = format!("The server answered with status {status} and gave no reason.");
            let fix = "Check that the URL is the address of taosd.".to_owned();
            let (error, doc_url) = (format!("http_{status}"), DOC_TROUBLE.to_owned());
            ServerRefusal { status, error, detail, fix, doc_url, run: None, more: Vec::new() }
        };
        if let Some(id) = request_id.filter(|_| status >= 500) {
            refusal.more.push(("request_id".to_owned(), id.into()));
        }
        Self::Refused(Box::new(refusal))
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(refusal) if refusal.status == 401 => 2,
            Self::Refused(_) | Self::Output(_) => 1,
            Self::Usage { .. } | Self::Login { .. } => 2,
            Self::Unreachable(_) | Self::NotAllowed(_) | Self::Unexpected(_) => 3,
        }
    }

    /// Puts the server's address in front of the `doc_url` of a refusal, if that is a path.
    #[must_use]
    pub fn at(mut self, address: &str) -> Self {
        if let Self::Refused(refusal) = &mut self
            && refusal.doc_url.starts_with('/')
        {
            refusal.doc_url.insert_str(0, address);
        }
        self
    }

    /// Adds to a refusal with status 401 where the credential came from, and the command that gets another.
    #[must_use]
    pub fn with_login(mut self, source: &str, run: String) -> Self {
        if let Self::Refused(refusal) = &mut self
            && refusal.status == 401
        {
            refusal.more.push(("login".to_owned(), text::clean(source).into()));
            refusal.run = Some(run);
        }
        self
    }

    /// The failure in the format of `-o`: one JSON object for programs, otherwise lines.
    pub fn told(&self) -> String {
        if Format::chosen().is_machine() { self.to_json() } else { self.to_text() }
    }

    /// The failure of one of several arguments. Its JSON names the argument; for people the argument stands before the
    /// lines, which stay as they are for those who search for `error:`.
    pub fn told_of(&self, argument: &str) -> String {
        if Format::chosen().is_machine() {
            let mut object = self.to_object();
            object["argument"] = argument.into();
            return format!("{}\n", text::json_line(&object));
        }
        format!("{}:\n{}", text::clean(argument), self.to_text())
    }

    /// The lines for stderr: `error`, `detail`, `fix`, `run` (the command to run next), `doc_url`, and the other fields
    /// of the server's reply.
    pub fn to_text(&self) -> String {
        let parts = self.parts();
        let mut out = String::new();
        let mut line = |key: &str, value: &str| {
            let _ = writeln!(out, "{}: {}", text::clean(key), text::clean(value));
        };
        line("error", &parts.error);
        line("detail", &parts.detail);
        line("fix", &parts.fix);
        line("run", &parts.run);
        line("doc_url", &parts.doc_url);
        for (key, value) in parts.more {
            line(key, &text::plain(value));
        }
        out
    }

    /// The failure as one JSON object on one line.
    pub fn to_json(&self) -> String {
        format!("{}\n", text::json_line(&self.to_object()))
    }

    fn to_object(&self) -> Value {
        let parts = self.parts();
        let mut object = json!({"error": parts.error, "detail": parts.detail, "fix": parts.fix, "run": parts.run,
            "doc_url": parts.doc_url});
        for (key, value) in parts.more {
            object[key] = value.clone();
        }
        object
    }

    fn parts(&self) -> FailureParts<'_> {
        let (error, fix, doc_url) = match self {
            Self::Usage { fix, .. } => ("usage", fix.as_str(), DOC_START),
            Self::Login { fix, .. } => ("login", fix.as_str(), DOC_LOGIN),
            Self::Unreachable(_) => {
                ("unreachable", "Start taosd, or name a running one with --url or TAOS_URL.", DOC_TROUBLE)
            }
            Self::NotAllowed(_) => ("unreachable", JOIN_THE_GROUP, DOC_FIRST),
            Self::Unexpected(_) => ("unexpected_reply", "Check that the URL is the address of taosd.", DOC_TROUBLE),
            Self::Output(_) => ("output", "Make the output writable and run it again.", DOC_START),
            Self::Refused(r) => (r.error.as_str(), r.fix.as_str(), r.doc_url.as_str()),
        };
        let (detail, more): (String, &[(String, Value)]) = match self {
            Self::Refused(r) => (r.detail.clone(), &r.more),
            other => (other.to_string(), &[]),
        };
        let run = match self {
            Self::Usage { .. } => next::help(),
            Self::Output(_) => "df -h .".to_owned(),
            Self::Refused(refusal) if refusal.run.is_some() => refusal.run.clone().unwrap_or_default(),
            _ => next::command(error),
        };
        FailureParts { error: error.to_owned(), detail, fix: fix.to_owned(), run, doc_url: readable(doc_url), more }
    }
}

/// The page in a form that the reader can open: its address, or without a server the command that shows it.
fn readable(doc_url: &str) -> String {
    let is_plain = doc_url.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'#'));
    let Some(page) = doc_url.strip_prefix('/').filter(|_| is_plain) else { return doc_url.to_owned() };
    let page = page.strip_prefix("docs").map_or(page, |rest| rest.trim_start_matches('/'));
    format!("taosctl docs {}", page.strip_prefix("agents/").unwrap_or(page)).trim_end().to_owned()
}

/// The parts of a failure's text.
struct FailureParts<'a> {
    error: String,
    detail: String,
    fix: String,
    run: String,
    doc_url: String,
    more: &'a [(String, Value)],
}

fn envelope(status: u16, mut object: Map<String, Value>) -> ServerRefusal {
    // The aX routes put the code and all other fields into `detail`, and repeat the message as `error`.
    if object.get("detail").is_some_and(|detail| detail["error"].is_string() && detail["message"].is_string())
        && let Some(Value::Object(mut detail)) = object.shift_remove("detail")
    {
        object.insert("error".to_owned(), detail.shift_remove("error").unwrap_or_default());
        object.insert("detail".to_owned(), detail.shift_remove("message").unwrap_or_default());
        for (key, value) in detail {
            object.entry(key).or_insert(value);
        }
    }
    let mut take = |key: &str| object.shift_remove(key).map(|value| text::plain(&value)).unwrap_or_default();
    let (error, fix, doc_url) = (take("error"), take("fix"), take("doc_url"));
    // The Agentex routes name the field `message`, and repeat the status in the body.
    let (detail, message) = (take("detail"), take("message"));
    let detail = if detail.is_empty() && !message.is_empty() {
        for repeated in ["code", "data", "status_code"] {
            take(repeated);
        }
        message
    } else {
        detail
    };
    ServerRefusal { status, error, detail, fix, doc_url, run: None, more: object.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs;

    #[test]
    fn a_refusal_is_told_whole_and_without_control_characters() {
        let body =
            br#"{"error":"agent_busy","detail":"a\u001b[2Jb","fix":"Wait.","doc_url":"/docs/x","operation_id":"7"}"#;
        let failure = Failure::refused(409, body, Some("r1"));
        assert_eq!(failure.exit_code(), 1);
        let text = failure.to_text();
        let wanted = "error: agent_busy\ndetail: a\\u{1b}[2Jb\nfix: Wait.\nrun: taosctl docs errors#agent_busy\n\
            doc_url: taosctl docs x\noperation_id: 7\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn other_fields_keep_their_type_in_json() {
        let body = br#"{"error":"e","detail":"d","fix":"f","doc_url":"/docs/x","retry_after":3,"allowed":["a","b"]}"#;
        let failure = Failure::refused(409, body, None);
        let told: Value = serde_json::from_str(&failure.to_json()).unwrap();
        assert_eq!((&told["retry_after"], &told["allowed"]), (&json!(3), &json!(["a", "b"])));
        assert!(failure.to_text().contains("retry_after: 3\nallowed: a, b\n"), "{}", failure.to_text());
    }

    #[test]
    fn a_refusal_names_the_next_command_and_the_whole_address_of_its_page() {
        let body = br#"{"error":"agent_not_found","detail":"d","fix":"f","doc_url":"/docs/x"}"#;
        let failure = Failure::refused(404, body, None).at("http://h:1");
        let wanted = "error: agent_not_found\ndetail: d\nfix: f\nrun: taosctl agents ls\ndoc_url: http://h:1/docs/x\n";
        assert_eq!(failure.to_text(), wanted);
        let json: Value = serde_json::from_str(&failure.to_json()).unwrap();
        assert_eq!(
            (json["run"].as_str(), json["error"].as_str()),
            (Some("taosctl agents ls"), Some("agent_not_found"))
        );
        let of_nobody = Failure::refused(404, body, None).to_text();
        assert!(of_nobody.contains("doc_url: taosctl docs x\n"), "{of_nobody}");
    }

    #[test]
    fn the_page_of_every_code_is_an_address_or_a_command_that_shows_it() {
        for code in crate::rest::codes::ALL {
            let page = code.doc_url();
            let body = json!({"error": code.slug, "detail": "d", "fix": "f", "doc_url": page}).to_string();
            let refused = || Failure::refused(code.status, body.as_bytes(), None);
            assert_eq!(refused().at("https://box.example").parts().doc_url, format!("https://box.example{page}"));
            let command = refused().parts().doc_url;
            let words = command.strip_prefix("taosctl docs ").unwrap_or_else(|| panic!("{}: {command}", code.slug));
            let (name, anchor) = words.split_once('#').unwrap_or((words, ""));
            let text = docs::page(&format!("agents/{name}")).unwrap_or_else(|| panic!("{command}"));
            assert!(anchor.is_empty() || docs::headings(text).iter().any(|h| docs::anchor(h) == anchor), "{command}");
        }
        for local in [Failure::usage("d", "f"), Failure::login("d", "f"), Failure::Unreachable("d".into())] {
            assert!(local.parts().doc_url.starts_with("taosctl docs "), "{local}");
        }
    }

    #[test]
    fn every_failure_names_the_next_command() {
        let run = |failure: &Failure| {
            let json: Value = serde_json::from_str(&failure.to_json()).unwrap();
            assert!(failure.to_text().contains(&format!("run: {}\n", json["run"].as_str().unwrap())), "{json}");
            json["run"].as_str().unwrap().to_owned()
        };
        assert_eq!(run(&Failure::usage("d", "f")), "taosctl --help");
        assert_eq!(run(&Failure::login("d", "f")), "taosctl doctor");
        assert_eq!(run(&Failure::Unreachable("d".into())), "taosctl doctor");
        assert_eq!(run(&Failure::Output(io::Error::other("d"))), "df -h .");
        assert_eq!(run(&Failure::refused(502, b"<html>", None)), "taosctl doctor");
        let refused = |code: &str| run(&Failure::refused(409, json!({"error": code}).to_string().as_bytes(), None));
        assert_eq!(refused("agent_not_found"), "taosctl agents ls");
        for code in crate::rest::codes::ALL {
            assert!(refused(code.slug).starts_with("taosctl "), "{}", code.slug);
        }
    }

    #[test]
    fn an_error_of_ax_is_told_like_any_other() {
        let body = br#"{"error":"No.","detail":{"error":"scope_not_allowed","message":"No.","allowed":["a","b"]},
            "fix":"Ask.","doc_url":"/docs/x"}"#;
        let text = Failure::refused(400, body, None).to_text();
        let wanted = "error: scope_not_allowed\ndetail: No.\nfix: Ask.\nrun: taosctl docs errors#scope_not_allowed\n\
            doc_url: taosctl docs x\nallowed: a, b\n";
        assert_eq!(text, wanted);
        for odd in [r#"{"error":"e","detail":{}}"#, r#"{"error":"e","detail":{"error":"x"}}"#] {
            assert!(Failure::refused(400, odd.as_bytes(), None).to_text().starts_with("error: e\n"), "{odd}");
        }
    }

    #[test]
    fn the_pages_of_local_failures_exist_anchor_included() {
        for url in [DOC_LOGIN, DOC_START, DOC_TROUBLE, DOC_FIRST] {
            let (path, anchor) = url.split_once('#').unwrap_or((url, ""));
            let page = docs::page(path.trim_start_matches("/docs/")).expect("a page");
            assert!(anchor.is_empty() || docs::headings(page).iter().any(|h| docs::anchor(h) == anchor), "{url}");
        }
    }

    #[test]
    fn a_body_that_is_no_envelope_still_ends_in_four_lines_and_the_request_id() {
        for body in ["", "<html>", "[]", "{}", "{\"error\":3}", "\u{0}"] {
            let text = Failure::refused(502, body.as_bytes(), Some("r1")).to_text();
            assert!(text.starts_with("error: http_502\n") && text.contains("\nfix: "), "{text}");
            assert!(text.ends_with("request_id: r1\n"), "{text}");
        }
        assert_eq!(Failure::refused(401, b"", None).exit_code(), 2);
    }
}
