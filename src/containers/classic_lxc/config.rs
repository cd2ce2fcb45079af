//! A container's configuration file as text. Setting a value replaces its lines exactly, and every other line stays as
//! it is.

use std::path::PathBuf;

use crate::containers::parse_bytes;

/// The longest configuration that is read, in bytes.
pub(crate) const MAX_CONFIG: u64 = 1024 * 1024;
const ENVIRONMENT: &str = "lxc.environment";
/// The prefix of the daemon's own notes, which are comments to LXC.
const NOTE: &str = "# taosd.";
/// The name of the notes of mounts, without their number.
const MOUNT: &str = "mount";
/// The most network cards that are read.
const MAX_CARDS: usize = 8;
/// The period of the processor quota, in microseconds.
const CPU_PERIOD: u64 = 100_000;

/// The lines of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LxcConfig {
    lines: Vec<String>,
}

impl LxcConfig {
    pub(crate) fn parse(text: &str) -> Self {
        // Not `lines`: a carriage return is part of its line.
        Self { lines: text.split_terminator('\n').map(str::to_owned).collect() }
    }

    pub(crate) fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// The last value of a key, which is the effective one for a key that may occur once.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.values(key).pop()
    }

    /// All values of a key, in order.
    pub(crate) fn values(&self, key: &str) -> Vec<&str> {
        let entries = self.lines.iter().filter_map(|line| entry(line));
        entries.filter(|(k, _)| *k == key).map(|(_, value)| value).collect()
    }

    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.replace(|line| entry(line).is_some_and(|(k, _)| k == key), Some(format!("{key} = {value}")));
    }

    /// Adds a value of a key that may occur several times.
    pub(crate) fn add(&mut self, key: &str, value: &str) {
        self.lines.push(format!("{key} = {value}"));
    }

    /// The value of an environment variable that is set here; the last line counts.
    pub(crate) fn env(&self, key: &str) -> Option<&str> {
        let mut pairs = self.values(ENVIRONMENT).into_iter().filter_map(|value| value.split_once('='));
        pairs.rfind(|(k, _)| *k == key).map(|(_, value)| value)
    }

    pub(crate) fn set_env(&mut self, key: &str, value: Option<&str>) {
        let this = |line: &str| entry(line).is_some_and(|(k, v)| k == ENVIRONMENT && variable(v) == key);
        self.replace(this, value.map(|value| format!("{ENVIRONMENT} = {key}={value}")));
    }

    /// The value of one of the daemon's own notes.
    pub(crate) fn note(&self, key: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| note(line).filter(|(k, _)| *k == key)).map(|(_, value)| value)
    }

    pub(crate) fn set_note(&mut self, key: &str, value: Option<&str>) {
        self.replace(
            |line| note(line).is_some_and(|(k, _)| k == key),
            value.map(|value| format!("{NOTE}{key} = {value}")),
        );
    }

    /// Puts the line in the place of the first match (or at the end), and removes the other matches.
    fn replace(&mut self, matches: impl Fn(&str) -> bool, line: Option<String>) {
        let at = self.lines.iter().position(|line| matches(line)).unwrap_or(self.lines.len());
        self.lines.retain(|line| !matches(line));
        if let Some(line) = line {
            self.lines.insert(at, line);
        }
    }

    /// In every value that is a path below folder `from`, replaces that folder with `to`.
    pub(crate) fn move_paths(&mut self, from: &str, to: &str) {
        let (from, to) = (format!("{from}/"), format!("{to}/"));
        for line in &mut self.lines {
            let Some((key, value)) = entry(line) else { continue };
            let path = value.strip_prefix("dir:").unwrap_or(value);
            if key.starts_with("lxc.") && path.starts_with(&from) {
                *line = format!("{key} = {}", value.replacen(&from, &to, 1));
            }
        }
    }

    /// Sets the limits for both versions of control groups: LXC uses those that the host has.
    pub(crate) fn set_limits(&mut self, memory_bytes: Option<u64>, cpus: Option<u32>) {
        if let Some(bytes) = memory_bytes {
            self.set("lxc.cgroup.memory.limit_in_bytes", &bytes.to_string());
            self.set("lxc.cgroup2.memory.max", &bytes.to_string());
        }
        if let Some(cpus) = cpus {
            let quota = u64::from(cpus) * CPU_PERIOD;
            self.set("lxc.cgroup.cpu.cfs_period_us", &CPU_PERIOD.to_string());
            self.set("lxc.cgroup.cpu.cfs_quota_us", &quota.to_string());
            self.set("lxc.cgroup2.cpu.max", &format!("{quota} {CPU_PERIOD}"));
        }
    }

    /// The host's ends of its network cards: bridges and ends of `veth` pairs.
    pub(crate) fn links(&self) -> Vec<String> {
        let cards = (0..MAX_CARDS).filter(|nth| self.get(&format!("lxc.net.{nth}.type")) == Some("veth"));
        let ends = cards.flat_map(|nth| [format!("lxc.net.{nth}.link"), format!("lxc.net.{nth}.veth.pair")]);
        ends.filter_map(|key| self.get(&key).map(str::to_owned)).collect()
    }

    /// Notes a folder of the host that is mounted in the container.
    pub(crate) fn note_mount(&mut self, nth: usize, source: &str) {
        self.set_note(&format!("{MOUNT}{nth}"), Some(source));
    }

    /// The folders that [`LxcConfig::note_mount`] has noted.
    pub(crate) fn mounts(&self) -> Vec<PathBuf> {
        let notes = self.lines.iter().filter_map(|line| note(line));
        notes.filter(|(key, _)| key.starts_with(MOUNT)).map(|(_, source)| source.into()).collect()
    }

    pub(crate) fn memory_limit(&self) -> Option<u64> {
        let limit = self.get("lxc.cgroup2.memory.max").or_else(|| self.get("lxc.cgroup.memory.limit_in_bytes"));
        parse_bytes(limit?)
    }

    /// The processor quota in whole processors, rounded up.
    pub(crate) fn cpus(&self) -> Option<u32> {
        let (quota, period) = self.get("lxc.cgroup2.cpu.max")?.split_once(' ')?;
        let (quota, period): (u64, u64) = (quota.parse().ok()?, period.trim().parse().ok()?);
        if period == 0 { None } else { u32::try_from(quota.div_ceil(period)).ok() }
    }
}

/// The `key = value` of a line that is neither empty nor a comment. Like LXC, it strips blanks and one pair of quotes.
fn entry(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let (key, value) = line.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let quoted = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    Some((key, quoted('"').or_else(|| quoted('\'')).unwrap_or(value)))
}

fn note(line: &str) -> Option<(&str, &str)> {
    line.trim_end_matches('\r').strip_prefix(NOTE)?.split_once(" = ")
}

fn variable(value: &str) -> &str {
    value.split_once('=').map_or(value, |(key, _)| key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAMPLE: &str = "# by hand\nlxc.include = /usr/share/x\n\nlxc.environment = A=1\n lxc.environment=B=2\nodd line\n\
                          lxc.environment = A=3\nlxc.rootfs.path = dir:/var/lib/lxc/one/rootfs\n";

    #[test]
    fn a_variable_is_replaced_in_place_and_its_doubles_go() {
        let mut config = LxcConfig::parse(SAMPLE);
        assert_eq!(config.env("A"), Some("3"));
        config.set_env("A", Some("x = \"y\" # z"));
        assert_eq!(config.env("A"), Some("x = \"y\" # z"));
        assert_eq!(config.text().matches("A=").count(), 1);
        assert!(config.text().starts_with("# by hand\nlxc.include = /usr/share/x\n\nlxc.environment = A=x"));
        config.set_env("A", None);
        assert_eq!((config.env("A"), config.env("B")), (None, Some("2")));
        assert!(config.text().contains("odd line\n"));
    }

    #[test]
    fn a_variable_is_not_taken_for_one_that_begins_like_it() {
        let mut config = LxcConfig::parse("lxc.environment = AB=1\n");
        config.set_env("A", Some("2"));
        assert_eq!((config.env("A"), config.env("AB")), (Some("2"), Some("1")));
    }

    #[test]
    fn paths_move_with_their_folder_and_no_further() {
        let mut config =
            LxcConfig::parse("lxc.rootfs.path = dir:/l/one/rootfs\nlxc.console.logfile = /l/one-two/log\n");
        config.move_paths("/l/one", "/l/new");
        assert_eq!(config.get("lxc.rootfs.path"), Some("dir:/l/new/rootfs"));
        assert_eq!(config.get("lxc.console.logfile"), Some("/l/one-two/log"));
    }

    #[test]
    fn limits_read_back() {
        let mut config = LxcConfig::parse("");
        config.set_limits(Some(64 << 20), Some(3));
        assert_eq!((config.memory_limit(), config.cpus()), (Some(64 << 20), Some(3)));
    }

    #[test]
    fn a_note_is_a_comment() {
        let mut config = LxcConfig::parse(SAMPLE);
        config.set_note("owner", Some("id1"));
        config.set_note("owner", Some("id2"));
        assert_eq!(config.note("owner"), Some("id2"));
        assert!(config.text().contains("# taosd.owner = id2\n"));
    }

    proptest! {
        #[test]
        fn lines_that_are_not_ours_survive(text in "(([a-z.# =\"']{0,20}|lxc\\.environment = [A-C]=[a-z]{0,3})\n){0,12}") {
            let before = LxcConfig::parse(&text);
            let mut after = before.clone();
            after.set_env("A", Some("new value"));
            prop_assert_eq!(after.env("A"), Some("new value"));
            prop_assert_eq!(after.env("B"), before.env("B"));
            let others = |config: &LxcConfig| -> Vec<String> {
                config.lines.iter().filter(|l| entry(l).is_none_or(|(k, v)| k != ENVIRONMENT || variable(v) != "A")).cloned().collect()
            };
            prop_assert_eq!(others(&after), others(&before));
        }

        #[test]
        fn no_file_makes_it_panic(text in "[\\PC\n]{0,200}") {
            let mut config = LxcConfig::parse(&text);
            let _ = (config.env("A"), config.memory_limit(), config.cpus(), config.note("owner"));
            config.move_paths("/a", "/b");
            config.set_limits(Some(1), Some(1));
            prop_assert_eq!(LxcConfig::parse(&config.text()), config);
        }
    }
}
