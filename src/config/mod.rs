//! The settings: `taosd.toml`, `TAOSD_<KEY>` in the environment, and flags. A flag overrides the environment, which
//! overrides the file (DESIGN section 3). With an unknown key the daemon refuses to start or to reload.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod agentex;
mod ax;
mod channels;
mod containers;
pub mod edit;
mod file;
pub mod keys;
mod live;
mod log;
mod nodes;
mod oauth;
pub mod paths;
mod requests;
mod resources;
mod settings;
mod source;
mod suggestions;
mod webhook;
mod workspace;

pub use agentex::Agentex;
pub use ax::{Ax, FingerprintPolicy};
pub use channels::ConfiguredChannel;
pub use containers::{BindCredentials, ContainerSettings, Framework, MountRoot};
pub use live::{LiveConfig, Watched};
pub use log::filter as log_filter;
pub use nodes::NodeSettings;
pub use oauth::{OAuth, PublicUrl};
pub use requests::Requests;
pub use resources::{ProtectedResource, TokenAlgorithm, WORDS};
pub use settings::{Difference, Setting};
pub use source::{ConfigError, Origin};
pub use webhook::WebhookSettings;
pub use workspace::Workspace;

use crate::http::edge::check::split_host;
use crate::limits::Limits;
use source::Sources;

/// The address to listen on by default.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 6969);
/// The file that systemd-timesyncd touches whenever it sets the clock.
const TIME_SYNC_FILE: &str = "/run/systemd/timesync/synchronized";
/// The most bytes of a Unix socket's path (unix(7): 108 with the final NUL).
const SOCKET_PATH_BYTES: usize = 107;

/// Models by name, each with the hosts that serve it. `None` if no table is set, so that models are not checked.
pub type Models = Option<BTreeMap<String, Vec<String>>>;

/// The daemon's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data directory.
    pub data_dir: PathBuf,
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// The operator's Unix socket.
    pub socket: PathBuf,
    /// Names of this machine that a browser may use, besides its own.
    pub allowed_hosts: Vec<String>,
    /// Hosts that users' channels may use although they are not public.
    pub channel_hosts: Vec<String>,
    /// Channels that the operator sets.
    pub channels: Arc<Vec<ConfiguredChannel>>,
    /// The log filter, in the syntax of `env_filter`.
    pub log: String,
    /// Every bound.
    pub limits: Limits,
    /// The known models and their hosts.
    pub models: Models,
    /// The container runtime, and what may be deployed.
    pub containers: ContainerSettings,
    /// The directory for files that survive a restart but not a reboot: the signing keys.
    pub runtime_dir: PathBuf,
    /// Other machines on which agents can be deployed.
    pub nodes: Arc<Vec<NodeSettings>>,
    /// The operator's settings for the aX dialect.
    pub ax: Ax,
    /// The operator's settings for the Agentex dialect.
    pub agentex: Agentex,
    /// The bounds of spaces and of the agents in them.
    pub workspace: Workspace,
    /// The address at which people reach the box.
    pub public_url: Option<PublicUrl>,
    /// The operator's settings for the authorization server.
    pub oauth: OAuth,
    /// Settings for the requests that agents make to people.
    pub requests: Requests,
    /// The webhook that also receives notifications.
    pub webhook: Option<Arc<WebhookSettings>>,
    /// The file that changes whenever a time server sets the clock.
    pub time_sync_file: PathBuf,
    new_box: bool,
    flags: Flags,
    file: Option<PathBuf>,
    origins: BTreeMap<String, Origin>,
}

/// The flags of the command line. If one is `None` or empty, the environment and the file decide.
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

impl Config {
    /// Reads the process's environment and the file named by `flags` or `TAOSD_CONFIG`.
    ///
    /// # Errors
    /// [`ConfigError`] with every setting that cannot be used.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let (sources, file) = Sources::of_process(flags.config.as_deref());
        Self::from_sources(flags, file, sources)
    }

    /// Reads all settings again from the same sources.
    ///
    /// # Errors
    /// [`ConfigError`] with every setting that cannot be used.
    pub fn read_again(&self) -> Result<Self, ConfigError> {
        Self::load(&Flags { config: self.file.clone(), ..self.flags.clone() })
    }

    /// The same settings, with the choice whether to make an empty box if the old one was lost.
    #[must_use]
    pub fn with_new_box(self, new_box: bool) -> Self {
        Self { new_box, ..self }
    }

    /// Whether to make an empty box if the old one was lost.
    pub fn new_box(&self) -> bool {
        self.new_box
    }

    /// Returns a warning if `RUST_LOG` alone would have silenced the daemon.
    pub fn log_warning(&self) -> Option<String> {
        let ours = self.origins.get("log") == Some(&Origin::Variable("RUST_LOG".to_owned()));
        (ours && self.log.starts_with("info,") && std::env::var("RUST_LOG").is_ok_and(|set| set != self.log))
            .then(|| format!("RUST_LOG: sets no level for taosd, or one that does not exist; {} is used", self.log))
    }

    /// Names of this machine besides its own: `allowed_hosts`, and the host of `public_url`.
    pub fn host_names(&self) -> Vec<String> {
        let public = self.public_url.iter().map(|url| url.authority.clone());
        self.allowed_hosts.iter().cloned().chain(public).collect()
    }

    /// The file that was read, if there is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Returns `new` with the present values of the settings that only a restart can change.
    pub fn adopt(&self, mut new: Self) -> Self {
        for key in keys::LIMITS_AT_START {
            if let Some(value) = self.limits.get(key) {
                let _ = new.limits.set(key, value);
            }
        }
        new.containers.runtime = self.containers.runtime.clone();
        let Self { data_dir, listen, socket, runtime_dir, time_sync_file, new_box, .. } = self.clone();
        Self { data_dir, listen, socket, runtime_dir, time_sync_file, new_box, ..new }
    }

    /// Reads only the text of a file, with `HOME` as the only environment variable. For the fuzz targets.
    pub(crate) fn of_text(text: &str) -> Result<Self, ConfigError> {
        let env = [("HOME".to_owned(), "/home/taosd".to_owned())].into_iter().collect();
        Self::from_sources(&Flags::default(), None, Sources::new("taosd.toml".into(), text, env))
    }

    fn from_sources(flags: &Flags, file: Option<PathBuf>, mut sources: Sources) -> Result<Self, ConfigError> {
        let data_dir = data_dir(flags, &mut sources);
        let runtime = runtime_dir(&mut sources);
        let socket = socket(flags, &mut sources, runtime.as_ref().unwrap_or(&data_dir));
        let runtime_dir = match (runtime, socket.parent()) {
            (Some(dir), _) => dir,
            (None, Some(dir)) if !dir.as_os_str().is_empty() => dir.to_owned(),
            (None, _) => PathBuf::from("."),
        };
        let config = Self {
            listen: listen(flags, &mut sources),
            allowed_hosts: hosts("allowed_hosts", "TAOSD_ALLOWED_HOSTS", &mut sources),
            channel_hosts: hosts("channel_hosts", "TAOSD_CHANNEL_HOSTS", &mut sources),
            channels: Arc::new(channels::from_sources(&mut sources)),
            log: log::from_sources(&mut sources),
            limits: limits(&mut sources),
            models: models(&mut sources),
            containers: ContainerSettings::from_sources(flags, &mut sources),
            nodes: Arc::new(nodes::from_sources(&mut sources)),
            ax: Ax::from_sources(&mut sources),
            agentex: Agentex::from_sources(&mut sources),
            workspace: Workspace::from_sources(&mut sources),
            public_url: oauth::public_url(&mut sources),
            oauth: OAuth::from_sources(&mut sources),
            requests: Requests::from_sources(&mut sources),
            webhook: WebhookSettings::from_sources(&mut sources).map(Arc::new),
            time_sync_file: time_sync_file(&mut sources),
            new_box: false,
            data_dir,
            socket,
            runtime_dir,
            flags: flags.clone(),
            file,
            origins: BTreeMap::new(),
        };
        Ok(Self { origins: sources.finish()?, ..config })
    }
}

/// Checks a path from a flag.
fn given(path: &Path, flag: &'static str, sources: &mut Sources) -> PathBuf {
    paths::whole(path).unwrap_or_else(|why| {
        sources.wrong(&Origin::Flag(flag), why);
        path.to_owned()
    })
}

fn data_dir(flags: &Flags, sources: &mut Sources) -> PathBuf {
    let set = sources.path("data_dir", "TAOSD_DATA_DIR");
    if let Some(dir) = &flags.data_dir {
        sources.flag("data_dir", "--data-dir");
        return given(dir, "--data-dir", sources);
    }
    match set.map_or_else(|| default_data_dir(&|name| sources.var(name)), Ok) {
        Ok(dir) => dir,
        Err(why) => {
            sources.wrong(&Origin::Default, why);
            PathBuf::new()
        }
    }
}

fn runtime_dir(sources: &mut Sources) -> Option<PathBuf> {
    let dir = sources.var("RUNTIME_DIRECTORY").and_then(|dirs| first_dir(&dirs))?;
    if let Err(why) = paths::whole(&dir) {
        sources.wrong(&Origin::Variable("RUNTIME_DIRECTORY".to_owned()), why);
    }
    Some(dir)
}

fn socket(flags: &Flags, sources: &mut Sources, dir: &Path) -> PathBuf {
    let set = sources.path("socket", "TAOSD_SOCKET");
    let flag = flags.socket.as_ref().map(|path| {
        sources.flag("socket", "--socket");
        given(path, "--socket", sources)
    });
    let socket = flag.or(set).unwrap_or_else(|| dir.join("taosd.sock"));
    if socket.as_os_str().len() > SOCKET_PATH_BYTES {
        let origin = sources.origins.get("socket").cloned().unwrap_or(Origin::Default);
        let why = format!("the socket path {} is longer than {SOCKET_PATH_BYTES} bytes", socket.display());
        sources.wrong(&origin, format_args!("{why}; choose a shorter one with --socket"));
    }
    socket
}

fn time_sync_file(sources: &mut Sources) -> PathBuf {
    sources.path("time_sync_file", "TAOSD_TIME_SYNC_FILE").unwrap_or_else(|| TIME_SYNC_FILE.into())
}

fn listen(flags: &Flags, sources: &mut Sources) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    if let Some((list, origin)) = sources.list(&["listen"], "TAOSD_LISTEN") {
        for text in list {
            match text.parse() {
                Ok(address) => addresses.push(address),
                Err(_) => {
                    let text = source::shown(&text);
                    sources
                        .wrong(&origin, format_args!("listen: {text} is not an ADDRESS:PORT such as 127.0.0.1:6969"));
                }
            }
        }
    } else {
        addresses.push(DEFAULT_LISTEN);
    }
    if flags.listen.is_empty() {
        return addresses;
    }
    sources.flag("listen", "--listen");
    flags.listen.clone()
}

fn hosts(key: &str, variable: &str, sources: &mut Sources) -> Vec<String> {
    let Some((list, origin)) = sources.list(&[key], variable) else { return Vec::new() };
    for name in list.iter().filter(|name| split_host(name).is_none()) {
        let why = "is not the name of a host: no scheme, no path, no pattern";
        sources.wrong(&origin, format_args!("{key}: {} {why}", source::shown(name)));
    }
    list
}

fn limits(sources: &mut Sources) -> Limits {
    let mut limits = Limits::default();
    for key in Limits::KEYS {
        if let Some(value) = sources.number(&[key.name], &keys::variable(key.name), key.min, key.max) {
            // The bounds were checked by `number`.
            let _ = limits.set(key.name, value);
        }
    }
    limits
}

fn models(sources: &mut Sources) -> Models {
    sources.table_line("models")?;
    let mut models = BTreeMap::new();
    for name in sources.names_in("models") {
        if let Some((hosts, _)) = sources.list(&["models", &name], "") {
            models.insert(name, hosts);
        }
    }
    Some(models)
}

/// The first of several directories, separated by colons, as systemd may name them.
pub(crate) fn first_dir(dirs: &str) -> Option<PathBuf> {
    dirs.split(':').next().filter(|dir| !dir.is_empty()).map(PathBuf::from)
}

/// The default data directory.
pub(crate) fn default_data_dir(env: &dyn Fn(&str) -> Option<String>) -> Result<PathBuf, String> {
    if let Some(dir) = env("STATE_DIRECTORY").and_then(|dirs| first_dir(&dirs)) {
        return paths::of_variable("STATE_DIRECTORY", &dir);
    }
    let base = |name: &str| env(name).map(|dir| paths::of_variable(name, Path::new(&dir)));
    if let Some(dir) = base("XDG_STATE_HOME") {
        return Ok(dir?.join("taosd"));
    }
    match base("HOME") {
        Some(home) => Ok(home?.join(".local/state/taosd")),
        None => Err("HOME is not set; name a data directory with --data-dir".into()),
    }
}

#[cfg(test)]
mod tests;
