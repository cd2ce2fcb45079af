//! The daemon's listeners: its own, or those that the service manager passes (systemd's socket activation).

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use rustix::io::{FdFlags, fcntl_setfd};

use super::error::DaemonError;
use crate::access;
use crate::config::Config;
use crate::http::edge::Listeners;

/// The open listeners, their addresses, and the operator's socket.
pub struct Doors {
    /// The listeners for the edge.
    pub listeners: Listeners,
    /// The addresses of the TCP listeners.
    pub addresses: Vec<SocketAddr>,
    /// The operator's socket.
    pub socket: OperatorSocket,
}

/// The file of the operator's socket.
pub struct OperatorSocket {
    /// `None` if the service manager made the file and will remove it.
    own: Option<PathBuf>,
}

impl OperatorSocket {
    /// Removes the file, if the daemon made it.
    pub fn close(self) {
        let Some(path) = self.own else { return };
        if let Err(error) = fs::remove_file(&path) {
            log::warn!("{} could not be removed: {error}", path.display());
        }
    }
}

/// Opens the listeners. Passed TCP listeners replace those in the settings; so does a passed Unix socket.
///
/// # Errors
/// [`DaemonError::Io`] if an address is in use, or if a passed descriptor is not a listener of these kinds.
pub fn open(config: &Config) -> Result<Doors, DaemonError> {
    let Handed { mut tcp, operator } = handed_over().map_err(|e| DaemonError::Io("socket activation".into(), e))?;
    if tcp.is_empty() {
        for address in &config.listen {
            let listener = TcpListener::bind(address);
            tcp.push(listener.map_err(|e| DaemonError::Io(format!("cannot listen on {address}"), e))?);
        }
    }
    let addresses: io::Result<Vec<SocketAddr>> = tcp.iter().map(TcpListener::local_addr).collect();
    let addresses = addresses.map_err(|e| DaemonError::Io("a listener's address".into(), e))?;
    let own = operator.is_none().then(|| config.socket.clone());
    let operator = match operator {
        Some(listener) => listener,
        None => bind_socket(&config.socket)
            .map_err(|e| DaemonError::Io(format!("cannot listen on {}", config.socket.display()), e))?,
    };
    let listeners = Listeners { tcp, operator: Some(operator), allowed_hosts: config.host_names() };
    Ok(Doors { listeners, addresses, socket: OperatorSocket { own } })
}

#[derive(Default)]
struct Handed {
    tcp: Vec<TcpListener>,
    operator: Option<UnixListener>,
}

/// The listeners that the service manager passed (sd_listen_fds(3)): any number of TCP listeners and at most one Unix
/// socket.
fn handed_over() -> io::Result<Handed> {
    let mut fds = ListenFd::from_env();
    let mut handed = Handed::default();
    for nth in 0..fds.len() {
        if let Ok(Some(listener)) = fds.take_tcp_listener(nth) {
            keep_from_children(&listener)?;
            handed.tcp.push(listener);
        } else if let Ok(Some(listener)) = fds.take_unix_listener(nth) {
            keep_from_children(&listener)?;
            if handed.operator.replace(listener).is_some() {
                return Err(io::Error::other("two Unix sockets were passed in, but the operator has only one"));
            }
        } else {
            let why = format!("descriptor {nth} that was passed in is neither a TCP listener nor a Unix socket");
            return Err(io::Error::other(why));
        }
    }
    Ok(handed)
}

fn keep_from_children(listener: &impl AsFd) -> io::Result<()> {
    Ok(fcntl_setfd(listener, FdFlags::CLOEXEC)?)
}

/// Removes the socket of a daemon that was killed, and nothing else: the system refuses a connection to any file.
fn remove_stale(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "a file that is no socket is there"));
    }
    fs::remove_file(path)
}

/// Binds the operator's socket with mode 0660 and group `taosd`, if that group exists. Replaces the file of a daemon
/// that was killed. Fails if another process answers on it.
fn bind_socket(path: &Path) -> io::Result<UnixListener> {
    match UnixStream::connect(path) {
        Ok(_) => return Err(io::Error::new(ErrorKind::AddrInUse, "another process answers there")),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => remove_stale(path)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    if let Some(group) = access::group_id()
        && fs::metadata(path)?.gid() != group
        && let Err(error) = chown(path, None, Some(group))
    {
        log::warn!(
            "the group of {} could not be changed, so members of the group taosd cannot use it: {error}",
            path.display()
        );
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}
