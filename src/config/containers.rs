//! Settings about containers: the runtime, the check of credentials on an agent's socket, deployments.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::file::Value;
use super::source::Sources;
use super::source::shown;
use super::{Flags, Origin};
use crate::containers::{Choice, EnvKey, EnvValue, ImageName, Runtime, RuntimeOptions, SocketPlaces};

/// How to treat a credential of one agent on another agent's socket (DESIGN D14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindCredentials {
    /// The request is refused and audited.
    Deny,
    /// The request is accepted, with a line in the log.
    Warn,
    /// The request is accepted.
    Off,
}

/// The words of [`BindCredentials`].
pub(super) const BINDINGS: [(&str, BindCredentials); 3] =
    [("deny", BindCredentials::Deny), ("warn", BindCredentials::Warn), ("off", BindCredentials::Off)];

/// The words for the runtimes.
pub(super) const RUNTIMES: [(&str, Choice); 5] = [
    ("auto", Choice::Auto),
    ("incus", Choice::Only(Runtime::Incus)),
    ("lxd", Choice::Only(Runtime::Lxd)),
    ("lxc", Choice::Only(Runtime::Lxc)),
    ("none", Choice::Only(Runtime::None)),
];

/// A framework that agents can be deployed with.
#[derive(Debug, Clone)]
pub struct Framework {
    /// The image of its containers.
    pub image: Option<ImageName>,
    /// The environment of its processes.
    pub env: Vec<(EnvKey, EnvValue)>,
}

/// A folder of the box below which deployments may mount, and for whose agents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountRoot {
    /// The folder.
    pub path: PathBuf,
    /// The users whose agents may mount below it, by username, besides admins; `*` for all users.
    pub users: Vec<String>,
    /// If not empty, only these agents may mount below it, by name; `*` for all agents.
    pub agents: Vec<String>,
}

impl MountRoot {
    /// True if an agent with this owner and name may mount below it.
    pub fn is_open_to(&self, owner: &str, owner_is_admin: bool, agent: &str) -> bool {
        let names = |list: &[String], name: &str| list.iter().any(|one| one == name || one == "*");
        (owner_is_admin || names(&self.users, owner)) && (self.agents.is_empty() || names(&self.agents, agent))
    }
}

/// Settings about containers.
#[derive(Debug, Clone)]
pub struct ContainerSettings {
    /// The container runtime and its socket.
    pub runtime: RuntimeOptions,
    /// How to treat another agent's credential on an agent's socket.
    pub bind_credentials: BindCredentials,
    /// Folders of the box below which deployments may mount; none by default.
    pub mount_roots: Vec<MountRoot>,
    /// The image of deployments that name none.
    pub image: Option<ImageName>,
    /// The frameworks, by name.
    pub frameworks: BTreeMap<String, Framework>,
}

impl ContainerSettings {
    pub(super) fn from_sources(flags: &Flags, sources: &mut Sources) -> Self {
        let set = sources.word(&["containers", "runtime"], "TAOSD_CONTAINERS", &RUNTIMES);
        let socket = sources.path("containers_socket", "TAOSD_CONTAINERS_SOCKET");
        let bind_credentials = sources.word(&["containers", "bind_credentials"], "", &BINDINGS);
        let mut places = SocketPlaces::default();
        if let Some(images) = sources.path("lxc_images", "TAOSD_LXC_IMAGES") {
            places.lxc_images = images;
        }
        let given_socket = flags.containers_socket.as_ref().map(|path| {
            sources.flag("containers_socket", "--containers-socket");
            super::given(path, "--containers-socket", sources)
        });
        let runtime = RuntimeOptions {
            choice: given(flags, sources).or(set).unwrap_or_default(),
            socket: given_socket.or(socket),
            places,
        };
        Self {
            runtime,
            bind_credentials: bind_credentials.unwrap_or(BindCredentials::Deny),
            mount_roots: mount_roots(sources),
            image: image(sources, &["containers", "image"]),
            frameworks: frameworks(sources),
        }
    }
}

/// The runtime named by the flag `--containers`.
fn given(flags: &Flags, sources: &mut Sources) -> Option<Choice> {
    let text = flags.containers.as_ref()?;
    sources.flag("containers.runtime", "--containers");
    let found = RUNTIMES.iter().find(|(word, _)| word == text).map(|(_, choice)| *choice);
    if found.is_none() {
        let why = format!("{} is not auto, incus, lxd, lxc or none", shown(text));
        sources.wrong(&Origin::Flag("--containers"), why);
    }
    found
}

fn mount_roots(sources: &mut Sources) -> Vec<MountRoot> {
    let Some((value, origin)) = sources.take(&["containers", "mount_roots"], "") else { return Vec::new() };
    let Value::List(list) = value else {
        sources.wrong(&origin, "containers.mount_roots must be a list, such as [\"/srv/agents\"]");
        return Vec::new();
    };
    let mut roots = Vec::new();
    for one in list {
        match mount_root(one) {
            Ok(root) => roots.push(root),
            Err(why) => sources.wrong(&origin, format_args!("containers.mount_roots {why}")),
        }
    }
    roots
}

/// Parses `"/path"` or `{ path = "/path", users = ["ann"], agents = ["coder"] }`.
fn mount_root(value: Value) -> Result<MountRoot, String> {
    let mut table = match value {
        Value::Text(path) => return absolute(path).map(|path| MountRoot { path, users: vec![], agents: vec![] }),
        Value::Table(table) => table,
        _ => return Err("must hold paths, or tables with a path".into()),
    };
    let path = match table.remove("path").map(|node| node.value) {
        Some(Value::Text(path)) => absolute(path)?,
        _ => return Err("holds a table without a path".into()),
    };
    let mut names = |key: &str| match table.remove(key).map(|node| node.value) {
        None => Ok(Vec::new()),
        Some(Value::List(list)) => list.into_iter().map(text).collect::<Option<Vec<_>>>().ok_or(()),
        Some(_) => Err(()),
    };
    let (users, agents) = match (names("users"), names("agents")) {
        (Ok(users), Ok(agents)) => (users, agents),
        _ => return Err("takes users and agents as lists of names, such as [\"ann\"]".into()),
    };
    match table.into_keys().next() {
        None => Ok(MountRoot { path, users, agents }),
        Some(other) => Err(format!("accepts only path, users and agents, not {}", shown(&other))),
    }
}

fn text(value: Value) -> Option<String> {
    if let Value::Text(text) = value { Some(text).filter(|text| !text.is_empty()) } else { None }
}

fn absolute(path: String) -> Result<PathBuf, String> {
    super::paths::whole(Path::new(&path)).map_err(|why| format!("must hold whole paths: {why}"))
}

fn image(sources: &mut Sources, path: &[&str]) -> Option<ImageName> {
    let (text, origin) = sources.text(path, "")?;
    let image = ImageName::parse(&text);
    image.map_err(|why| sources.wrong(&origin, format_args!("{}: {why}", shown(&path.join("."))))).ok()
}

fn frameworks(sources: &mut Sources) -> BTreeMap<String, Framework> {
    let mut found = BTreeMap::new();
    for name in sources.names_in("frameworks") {
        let image = image(sources, &["frameworks", &name, "image"]);
        let env = env(sources, &["frameworks", &name, "env"]);
        found.insert(name, Framework { image, env });
    }
    found
}

/// Reads a table with lines like `NAME = "value"`.
fn env(sources: &mut Sources, path: &[&str]) -> Vec<(EnvKey, EnvValue)> {
    let Some((value, origin)) = sources.take(path, "") else { return Vec::new() };
    let Value::Table(table) = value else {
        sources.wrong(&origin, format_args!("{} must hold lines like NAME = \"value\"", shown(&path.join("."))));
        return Vec::new();
    };
    let mut env = Vec::new();
    for (key, node) in table {
        let place = Origin::Line(node.line);
        let value = if let Value::Text(text) = node.value { EnvValue::parse(&text).ok() } else { None };
        match (EnvKey::parse(&key), value) {
            (Ok(key), Some(value)) => env.push((key, value)),
            (Err(why), _) => sources.wrong(&place, format_args!("{}: {why}", shown(&key))),
            // The error does not show the value: it may be a secret.
            (_, None) => sources.wrong(&place, format_args!("{}: a value must be a text on one line", shown(&key))),
        }
    }
    env
}
