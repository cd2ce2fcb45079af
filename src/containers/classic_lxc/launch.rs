//! Starts a container so that it is not the daemon's child: it must outlive the daemon, and must not inherit the
//! restrictions of the daemon or its unit. Also lists the containers that ran when the host went down.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{ClassicLxc, disk, tools};
use crate::containers::values::host_path;
use crate::containers::{ContainerName, Error, Status, Until};

/// A note in a container's configuration: the host's boot in which it was started, until it is stopped.
const RUNS: &str = "runs";
/// The pause between two checks of a container that starts.
const PAUSE: Duration = Duration::from_millis(100);
/// Gives a child the umask of a login, since the daemon's own lets nobody else read. The arguments are never read as
/// script.
const WITH_UMASK: &str = "umask 022; exec \"$@\"";
/// The properties of a container's systemd unit. Stopping the unit, also at shutdown of the host, lets the container
/// shut down.
const PROPERTIES: [&str; 5] =
    ["Delegate=yes", "KillMode=mixed", "TasksMax=infinity", "TimeoutStopSec=60s", "SyslogIdentifier=lxc-start"];

/// The id of the host's current boot.
fn host_boot() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned())
}

/// Whether this process is a systemd service, whose restrictions its children inherit.
fn is_a_service() -> bool {
    Path::new("/run/systemd/system").is_dir() && std::env::var_os("INVOCATION_ID").is_some()
}

impl ClassicLxc {
    /// Starts the container, and notes that it is meant to run.
    pub(super) fn launch(&self, name: &ContainerName, until: Until<'_>) -> Result<(), Error> {
        match tools::find("systemd-run").filter(|_| is_a_service()) {
            Some(_) => self.launch_as_unit(name, until)?,
            None => self.launch_as_child(name, until)?,
        }
        self.note_run(name, host_boot().as_deref())
    }

    /// Notes the host's boot in which the container was started; `None` once it is stopped.
    pub(super) fn note_run(&self, name: &ContainerName, boot: Option<&str>) -> Result<(), Error> {
        let before = self.config(name)?;
        let mut after = before.clone();
        after.set_note(RUNS, boot);
        if after == before { Ok(()) } else { disk::write_config(&self.config_path(name), &after) }
    }

    fn launch_as_child(&self, name: &ContainerName, until: Until<'_>) -> Result<(), Error> {
        let start = tools::path_of("lxc-start")?;
        let path = host_path(&self.path)?;
        let command = ["-c", WITH_UMASK, "sh", &start, "-n", name.as_str(), "-P", path, "-d"];
        tools::run("sh", &command, until)?.ok().map(|_| ())
    }

    /// Starts it as a unit of its own, so that systemd gives it the limits, umask and system calls of any service.
    fn launch_as_unit(&self, name: &ContainerName, until: Until<'_>) -> Result<(), Error> {
        let (start, stop, path) = (tools::path_of("lxc-start")?, tools::path_of("lxc-stop")?, host_path(&self.path)?);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let unit = format!("taosd-lxc-{name}-{now}.service");
        let (unit_option, about) = (format!("--unit={unit}"), format!("--description=Container {name} of taosd"));
        let clean_stop = format!("--property=ExecStop=-{stop} -n {name} -P {path} -t 30");
        let properties = PROPERTIES.map(|property| format!("--property={property}"));
        let mut command = vec!["--quiet", "--collect", &unit_option, &about, &clean_stop];
        command.extend(properties.iter().map(String::as_str));
        command.extend(["--", &start, "-F", "-n", name.as_str(), "-P", path]);
        tools::run("systemd-run", &command, until)?.ok()?;
        self.wait_for_start(name, &unit, until)
    }

    fn wait_for_start(&self, name: &ContainerName, unit: &str, until: Until<'_>) -> Result<(), Error> {
        loop {
            if self.row(name, until.deadline)?.status == Status::Running {
                return Ok(());
            }
            let alive = tools::run("systemctl", &["is-active", "--quiet", unit], until.deadline)?.code() == Some(0);
            if !alive && self.row(name, until.deadline)?.status != Status::Running {
                return Err(Error::failed(format!("it did not start: journalctl --unit={unit} says why")));
            }
            if until.is_cancelled() {
                return Err(Error::Cancelled);
            }
            if Instant::now() + PAUSE >= until.deadline {
                return Err(Error::Deadline(crate::containers::Runtime::Lxc));
            }
            thread::sleep(PAUSE);
        }
    }

    /// The containers that were started in another boot of the host and not stopped since.
    pub(super) fn ran_in_another_boot(&self, deadline: Instant) -> Result<Vec<ContainerName>, Error> {
        let Some(boot) = host_boot() else { return Ok(Vec::new()) };
        let ran = |name: &ContainerName| self.config(name).is_ok_and(|c| c.note(RUNS).is_some_and(|run| run != boot));
        let stopped = self.rows(deadline)?.into_iter().filter(|row| row.status == Status::Stopped);
        Ok(stopped.map(|row| row.name).filter(ran).collect())
    }
}
