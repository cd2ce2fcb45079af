//! Scopes: `*`, a prefix like `agents.*`, or an exact action (DESIGN D8).

use crate::limits;
use crate::rest::action::Action;

/// The default scopes of an agent's token: what an agent needs and no more.
const AGENT_DEFAULT: &[&str] = &[
    "agents.read",
    "agents.list",
    "agents.register",
    "deployments.read",
    "ui.notify",
    "notifications.read",
    "knowledge.read",
    "spaces.list",
    "spaces.read",
    "messages.*",
    "tasks.*",
    "context.*",
    "uploads.*",
    "events.read",
    "requests.create",
    "requests.read",
];

/// Actions that an agent's own scope implies. An agent that may register may also report its state; one that may list
/// agents sees who is online.
const AGENT_IMPLIED: &[(Action, Action)] = &[
    (Action::AuthWhoami, Action::AuthWhoami),
    (Action::AuthWhoami, Action::CredentialsFingerprint),
    (Action::AgentsList, Action::AgentsPresence),
    (Action::AgentsRegister, Action::AgentsHeartbeat),
    (Action::AgentsRegister, Action::AgentsProcessing),
    (Action::AgentsRegister, Action::AgentsProfile),
];

/// Actions that a scope of an agent or of its credential implies: who may notify the owner may also send requests to
/// it. So agents and credentials that are older than requests can ask as well.
const ASKING: &[(Action, Action)] =
    &[(Action::UiNotify, Action::RequestsCreate), (Action::UiNotify, Action::RequestsRead)];

/// The error for a text that is not a scope, or for too many scopes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScope {
    /// Neither `*`, nor a prefix of an action with `.*`, nor an action.
    #[error("`{0}` is neither *, nor a prefix like agents.*, nor an action")]
    Unknown(String),
    /// More scopes than a list may hold.
    #[error("A list holds at most {} scopes", limits::SCOPES)]
    TooMany,
}

/// One scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(Box<str>);

impl Scope {
    /// Parses a scope. It must match at least one action, so that a misspelt scope is an error instead of granting
    /// nothing.
    ///
    /// # Errors
    /// [`InvalidScope::Unknown`].
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        let scope = Self(text.into());
        let well_formed = text.len() <= limits::SCOPE_CHARS
            && text.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'.' | b'*' | b'_' | b'-'));
        if well_formed && Action::ALL.iter().any(|action| scope.allows(*action)) {
            return Ok(scope);
        }
        // The text comes from a request and may be long, so it is shortened.
        Err(InvalidScope::Unknown(text.chars().filter(|c| !c.is_control()).take(limits::SCOPE_CHARS).collect()))
    }

    /// True if the scope covers this action.
    pub fn allows(&self, action: Action) -> bool {
        self.covers_text(action.slug())
    }

    /// True if the scope covers everything `other` covers.
    pub fn covers(&self, other: &Self) -> bool {
        *self == *other || (&*other.0 != "*" && self.covers_text(&other.0))
    }

    fn covers_text(&self, text: &str) -> bool {
        match &*self.0 {
            "*" => true,
            // `agents.*` covers everything that continues after `agents.`, at any depth, but not `agents` itself.
            scope => match scope.strip_suffix('*') {
                Some(prefix) if prefix.ends_with('.') => text.len() > prefix.len() && text.starts_with(prefix),
                _ => scope == text,
            },
        }
    }
}

/// A list of scopes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// All actions.
    pub fn all() -> Self {
        Self(vec![Scope("*".into())])
    }

    /// The default scopes of an agent's token.
    pub fn agent_default() -> Self {
        Self(AGENT_DEFAULT.iter().map(|text| Scope((*text).into())).collect())
    }

    /// The scopes of an agent now, from its own stored scope. No credential of the agent, of any kind or age, has more.
    pub fn of_agent(json: &str) -> Self {
        Self::from_stored(json).implying(AGENT_IMPLIED).implying(ASKING)
    }

    /// The scopes of an agent's credential, from its own stored scopes.
    pub fn of_agents_credential(json: &str) -> Self {
        Self::from_stored(json).implying(ASKING)
    }

    fn implying(mut self, implied: &[(Action, Action)]) -> Self {
        for (with, implied) in implied {
            if self.allow(*with) && !self.covers_text(implied.slug()) {
                self.0.push(Scope(implied.slug().into()));
            }
        }
        self
    }

    /// Scopes from this crate's own tables, unchecked.
    pub(crate) fn trusted<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self(texts.into_iter().map(|text| Scope(text.into())).collect())
    }

    /// The scopes that both lists cover.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both: Vec<Scope> = Vec::new();
        for one in &self.0 {
            for two in &other.0 {
                // Scopes form a tree: if two overlap, one covers the other.
                let smaller = if one.covers(two) {
                    two
                } else if two.covers(one) {
                    one
                } else {
                    continue;
                };
                if !both.contains(smaller) {
                    both.push(smaller.clone());
                }
            }
        }
        Self(both)
    }

    /// The scopes that either list covers.
    #[must_use]
    pub(crate) fn union(&self, other: &Self) -> Self {
        Self(self.0.iter().chain(&other.0).cloned().collect())
    }

    /// True if one of the scopes covers this one completely.
    pub(crate) fn covers_text(&self, text: &str) -> bool {
        let other = Scope(text.into());
        self.0.iter().any(|scope| scope.covers(&other))
    }

    /// True if one of the scopes overlaps this one.
    pub(crate) fn overlaps(&self, text: &str) -> bool {
        let other = Scope(text.into());
        self.0.iter().any(|scope| scope.covers(&other) || other.covers(scope))
    }

    /// True if the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Parses a list of scopes.
    ///
    /// # Errors
    /// The first entry that is no scope, or [`InvalidScope::TooMany`].
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidScope> {
        let scopes: Vec<Scope> = texts.into_iter().map(Scope::parse).collect::<Result<_, _>>()?;
        if scopes.len() > limits::SCOPES { Err(InvalidScope::TooMany) } else { Ok(Self(scopes)) }
    }

    /// Reads a list that [`Scopes::stored`] wrote. Unreadable text grants nothing.
    pub fn from_stored(json: &str) -> Self {
        let texts: Vec<Box<str>> = serde_json::from_str(json).unwrap_or_default();
        Self(texts.into_iter().map(Scope).collect())
    }

    /// The list in the form of the database: a JSON array.
    pub fn stored(&self) -> String {
        serde_json::Value::from(self.texts()).to_string()
    }

    /// The scopes of the list as texts.
    pub fn texts(&self) -> Vec<&str> {
        self.0.iter().map(|scope| &*scope.0).collect()
    }

    /// True if one of the scopes covers the action, or if every credential may do it.
    pub fn allow(&self, action: Action) -> bool {
        action.is_implied() || self.0.iter().any(|scope| scope.allows(action))
    }

    /// The first scope of `other` that none of these covers.
    pub fn first_not_covered<'a>(&self, other: &'a Self) -> Option<&'a str> {
        other.0.iter().find(|wanted| !self.0.iter().any(|own| own.covers(wanted))).map(|scope| &*scope.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    #[test]
    fn a_star_covers_everything_and_is_covered_by_nothing_else() {
        assert!(Action::ALL.iter().all(|action| scope("*").allows(*action)));
        assert!(scope("*").covers(&scope("agents.*")));
        assert!(!scope("agents.*").covers(&scope("*")));
    }

    #[test]
    fn a_prefix_covers_any_depth_and_stops_at_the_dot() {
        assert!(scope("agents.*").allows(Action::AgentsTokenIssue));
        assert!(scope("agents.*").covers(&scope("agents.token.*")));
        assert!(!scope("agents.token.*").covers(&scope("agents.*")));
        assert!(!scope("agents.token.*").allows(Action::AgentsRead));
        assert!(!scope("users.*").allows(Action::AgentsRead));
    }

    #[test]
    fn an_exact_scope_covers_itself_alone() {
        assert!(scope("agents.read").allows(Action::AgentsRead));
        assert!(!scope("agents.read").allows(Action::AgentsList));
    }

    #[test]
    fn an_agents_own_scope_brings_what_tells_of_itself_and_no_more() {
        let default = Scopes::of_agent(&Scopes::agent_default().stored());
        for action in [Action::AgentsPresence, Action::AgentsHeartbeat, Action::AgentsProfile] {
            assert!(default.allow(action), "{}", action.slug());
        }
        let narrow = Scopes::of_agent(r#"["agents.read"]"#);
        for action in [Action::AgentsPresence, Action::AgentsHeartbeat, Action::AgentsProfile, Action::AgentsList] {
            assert!(!narrow.allow(action), "{}", action.slug());
        }
        assert_eq!(Scopes::of_agent(r#"["*"]"#), Scopes::all());
    }

    #[test]
    fn what_may_tell_the_owner_may_ask_it_and_nothing_else_may() {
        let asks = |scopes: &Scopes| scopes.allow(Action::RequestsCreate) && scopes.allow(Action::RequestsRead);
        for json in [r#"["ui.notify"]"#, r#"["ui.*","tasks.*"]"#, r#"["*"]"#] {
            assert!(asks(&Scopes::of_agent(json)) && asks(&Scopes::of_agents_credential(json)), "{json}");
        }
        let narrow = Scopes::of_agents_credential(r#"["agents.read","tasks.*"]"#);
        assert!(!narrow.allow(Action::RequestsCreate) && !narrow.allow(Action::RequestsRead));
        assert!(!Scopes::of_agent(r#"["ui.notify"]"#).allow(Action::RequestsDecide));
    }

    #[test]
    fn what_is_not_a_scope_is_refused() {
        for text in [
            "",
            ".",
            "*.*",
            "agents",
            "agents.",
            "agents*",
            "ag*.read",
            "agents.r*",
            "Agents.read",
            "a?",
            "[a]",
            "agents.read ",
            "agents.nothing",
            "nothing.*",
            "agents.*.read",
            "\u{0}",
        ] {
            assert!(Scope::parse(text).is_err(), "{text:?}");
        }
        assert!(Scope::parse(&"a".repeat(65)).is_err());
        assert_eq!(Scopes::parse(vec!["*"; 33]), Err(InvalidScope::TooMany));
    }

    #[test]
    fn the_default_of_agents_is_made_of_scopes_and_allows_nothing_that_issues_or_creates() {
        let default = Scopes::agent_default();
        assert_eq!(Scopes::parse(default.texts()), Ok(default.clone()));
        for action in [Action::AgentsCreate, Action::AgentsTokenIssue, Action::UsersCreate, Action::AgentsLifecycle] {
            assert!(!default.allow(action));
        }
    }

    #[test]
    fn an_empty_list_allows_only_what_is_always_allowed() {
        let none = Scopes::default();
        let allowed: Vec<_> = Action::ALL.iter().filter(|a| none.allow(**a)).map(|a| a.slug()).collect();
        assert_eq!(allowed, ["auth.whoami", "auth.logout", "mcp.use", "oauth.consent"]);
    }

    fn any_scope() -> impl Strategy<Value = Scope> {
        let mut texts = vec!["*".to_owned()];
        for action in Action::ALL {
            let slug = action.slug();
            texts.push(slug.to_owned());
            texts.extend(slug.match_indices('.').map(|(at, _)| format!("{}.*", &slug[..at])));
        }
        prop::sample::select(texts).prop_map(|text| scope(&text))
    }

    fn any_list() -> impl Strategy<Value = Scopes> {
        prop::collection::vec(any_scope(), 0..5).prop_map(Scopes)
    }

    proptest! {
        #[test]
        fn an_intersection_allows_exactly_what_both_allow(a in any_list(), b in any_list()) {
            let both = a.intersection(&b);
            for action in Action::ALL.iter().filter(|action| !action.is_implied()) {
                prop_assert_eq!(both.allow(*action), a.allow(*action) && b.allow(*action), "{}", action.slug());
            }
        }

        #[test]
        fn covering_means_allowing_all_that_the_other_allows(a in any_scope(), b in any_scope()) {
            if a.covers(&b) {
                for action in Action::ALL {
                    prop_assert!(!b.allows(*action) || a.allows(*action));
                }
            }
        }

        #[test]
        fn any_text_is_read_without_panic_and_what_is_read_is_kept(text in ".{0,70}") {
            if let Ok(scope) = Scope::parse(&text) {
                let list = Scopes(vec![scope]);
                prop_assert_eq!(Scopes::from_stored(&list.stored()), list);
            }
        }
    }
}
