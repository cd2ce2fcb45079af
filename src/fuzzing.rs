//! Access for the fuzz targets to parsers that are private to their modules. Nothing else uses these functions, and
//! they may change at any time.

#![allow(missing_docs, reason = "each says what it leads to by its name")]

pub use crate::access::lookup::agentex::presented as presented_by_agentex;
pub use crate::api::agents::name::{display_name, given_name, is_slug, slug_of};
pub use crate::api::ax::mentions::names as mentioned_names;
use crate::api::engine::paging;
pub use crate::api::mcp::protocol as mcp;
use crate::api::oauth;
use crate::api::taos::{docs, notify};
use crate::config::{Config, ConfigError};
use crate::containers::classic_lxc::inside::IdMap;
use crate::containers::classic_lxc::{Row, config::LxcConfig};
use crate::containers::incus_lxd::rest;
use crate::containers::incus_lxd::wire::Instance;
use crate::containers::{ContainerName, ContainerState, LogLimits, Logs, text};
pub use crate::jobs::endpoints::acp_url::AcpUrl;
use crate::time::Micros;

/// Encodes a cursor of a list.
pub fn cursor(list: &str, at: Micros, id: &str) -> String {
    paging::encode(list, at, id)
}

pub fn read_cursor(cursor: &str, list: &str) -> Option<(Micros, String)> {
    paging::decode(cursor, list)
}

/// The value of a form field, as the authorization server reads it from any text.
pub fn oauth_form(text: &str, name: &str) -> Option<String> {
    oauth::form_value(text, name)
}

pub fn oauth_encoded(text: &str) -> String {
    oauth::form_encoded(text)
}

pub fn oauth_basic(encoded: &str) -> Option<(String, String)> {
    oauth::basic_pair(encoded)
}

pub fn is_redirect(uri: &str) -> bool {
    oauth::is_redirect(uri)
}

pub fn is_context_key(key: &str) -> bool {
    crate::api::ax::context::key(key).is_ok()
}

pub fn is_action_url(url: &str) -> bool {
    notify::is_action_url(url)
}

pub fn wants_html(accept: &str) -> bool {
    docs::wants_html(accept)
}

/// Parses a `taosd.toml`.
///
/// # Errors
/// [`ConfigError`], if the text is not a valid configuration.
pub fn config(text: &str) -> Result<Config, ConfigError> {
    Config::of_text(text)
}

/// Parses a container's configuration file and writes it again.
pub fn lxc_config(text: &str) -> String {
    LxcConfig::parse(text).text()
}

/// Parses a container's configuration file and sets a variable. Returns the new text, and the value of the variable in
/// it.
pub fn lxc_config_with(text: &str, key: &str, value: &str) -> (String, Option<String>) {
    let mut config = LxcConfig::parse(text);
    config.set_env(key, Some(value));
    let again = LxcConfig::parse(&config.text());
    (config.text(), again.env(key).map(str::to_owned))
}

/// The process and the MiB of memory in the output of `lxc-info`.
pub fn lxc_row(told: &str) -> Option<(Option<u32>, Option<u64>)> {
    let row = Row::of(ContainerName::parse("a").ok()?, told);
    Some((row.pid, row.memory_mb))
}

/// The limits in a container's configuration file: bytes of memory, number of processors.
pub fn lxc_limits(text: &str) -> (Option<u64>, Option<u32>) {
    let config = LxcConfig::parse(text);
    (config.memory_limit(), config.cpus())
}

/// The id on the host for an id inside the container, by the rows of `lxc.idmap`.
pub fn host_id(map: &str, inside: u32) -> Option<u32> {
    IdMap::parse(map).host(inside).ok()
}

/// The log lines from a container's raw console output.
pub fn console(raw: &[u8], more: bool, limits: LogLimits) -> Logs {
    text::tail(raw, more, limits)
}

/// A message of the runtime as one line of at most `max` bytes.
pub fn one_line(message: &str, max: usize) -> String {
    text::one_line(message, max)
}

/// The state of an instance, from the JSON of LXD or Incus.
pub fn instance(json: &[u8]) -> Option<ContainerState> {
    serde_json::from_slice::<Instance>(json).ok()?.into_state()
}

/// The path of an operation, as LXD or Incus sends it.
pub fn operation_path(path: &str) -> Option<String> {
    rest::operation_path(path).ok()
}
