//! The models and where they run: the optional `[models]` table of `taosd.toml`.

use std::collections::BTreeSet;

use serde_json::json;

use crate::config::Models;
use crate::rest::codes;
use crate::rest::error::ApiError;

/// Where a model would run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// On this box.
    Controller,
    /// At a provider.
    Cloud,
    /// On a worker.
    Worker,
}

impl Location {
    /// Returns the location's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Cloud => "cloud",
            Self::Worker => "worker",
        }
    }
}

/// Returns a name as it is compared: in lower case, with `:` and `_` as `-`.
fn normal(name: &str) -> String {
    name.to_lowercase().replace([':', '_'], "-")
}

/// Returns the worker of a `target_worker`, without a group of the node's machines (`NODE/@GROUP`).
pub fn worker(target: &str) -> &str {
    target.split_once("/@").map_or(target, |(node, _)| node)
}

/// Returns where `model` would run for an agent pinned to `worker`; `None` if the settings have no table.
///
/// # Errors
/// `model_not_reachable`, `model_not_on_worker`.
pub fn locate(models: &Models, model: &str, worker: Option<&str>) -> Result<Option<Location>, ApiError> {
    let Some(table) = models else { return Ok(None) };
    let wanted = normal(model);
    let hosts: BTreeSet<&str> = table
        .iter()
        .filter(|(name, _)| normal(name) == wanted)
        .flat_map(|(_, hosts)| hosts.iter().map(String::as_str))
        .collect();
    let refuse = |code| {
        Err(ApiError::new(code)
            .with("model", model)
            .with("pinned_worker", json!(worker))
            .with("available_on", json!(hosts)))
    };
    match worker {
        _ if hosts.is_empty() => refuse(codes::MODEL_NOT_REACHABLE),
        Some(worker) if hosts.contains(worker) => Ok(Some(Location::Worker)),
        Some(_) => refuse(codes::MODEL_NOT_ON_WORKER),
        None if hosts.contains("controller") => Ok(Some(Location::Controller)),
        None if hosts.iter().any(|host| *host != "cloud") => Ok(Some(Location::Worker)),
        None => Ok(Some(Location::Cloud)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models() -> Models {
        let hosts = |list: &[&str]| list.iter().map(|h| (*h).to_owned()).collect();
        Some([("Qwen2.5:7b".into(), hosts(&["w1", "controller"])), ("gpt".into(), hosts(&["cloud"]))].into())
    }

    #[test]
    fn names_match_whole_in_any_spelling_of_their_separators() {
        assert_eq!(locate(&models(), "qwen2.5_7B", None).unwrap(), Some(Location::Controller));
        assert_eq!(locate(&models(), "gpt", None).unwrap(), Some(Location::Cloud));
        assert_eq!(locate(&models(), "qwen2.5", None).unwrap_err().code, codes::MODEL_NOT_REACHABLE);
    }

    #[test]
    fn a_pinned_agent_needs_its_own_worker() {
        assert_eq!(locate(&models(), "qwen2.5:7b", Some("w1")).unwrap(), Some(Location::Worker));
        let error = locate(&models(), "qwen2.5:7b", Some("w2")).unwrap_err();
        assert_eq!(error.code, codes::MODEL_NOT_ON_WORKER);
        assert_eq!(error.extra["available_on"], json!(["controller", "w1"]));
    }

    #[test]
    fn without_a_table_nothing_is_checked() {
        assert_eq!(locate(&None, "anything", Some("w")).unwrap(), None);
    }
}
