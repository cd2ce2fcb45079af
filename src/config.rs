//! What can be set: `taosd.toml`, `TAOSD_<KEY>` in the environment, flags; a flag beats the environment, which beats the
//! file (DESIGN section 3). Unknown keys refuse the start.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::{Table, Value};

mod ax;
mod containers;

pub use ax::{Ax, FingerprintPolicy};
pub use containers::{BindCredentials, Containers, Framework};

use crate::jobs::webhook::Endpoint;
use crate::limits::Limits;
use crate::secret::Plaintext;

/// Where the daemon listens when nothing is said.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 6969);
/// Bytes a Unix socket's path may have (unix(7): 108 with the final NUL).
const SOCKET_PATH_BYTES: usize = 107;

/// Models by name, each with the hosts that serve it; `None` where no table is set and nothing is checked.
pub type Models = Option<BTreeMap<String, Vec<String>>>;

/// The daemon's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// The operator's Unix socket.
    pub socket: PathBuf,
    /// Names for this machine that a browser may use, beside its own.
    pub allowed_hosts: Vec<String>,
    /// Every bound.
    pub limits: Limits,
    /// Which models there are, and where.
    pub models: Models,
    /// The container runtime, and what may be deployed.
    pub containers: Containers,
    /// Where what outlives a restart but not a reboot is kept: the signing keys.
    pub runtime_dir: PathBuf,
    /// What the aX dialect leaves to the operator.
    pub ax: Ax,
    /// Where notifications are delivered as well.
    pub webhook: Option<Arc<Endpoint>>,
}

/// What the command line says; `None` leaves it to the environment and the file.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--listen`, repeatable.
    pub listen: Vec<SocketAddr>,
    /// `--socket`.
    pub socket: Option<PathBuf>,
    /// `--containers`.
    pub containers: Option<String>,
    /// `--containers-socket`.
    pub containers_socket: Option<PathBuf>,
}

/// A setting that cannot be used. The text is one sentence for the person who set it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

fn wrong<T>(text: String) -> Result<T, ConfigError> {
    Err(ConfigError(text))
}

/// Where a key may be set, read in the order of precedence.
struct Sources<'a> {
    file: Table,
    file_name: String,
    env: &'a dyn Fn(&str) -> Option<String>,
}

impl Sources<'_> {
    /// The value of `key` as text, and where it was set.
    fn take(&mut self, key: &str) -> Option<(Value, String)> {
        let in_file = self.file.remove(key).map(|value| (value, format!("{key} in {}", self.file_name)));
        let name = format!("TAOSD_{}", key.to_uppercase());
        (self.env)(&name).map(|text| (Value::String(text), name)).or(in_file)
    }

    fn path(&mut self, key: &str) -> Result<Option<PathBuf>, ConfigError> {
        match self.take(key) {
            None => Ok(None),
            Some((Value::String(text), _)) if !text.is_empty() => Ok(Some(text.into())),
            Some((_, place)) => wrong(format!("{place} must be a path")),
        }
    }

    /// A list of texts; in the environment separated by commas.
    fn list(&mut self, key: &str) -> Result<Option<Vec<String>>, ConfigError> {
        let Some((value, place)) = self.take(key) else { return Ok(None) };
        let list = match value {
            Value::String(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
            Value::Array(values) => values
                .iter()
                .map(|value| value.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| ConfigError(format!("{place} must be a list of strings")))?,
            _ => return wrong(format!("{place} must be a list of strings")),
        };
        Ok(Some(list.into_iter().filter(|text| !text.is_empty()).collect()))
    }

    fn limit(&mut self, key: &str) -> Result<Option<u64>, ConfigError> {
        let Some((value, place)) = self.take(key) else { return Ok(None) };
        let number = match value {
            Value::Integer(n) => u64::try_from(n).ok(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        number.map(Some).ok_or_else(|| ConfigError(format!("{place} must be a whole number")))
    }
}

impl Config {
    /// Reads the process's environment and the file that `flags` or `TAOSD_CONFIG` names.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let env = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let file = flags.config.clone().or_else(|| env("TAOSD_CONFIG").map(PathBuf::from));
        let table = match &file {
            None => Table::new(),
            Some(path) => read_table(path)?,
        };
        let file_name = file.map_or_else(String::new, |path| path.display().to_string());
        Self::from_sources(flags, &mut Sources { file: table, file_name, env: &env })
    }

    /// Reads the text of a file alone, as on a machine without any variable but a home: for the fuzz targets.
    pub(crate) fn of_text(text: &str) -> Result<Self, ConfigError> {
        let file = text.parse().map_err(|error: toml::de::Error| ConfigError(error.to_string()))?;
        let env = |name: &str| (name == "HOME").then(|| "/home/taosd".to_owned());
        Self::from_sources(&Flags::default(), &mut Sources { file, file_name: "taosd.toml".into(), env: &env })
    }

    fn from_sources(flags: &Flags, sources: &mut Sources<'_>) -> Result<Self, ConfigError> {
        let from_sources = sources.path("data_dir")?;
        let data_dir = match flags.data_dir.clone().or(from_sources) {
            Some(dir) => dir,
            None => default_data_dir(sources.env)?,
        };
        let from_sources = sources.path("socket")?;
        let runtime = (sources.env)("RUNTIME_DIRECTORY").and_then(|dirs| first_dir(&dirs));
        let socket = flags
            .socket
            .clone()
            .or(from_sources)
            .unwrap_or_else(|| runtime.as_ref().unwrap_or(&data_dir).join("taosd.sock"));
        // The container runtime is another process with another working directory: it is told whole paths.
        let whole = |path: PathBuf| {
            std::path::absolute(&path).map_err(|error| ConfigError(format!("{}: {error}", path.display())))
        };
        let (data_dir, socket) = (whole(data_dir)?, whole(socket)?);
        let runtime_dir = match (runtime, socket.parent()) {
            (Some(dir), _) => dir,
            (None, Some(dir)) if !dir.as_os_str().is_empty() => dir.to_owned(),
            (None, _) => PathBuf::from("."),
        };
        if socket.as_os_str().len() > SOCKET_PATH_BYTES {
            return wrong(format!(
                "the socket path {} is longer than {SOCKET_PATH_BYTES} bytes; choose a shorter one with --socket",
                socket.display()
            ));
        }
        let from_sources = sources.list("listen")?;
        let listen = match (flags.listen.as_slice(), from_sources) {
            ([], None) => vec![DEFAULT_LISTEN],
            ([], Some(list)) => list.iter().map(|text| address(text)).collect::<Result<_, _>>()?,
            (given, _) => given.to_vec(),
        };
        let allowed_hosts = sources.list("allowed_hosts")?.unwrap_or_default();
        let mut limits = Limits::default();
        for key in Limits::KEYS {
            if let Some(value) = sources.limit(key.name)?
                && let Some(Err(why)) = limits.set(key.name, value)
            {
                return Err(ConfigError(why));
            }
        }
        let ax = Ax::from_sources(sources)?;
        let models = sources.file.remove("models").map(|value| models(&value)).transpose()?;
        let containers = Containers::from_sources(flags, sources)?;
        let webhook = sources.file.remove("webhook").map(|value| webhook(&value)).transpose()?.map(Arc::new);
        if let Some(key) = sources.file.keys().next() {
            return wrong(format!("{} has an unknown key: {key}", sources.file_name));
        }
        Ok(Self { data_dir, listen, socket, allowed_hosts, limits, models, containers, webhook, runtime_dir, ax })
    }
}

fn read_table(path: &Path) -> Result<Table, ConfigError> {
    let text = fs::read_to_string(path).map_err(|error| ConfigError(format!("{}: {error}", path.display())))?;
    text.parse().map_err(|error| ConfigError(format!("{}: {error}", path.display())))
}

fn address(text: &str) -> Result<SocketAddr, ConfigError> {
    text.parse().map_err(|_| ConfigError(format!("listen: {text} is not an ADDRESS:PORT")))
}

/// systemd may name several directories, separated by colons; the first is the one to use.
pub(crate) fn first_dir(dirs: &str) -> Option<PathBuf> {
    dirs.split(':').next().filter(|dir| !dir.is_empty()).map(PathBuf::from)
}

/// The data directory where none is named.
pub(crate) fn default_data_dir(env: &dyn Fn(&str) -> Option<String>) -> Result<PathBuf, ConfigError> {
    if let Some(dir) = env("STATE_DIRECTORY").and_then(|dirs| first_dir(&dirs)) {
        return Ok(dir);
    }
    if let Some(dir) = env("XDG_STATE_HOME") {
        return Ok(Path::new(&dir).join("taosd"));
    }
    match env("HOME") {
        Some(home) => Ok(Path::new(&home).join(".local/state/taosd")),
        None => wrong("there is no HOME to keep the data under; name a directory with --data-dir".into()),
    }
}

fn models(value: &Value) -> Result<BTreeMap<String, Vec<String>>, ConfigError> {
    let bad = || ConfigError("[models] must hold lines like name = [\"host\", …]".into());
    let table = value.as_table().ok_or_else(bad)?;
    let hosts = |value: &Value| -> Option<Vec<String>> {
        value.as_array()?.iter().map(|host| host.as_str().map(str::to_owned)).collect()
    };
    table.iter().map(|(name, value)| Ok((name.clone(), hosts(value).ok_or_else(bad)?))).collect()
}

/// `[webhook]`: a URL, and a file that holds the secret deliveries are signed with: a secret in `taosd.toml` would be
/// read by more people than need it.
fn webhook(value: &Value) -> Result<Endpoint, ConfigError> {
    let bad = || ConfigError("[webhook] must hold url = \"http://…\" and secret_file = \"PATH\", nothing else".into());
    let table = value.as_table().filter(|table| table.len() == 2).ok_or_else(bad)?;
    let text = |key: &str| table.get(key).and_then(Value::as_str).ok_or_else(bad);
    let (url, file) = (text("url")?, text("secret_file")?);
    let secret =
        fs::read_to_string(file).map_err(|error| ConfigError(format!("webhook.secret_file {file}: {error}")))?;
    let secret = secret.trim();
    if !(16..=1024).contains(&secret.len()) {
        return wrong(format!("webhook.secret_file {file} must hold a secret of 16 to 1024 bytes"));
    }
    Endpoint::parse(url, Plaintext::new(secret.to_owned())).map_err(ConfigError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(flags: &Flags, file: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let lookup = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let file = file.parse().unwrap();
        Config::from_sources(flags, &mut Sources { file, file_name: "taosd.toml".into(), env: &lookup })
    }

    #[test]
    fn a_flag_beats_the_environment_which_beats_the_file() {
        let file = "data_dir = '/f'\nhead_timeout = 3\nidle_timeout = 4\nlisten = ['127.0.0.1:1']";
        let env = [("TAOSD_DATA_DIR", "/e"), ("TAOSD_HEAD_TIMEOUT", "5"), ("TAOSD_LISTEN", "127.0.0.1:2, [::1]:3")];
        let config = load(&Flags::default(), file, &env).unwrap();
        assert_eq!(config.data_dir, Path::new("/e"));
        assert_eq!((config.limits.head_timeout, config.limits.idle_timeout), (5, 4));
        assert_eq!(config.listen.len(), 2);
        let flags = Flags { data_dir: Some("/g".into()), ..Flags::default() };
        assert_eq!(load(&flags, file, &env).unwrap().data_dir, Path::new("/g"));
    }

    #[test]
    fn defaults_follow_systemd_then_xdg_then_home() {
        let home = ("HOME", "/home/a");
        let at = |env: &[(&str, &str)]| load(&Flags::default(), "", env).unwrap();
        assert_eq!(at(&[home]).data_dir, Path::new("/home/a/.local/state/taosd"));
        assert_eq!(at(&[home, ("XDG_STATE_HOME", "/x")]).data_dir, Path::new("/x/taosd"));
        let under = at(&[home, ("STATE_DIRECTORY", "/var/lib/taosd:/b"), ("RUNTIME_DIRECTORY", "/run/taosd")]);
        assert_eq!(under.data_dir, Path::new("/var/lib/taosd"));
        assert_eq!(under.socket, Path::new("/run/taosd/taosd.sock"));
        assert_eq!(at(&[home]).listen, [DEFAULT_LISTEN]);
        assert!(load(&Flags::default(), "", &[]).is_err());
    }

    #[test]
    fn what_cannot_be_used_refuses_the_start() {
        let env = [("HOME", "/h")];
        for file in [
            "hed_timeout = 3",
            "head_timeout = 'x'",
            "head_timeout = 0",
            "listen = ['nowhere']",
            "listen = [3]",
            "[models]\na = 'b'",
            "[other]\na = 1",
            "[ax]\nfingerprint_policy = 'maybe'",
            "[ax]\nmax_agent_pats = 0",
            "[ax]\nother = 1",
            "[webhook]\nurl = 'http://a/'",
            "[webhook]\nurl = 'http://a/'\nsecret_file = '/nonexistent'",
        ] {
            assert!(load(&Flags::default(), file, &env).is_err(), "{file}");
        }
        let flags = Flags { socket: Some(format!("/{}", "x".repeat(107)).into()), ..Flags::default() };
        assert!(load(&flags, "", &env).is_err());
    }
}
