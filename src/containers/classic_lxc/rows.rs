//! The containers and how they are, by one run of `lxc-info` for each. `lxc-ls -f` would tell all at once, but it always
//! asks for all addresses, and sorts them in a time that root inside decides (8 s for 20,000).

use std::io::ErrorKind;
use std::time::Instant;

use super::ClassicLxc;
use crate::containers::{ContainerName, Error, Status};

/// The options of `lxc-info` for what a [`Row`] has, in bytes and without addresses.
const WANTED: [&str; 4] = ["-s", "-p", "-S", "-H"];

/// What LXC says of one container.
pub(crate) struct Row {
    pub(crate) name: ContainerName,
    pub(crate) status: Status,
    pub(crate) pid: Option<u32>,
    pub(crate) memory_mb: Option<u64>,
}

impl ClassicLxc {
    /// All containers. One whose configuration LXC cannot read has the status [`Status::Error`].
    pub(super) fn rows(&self, deadline: Instant) -> Result<Vec<Row>, Error> {
        let row = |name: ContainerName| {
            let output = self.run_tool("lxc-info", &name, &WANTED, deadline)?;
            match output.code() {
                Some(code) if code != 0 => Ok(Row { name, status: Status::Error, pid: None, memory_mb: None }),
                _ => Ok(Row::of(name, &output.ok()?)),
            }
        };
        self.names()?.into_iter().map(row).collect()
    }

    pub(super) fn row(&self, name: &ContainerName, deadline: Instant) -> Result<Row, Error> {
        self.config(name)?;
        let told = self.tool("lxc-info", name, &WANTED, deadline);
        // It may have been renamed or deleted meanwhile.
        self.config(name)?;
        Ok(Row::of(name.clone(), &told?))
    }

    /// The names of the folders with a configuration.
    fn names(&self) -> Result<Vec<ContainerName>, Error> {
        let failed = |error: std::io::Error| Error::io("listing the containers", &error);
        let folders = match self.path.read_dir() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(failed)?,
        };
        let mut names = Vec::new();
        for folder in folders {
            let folder = folder.map_err(failed)?;
            let name = folder.file_name().to_str().and_then(|name| ContainerName::parse(name).ok());
            names.extend(name.filter(|name| self.config_path(name).is_file()));
        }
        names.sort();
        Ok(names)
    }
}

impl Row {
    /// Reads the output of `lxc-info`: lines of a label, a colon and a value.
    pub(crate) fn of(name: ContainerName, told: &str) -> Self {
        let value =
            |label: &str| told.lines().find_map(|line| line.strip_prefix(label)?.strip_prefix(':')).map(str::trim);
        let status = match value("State") {
            Some("RUNNING") => Status::Running,
            Some("FROZEN") => Status::Frozen,
            Some("STOPPED") => Status::Stopped,
            _ => Status::Other,
        };
        let pid = value("PID").and_then(|pid| pid.parse().ok());
        let memory: Option<u64> = value("Memory use").and_then(|bytes| bytes.parse().ok());
        Self { name, status, pid, memory_mb: memory.map(|bytes| bytes >> 20) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lxc_info_tells_is_read() {
        let of = |told: &str| {
            let row = Row::of(ContainerName::parse("a").unwrap(), told);
            (row.status, row.pid, row.memory_mb)
        };
        let told = "State:          RUNNING\nPID:            12\nCPU use:        1\nMemory use:     2097153\nKMem use:       9\n";
        assert_eq!(of(told), (Status::Running, Some(12), Some(2)));
        assert_eq!(of("State:          FROZEN\nPID:            7\n"), (Status::Frozen, Some(7), None));
        assert_eq!(of("State:          STOPPED\n"), (Status::Stopped, None, None));
        assert_eq!(of("State: STARTING\nPID: -1\nMemory use: 1.5MB\n"), (Status::Other, None, None));
        assert_eq!(of(""), (Status::Other, None, None));
    }
}
