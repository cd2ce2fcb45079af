//! What a handler is given: the request, checked against its route.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, IF_MATCH};
use serde_json::{Map, Value};

use super::codes;
use super::error::{ApiError, Dialect};
use super::field::{self, Field, Unknown};
use super::head::Head;
use super::json;
use super::route::{BodyKind, Route};
use super::router::Params;

/// Checked fields, read by name. A field that was not sent, or was null, is absent.
#[derive(Debug, Clone, Default)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Fields that were checked before.
    pub fn new(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// A text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// A whole number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64()
    }

    /// True or false.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    /// A list of texts.
    pub fn texts(&self, name: &str) -> Option<Vec<&str>> {
        Some(self.0.get(name)?.as_array()?.iter().filter_map(Value::as_str).collect())
    }

    /// Whatever was sent.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// An object.
    pub fn object(&self, name: &str) -> Option<Self> {
        self.0.get(name)?.as_object().cloned().map(Self)
    }

    /// A list of objects; empty if it was not sent.
    pub fn objects(&self, name: &str) -> Vec<Self> {
        let list = self.0.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_object).cloned().map(Self).collect()
    }

    /// True if no field was sent.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A request as its handler sees it.
#[derive(Debug, Clone)]
pub struct Input {
    /// The head.
    pub head: Arc<Head>,
    /// The route's dialect.
    pub dialect: Dialect,
    /// The path's parameters, in order.
    pub params: Params,
    /// The query.
    pub query: Fields,
    /// The body's fields.
    pub body: Fields,
    /// The body as it came, of a route that takes it raw; empty otherwise.
    pub raw: Bytes,
}

impl Input {
    /// Checks query and body against the route.
    ///
    /// # Errors
    /// 415, 400 `invalid_json` or 422 with every bad field.
    pub fn new<P, C, A>(
        head: Arc<Head>,
        route: &Route<P, C, A>,
        params: Params,
        body: &Bytes,
    ) -> Result<Self, ApiError> {
        let dialect = route.dialect;
        // The aX and Agentex clients send more than they were told to: what is not known there is ignored.
        let unknown = if dialect == Dialect::Taos { Unknown::Refused } else { Unknown::Ignored };
        let refused = |error: ApiError| error.in_dialect(dialect);
        if matches!(route.body, BodyKind::Raw) {
            let raw = body.clone();
            return Ok(Self { dialect, head, params, query: Fields::default(), body: Fields::default(), raw });
        }
        let query = field::check_query(route.query, &head.query, unknown).map_err(|p| refused(ApiError::fields(p)))?;
        let fields = match route.body {
            BodyKind::Json(fields) => json_object(&head, fields, body, unknown).map_err(refused)?,
            BodyKind::None if body.is_empty() || unknown == Unknown::Ignored => Map::new(),
            BodyKind::None | BodyKind::Raw => json_object(&head, &[], body, unknown).map_err(refused)?,
        };
        Ok(Self { dialect, head, params, query: Fields(query), body: Fields(fields), raw: Bytes::new() })
    }

    /// The path's parameter at this place; the route's path says there is one.
    pub fn param(&self, at: usize) -> &str {
        self.params.get(at).map_or("", String::as_str)
    }

    /// The revision in `If-Match`; `None` if the header is absent or `*`.
    ///
    /// # Errors
    /// `precondition_failed` for a value that is no revision of ours: it cannot match.
    pub fn if_match(&self) -> Result<Option<i64>, ApiError> {
        if !self.head.headers.contains_key(IF_MATCH) {
            return Ok(None);
        }
        let value = self.head.header(&IF_MATCH).unwrap_or("");
        if value == "*" {
            return Ok(None);
        }
        let revision = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).and_then(|v| v.parse().ok());
        revision.map(Some).ok_or_else(|| codes::PRECONDITION_FAILED.into())
    }

    /// The value of a header that stands once.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.head.header(name)
    }
}

fn json_object(head: &Head, fields: &[Field], body: &Bytes, unknown: Unknown) -> Result<Map<String, Value>, ApiError> {
    let declared = head.headers.contains_key(CONTENT_TYPE);
    if (declared && !is_json(head.header(&CONTENT_TYPE).unwrap_or(""))) || (!declared && !body.is_empty()) {
        return Err(codes::UNSUPPORTED_MEDIA_TYPE.into());
    }
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
