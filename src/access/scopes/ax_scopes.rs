//! The scope words of the aX dialect, and the actions they stand for (aX contract, section 5). A word of a token never
//! gives more than the credential behind the token may do.

use super::scope::{InvalidScope, Scope, Scopes};
use crate::rest::action::Action;
use crate::rest::class::Class;

/// A scope word, the classes that know it, and its scopes.
struct ScopeWord {
    name: &'static str,
    classes: &'static [Class],
    scopes: &'static [&'static str],
}

const BOTH: &[Class] = &[Class::User, Class::Agent];
const USER: &[Class] = &[Class::User];
const AGENT: &[Class] = &[Class::Agent];
const ADMIN: &[Class] = &[Class::Admin];

const fn word(name: &'static str, classes: &'static [Class], scopes: &'static [&'static str]) -> ScopeWord {
    ScopeWord { name, classes, scopes }
}

/// The six broad words of a class, then the finer ones. A word whose meaning differs by class has a row for each.
const WORDS: &[ScopeWord] = &[
    word("messages", BOTH, &["messages.*"]),
    word("tasks", BOTH, &["tasks.*"]),
    word("context", BOTH, &["context.*", "uploads.*"]),
    word(
        "agents",
        USER,
        &[
            "agents.list",
            "agents.read",
            "agents.presence",
            "agents.create",
            "agents.update",
            "agents.delete",
            "agents.place",
        ],
    ),
    word("agents", AGENT, &["agents.list", "agents.read", "agents.presence"]),
    word("spaces", USER, &["spaces.*"]),
    word("spaces", AGENT, &["spaces.list", "spaces.read"]),
    word("search", BOTH, &["messages.search"]),
    word("knowledge", BOTH, &["knowledge.read"]),
    word("notify", BOTH, &["ui.notify"]),
    word("messages:read", BOTH, &["messages.list", "messages.read", "messages.search", "messages.mark"]),
    word("messages:write", BOTH, &["messages.send", "messages.edit", "messages.delete", "messages.mark"]),
    word("tasks:read", BOTH, &["tasks.list", "tasks.read"]),
    word("tasks:write", BOTH, &["tasks.create", "tasks.update"]),
    word("context:read", BOTH, &["context.list", "context.read"]),
    word("context:write", BOTH, &["context.write", "context.delete", "uploads.create", "uploads.delete"]),
    word("agents:read", BOTH, &["agents.list", "agents.read", "agents.presence"]),
    word("agents:write", USER, &["agents.create", "agents.update", "agents.delete", "agents.place"]),
    word("agents.create", ADMIN, &["agents.create", "agents.list", "agents.read", "agents.update"]),
    word("agents.bind", ADMIN, &["agents.create", "agents.list", "agents.read", "agents.update"]),
    word("credentials.issue.agent", ADMIN, &["credentials.issue", "credentials.list", "keys.create"]),
    word("credentials.revoke", ADMIN, &["credentials.revoke", "credentials.list"]),
    word("delegations.manage", ADMIN, &[]),
];

/// Words that only a key's scopes contain. Each stands for all words with the suffix beside it.
const API: &[(&str, &str)] = &[("api:read", ":read"), ("api:write", ":write")];

/// The scopes of a user's token without any word. It has the heartbeat because clients also send one with a user's
/// token, where it has no effect.
const USER_BASELINE: &[&str] = &[
    "auth.whoami",
    "spaces.list",
    "spaces.read",
    "events.read",
    "keys.*",
    "credentials.fingerprint",
    "agents.heartbeat",
];
/// The scopes of an agent's token without any word.
const AGENT_BASELINE: &[&str] = &[
    "auth.whoami",
    "spaces.list",
    "spaces.read",
    "agents.list",
    "agents.read",
    "agents.presence",
    "context.*",
    "uploads.*",
    "messages.search",
    "events.read",
    "agents.heartbeat",
    "agents.processing",
    "agents.profile",
    "credentials.fingerprint",
    "requests.create",
    "requests.read",
];
/// The scopes that every agent's key may have, whatever its issuer may do: what only agents do, and what the broad
/// words of a user's token leave out.
const AGENT_ALONE: &[&str] = &[
    "agents.heartbeat",
    "agents.processing",
    "agents.profile",
    "knowledge.read",
    "ui.notify",
    "requests.create",
    "requests.read",
];
/// What a program has only by a word that a person has ticked, though other tokens of its class have it without any. No
/// word gives a program keys.
const BY_CONSENT: &[&str] =
    &["keys.", "context.", "uploads.", "messages.", "agents.list", "agents.read", "agents.presence"];
/// The actions that make a key a manager's: one of them is enough.
const ADMIN_ACTIONS: &[Action] = &[Action::AgentsCreate, Action::CredentialsIssue, Action::CredentialsRevoke];

fn words_of(class: Class) -> impl Iterator<Item = &'static ScopeWord> {
    WORDS.iter().filter(move |word| word.classes.contains(&class))
}

fn find(class: Class, name: &str) -> Option<&'static ScopeWord> {
    words_of(class).find(|word| word.name == name)
}

fn scopes(texts: &[&'static str]) -> Scopes {
    Scopes::trusted(texts.iter().copied())
}

/// Words that a token for MCP clients gets by default and other tokens do not: without them half the tools would be
/// refused.
const FOR_MCP: &[&str] = &["knowledge", "notify"];

/// The scopes of a token of this class without any word.
fn baseline(class: Class) -> &'static [&'static str] {
    match class {
        Class::User => USER_BASELINE,
        Class::Agent => AGENT_BASELINE,
        Class::Admin => &["auth.whoami", "credentials.fingerprint"],
        Class::Key | Class::InQuery => &["credentials.fingerprint"],
    }
}

/// The scopes of a token of this class with these words, before its credential limits them. Unknown words are ignored.
pub fn power(class: Class, words: &str) -> Scopes {
    let of_words = words.split(' ').filter_map(|name| find(class, name)).flat_map(|word| word.scopes);
    Scopes::trusted(baseline(class).iter().chain(of_words).copied())
}

/// Every word that a key with these scopes may ask for in this class. `admin`: whether the key is a manager's.
fn held(class: Class, own: &Scopes, admin: bool) -> Vec<&'static str> {
    let holds = |word: &&ScopeWord| match class {
        Class::Admin => admin && (word.scopes.is_empty() || word.scopes.iter().any(|text| own.covers_text(text))),
        _ => word.scopes.iter().any(|text| own.overlaps(text)),
    };
    words_of(class).filter(holds).map(|word| word.name).collect()
}

/// Returns the words that an exchange gets which asks for `wanted`. If it asks for none, it gets the broad words that
/// the key holds. `for_mcp`: the token is for MCP clients, which also get the words of `FOR_MCP`.
///
/// # Errors
/// The refused words, which the class does not have or the key does not hold, and the words that may be asked for.
pub fn grant(
    class: Class,
    wanted: &str,
    own: &Scopes,
    admin: bool,
    for_mcp: bool,
) -> Result<String, (Vec<String>, Vec<&'static str>)> {
    let held = held(class, own, admin);
    if wanted.split_ascii_whitespace().next().is_none() {
        let is_default = |name: &&str| !name.contains(':') && (for_mcp || !FOR_MCP.contains(name));
        let broad: Vec<&str> = held.iter().copied().filter(is_default).collect();
        return if broad.is_empty() { Err((Vec::new(), held)) } else { Ok(broad.join(" ")) };
    }
    grant_of(&held, wanted)
}

/// Returns the granted words of `wanted`, out of `held`. If `wanted` is empty, the result is the broad words of `held`,
/// or all of them if none is broad.
///
/// # Errors
/// The refused words, and the words that may be asked for.
pub fn grant_of(held: &[&'static str], wanted: &str) -> Result<String, (Vec<String>, Vec<&'static str>)> {
    let asked: Vec<&str> = wanted.split_ascii_whitespace().collect();
    if asked.is_empty() {
        let broad: Vec<&str> = held.iter().copied().filter(|name| !name.contains(':')).collect();
        let granted = if broad.is_empty() { held.to_vec() } else { broad };
        return if granted.is_empty() { Err((Vec::new(), granted)) } else { Ok(granted.join(" ")) };
    }
    let refused: Vec<String> = asked.iter().filter(|name| !held.contains(name)).map(|name| shown(name)).collect();
    if !refused.is_empty() {
        return Err((refused, held.to_vec()));
    }
    let mut granted: Vec<&str> = Vec::new();
    for name in asked {
        if !granted.contains(&name) {
            granted.push(name);
        }
    }
    Ok(granted.join(" "))
}

/// A word from a request, shortened for the error text.
fn shown(word: &str) -> String {
    word.chars().filter(|c| !c.is_control() && *c != '\'').take(64).collect()
}

/// All words that a person may grant to a program, the broad ones first. A manager's words are not among them.
pub fn of_programs() -> Vec<&'static str> {
    let mut all: Vec<&str> = Vec::new();
    for word in WORDS.iter().filter(|word| !word.classes.contains(&Class::Admin)) {
        if !all.contains(&word.name) {
            all.push(word.name);
        }
    }
    all
}

/// The words that a holder of `own` may grant to a program in this class.
pub fn consentable(class: Class, own: &Scopes) -> Vec<&'static str> {
    held(class, own, false)
}

/// The words of a token that its credential still covers.
pub fn left_of(class: Class, words: &str, own: &Scopes) -> String {
    let held = held(class, own, true);
    words.split(' ').filter(|word| held.contains(word)).collect::<Vec<_>>().join(" ")
}

/// The scopes of a program that got these words from a holder of `own`: never more than `own`, and nothing that a person
/// could have ticked and did not.
pub fn given_to_program(class: Class, words: &str, own: &Scopes) -> Scopes {
    let of_words = words.split(' ').filter_map(|name| find(class, name)).flat_map(|word| word.scopes);
    let base = baseline(class).iter().filter(|text| !BY_CONSENT.iter().any(|start| text.starts_with(start)));
    Scopes::trusted(base.chain(of_words).copied()).intersection(own)
}

/// The word that a token of this class needs for an action; the finest that covers it.
pub fn needed(class: Class, action: Action) -> &'static str {
    let covering = |word: &&ScopeWord| scopes(word.scopes).covers_text(action.slug());
    let fits: Vec<_> = words_of(class).filter(covering).collect();
    fits.iter().min_by_key(|word| word.scopes.len() + usize::from(!word.name.contains(':')) * 10).map_or_else(
        // No word of this class covers it: name another class's word that does.
        || WORDS.iter().find(covering).map_or(action.slug(), |word| word.name),
        |word| word.name,
    )
}

/// The words that a program in this class has with these scopes, and the finest one that it lacks for an action; `None`
/// if no word covers the action. A fine word is left out if its broad word is there.
pub fn words_with(class: Class, own: &Scopes, action: Action) -> Option<Vec<&'static str>> {
    let lacked = needed(class, action);
    find(class, lacked).filter(|word| scopes(word.scopes).covers_text(action.slug()))?;
    let is_had = |word: &&ScopeWord| word.scopes.iter().all(|text| own.covers_text(text));
    let had: Vec<&str> = words_of(class).filter(is_had).map(|word| word.name).collect();
    let is_broad = |name: &&str| name.split_once(':').is_none_or(|(broad, _)| !had.contains(&broad));
    Some(had.iter().copied().filter(is_broad).chain([lacked]).collect())
}

/// Parses a key's explicit scopes: words of its class, or scopes in the general form. The flag is true if one of them
/// is a manager's.
///
/// # Errors
/// The first entry that is neither a word nor a scope.
pub fn parse<'a>(class: Class, entries: impl IntoIterator<Item = &'a str>) -> Result<(Scopes, bool), InvalidScope> {
    let (mut all, mut admin) = (Vec::new(), false);
    for entry in entries {
        let api = API.iter().find(|(name, _)| *name == entry).map(|(_, suffix)| *suffix);
        if let Some(suffix) = api {
            let fine = words_of(class).filter(|word| word.name.ends_with(suffix));
            all.extend(fine.flat_map(|word| word.scopes).map(|text| (*text).to_owned()));
        } else if let Some(word) = find(class, entry) {
            all.extend(word.scopes.iter().map(|text| (*text).to_owned()));
        } else if let Some(word) = find(Class::Admin, entry).filter(|_| class == Class::User) {
            admin = true;
            all.extend(word.scopes.iter().map(|text| (*text).to_owned()));
        } else {
            let scope = Scope::parse(entry)?;
            admin |= class == Class::User && ADMIN_ACTIONS.iter().any(|action| scope.allows(*action));
            all.push(entry.to_owned());
        }
    }
    all.sort();
    all.dedup();
    Ok((Scopes::parse(all.iter().map(String::as_str))?, admin))
}

/// True if these scopes cover one of a manager's actions.
pub fn is_admin(own: &Scopes) -> bool {
    ADMIN_ACTIONS.iter().any(|action| own.allow(*action))
}

/// The default scopes of an agent's key: those of an agent at work, as far as its issuer has them.
pub fn agent_default(issuer: &Scopes) -> Scopes {
    let of_words = words_of(Class::Agent).flat_map(|word| word.scopes);
    let all = Scopes::trusted(AGENT_BASELINE.iter().chain(of_words).copied());
    all.intersection(&issuer_of_agents(issuer))
}

/// The scopes of a new agent: the default, as far as its issuer has them, and the right to ask for more.
pub fn of_new_agent(issuer: &Scopes) -> Scopes {
    Scopes::agent_default().intersection(&issuer.union(&scopes(&["requests.create", "requests.read"])))
}

/// The scopes that an issuer may give to an agent: its own, and those that every agent may have.
pub fn issuer_of_agents(issuer: &Scopes) -> Scopes {
    issuer.union(&scopes(AGENT_ALONE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_name_the_words_that_programs_can_have() {
        assert_eq!(of_programs(), crate::config::WORDS);
    }

    #[test]
    fn every_scope_of_the_tables_is_one() {
        for word in WORDS {
            assert!(Scopes::parse(word.scopes.iter().copied()).is_ok(), "{}", word.name);
        }
        for list in [USER_BASELINE, AGENT_BASELINE, AGENT_ALONE] {
            assert!(Scopes::parse(list.iter().copied()).is_ok());
        }
    }

    #[test]
    fn a_program_has_nothing_that_was_not_ticked() {
        for class in [Class::User, Class::Agent] {
            let own = Scopes::trusted(["*"]);
            let program = given_to_program(class, "tasks:read", &own);
            let words = words_of(class).filter(|word| !["tasks", "tasks:read", "spaces"].contains(&word.name));
            for text in words.flat_map(|word| word.scopes) {
                assert!(!program.overlaps(text), "{class:?}: {text}");
            }
            assert!(program.allow(Action::TasksRead) && program.allow(Action::AuthWhoami));
            assert!(given_to_program(class, "context", &own).covers_text("uploads.create"));
        }
    }

    #[test]
    fn no_word_of_an_agent_creates_agents_spaces_keys_or_credentials() {
        let words: Vec<&str> = words_of(Class::Agent).map(|word| word.name).collect();
        let power = power(Class::Agent, &words.join(" "));
        for action in [
            Action::AgentsCreate,
            Action::AgentsUpdate,
            Action::AgentsDelete,
            Action::AgentsTokenIssue,
            Action::SpacesCreate,
            Action::KeysCreate,
            Action::CredentialsIssue,
            Action::UsersTokenIssue,
            Action::UsersCreate,
        ] {
            assert!(!power.allow(action), "{}", action.slug());
        }
    }

    #[test]
    fn an_exchange_gets_the_words_it_asks_for_and_no_others() {
        let all = Scopes::all();
        assert_eq!(grant(Class::User, "messages tasks messages", &all, false, false), Ok("messages tasks".into()));
        let six = "messages tasks context agents spaces search";
        assert_eq!(grant(Class::User, "", &all, false, false), Ok(six.into()));
        assert_eq!(grant(Class::User, "", &all, false, true), Ok(format!("{six} knowledge notify")));
        let (refused, allowed) = grant(Class::Admin, "messages agents.create", &all, true, false).unwrap_err();
        assert_eq!(refused, ["messages"]);
        assert!(allowed.contains(&"agents.create"));
        let narrow = Scopes::parse(["messages.read"]).unwrap();
        assert_eq!(grant(Class::User, "", &narrow, false, false), Ok("messages".into()));
        assert!(grant(Class::User, "tasks", &narrow, false, false).is_err());
        assert!(grant(Class::Admin, "", &all, false, false).is_err());
    }

    #[test]
    fn a_refusal_names_the_finest_word_that_would_do() {
        assert_eq!(needed(Class::User, Action::MessagesSend), "messages:write");
        assert_eq!(needed(Class::Admin, Action::CredentialsIssue), "credentials.issue.agent");
        assert_eq!(needed(Class::Admin, Action::MessagesSend), "messages");
        assert_eq!(needed(Class::User, Action::CredentialsIssue), "credentials.issue.agent");
    }

    #[test]
    fn a_program_is_told_the_words_it_has_and_the_one_it_lacks() {
        let own =
            Scopes::parse(["messages.list", "messages.read", "messages.search", "messages.mark", "tasks.*"]).unwrap();
        let words = words_with(Class::User, &own, Action::MessagesSend);
        assert_eq!(words, Some(vec!["tasks", "search", "messages:read", "messages:write"]));
        assert_eq!(words_with(Class::Agent, &own, Action::CredentialsIssue), None);
    }

    #[test]
    fn an_agents_key_never_exceeds_its_issuer() {
        assert!(agent_default(&Scopes::all()).allow(Action::MessagesSend));
        let narrow = agent_default(&Scopes::parse(["credentials.*", "tasks.read"]).unwrap());
        assert!(narrow.allow(Action::TasksRead) && narrow.allow(Action::AgentsHeartbeat));
        assert!(!narrow.allow(Action::MessagesSend) && !narrow.allow(Action::TasksCreate));
    }

    #[test]
    fn keys_take_words_and_scopes_alike() {
        let (scopes, admin) = parse(Class::User, ["messages:read", "agents.read"]).unwrap();
        assert!(!admin && scopes.allow(Action::MessagesList) && scopes.allow(Action::AgentsRead));
        assert!(parse(Class::User, ["credentials.issue.agent"]).unwrap().1);
        assert!(parse(Class::User, ["*"]).unwrap().1);
        assert!(parse(Class::User, ["nothing:read"]).is_err());
        let (read, _) = parse(Class::Agent, ["api:read"]).unwrap();
        assert!(read.allow(Action::TasksList) && !read.allow(Action::TasksCreate));
    }
}
