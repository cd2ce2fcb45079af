//! Request targets from the route table: the path with percent-encoded parameters, and the query.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::api::{ApiRoute, routes};

/// All characters except the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The row of this id. Every id in a noun is in the table; a test checks them all.
pub fn route(id: &str) -> &'static ApiRoute {
    find(id).expect("every verb names a route of the table")
}

/// The row of this id, if it exists.
pub fn find(id: &str) -> Option<&'static ApiRoute> {
    routes().iter().flat_map(|table| table.iter()).find(|route| route.id == id)
}

/// The target of a request: path and query.
pub fn target(route: &ApiRoute, parameters: &[&str], query: &Map<String, Value>) -> String {
    let mut values = parameters.iter();
    let segments = route.path.split('/').map(|segment| match segment.strip_prefix('{') {
        Some(_) => values.next().map_or(String::new(), |value| encode(value)),
        None => segment.to_owned(),
    });
    let mut target = segments.collect::<Vec<_>>().join("/");
    for (at, (name, value)) in query.iter().enumerate() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        target.push(if at == 0 { '?' } else { '&' });
        target.push_str(&format!("{name}={}", encode(&text)));
    }
    target
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_parameter_stays_one_segment_and_a_value_one_value() {
        let Value::Object(query) = json!({"q": "a&b=c d", "limit": 3}) else { unreachable!() };
        assert_eq!(target(route("agents_get"), &["a/../b?c#d%"], &Map::new()), "/api/agents/a%2F..%2Fb%3Fc%23d%25");
        assert_eq!(target(route("agents_list"), &[], &query), "/api/agents?q=a%26b%3Dc%20d&limit=3");
    }
}
