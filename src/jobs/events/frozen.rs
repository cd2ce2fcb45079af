//! The notices to people whose agents were frozen or thawed.

use std::collections::BTreeMap;

use super::notifier::Notice;
use crate::store::agents::Freezable;
use crate::store::notifications::Level;

/// The most names that one notice lists.
const NAMED: usize = 20;
/// The topic of these notices.
const TOPIC: &str = "freeze";

/// Returns one notice for each owner of agents that were frozen or thawed.
pub fn notices(agents: &[Freezable], frozen: bool, by: &str, reason: &str) -> Vec<(String, Notice)> {
    let mut owners: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for agent in agents {
        owners.entry(&agent.owner_user_id).or_default().push(&agent.slug);
    }
    let state = if frozen { "frozen" } else { "thawed" };
    owners
        .into_iter()
        .map(|(owner, names)| {
            let (title, page) = match names.as_slice() {
                [one] => (format!("Agent {one} is {state}"), format!("/ui/agents/{one}")),
                all => (format!("{} agents are {state}", all.len()), "/ui/agents".to_owned()),
            };
            let mut message = if reason.is_empty() { format!("By {by}.") } else { format!("By {by}: {reason}") };
            if names.len() > 1 {
                let shown: Vec<&str> = names.iter().take(NAMED).copied().collect();
                let more = names.len().saturating_sub(NAMED);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                message = format!("{message}\n\n{}{more}", shown.join(", "));
            }
            let level = if frozen { Level::High } else { Level::Normal };
            (owner.to_owned(), Notice { level, title, message, page: page.into(), topic: Some(TOPIC) })
        })
        .collect()
}
