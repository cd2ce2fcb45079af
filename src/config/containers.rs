//! Settings about containers: which runtime, what an agent's socket lets through, what may be deployed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::{Table, Value};

use super::{ConfigError, Flags, Sources, wrong};
use crate::containers::{Choice, EnvKey, EnvValue, ImageName, Options, Places};

/// What happens to a credential of one agent that comes over another agent's socket (DESIGN D14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindCredentials {
    /// It is refused and audited.
    Deny,
    /// It is let through with a line in the log.
    Warn,
    /// It is let through.
    Off,
}

/// A framework that agents may be deployed with.
#[derive(Debug, Clone)]
pub struct Framework {
    /// The image its containers are made of.
    pub image: Option<ImageName>,
    /// Environment of its processes.
    pub env: Vec<(EnvKey, EnvValue)>,
}

/// Settings about containers.
#[derive(Debug, Clone)]
pub struct Containers {
    /// Which runtime, and where it is looked for.
    pub runtime: Options,
    /// What an agent's socket lets through.
    pub bind_credentials: BindCredentials,
    /// Folders of the host's below which a deployment may mount; none by default.
    pub mount_roots: Vec<PathBuf>,
    /// The image of a deployment that names none.
    pub image: Option<ImageName>,
    /// The frameworks, by name.
    pub frameworks: BTreeMap<String, Framework>,
}

impl Containers {
    pub(super) fn from_sources(flags: &Flags, sources: &mut Sources<'_>) -> Result<Self, ConfigError> {
        let mut table = Section::take(&mut sources.file, "containers")?;
        let in_file = table.text("runtime");
        let set = sources_text(sources, "containers").or(in_file);
        let choice = match flags.containers.clone().or(set) {
            None => Choice::Auto,
            Some(text) => text
                .parse()
                .map_err(|_| ConfigError(format!("containers: {text} is none of auto, incus, lxd, lxc and none")))?,
        };
        let from_sources = sources.path("containers_socket")?;
        let socket = flags.containers_socket.clone().or(from_sources);
        let bind_credentials = match table.text("bind_credentials").as_deref() {
            None | Some("deny") => BindCredentials::Deny,
            Some("warn") => BindCredentials::Warn,
            Some("off") => BindCredentials::Off,
            Some(other) => return wrong(format!("bind_credentials: {other} is none of deny, warn and off")),
        };
        let mount_roots = table.paths("mount_roots")?;
        let image = table.image("image")?;
        table.finish()?;
        let frameworks = frameworks(&mut sources.file)?;
        let mut places = Places::default();
        if let Some(images) = sources.path("lxc_images")? {
            places.lxc_images = images;
        }
        let runtime = Options { choice, socket, places };
        Ok(Self { runtime, bind_credentials, mount_roots, image, frameworks })
    }
}

/// `containers` is a table in the file and one word in the environment.
fn sources_text(sources: &Sources<'_>, key: &str) -> Option<String> {
    (sources.env)(&format!("TAOSD_{}", key.to_uppercase()))
}

fn frameworks(file: &mut Table) -> Result<BTreeMap<String, Framework>, ConfigError> {
    let all = Section::take(file, "frameworks")?;
    let mut found = BTreeMap::new();
    for (name, value) in all.values {
        let Value::Table(values) = value else { return wrong(format!("[frameworks.{name}] must be a table")) };
        let mut one = Section { name: format!("frameworks.{name}"), values };
        let image = one.image("image")?;
        let env = one.env("env")?;
        one.finish()?;
        found.insert(name, Framework { image, env });
    }
    Ok(found)
}

/// A table of the file whose keys are taken one by one; what is left over is unknown.
struct Section {
    name: String,
    values: Table,
}

impl Section {
    fn take(file: &mut Table, name: &str) -> Result<Self, ConfigError> {
        match file.remove(name) {
            None => Ok(Self { name: name.to_owned(), values: Table::new() }),
            Some(Value::Table(values)) => Ok(Self { name: name.to_owned(), values }),
            Some(_) => wrong(format!("[{name}] must be a table")),
        }
    }

    fn text(&mut self, key: &str) -> Option<String> {
        match self.values.get(key) {
            Some(Value::String(_)) => self.values.remove(key)?.as_str().map(str::to_owned),
            _ => None,
        }
    }

    fn paths(&mut self, key: &str) -> Result<Vec<PathBuf>, ConfigError> {
        let bad = || ConfigError(format!("{key} in [{}] must be a list of absolute paths", self.name));
        let list = match self.values.remove(key) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(bad()),
        };
        let path = |value: &Value| value.as_str().map(PathBuf::from).filter(|path| path.is_absolute());
        list.iter().map(|value| path(value).ok_or_else(bad)).collect()
    }

    fn image(&mut self, key: &str) -> Result<Option<ImageName>, ConfigError> {
        let Some(text) = self.text(key) else { return Ok(None) };
        let image = ImageName::parse(&text);
        image.map(Some).map_err(|why| ConfigError(format!("{key} in [{}]: {why}", self.name)))
    }

    fn env(&mut self, key: &str) -> Result<Vec<(EnvKey, EnvValue)>, ConfigError> {
        let bad = || ConfigError(format!("{key} in [{}] must hold lines like NAME = \"value\"", self.name));
        let table = match self.values.remove(key) {
            None => return Ok(Vec::new()),
            Some(Value::Table(table)) => table,
            Some(_) => return Err(bad()),
        };
        let pair = |(name, value): (&String, &Value)| {
            Some((EnvKey::parse(name).ok()?, EnvValue::parse(value.as_str()?).ok()?))
        };
        table.iter().map(|entry| pair(entry).ok_or_else(bad)).collect()
    }

    fn finish(self) -> Result<(), ConfigError> {
        match self.values.keys().next() {
            None => Ok(()),
            Some(key) => wrong(format!("[{}] has an unknown or unusable key: {key}", self.name)),
        }
    }
}
