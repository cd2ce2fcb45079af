//! The error codes that each route can reply with.

use std::collections::BTreeSet;

use super::mcp;
use crate::rest::class::Class;
use crate::rest::codes::{self, Code};
use crate::rest::error::Dialect;
use crate::rest::field::{Field, Type};
use crate::rest::route::{Access, Answer, BodyKind, Repeat, Route};

/// The codes that a route can reply with: its own and those of every route of its kind.
pub fn codes_of<P, C, A>(route: &Route<P, C, A>) -> Vec<&'static Code> {
    let mut all: Vec<&'static Code> = route.errors.to_vec();
    if route.dialect == Dialect::Ax {
        all.extend(ax_codes(route));
        let mut seen = BTreeSet::new();
        all.retain(|code| seen.insert(code.slug));
        return all;
    }
    if route.dialect == Dialect::Agentex {
        all.extend(agentex_codes(route));
        let mut seen = BTreeSet::new();
        all.retain(|code| seen.insert(code.slug));
        return all;
    }
    if route.dialect == Dialect::OAuth {
        if matches!(route.body, BodyKind::Json(_) | BodyKind::RawOf(..)) {
            all.push(codes::UNSUPPORTED_MEDIA_TYPE);
        }
        let mut seen = BTreeSet::new();
        all.retain(|code| seen.insert(code.slug));
        return all;
    }
    if route.dialect == Dialect::Mcp {
        all.extend(mcp::CODES);
        return all;
    }
    if route.action().is_some() {
        all.extend([codes::AUTH_REQUIRED, codes::INVALID_TOKEN, codes::RATE_LIMITED]);
        if !route.action().is_some_and(|action| action.is_implied()) {
            all.push(codes::SCOPE_DENIED);
        }
    }
    all.push(codes::VALIDATION_ERROR);
    all.push(codes::INVALID_JSON);
    all.push(codes::UNSUPPORTED_MEDIA_TYPE);
    if route.repeat == Repeat::Key {
        all.extend([codes::INVALID_IDEMPOTENCY_KEY, codes::IDEMPOTENCY_IN_FLIGHT, codes::IDEMPOTENCY_KEY_REUSED]);
    }
    let mut seen = BTreeSet::new();
    all.retain(|code| seen.insert(code.slug));
    all
}

/// The codes of every route of the Agentex dialect. This dialect ignores unknown fields, and a body where none is
/// expected.
fn agentex_codes<P, C, A>(route: &Route<P, C, A>) -> Vec<&'static Code> {
    let mut all = Vec::new();
    if route.action().is_some() {
        all.extend([codes::UNAUTHENTICATED, codes::TWO_CREDENTIALS, codes::PAT_NOT_ALLOWED, codes::RATE_LIMITED]);
        all.push(codes::SCOPE_DENIED);
    }
    if !matches!(route.answer.1, Answer::Foreign) {
        all.push(codes::UNSUPPORTED_MEDIA_TYPE);
    }
    let is_checked = |field: &Field| !matches!(field.kind, Type::Text { max: usize::MAX, .. });
    if matches!(route.body, BodyKind::Json(_)) || route.query.iter().any(is_checked) {
        all.push(codes::VALIDATION_ERROR);
    }
    if route.repeat == Repeat::Key {
        all.extend([codes::INVALID_IDEMPOTENCY_KEY, codes::IDEMPOTENCY_IN_FLIGHT, codes::IDEMPOTENCY_KEY_REUSED]);
    }
    all
}

/// The codes of every route of the aX dialect, depending on who may call it.
fn ax_codes<P, C, A>(route: &Route<P, C, A>) -> Vec<&'static Code> {
    let mut all = vec![codes::INVALID_REQUEST, codes::UNSUPPORTED_MEDIA_TYPE, codes::RATE_LIMITED];
    if let Access::Class(classes, ..) = route.access {
        all.extend([
            codes::NOT_AUTHENTICATED,
            codes::INVALID_TOKEN,
            codes::TOKEN_EXPIRED,
            codes::INVALID_CREDENTIAL,
            codes::INSUFFICIENT_SCOPE,
        ]);
        if !classes.contains(&Class::User) {
            all.push(codes::ADMIN_REQUIRED);
        } else if !classes.contains(&Class::Agent) {
            all.push(codes::USER_REQUIRED);
        }
    }
    all
}

/// The codes that a route also replies with under a second status, as the aX contract demands for some.
pub fn second_codes<P, C, A>(route: &Route<P, C, A>) -> Vec<(u16, &'static Code)> {
    let mut all = Vec::new();
    if route.dialect != Dialect::Ax {
        return all;
    }
    if matches!(route.body, BodyKind::Json(fields) if !fields.is_empty()) {
        all.push((400, codes::INVALID_REQUEST));
    }
    match route.access {
        Access::Class(..) => all.extend([
            (401, codes::AGENT_FROZEN),
            (403, codes::PAT_NOT_ALLOWED),
            (403, codes::AUDIENCE_NOT_ALLOWED),
            (403, codes::FINGERPRINT_MISMATCH),
        ]),
        Access::Bearer(..) => all.push((401, codes::AGENT_FROZEN)),
        _ => {}
    }
    all
}
