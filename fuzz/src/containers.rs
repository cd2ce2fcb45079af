//! The names of containers, and the output of containers and their runtimes.

use taosd::containers::{
    ContainerName, ContainerPath, EnvKey, EnvValue, ImageName, LogLimits, SnapshotName, parse_bytes,
};
use taosd::fuzzing;

use super::text;

/// The end of a console stays within its bounds, and nothing in it moves a terminal's cursor.
pub fn console(data: &[u8]) {
    for (more, lines, bytes) in [(false, 10, 200), (true, 2, 1000), (false, 0, 0), (true, 1000, 10)] {
        let logs = fuzzing::console(data, more, LogLimits { lines, bytes });
        assert!(logs.lines <= lines && logs.text.len() <= bytes && logs.text.lines().count() == logs.lines);
        assert!(!logs.text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
    }
    let line = fuzzing::one_line(&String::from_utf8_lossy(data), 40);
    assert!(line.len() <= 40 && !line.contains(char::is_control));
}

/// An accepted name is unchanged, and safe in a path and an argument list.
pub fn container_name(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let safe = |name: &str| {
        assert!(name == text && !name.is_empty() && !name.starts_with('-'));
        assert!(!name.contains(|c: char| c.is_control()) && !name.split('/').any(|part| part == ".."));
    };
    if let Ok(name) = ContainerName::parse(text) {
        safe(name.as_str());
        assert!(name.as_str().len() <= 63 && !name.as_str().contains(['/', '.']));
    }
    if let Ok(name) = SnapshotName::parse(text) {
        safe(name.as_str());
    }
    if let Ok(name) = ImageName::parse(text) {
        safe(name.as_str());
    }
    if let Ok(path) = ContainerPath::parse(text) {
        safe(path.as_str());
        assert!(path.as_str().starts_with('/') && path.as_str() != "/");
    }
    if let Ok(key) = EnvKey::parse(text) {
        safe(key.as_str());
        assert!(!key.as_str().contains('='));
    }
    for made in [ContainerName::for_agent(text), ContainerName::archived(text)].into_iter().flatten() {
        assert!(made.is_ours() && ContainerName::parse(made.as_str()) == Ok(made));
    }
    if let Some(bytes) = parse_bytes(text) {
        assert_eq!(parse_bytes(&bytes.to_string()), Some(bytes));
    }
}

/// A configuration is kept line by line. A variable reads back as set, and no other line changes.
pub fn lxc(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let written = fuzzing::lxc_config(text);
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    assert_eq!(written, format!("{text}{end}"));
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    if let Some((key, value)) = first.split_once('=')
        && let (Ok(key), Ok(value)) = (EnvKey::parse(key), EnvValue::parse(value))
    {
        let (changed, found) = fuzzing::lxc_config_with(rest, key.as_str(), value.reveal());
        assert_eq!(found.as_deref(), Some(value.reveal()));
        assert!(changed.lines().count() <= rest.lines().count() + 1);
        let ours = |line: &&str| !line.contains(key.as_str());
        assert!(changed.split_terminator('\n').filter(ours).eq(rest.split_terminator('\n').filter(ours)));
    }
    let _ = fuzzing::lxc_limits(text);
    let _ = fuzzing::lxc_row(text);
    for inside in [0, 1, 65_535, u32::MAX] {
        let _ = fuzzing::host_id(text, inside);
    }
}

/// An instance is returned only if its name follows our rule. The path of an operation contains only its id.
pub fn lxd(data: &[u8]) {
    if let Some(state) = fuzzing::instance(data) {
        assert!(ContainerName::parse(state.name.as_str()).is_ok());
        assert!(state.ip.is_none_or(|ip| ip.parse::<std::net::IpAddr>().is_ok_and(|ip| !ip.is_loopback())));
    }
    let Some(text) = text(data) else { return };
    if let Some(path) = fuzzing::operation_path(text) {
        let id = path.strip_prefix("/1.0/operations/").expect("an operation");
        assert!(text.starts_with(&path) && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'));
    }
}
