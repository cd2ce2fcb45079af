//! The host names under which people may log in and programs may ask for tokens (OAuth contract, section 2).
//!
//! A login over plain HTTP is safe only under a loopback name, where nobody is in between. Under any other name a proxy
//! must speak TLS, and `public_url` gives that name.

use std::net::{IpAddr, SocketAddr};

use hyper::header::{HOST, WWW_AUTHENTICATE};

use super::app::App;
use crate::access::scopes::ax_scopes;
use crate::access::{Action, Caller};
use crate::http::edge::check::split_host;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::head::{Head, Peer};
use crate::secret::Kind;

/// Returns the origin of the box's pages as this request's browser sees it, if people may log in there; without a slash
/// at the end.
pub fn origin(app: &App, head: &Head) -> Option<String> {
    if head.foreign_host || matches!(head.peer, Peer::Unix { .. }) {
        return None;
    }
    let host = head.header(&HOST)?.to_ascii_lowercase();
    let (name, port) = split_host(&host)?;
    app.config.read(|now| {
        let public = now.public_url.as_ref().filter(|url| {
            let own = if url.tls { 443 } else { 80 };
            url.authority == host || (port == Some(own) && url.authority == name)
        });
        match public {
            Some(url) if url.tls => Some(url.to_string()),
            _ if is_loopback(name) || now.oauth.insecure_http => Some(format!("http://{host}")),
            _ => None,
        }
    })
}

/// Returns the issuer of the authorization server for this request; `None` if it is not offered here.
pub fn issuer(app: &App, head: &Head) -> Option<String> {
    origin(app, head).filter(|_| app.config.read(|now| now.oauth.enabled))
}

/// Adds to the MCP endpoint's 401 where a client gets a token by a person's click, if it can here (RFC 9728).
pub fn challenged(app: &App, head: &Head, error: ApiError) -> ApiError {
    let (true, Some(issuer)) = (error.status() == 401, issuer(app, head)) else { return error };
    let own = error.headers.iter().find(|(name, _)| *name == WWW_AUTHENTICATE).map(|(_, value)| value.as_str());
    let words = ax_scopes::of_programs().into_iter().filter(|word| !word.contains(':')).collect::<Vec<_>>().join(" ");
    let metadata = format!("{issuer}/.well-known/oauth-protected-resource/mcp");
    let told =
        format!("{}, resource_metadata=\"{metadata}\", scope=\"{words}\"", own.unwrap_or("Bearer realm=\"taosd\""));
    error.header(WWW_AUTHENTICATE, told)
}

/// Adds to a scope refusal the scope that a program may ask for to get more (RFC 6750, section 3; MCP contract, section
/// 4). `None` if a person's click did not give the token, or if this way gives no more.
pub fn stepped_up(app: &App, head: &Head, caller: &Caller, action: Action, error: &ApiError) -> Option<ApiError> {
    if caller.credential_kind() != Kind::OauthGrant.slug() || error.code != codes::SCOPE_DENIED {
        return None;
    }
    let issuer = issuer(app, head)?;
    let words = ax_scopes::words_with(caller.class(), caller.lasting_scopes(), action)?.join(" ");
    let metadata = format!("{issuer}/.well-known/oauth-protected-resource/mcp");
    let told = format!("Bearer error=\"insufficient_scope\", scope=\"{words}\", resource_metadata=\"{metadata}\"");
    Some(error.clone().header(WWW_AUTHENTICATE, told))
}

/// Returns the address to show people when no request shows the name under which they reach the box.
pub fn of_box(app: &App) -> String {
    if let Some(url) = app.config.read(|now| now.public_url.as_ref().map(ToString::to_string)) {
        return url;
    }
    let first = app.listening.get().and_then(|all| all.first().copied());
    format!("http://{}", reachable(first.unwrap_or(crate::config::DEFAULT_LISTEN)))
}

/// Returns an address to connect to: the loopback address for one that listens on all interfaces.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(IpAddr::from([127, 0, 0, 1]), address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(IpAddr::from([127, 0, 0, 1]), address.port()),
        _ => address,
    }
}

/// True for `localhost` and loopback IP addresses, whose traffic never leaves the machine.
pub fn is_loopback(name: &str) -> bool {
    let ip = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
}
