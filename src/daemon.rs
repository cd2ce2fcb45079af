//! The daemon's life: start, serve, stop. The binaries only parse their arguments and come here.

use std::env;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::Mode;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::access;
use crate::api::{App, Dispatcher, StartError};
use crate::config::{Config, ConfigError};
use crate::http::edge::{self, Listeners};
use crate::jobs::expiry::Expiry;
use crate::jobs::sweeper::Sweeper;
use crate::jobs::{Reconciler, first_start};
use crate::store::{self, FILE, OpenError, Options, Store, StoreError};

/// How the daemon ended badly; each has its exit code (DESIGN section 3).
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The application cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A listener or thread cannot be had.
    #[error("{0}: {1}")]
    Io(String, io::Error),
    /// `taosd check` found something.
    #[error("{0}")]
    Damaged(String),
}

impl Failure {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 2,
            Self::Start(StartError::Open(OpenError::Locked(_))) => 3,
            Self::Start(
                StartError::Open(OpenError::Damaged(..) | OpenError::Foreign(..))
                | StartError::Store(StoreError::Damaged(_)),
            )
            | Self::Damaged(_) => 4,
            Self::Start(_) | Self::Io(..) => 1,
        }
    }
}

/// Sends log lines to stderr, as `RUST_LOG` says; `info` if it says nothing.
pub fn init_log() {
    // The journal puts its own time before each line.
    let with_time = env::var_os("JOURNAL_STREAM").is_none();
    let _ = env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"))
        .format(move |out, record| {
            if with_time {
                write!(out, "{} ", crate::time::Micros::now().millis())?;
            }
            writeln!(out, "{} {}: {}", record.level(), record.target(), record.args())
        })
        .try_init();
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// [`Failure`], before the ready line.
pub fn serve(config: Config) -> Result<(), Failure> {
    // Whatever this process makes is its owner's alone; the socket gets its own mode.
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(|e| Failure::Io("signals".into(), e))?;
    let app = Arc::new(App::start(config)?);
    let limits = app.config.limits.clone();
    let expiry = Expiry { streams: Arc::clone(&app.streams), webhook: app.webhook.clone() };
    let sweeper = Sweeper::start(Arc::clone(&app.store), Arc::clone(&app.gate), expiry, &limits)
        .map_err(|e| Failure::Io("the sweeper's thread".into(), e))?;
    let (listeners, addresses) = listen(&app.config)?;
    let service = Arc::new(Dispatcher::new(Arc::clone(&app)));
    let running = edge::start(service, limits, listeners).map_err(|e| Failure::Io("the edge".into(), e))?;
    let _ = app.listening.set(addresses.clone());
    app.set_edge(running.handle());
    app.jobs.begin(running.handle());
    let reconciler = Reconciler::start(&app.jobs).map_err(|e| Failure::Io("the reconciler's thread".into(), e))?;
    announce(&app.config, &addresses);
    // The thread that waits for signals never ends: whatever it held would keep the store open.
    let (handle, streams) = (running.handle(), Arc::downgrade(&app.streams));
    let waiter = std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for (nth, _) in signals.forever().enumerate() {
                if nth == 0 {
                    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
                    log::info!("stopping");
                    handle.shutdown();
                    if let Some(streams) = streams.upgrade() {
                        streams.close();
                    }
                } else {
                    handle.cut();
                }
            }
        })
        .map_err(|e| Failure::Io("the signal thread".into(), e))?;
    drop(waiter);
    running.join();
    drop(reconciler);
    app.jobs.stop(Duration::from_secs(app.config.limits.stop_timeout));
    app.jobs.sockets.close_all();
    remove_socket(&app.config.socket);
    drop(sweeper);
    let store = Arc::downgrade(&app.store);
    drop(app);
    if store.strong_count() > 0 {
        log::warn!("something still holds the database; its WAL stays beside it");
    }
    log::info!("stopped");
    Ok(())
}

fn listen(config: &Config) -> Result<(Listeners, Vec<SocketAddr>), Failure> {
    let mut tcp = Vec::new();
    let mut addresses = Vec::new();
    for address in &config.listen {
        let failure = |e: io::Error| Failure::Io(format!("cannot listen on {address}"), e);
        let listener = TcpListener::bind(address).map_err(failure)?;
        addresses.push(listener.local_addr().map_err(failure)?);
        tcp.push(listener);
    }
    let operator = bind_socket(&config.socket)
        .map_err(|e| Failure::Io(format!("cannot listen on {}", config.socket.display()), e))?;
    let listeners = Listeners { tcp, operator: Some(operator), allowed_hosts: config.allowed_hosts.clone() };
    Ok((listeners, addresses))
}

/// Binds the operator's socket, 0660 and of group `taosd` where there is one. A file left by a daemon that was killed
/// goes; one that answers belongs to somebody.
fn bind_socket(path: &Path) -> io::Result<UnixListener> {
    match UnixStream::connect(path) {
        Ok(_) => return Err(io::Error::new(ErrorKind::AddrInUse, "another process answers there")),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    if let Some(group) = access::group_id()
        && let Err(error) = chown(path, None, Some(group))
    {
        log::warn!("{} keeps its group, members of group taosd cannot use it: {error}", path.display());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

fn remove_socket(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        log::warn!("{} could not be removed: {error}", path.display());
    }
}

/// Prints the one line that says that the daemon answers now.
fn announce(config: &Config, addresses: &[SocketAddr]) {
    let address = addresses.first().map_or_else(|| "-".to_owned(), ToString::to_string);
    let mut stdout = io::stdout();
    // Nobody may be reading; that is no reason not to serve.
    let _ = writeln!(
        stdout,
        "taosd listening on http://{address} data={} socket={}",
        config.data_dir.display(),
        config.socket.display()
    );
    let _ = stdout.flush();
    for more in addresses.iter().skip(1) {
        log::info!("also listening on http://{more}");
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
}

/// `taosd check`: looks at the database and prints what it finds.
///
/// # Errors
/// [`Failure::Damaged`] if anything is wrong.
pub fn check(path: &Path) -> Result<(), Failure> {
    let findings = store::check(path).map_err(|e| Failure::Damaged(format!("{}: {e}", path.display())))?;
    for finding in &findings {
        match &finding.result {
            Ok(found) => println!("ok    {}: {found}", finding.name),
            Err(wrong) => println!("WRONG {}: {wrong}", finding.name),
        }
    }
    if findings.iter().all(|finding| finding.result.is_ok()) {
        return Ok(());
    }
    Err(Failure::Damaged(format!("{} is damaged; restore a backup", path.display())))
}

/// `taosd operator-token`: prints the operator's token, after replacing it if `rotate`.
///
/// # Errors
/// The data directory cannot be used, or is in use when rotating.
pub fn operator_token(config: &Config, rotate: bool) -> Result<(), Failure> {
    let path = config.data_dir.join(first_start::TOKEN_FILE);
    if rotate {
        rustix::process::umask(Mode::from_raw_mode(0o077));
        let options = Options { dir: config.data_dir.clone(), readers: 1, slow_query_ms: u64::MAX / 1000 };
        let store = Arc::new(Store::open(&options).map_err(StartError::from)?);
        first_start::prepare(&store).map_err(StartError::from)?;
        first_start::rotate(&store).map_err(StartError::from)?;
    }
    let token = fs::read_to_string(&path).map_err(|e| Failure::Io(path.display().to_string(), e))?;
    println!("{}", token.trim_end());
    Ok(())
}

/// The database file of a data directory.
pub fn database(config: &Config) -> std::path::PathBuf {
    config.data_dir.join(FILE)
}
