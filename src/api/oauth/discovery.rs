//! The metadata that clients read first: the addresses of the endpoints, and what protects `/mcp` (RFC 8414, RFC 9728).

use hyper::header::CACHE_CONTROL;
use hyper::http::Method;
use serde_json::{Value, json};

use super::endpoint::{issuer, public};
use super::{client, exchange};
use crate::access::scopes::ax_scopes;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::Handled;
use crate::rest::codes;
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;

const DOC: &str = "recipes/letting-programs-log-in#discovery";

const fn texts(name: &'static str, about: &'static str) -> Field {
    Field::unbounded_texts(name, about).required()
}

/// The metadata's rows of the route table.
pub const ROUTES: &[ApiRoute] = &[
    public(Method::GET, "/.well-known/oauth-protected-resource/mcp", resource)
        .described(
            "oauth_resource",
            "Read what protects the MCP endpoint",
            "Protected resource metadata (RFC 9728). 404 under a name that does not offer the authorization server.",
            DOC,
        )
        .answering(
            200,
            Answer::Object(&[
                Field::shown("resource", "The address of the MCP endpoint."),
                Field::shown("resource_name", "The name of the box."),
                texts("authorization_servers", "Who issues tokens for it."),
                texts("scopes_supported", "Scope words."),
                texts("bearer_methods_supported", "Always header."),
                Field::shown("resource_documentation", "The page that explains it."),
            ]),
        )
        .failing(&[codes::NOT_FOUND]),
    public(Method::GET, "/.well-known/oauth-authorization-server", server)
        .described(
            "oauth_server",
            "Read the authorization server's metadata",
            "RFC 8414. The issuer is the address that the request was sent to. 404 under a name that does not offer \
                it.",
            DOC,
        )
        .answering(
            200,
            Answer::Object(&[
                Field::shown("issuer", "Who issues tokens."),
                Field::shown("authorization_endpoint", "Where a login begins."),
                Field::shown("token_endpoint", "Where programs get tokens."),
                Field::unbounded("registration_endpoint", "Where programs register; absent if they may not."),
                Field::shown("revocation_endpoint", "Where tokens are revoked."),
                Field::shown("device_authorization_endpoint", "Where programs without a browser begin."),
                Field::shown("introspection_endpoint", "Where services ask about tokens."),
                texts("introspection_endpoint_auth_methods_supported", "How clients authenticate there."),
                Field::shown("jwks_uri", "The keys that verify tokens."),
                Field::shown("service_documentation", "The page that explains it."),
                texts("scopes_supported", "Scope words."),
                texts("response_types_supported", "Always code."),
                texts("response_modes_supported", "Always query."),
                texts("grant_types_supported", "The grant types of the token endpoint."),
                texts("token_endpoint_auth_methods_supported", "How clients authenticate there."),
                texts("code_challenge_methods_supported", "Always S256."),
                Field::flag("authorization_response_iss_parameter_supported", "Always true.").required(),
            ]),
        )
        .failing(&[codes::NOT_FOUND]),
];

fn shown(value: &Value) -> Handled {
    Ok(Reply::ok(value).with(CACHE_CONTROL, "no-store").into())
}

fn resource(app: &App, input: Input) -> Handled {
    let issuer = issuer(app, &input)?;
    shown(&json!({
        "resource": format!("{issuer}/mcp"),
        "resource_name": "taosd",
        "authorization_servers": [issuer],
        "scopes_supported": ax_scopes::of_programs(),
        "bearer_methods_supported": ["header"],
        "resource_documentation": format!("{issuer}/docs/agents/{DOC}"),
    }))
}

fn server(app: &App, input: Input) -> Handled {
    let issuer = issuer(app, &input)?;
    let mut told = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/oauth/authorize"),
        "token_endpoint": format!("{issuer}/oauth/token"),
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "device_authorization_endpoint": format!("{issuer}/oauth/device_authorization"),
        "introspection_endpoint": format!("{issuer}/oauth/introspect"),
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "service_documentation": format!("{issuer}/docs/agents/{DOC}"),
        "scopes_supported": ax_scopes::of_programs(),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [
            client::CODE,
            client::REFRESH,
            "client_credentials",
            client::DEVICE_CODE,
            exchange::TOKEN_EXCHANGE,
        ],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    });
    if app.config.read(|now| now.oauth.register) {
        told["registration_endpoint"] = json!(format!("{issuer}/oauth/register"));
    }
    shown(&told)
}
