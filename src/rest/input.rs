//! The input of a handler: the request, checked against its route.

use std::str::FromStr;
use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, IF_MATCH, TRANSFER_ENCODING,
};
use hyper::http::Method;
use serde_json::{Map, Value};

use super::codes;
use super::error::{ApiError, Dialect};
use super::field::{self, Field, Unknown};
use super::head::Head;
use super::json;
use super::route::{Answer, BodyKind, Route};
use super::router::Params;
use super::tags::{self, Tags};
use crate::closed_set::UnknownWord;

/// Checked fields, read by their declarations, so that a mistyped name does not compile. A field that was not sent, or
/// was null, is absent.
#[derive(Debug, Clone, Default)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Wraps fields that were checked before.
    pub fn new(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// The text of a field that the route declares as required; empty if it is absent.
    pub fn required(&self, field: &Field) -> &str {
        self.text(field).unwrap_or_default()
    }

    /// The text of a field.
    pub fn text(&self, field: &Field) -> Option<&str> {
        self.value(field)?.as_str()
    }

    /// The word of a closed set; `None` if the field is absent.
    ///
    /// # Errors
    /// `validation_error` for a word that is not in the set.
    pub fn word<T: FromStr<Err = UnknownWord>>(&self, field: &Field) -> Result<Option<T>, ApiError> {
        let name = field.name;
        let parse = |word: &str| {
            word.parse().map_err(|UnknownWord { set, .. }| ApiError::field(name, format!("must be one of {set}")))
        };
        self.0.get(name).and_then(Value::as_str).map(parse).transpose()
    }

    /// The whole number of a field.
    pub fn integer(&self, field: &Field) -> Option<i64> {
        self.value(field)?.as_i64()
    }

    /// The boolean of a field.
    pub fn flag(&self, field: &Field) -> Option<bool> {
        self.value(field)?.as_bool()
    }

    /// The list of texts of a field.
    pub fn texts(&self, field: &Field) -> Option<Vec<&str>> {
        Some(self.value(field)?.as_array()?.iter().filter_map(Value::as_str).collect())
    }

    /// The JSON value of a field.
    pub fn value(&self, field: &Field) -> Option<&Value> {
        self.0.get(field.name)
    }

    /// The fields of an object.
    pub fn object(&self, field: &Field) -> Option<Self> {
        self.value(field)?.as_object().cloned().map(Self)
    }

    /// The fields of each object of a list; empty if the list is absent.
    pub fn objects(&self, field: &Field) -> Vec<Self> {
        let list = self.value(field).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_object).cloned().map(Self).collect()
    }

    /// True if no field was sent.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A request for its handler.
#[derive(Debug, Clone)]
pub struct Input {
    /// The head of the request.
    pub head: Arc<Head>,
    /// The dialect of the route.
    pub dialect: Dialect,
    /// The path parameters, in order.
    pub params: Params,
    /// The query parameters.
    pub query: Fields,
    /// The fields of the body; empty for a raw body.
    pub body: Fields,
    /// The length of the body, in bytes.
    pub body_bytes: usize,
    /// The unchanged body, if the route takes it raw; empty otherwise.
    pub raw: Bytes,
    /// The limit of a list's page in bytes, if it is lower than the daemon's own.
    pub page_bytes: Option<usize>,
}

impl Input {
    /// Checks query and body against the route.
    ///
    /// # Errors
    /// 415, 406 (MCP only), 400 `invalid_json`, or 422 with every bad field.
    pub fn new<P, C, A>(
        head: Arc<Head>,
        route: &Route<P, C, A>,
        params: Params,
        body: &Bytes,
    ) -> Result<Self, ApiError> {
        let dialect = route.dialect;
        let query = Self::check_head(&head, route)?;
        let sent = body.len();
        if matches!(route.body, BodyKind::Raw | BodyKind::RawOf(..)) {
            let raw = body.clone();
            let (query, body) = (Fields::default(), Fields::default());
            return Ok(Self { dialect, head, params, query, body, body_bytes: raw.len(), raw, page_bytes: None });
        }
        let unknown = unknown_fields(dialect);
        let refused = |error: ApiError| error.in_dialect(dialect);
        if !body.is_empty() && !head.headers.contains_key(CONTENT_TYPE) && takes_body(route) {
            return Err(not_json());
        }
        let fields = match route.body {
            BodyKind::Json(fields) => json_object(fields, body, unknown).map_err(refused)?,
            BodyKind::None if body.is_empty() || unknown == Unknown::Ignored => Map::new(),
            BodyKind::Multipart(_) => Map::new(),
            BodyKind::None | BodyKind::Raw | BodyKind::RawOf(..) => json_object(&[], body, unknown).map_err(refused)?,
        };
        let (query, body, raw) = (Fields(query), Fields(fields), Bytes::new());
        Ok(Self { dialect, head, params, query, body, body_bytes: sent, raw, page_bytes: None })
    }

    /// Checks the query and the body's headers, before the body is read. Returns the query's fields.
    ///
    /// # Errors
    /// 415, 406 (MCP only), or 422 with every bad parameter.
    pub fn check_head<P, C, A>(head: &Head, route: &Route<P, C, A>) -> Result<Map<String, Value>, ApiError> {
        // The agent reads a forwarded body, compressed or not, and its header is forwarded too.
        if !matches!(route.answer.1, Answer::Foreign) {
            check_coding(head)?;
        }
        if matches!(route.body, BodyKind::Raw | BodyKind::RawOf(..)) {
            if route.dialect == Dialect::Mcp {
                check_mcp_media(head)?;
            }
            return Ok(Map::new());
        }
        // Monitors and caches add parameters of their own to requests for public routes.
        let is_open = route.action().is_none() && route.method == Method::GET;
        let unknown = if is_open { Unknown::Ignored } else { unknown_fields(route.dialect) };
        let query = field::check_query(route.query, &head.query, unknown)
            .map_err(|problems| ApiError::fields(problems).in_dialect(route.dialect))?;
        if takes_body(route) {
            check_media(head)?;
        }
        Ok(query)
    }

    /// The path parameter at this index; empty if the route's path does not have one.
    pub fn param(&self, at: usize) -> &str {
        self.params.get(at).map_or("", String::as_str)
    }

    /// Compares `If-Match`, if it was sent, with the current revision of a record (RFC 9110, section 13.1.1).
    ///
    /// # Errors
    /// `precondition_failed` if no tag is the current revision or the header is malformed.
    pub fn if_match(&self, revision: i64) -> Result<(), ApiError> {
        let lines = self.head.headers.get_all(IF_MATCH);
        let detail = match tags::matches(lines.iter().map(|line| line.to_str().unwrap_or("")), revision) {
            Tags::Absent | Tags::Match => return Ok(()),
            Tags::NoMatch => format!("The record is at revision {revision} now."),
            Tags::Malformed => "If-Match is neither * nor a list of tags in double quotes.".to_owned(),
        };
        Err(ApiError::new(codes::PRECONDITION_FAILED).detail(detail).with("revision", revision))
    }

    /// The value of a header that is sent exactly once and is visible ASCII.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.head.header(name)
    }
}

/// Returns how a dialect treats undeclared fields and parameters. The aX and Agentex clients send more than their
/// contracts say.
fn unknown_fields(dialect: Dialect) -> Unknown {
    if dialect == Dialect::Taos { Unknown::Refused } else { Unknown::Ignored }
}

/// True if the body is checked: it must be JSON, or it must be empty.
fn takes_body<P, C, A>(route: &Route<P, C, A>) -> bool {
    matches!(route.body, BodyKind::Json(_)) || unknown_fields(route.dialect) == Unknown::Refused
}

fn not_json() -> ApiError {
    codes::UNSUPPORTED_MEDIA_TYPE.into()
}

/// Checks the head of an MCP request: its body is JSON, and its client accepts JSON.
fn check_mcp_media(head: &Head) -> Result<(), ApiError> {
    if !head.headers.contains_key(CONTENT_TYPE) {
        return Err(not_json());
    }
    check_media(head)?;
    if accepts(head, "application/json") { Ok(()) } else { Err(codes::NOT_ACCEPTABLE.into()) }
}

/// True if the `Accept` headers allow this media type; without such a header, every type is allowed.
pub fn accepts(head: &Head, media: &str) -> bool {
    let mut ranges = head.headers.get_all(ACCEPT).iter().flat_map(|line| line.to_str().unwrap_or("").split(','));
    let mut any = false;
    let kind = media.split('/').next().unwrap_or(media);
    let fits = ranges.any(|range| {
        any = true;
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next().unwrap_or("").to_ascii_lowercase();
        let wanted = named == "*/*" || named == media || named.strip_suffix("/*") == Some(kind);
        // A weight of 0 is a refusal (RFC 9110, section 12.4.2).
        wanted && !parts.any(|part| part.to_ascii_lowercase().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0)))
    });
    fits || !any
}

/// True if the head announces a body that is not empty.
fn has_length(head: &Head) -> bool {
    head.header(&CONTENT_LENGTH).is_some_and(|length| length.bytes().any(|digit| digit != b'0'))
}

/// Checks that the head announces a JSON body or none.
fn check_media(head: &Head) -> Result<(), ApiError> {
    if head.headers.contains_key(CONTENT_TYPE) {
        if !is_json(head.header(&CONTENT_TYPE).unwrap_or("")) {
            return Err(not_json());
        }
    } else if has_length(head) {
        return Err(not_json());
    }
    Ok(())
}

/// Refuses a compressed body, whatever kind the route takes, since the daemon decompresses none.
fn check_coding(head: &Head) -> Result<(), ApiError> {
    if !has_length(head) && !head.headers.contains_key(TRANSFER_ENCODING) {
        return Ok(());
    }
    let mut codings =
        head.headers.get_all(CONTENT_ENCODING).iter().flat_map(|line| line.as_bytes().split(|b| *b == b','));
    if codings.all(|coding| matches!(coding.trim_ascii().to_ascii_lowercase().as_slice(), b"" | b"identity")) {
        return Ok(());
    }
    Err(not_json()
        .detail("The body is compressed: its Content-Encoding is not identity.")
        .header(ACCEPT_ENCODING, "identity"))
}

fn json_object(fields: &[Field], body: &Bytes, unknown: Unknown) -> Result<Map<String, Value>, ApiError> {
    let object = if body.is_empty() {
        Map::new()
    } else {
        match json::parse(body)
            .map_err(|why| ApiError::new(codes::INVALID_JSON).detail(format!("The body is {why}.")))?
        {
            Value::Object(object) => object,
            _ => return Err(ApiError::new(codes::INVALID_JSON).detail("The body is JSON, but not an object.")),
        }
    };
    field::check(fields, object, unknown).map_err(ApiError::fields)
}

/// `application/json`, with no charset or with UTF-8.
fn is_json(value: &str) -> bool {
    let mut parts = value.split(';').map(str::trim);
    parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json"))
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, set)) if name.eq_ignore_ascii_case("charset") => {
                set.trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_json_in_utf_8_and_nothing_else() {
        for good in ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""] {
            assert!(is_json(good), "{good}");
        }
        for bad in ["", "text/plain", "application/json; charset=latin1", "application/jsonp", "application/xml;json"] {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
