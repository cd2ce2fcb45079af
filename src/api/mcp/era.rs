//! The two eras of the protocol: a modern request carries its own revision, a legacy one comes after a handshake. The
//! server keeps no state of earlier requests in either era (MCP contract, section 3).

use data_encoding::BASE64;
use hyper::header::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use super::envelope::{CAPABILITIES_KEY, RpcRequest};
use super::refusal::{HEADER_MISMATCH, INVALID_PARAMS, Refusal, UNSUPPORTED_VERSION};

/// All supported revisions, newest first.
pub const SUPPORTED: [&str; 5] = ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/// The revisions with a handshake.
pub const LEGACY: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// The era that a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// Each request names its revision.
    Modern,
    /// The client began with a handshake.
    Legacy,
}

/// Returns the era of a request. Of a modern request it also checks the headers.
///
/// # Errors
/// -32020, -32022 or -32602, with HTTP status 400.
pub fn of(request: &RpcRequest, headers: &HeaderMap) -> Result<Era, Refusal> {
    let version = request.meta(VERSION_KEY);
    let header = single(headers, &VERSION);
    let names_legacy = header.as_deref().is_none_or(|version| LEGACY.contains(&version));
    if version.is_none() && (names_legacy && !several(headers) || request.method == "initialize") {
        return Ok(Era::Legacy);
    }
    let Some(version) = version.and_then(Value::as_str) else {
        let named = header.as_deref().unwrap_or("");
        return Err(if version.is_none() && !SUPPORTED.contains(&named) {
            unsupported(named)
        } else {
            Refusal::bad(INVALID_PARAMS, format!("_meta has no text {VERSION_KEY}."))
        });
    };
    check(headers, &VERSION, version)?;
    check(headers, &METHOD, &request.method)?;
    let name = match request.method.as_str() {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        _ => None,
    };
    // The method itself reports a missing parameter.
    if let Some(name) = name.and_then(|name| request.text(name)) {
        check(headers, &NAME, name)?;
    }
    if !SUPPORTED.contains(&version) {
        return Err(unsupported(version));
    }
    match request.meta(CAPABILITIES_KEY) {
        Some(Value::Object(_)) => Ok(Era::Modern),
        _ => Err(Refusal::bad(INVALID_PARAMS, format!("_meta has no object {CAPABILITIES_KEY}."))),
    }
}

fn unsupported(requested: &str) -> Refusal {
    Refusal::bad(UNSUPPORTED_VERSION, "This revision of the protocol is not served.")
        .with(json!({"supported": SUPPORTED, "requested": requested}))
}

/// Checks that the header has the same value as the body.
fn check(headers: &HeaderMap, name: &HeaderName, body: &str) -> Result<(), Refusal> {
    match single(headers, name) {
        Some(value) if value == body => Ok(()),
        Some(_) => Err(Refusal::bad(HEADER_MISMATCH, format!("The header {name} does not say what the body says."))),
        None => Err(Refusal::bad(HEADER_MISMATCH, format!("The header {name} is missing, or there is more than one."))),
    }
}

/// True if there is more than one revision header.
fn several(headers: &HeaderMap) -> bool {
    headers.get_all(&VERSION).iter().nth(1).is_some()
}

/// Returns the value of a header that occurs once, without surrounding blanks, and decoded if it is in Base64.
fn single(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let mut all = headers.get_all(name).iter();
    let (Some(value), None) = (all.next(), all.next()) else { return None };
    decoded(std::str::from_utf8(value.as_bytes()).ok()?)
}

fn decoded(value: &str) -> Option<String> {
    let value = value.trim_matches([' ', '\t']);
    match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        None => Some(value.to_owned()),
        Some(encoded) => String::from_utf8(BASE64.decode(encoded.as_bytes()).ok()?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Map;

    use super::*;

    fn request(method: &str, params: &Value) -> RpcRequest {
        let params = params.as_object().cloned().unwrap_or_else(Map::new);
        RpcRequest { id: json!(1), method: method.to_owned(), params }
    }

    fn meta(version: &str) -> Value {
        json!({VERSION_KEY: version, CAPABILITIES_KEY: {}})
    }

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in all {
            map.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        map
    }

    fn code(method: &str, params: &Value, named: &[(&'static str, &str)]) -> Result<Era, i32> {
        of(&request(method, params), &headers(named)).map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_request_without_a_revision_of_its_own_is_legacy() {
        let none = json!({});
        assert_eq!(code("tools/list", &none, &[]), Ok(Era::Legacy));
        for version in LEGACY {
            assert_eq!(code("tools/list", &none, &[("mcp-protocol-version", version)]), Ok(Era::Legacy), "{version}");
        }
        for version in ["2026-07-28", "x", "2025-11-25"] {
            assert_eq!(code("initialize", &none, &[("mcp-protocol-version", version)]), Ok(Era::Legacy), "{version}");
        }
        assert_eq!(code("tools/list", &none, &[("mcp-protocol-version", "2026-07-28")]), Err(INVALID_PARAMS));
        assert_eq!(code("tools/list", &none, &[("mcp-protocol-version", "2030-01-01")]), Err(UNSUPPORTED_VERSION));
    }

    #[test]
    fn the_headers_of_a_modern_request_say_what_its_body_says() {
        let now = ("mcp-protocol-version", "2026-07-28");
        let call = json!({"_meta": meta("2026-07-28"), "name": "größe"});
        let method = ("mcp-method", "tools/call");
        for name in ["=?base64?Z3LDtsOfZQ==?=", "  =?base64?Z3LDtsOfZQ==?= "] {
            assert_eq!(code("tools/call", &call, &[now, method, ("mcp-name", name)]), Ok(Era::Modern), "{name}");
        }
        let plain = json!({"_meta": meta("2026-07-28"), "name": "a_b"});
        assert_eq!(code("tools/call", &plain, &[now, method, ("mcp-name", "a_b ")]), Ok(Era::Modern));
        for bad in [
            &[now, method][..],
            &[now, ("mcp-name", "a_b")],
            &[method, ("mcp-name", "a_b")],
            &[now, method, ("mcp-name", "a_c")],
            &[now, ("mcp-method", "Tools/call"), ("mcp-name", "a_b")],
            &[("mcp-protocol-version", "2025-11-25"), method, ("mcp-name", "a_b")],
            &[now, now, method, ("mcp-name", "a_b")],
            &[now, method, ("mcp-name", "=?base64?!?=")],
        ] {
            assert_eq!(code("tools/call", &plain, bad), Err(HEADER_MISMATCH), "{bad:?}");
        }
        let other = json!({"_meta": meta("2030-01-01")});
        let named = [("mcp-protocol-version", "2030-01-01"), ("mcp-method", "tools/list")];
        assert_eq!(code("tools/list", &other, &named), Err(UNSUPPORTED_VERSION));
        let bare = json!({"_meta": {VERSION_KEY: "2026-07-28"}});
        assert_eq!(code("tools/list", &bare, &[now, ("mcp-method", "tools/list")]), Err(INVALID_PARAMS));
        let odd = json!({"_meta": {VERSION_KEY: 7}});
        assert_eq!(code("initialize", &odd, &[]), Err(INVALID_PARAMS));
    }

    proptest! {
        #[test]
        fn any_header_is_decoded_without_panic(value in "(=\\?base64\\?)?[ -~]{0,60}(\\?=)?") {
            let _ = decoded(&value);
        }
    }
}
