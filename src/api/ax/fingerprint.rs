//! Registers where a key is used (aX contract, section 6).

use data_encoding::HEXLOWER;
use hyper::http::StatusCode;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::ID_CHARS;
use super::fields::AGENT_ID;
use crate::access::bearer_text;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::field::Field;
use crate::rest::reply::Reply;
use crate::store::keys;

/// The number of hex digits of a SHA-256.
const DIGITS: usize = 64;

const TOKEN_SHA256: Field = Field::text("token_sha256", DIGITS, "The key's SHA-256 in hex.")
    .told(r#"{"pattern": "^[0-9A-Fa-f]{64}$"}"#)
    .required();
const HOST_BINDING: Field = Field::text("host_binding", 255, "The host where the key is used.");
/// The fields of the body.
pub const FIELDS: &[Field] =
    &[Field::text("agent_id", ID_CHARS, "The agent the key is bound to."), TOKEN_SHA256, HOST_BINDING];
/// An example of the body.
pub const EXAMPLE: &str =
    r#"{"token_sha256": "0000000000000000000000000000000000000000000000000000000000000000", "host_binding": "box"}"#;

/// Returns the SHA-256 of a key in hex, as clients compute it.
pub fn sha256(secret: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(secret.as_bytes()))
}

pub(super) fn register(app: &App, call: Call) -> Handled {
    let body = &call.input.body;
    let sent = body.text(&TOKEN_SHA256).unwrap_or("").to_ascii_lowercase();
    if sent.len() != DIGITS || !sent.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(ApiError::field("token_sha256", "must be 64 hex digits").in_dialect(Dialect::Ax));
    }
    if let Some(asked) = body.text(&AGENT_ID).filter(|id| !id.is_empty())
        && call.caller.agent_id().is_none_or(|id| !id.eq_ignore_ascii_case(asked))
    {
        return Err(ApiError::new(codes::BINDING_NOT_ALLOWED).detail("agent_id does not match bound agent"));
    }
    let presented = call.caller.presents_key().then(|| bearer_text(&call.input.head).map(sha256)).flatten();
    let Some(id) = call.caller.credential_id().map(str::to_owned) else {
        // A request on the operator's socket has no key.
        return Err(codes::FINGERPRINT_MISMATCH.into());
    };
    call.write(app, move |tx| {
        let same = match presented {
            Some(own) => own == sent,
            None => keys::mark(tx.conn, &id)?.is_some_and(|mark| sent.starts_with(&mark)),
        };
        if !same {
            return Err(codes::FINGERPRINT_MISMATCH.into());
        }
        let host = tx.input.body.text(&HOST_BINDING).unwrap_or("");
        let first = keys::set_host(tx.conn, &id, host)?;
        if first {
            tx.audit(format!("credential:{id}"))?;
        }
        let status = if first { StatusCode::CREATED } else { StatusCode::OK };
        Ok(Reply::json(status, &json!({"ok": true})))
    })
}
