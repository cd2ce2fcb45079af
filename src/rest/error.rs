//! The one error type of the HTTP interface, and its form in each dialect (DESIGN D10).
//!
//! Policy: a handler fails with an [`ApiError`] made from a [`Code`]. `detail` is for the client and names only what
//! the client sent or may see. It never has causes (SQL, I/O, the text of a panic): they are logged with the request id
//! where they happen, and the client gets [`codes::INTERNAL`] or one of the storage codes.

use std::borrow::Cow;

use hyper::header::{HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::http::StatusCode;
use serde_json::{Map, Value, json};

use super::codes::{self, Code};
use super::reply::Reply;
use crate::secret::redacted;
use crate::store::StoreError;

use super::field::MISSING;

/// The code of the Agentex clients for a refused input, in addition to the status.
const UNPROCESSABLE: u32 = 10_422;

/// The family of clients that a route is for. It decides the form of its errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The daemon's own.
    Taos,
    /// The aX client family.
    Ax,
    /// The Agentex SDK.
    Agentex,
    /// OAuth clients: the daemon's own, with the `error_description` of RFC 6749.
    OAuth,
    /// Browsers: the console's pages.
    Html,
    /// Clients of the Model Context Protocol.
    Mcp,
}

impl Dialect {
    /// The dialect's name in `GET /api`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Taos => "taos",
            Self::Ax => "ax",
            Self::Agentex => "agentex",
            Self::OAuth => "oauth",
            Self::Html => "html",
            Self::Mcp => "mcp",
        }
    }
}

/// An error, as a client sees it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {detail}", code.slug)]
pub struct ApiError {
    /// The code, with its status, fix and page.
    pub code: &'static Code,
    /// What went wrong in this case, as a sentence.
    pub detail: String,
    /// Additional fields of the envelope.
    pub extra: Map<String, Value>,
    /// Additional headers of the reply.
    pub headers: Vec<(HeaderName, String)>,
    /// The status, if it is not the code's own: the aX contract gives some codes a second one.
    pub other_status: Option<u16>,
    /// Whether the connection is closed after the reply.
    pub close: bool,
    /// The inner cause, for the log and never for the client.
    pub cause: Option<String>,
}

impl ApiError {
    /// Makes an error of this code. Its detail is the code's description until [`ApiError::detail`] sets another.
    pub fn new(code: &'static Code) -> Self {
        let headers = match code.status {
            401 => vec![(WWW_AUTHENTICATE, "Bearer".to_owned())],
            429 => vec![(RETRY_AFTER, "60".to_owned())],
            503 => vec![(RETRY_AFTER, "1".to_owned())],
            _ => Vec::new(),
        };
        Self {
            code,
            detail: code.about.to_owned(),
            extra: Map::new(),
            headers,
            other_status: None,
            close: false,
            cause: None,
        }
    }

    /// Sets the detail: what went wrong in this case.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Adds a field to the envelope.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(key.to_owned(), value.into());
        self
    }

    /// Sets a header, replacing one of the same name.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.retain(|(n, _)| *n != name);
        self.headers.push((name, value.into()));
        self
    }

    /// Sets `Retry-After`, in seconds, at least 1.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(RETRY_AFTER, seconds.max(1).to_string())
    }

    /// Sets another status than the code's own, if the contract has one for this case.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.other_status = Some(status);
        if status == 401 {
            self.headers.push((WWW_AUTHENTICATE, "Bearer".to_owned()));
        }
        self
    }

    /// Closes the connection after the reply.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    /// `limit_reached`: one holder already has the maximum number of these.
    pub fn limit_reached(what: &str, most: u64) -> Self {
        Self::new(codes::LIMIT_REACHED).detail(format!("There are {most} {what}, which is the maximum."))
    }

    /// A 422 that names one field.
    pub fn field(field: &str, problem: impl Into<String>) -> Self {
        Self::fields(vec![(field.to_owned(), problem.into())])
    }

    /// A 422 that names every bad field.
    pub fn fields(problems: Vec<(String, String)>) -> Self {
        let detail = problems.iter().map(|(f, p)| format!("{f}: {p}")).collect::<Vec<_>>().join("; ");
        let fields: Vec<Value> =
            problems.into_iter().map(|(field, problem)| json!({"field": field, "problem": problem})).collect();
        Self::new(codes::VALIDATION_ERROR).detail(detail).with("fields", fields)
    }

    /// Translates the codes of refused input into those of a dialect.
    #[must_use]
    pub fn in_dialect(mut self, dialect: Dialect) -> Self {
        if dialect == Dialect::Ax {
            if self.code == codes::VALIDATION_ERROR || self.code == codes::INVALID_SCOPE {
                self.code = codes::INVALID_REQUEST;
            } else if self.code == codes::INVALID_JSON {
                self.code = codes::INVALID_REQUEST;
                self.other_status = Some(400);
            }
        }
        if dialect == Dialect::OAuth
            && [codes::VALIDATION_ERROR, codes::INVALID_JSON, codes::UNSUPPORTED_MEDIA_TYPE].contains(&self.code)
        {
            self.code = codes::INVALID_REQUEST;
        }
        if dialect == Dialect::Agentex && self.code == codes::INVALID_JSON {
            return Self::field("body", self.detail);
        }
        self
    }

    /// The status in every dialect that has none of its own for the code.
    pub fn status(&self) -> StatusCode {
        self.status_in(Dialect::Taos)
    }

    /// The status in a dialect.
    pub fn status_in(&self, dialect: Dialect) -> StatusCode {
        let status = self.other_status.unwrap_or_else(|| self.code.status_in(dialect));
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The body in a dialect's format. It may repeat what the client sent, so anything that looks like a secret is cut
    /// out.
    pub fn envelope(&self, dialect: Dialect) -> Value {
        let mut body = self.told(dialect);
        cut_secrets(&mut body);
        body
    }

    fn told(&self, dialect: Dialect) -> Value {
        if dialect == Dialect::Mcp {
            let error = json!({
                "code": self.status().as_u16(),
                "message": self.detail,
                "data": self.told(Dialect::Taos),
            });
            return json!({"jsonrpc": "2.0", "error": error});
        }
        let mut body = Map::new();
        match dialect {
            // A page of the console is made from this body.
            Dialect::Taos | Dialect::OAuth | Dialect::Html | Dialect::Mcp => {
                body.insert("error".into(), json!(self.code.slug));
                body.insert("detail".into(), json!(self.detail));
            }
            Dialect::Ax => {
                let mut detail = Map::from_iter([
                    ("error".to_owned(), json!(self.code.slug)),
                    ("message".to_owned(), json!(self.detail)),
                ]);
                detail.extend(self.extra.clone());
                body.insert("error".into(), json!(self.detail));
                body.insert("detail".into(), Value::Object(detail));
            }
            Dialect::Agentex => {
                body.insert("message".into(), json!(self.message()));
                body.insert("code".into(), json!(self.status().as_u16()));
                body.insert("data".into(), Value::Null);
                body.insert("error".into(), json!(self.code.slug));
            }
        }
        if dialect == Dialect::Agentex && self.code.status == 422 {
            body.insert("status_code".into(), json!(UNPROCESSABLE));
        }
        if dialect == Dialect::OAuth {
            body.insert("error_description".into(), json!(described(&self.detail)));
        }
        body.insert("fix".into(), json!(self.code.fix));
        body.insert("doc_url".into(), json!(self.code.doc_url_in(dialect)));
        if dialect != Dialect::Ax {
            for (key, value) in &self.extra {
                body.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        Value::Object(body)
    }

    /// The detail in the form of the Agentex clients: for a refused input, all bad fields.
    fn message(&self) -> String {
        let fields = self.extra.get("fields").and_then(Value::as_array);
        let Some(fields) = fields.filter(|_| self.code == codes::VALIDATION_ERROR) else { return self.detail.clone() };
        let told = fields.iter().map(|field| match (field["field"].as_str(), field["problem"].as_str()) {
            (Some(name), Some(MISSING)) => format!("Field required: {name}"),
            (name, problem) => format!("{}: {}", name.unwrap_or_default(), problem.unwrap_or_default()),
        });
        told.collect::<Vec<_>>().join("; ")
    }

    /// The reply in a dialect's format.
    pub fn reply(&self, dialect: Dialect) -> Reply {
        let mut reply = Reply::json(self.status_in(dialect), &self.envelope(dialect));
        for (name, value) in &self.headers {
            reply = reply.with(name.clone(), value);
        }
        // The SDK retries these by itself, which would not change the result.
        if dialect == Dialect::Agentex
            && matches!(self.status().as_u16(), 409 | 501)
            && self.code != codes::IDEMPOTENCY_IN_FLIGHT
        {
            reply = reply.with(HeaderName::from_static("x-should-retry"), "false");
        }
        reply.close = self.close;
        reply
    }
}

/// Replaces the characters that RFC 6749 does not allow in `error_description`.
fn described(detail: &str) -> String {
    let plain = |c: char| if (' '..='~').contains(&c) && c != '\\' { c } else { '?' };
    detail.chars().map(|c| if c == '"' { '\'' } else { plain(c) }).collect()
}

/// Cuts everything that looks like a secret out of every text.
fn cut_secrets(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(cut) = redacted(text) {
                *text = cut;
            }
        }
        Value::Array(all) => all.iter_mut().for_each(cut_secrets),
        Value::Object(all) => all.values_mut().for_each(cut_secrets),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::Full(_) => codes::STORAGE_FULL,
            StoreError::ReadOnly(_) => codes::STORAGE_READ_ONLY,
            StoreError::Damaged(_) => codes::STORAGE_DAMAGED,
            StoreError::Gone(_) => codes::STORAGE_GONE,
            StoreError::Unavailable(_) | StoreError::Stalled(_) => codes::BUSY,
            StoreError::TooSlow(_) => codes::READ_TOO_SLOW,
            StoreError::Exists(_) | StoreError::Constraint(_) | StoreError::Other(_) => codes::INTERNAL,
        };
        // The slow read is the fault of the request, and its statement is in the log already.
        let cause = (code.slug != codes::READ_TOO_SLOW.slug).then(|| error.to_string());
        let told = match &error {
            StoreError::Stalled(time) => {
                Self::new(code).detail(format!("The disk has not answered a write for {} s.", time.as_secs()))
            }
            _ => Self::new(code),
        };
        Self { cause, ..told }
    }
}

impl From<&'static Code> for ApiError {
    fn from(code: &'static Code) -> Self {
        Self::new(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_taos_envelope_always_has_its_four_keys_and_extras_cannot_replace_them() {
        let body = ApiError::new(codes::AGENT_NOT_FOUND).with("fix", "mine").with("known", 3).envelope(Dialect::Taos);
        assert_eq!(body["error"], "agent_not_found");
        assert_eq!(body["fix"], codes::AGENT_NOT_FOUND.fix);
        assert_eq!(body["doc_url"], "/docs/agents/recipes/managing-agents#list-agents");
        assert_eq!(body["known"], 3);
        assert!(body["detail"].is_string());
    }

    #[test]
    fn the_other_dialects_have_their_own_shapes() {
        let error = ApiError::new(codes::RATE_LIMITED).detail("slow down");
        let ax = error.envelope(Dialect::Ax);
        assert_eq!((&ax["error"], &ax["detail"]["error"]), (&json!("slow down"), &json!("rate_limited")));
        let agentex = error.envelope(Dialect::Agentex);
        assert_eq!((&agentex["message"], &agentex["code"]), (&json!("slow down"), &json!(429)));
    }
}
