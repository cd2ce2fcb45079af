//! The public halves of the signing keys (RFC 7517). With them any service verifies a token without asking the daemon.

use hyper::header::CACHE_CONTROL;
use hyper::http::Method;

use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::Handled;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::{Field, Type};
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::time::Micros;

/// The routes for the public keys.
pub const ROUTES: &[ApiRoute] = &[ApiRoute::public(Method::GET, "/.well-known/jwks.json", Taos, keys)
    .described(
        "jwks",
        "Read the keys that verify tokens",
        "The current key, the next key, and the previous key until its last token expires. If a service uses ES256, \
            the same keys for ES256.",
        "concepts/authentication#verifying-a-token-elsewhere",
    )
    .answering(
        200,
        Answer::Object(&[Field::of(
            "keys",
            Type::Objects(&[
                Field::shown("kty", "The key type: OKP, or EC for ES256."),
                Field::shown("crv", "The curve: Ed25519, or P-256 for ES256."),
                Field::shown("use", "The use: sig."),
                Field::shown("alg", "The algorithm: EdDSA or ES256."),
                Field::shown("kid", "The key's id, as in a token's header."),
                Field::shown("x", "The public key; for ES256 its first half."),
                Field::unbounded("y", "The second half, for ES256."),
            ]),
            "The keys.",
        )
        .required()]),
    )];

fn keys(app: &App, _: Input) -> Handled {
    let set = app.gate.keys.public(Micros::now().0 / Micros::SECOND);
    // A cached reply to a verifier's second request would hide the key that is new since a reboot.
    Ok(Reply::ok(&set).with(CACHE_CONTROL, "no-cache").into())
}
