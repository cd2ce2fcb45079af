//! The target of a program's token: this box, or another service that the settings name (OAuth contract, section 7).

use crate::access::scopes::ax_scopes;
use crate::access::tokens::jwt::Audience;
use crate::access::{Class, Scopes};
use crate::config::{Config, ProtectedResource};
use crate::rest::codes;
use crate::rest::error::ApiError;

/// The audience of tokens, and the scope words that they may hold.
pub(super) struct TokenTarget {
    /// The audience of the tokens.
    pub audience: Audience,
    /// The settings of the other service; `None` for this box.
    pub service: Option<ProtectedResource>,
}

impl TokenTarget {
    /// Creates a target on this box.
    pub(super) const fn own(audience: Audience) -> Self {
        Self { audience, service: None }
    }

    /// Returns the target with this name, as a grant stores it.
    ///
    /// # Errors
    /// `invalid_target` if the name is not an audience of this box, nor a service in the settings now.
    pub(super) fn named(config: &Config, name: &str) -> Result<Self, ApiError> {
        if let Some(own) = Audience::named(name) {
            return Ok(Self::own(own));
        }
        let service = config.oauth.resource(name).cloned().ok_or(codes::INVALID_TARGET)?;
        let audience = Audience::Service { uri: service.uri.clone(), alg: service.alg };
        Ok(Self { audience, service: Some(service) })
    }

    /// Returns those of the words that its tokens may hold.
    pub(super) fn narrowed<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        match &self.service {
            Some(service) => service.narrowed(words),
            None => words.into_iter().collect(),
        }
    }

    /// Does the same as [`TokenTarget::narrowed`] for words in one text.
    ///
    /// # Errors
    /// `invalid_scope` if none is left.
    pub(super) fn words(&self, words: &str) -> Result<String, ApiError> {
        let left = self.narrowed(words.split(' '));
        if left.is_empty() { Err(none_left()) } else { Ok(left.join(" ")) }
    }
}

/// Returns the refusal for a request of which no scope word is left.
pub(super) fn none_left() -> ApiError {
    ApiError::new(codes::INVALID_SCOPE).detail("None of the scope words is known here.")
}

/// Returns the target of a token for this resource (RFC 8707).
pub(super) fn audience(config: &Config, issuer: &str, resource: Option<&str>) -> Result<TokenTarget, ApiError> {
    let Some(resource) = resource else { return Ok(TokenTarget::own(Audience::Api)) };
    let resource = resource.strip_suffix('/').unwrap_or(resource);
    match resource.strip_prefix(issuer) {
        Some("") => Ok(TokenTarget::own(Audience::Api)),
        Some("/mcp") => Ok(TokenTarget::own(Audience::Mcp)),
        _ => TokenTarget::named(config, resource),
    }
}

/// Returns the requested words that tokens for this target may hold; `None` if none is left. If none are requested, it
/// returns the broad words, or the finer ones if the target has no broad one.
pub(super) fn words(scope: Option<&str>, target: &TokenTarget) -> Option<Vec<String>> {
    let known = target.narrowed(ax_scopes::of_programs());
    let Some(scope) = scope else {
        let broad: Vec<&str> = known.iter().copied().filter(|word| !word.contains(':')).collect();
        let offered = if broad.is_empty() { known } else { broad };
        return Some(offered.into_iter().map(str::to_owned).collect());
    };
    let mut all: Vec<String> = Vec::new();
    for word in scope.split_ascii_whitespace().filter(|word| known.contains(word)) {
        if !all.iter().any(|one| one == word) {
            all.push(word.to_owned());
        }
    }
    (!all.is_empty()).then_some(all)
}

/// Returns the scopes that the consenting person may give to a program of this class.
pub(super) fn giveable(scopes: &Scopes, class: Class) -> Scopes {
    if class == Class::Agent { ax_scopes::issuer_of_agents(scopes) } else { scopes.clone() }
}
