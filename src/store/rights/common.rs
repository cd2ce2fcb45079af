//! The lesser of two states of one right.

use super::rows::{CredentialRights, GrantRights};
use crate::store::grants::GrantRole;
use crate::time::Micros;

impl GrantRights {
    /// Returns the lesser role and the earlier end of two states of one grant.
    pub(super) fn lesser(&self, now: &Self) -> (GrantRole, Option<Micros>) {
        (self.role.min(now.role), [self.expires_at, now.expires_at].into_iter().flatten().min())
    }
}

impl CredentialRights {
    /// Returns the lesser of two states of one credential; `None` if they have nothing in common.
    pub(super) fn lesser(&self, now: &Self) -> Option<Self> {
        let state = match (self.state.as_str(), now.state.as_str()) {
            (one, other) if one == other => one,
            ("active", "grace") => "grace",
            _ => return None,
        };
        let audience = match (self.audience.as_deref(), now.audience.as_deref()) {
            (one, other) if one == other => one,
            (Some("both") | None, other) => other,
            (one, Some("both") | None) => one,
            _ => return None,
        };
        let only_agents = match (&self.only_agents, &now.only_agents) {
            (None, other) => other.clone(),
            (one, None) => one.clone(),
            (Some(one), Some(other)) => Some(both(one, other)),
        };
        let scopes = both(&self.scopes, &now.scopes);
        // An empty list of scopes may mean every scope of its kind.
        if scopes != self.scopes && (scopes == "[]" || now.scopes == "[]") {
            return None;
        }
        let least = [self.expires_at, now.expires_at].into_iter().flatten().min();
        Some(Self {
            state: state.to_owned(),
            scopes,
            expires_at: least,
            audience: audience.map(str::to_owned),
            admin: self.admin && now.admin,
            only_agents,
            space: now.space.clone().or_else(|| self.space.clone()),
            host: now.host.clone().or_else(|| self.host.clone()),
            ..self.clone()
        })
    }

    /// Returns the reach of the credential as a text for people.
    pub(super) fn reach(&self) -> String {
        let mut parts = vec![self.state.clone(), format!("scopes {}", self.scopes)];
        parts.extend(self.expires_at.map(|at| format!("until {}", at.millis())));
        parts.extend(self.audience.as_ref().map(|audience| format!("for {audience}")));
        parts.extend(self.admin.then(|| "admin".to_owned()));
        parts.extend(self.only_agents.as_ref().map(|only| format!("agents {only}")));
        parts.extend(self.space.as_ref().map(|space| format!("space {space}")));
        parts.extend(self.host.as_ref().map(|host| format!("host {host}")));
        parts.join(", ")
    }
}

/// Returns the intersection of two lists of scopes or ids, as JSON. If one scope covers another, the smaller one
/// counts.
pub(super) fn both(one: &str, other: &str) -> String {
    let list = |text: &str| serde_json::from_str::<Vec<String>>(text).unwrap_or_default();
    let (first, second) = (list(one), list(other));
    if first == second {
        return one.to_owned();
    }
    let covers = |wide: &str, narrow: &str| {
        let prefix = wide.strip_suffix('*').filter(|prefix| prefix.is_empty() || prefix.ends_with('.'));
        wide == narrow || prefix.is_some_and(|prefix| narrow.len() > prefix.len() && narrow.starts_with(prefix))
    };
    let mut common: Vec<&str> = Vec::new();
    let pairs = first.iter().flat_map(|one| second.iter().map(move |other| (one.as_str(), other.as_str())));
    for (one, other) in pairs {
        let smaller = if covers(one, other) {
            other
        } else if covers(other, one) {
            one
        } else {
            continue;
        };
        if !common.contains(&smaller) {
            common.push(smaller);
        }
    }
    // The order has no meaning.
    if common.len() == first.len() && first.iter().all(|one| common.contains(&one.as_str())) {
        return one.to_owned();
    }
    serde_json::json!(common).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lists_have_the_smaller_of_each_in_common() {
        for (one, other, common) in [
            (r#"["*"]"#, r#"["agents.read"]"#, r#"["agents.read"]"#),
            (r#"["agents.*","ui.notify"]"#, r#"["agents.read","agents.list"]"#, r#"["agents.read","agents.list"]"#),
            (r#"["agents.read"]"#, r#"["*"]"#, r#"["agents.read"]"#),
            (r#"["a.x"]"#, r#"["b.x"]"#, "[]"),
            (r#"["a","b"]"#, r#"["b","a"]"#, r#"["a","b"]"#),
            ("[]", r#"["*"]"#, "[]"),
        ] {
            assert_eq!(both(one, other), common, "{one} and {other}");
        }
    }
}
