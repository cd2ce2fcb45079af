//! A Unix socket for each agent that has a container, so that the daemon knows which container a connection comes from
//! (DESIGN D14).

use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use std::collections::HashSet;

use crate::http::edge;
use crate::threads::lock;

/// The most bytes of a Unix socket's path (unix(7): 108 with the final NUL).
const PATH_BYTES: usize = 107;

/// The agents' sockets.
pub struct AgentSockets {
    dir: PathBuf,
    edge: OnceLock<edge::Handle>,
    open: Mutex<HashSet<String>>,
}

impl AgentSockets {
    /// Sockets in this directory, which is made when the first one is opened.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, edge: OnceLock::new(), open: Mutex::default() }
    }

    /// Sets the edge that gets the connections. Removes sockets that a killed daemon left behind.
    pub fn set_edge(&self, edge: edge::Handle) {
        let _ = self.edge.set(edge);
        for file in fs::read_dir(&self.dir).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if file.extension().is_some_and(|extension| extension == "sock")
                && let Err(error) = remove(&file)
            {
                log::warn!("{} could not be removed: {error}", file.display());
            }
        }
    }

    /// The path of an agent's socket.
    pub fn path(&self, agent_id: &str) -> PathBuf {
        self.dir.join(format!("{agent_id}.sock"))
    }

    /// Opens an agent's socket (0600) if it is not open. Returns its path.
    ///
    /// # Errors
    /// The path is longer than the kernel accepts, or any I/O error.
    pub fn open(&self, agent_id: &str) -> Result<PathBuf> {
        let path = self.path(agent_id);
        let mut open = lock(&self.open);
        if open.contains(agent_id) {
            return Ok(path);
        }
        if path.as_os_str().len() > PATH_BYTES {
            let text = format!("{} is longer than {PATH_BYTES} bytes; choose a shorter --socket", path.display());
            return Err(Error::new(ErrorKind::InvalidInput, text));
        }
        let Some(edge) = self.edge.get() else { return Err(Error::other("the edge is not running yet")) };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        remove(&path)?;
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        edge.add_agent(agent_id, listener);
        open.insert(agent_id.to_owned());
        Ok(path)
    }

    /// Closes an agent's socket.
    pub fn close(&self, agent_id: &str) {
        let mut open = lock(&self.open);
        if open.remove(agent_id) {
            if let Some(edge) = self.edge.get() {
                edge.remove_agent(agent_id);
            }
            if let Err(error) = remove(&self.path(agent_id)) {
                log::warn!("the socket of agent {agent_id} could not be removed: {error}");
            }
        }
    }

    /// Closes all sockets and removes their files, when the daemon stops.
    pub fn close_all(&self) {
        let open: Vec<String> = lock(&self.open).iter().cloned().collect();
        for agent_id in open {
            self.close(&agent_id);
        }
        // The call removes only an empty directory.
        let _ = fs::remove_dir(&self.dir);
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
