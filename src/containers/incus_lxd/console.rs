//! The console log. For a running container the runtimes return only the output since the last request, and then forget
//! it (LXD 5.0 even returns an error if there is none). For a stopped container they return the whole file. So the
//! driver keeps what it has read. Output that another reader took before this daemon started appears when the container
//! stops.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use super::rest::RestError;
use super::{IncusLxd, url};
use crate::client::http::ClientRequest;
use crate::containers::{ContainerName, Error, LogLimits, Logs, text};
use crate::threads::lock;

/// The longest reply that is read, in bytes; the runtimes keep 128 KiB of a running container's console.
const MAX_CONSOLE: usize = 4 * 1024 * 1024;
/// The bytes kept of one container.
const MAX_KEPT: usize = 128 * 1024;
/// The most containers kept; with one more, all are forgotten.
const MAX_CONTAINERS: usize = 128;

/// The end of each console as far as it was read, and whether it had more before.
#[derive(Debug, Default)]
pub(super) struct Consoles(Mutex<HashMap<ContainerName, (Vec<u8>, bool)>>);

impl Consoles {
    pub(super) fn forget(&self, name: &ContainerName) {
        lock(&self.0).remove(name);
    }

    /// Adds new output, or replaces all output if `whole`, and returns the end within the limits.
    fn add(&self, name: &ContainerName, read: &[u8], whole: bool, limits: LogLimits) -> Logs {
        let mut all = lock(&self.0);
        if all.len() >= MAX_CONTAINERS && !all.contains_key(name) {
            all.clear();
        }
        let (kept, more) = all.entry(name.clone()).or_default();
        if whole {
            kept.clear();
            *more = false;
        }
        kept.extend_from_slice(read);
        let logs = text::tail(kept, *more, limits);
        let excess = kept.len().saturating_sub(MAX_KEPT);
        kept.drain(..excess);
        *more |= excess > 0;
        logs
    }
}

impl IncusLxd {
    pub(super) fn console(&self, name: &ContainerName, limits: LogLimits, deadline: Instant) -> Result<Logs, Error> {
        let _lock = self.locks.lock(&[name], deadline)?;
        let request =
            ClientRequest::new("GET", format!("{}/console", url(name)), deadline).with_max_response(MAX_CONSOLE);
        match self.rest.raw(request) {
            Ok(answer) => {
                // A file has a name, but the console's buffer has none.
                let whole = answer.header("content-disposition").is_some_and(|place| !place.ends_with("filename="));
                Ok(self.consoles.add(name, &answer.body, whole, limits))
            }
            Err(error) => {
                self.instance(name, deadline)?;
                if !is_nothing_new(&error) {
                    return Err(error.into());
                }
                Ok(self.consoles.add(name, b"", false, limits))
            }
        }
    }
}

/// Whether there is no log file because the container never ran, or no file name because there is no new output.
fn is_nothing_new(error: &RestError) -> bool {
    match error {
        RestError::Status(404, _) => true,
        RestError::Status(_, message) => message.contains("no such file"),
        RestError::Other(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_kept_and_a_whole_file_replaces_it() {
        let (consoles, name) = (Consoles::default(), ContainerName::parse("a").unwrap());
        let limits = LogLimits { lines: 100, bytes: 1_000_000 };
        assert_eq!(consoles.add(&name, b"one\n", false, limits).text, "one\n");
        assert_eq!(consoles.add(&name, b"two\n", false, limits).text, "one\ntwo\n");
        assert_eq!(consoles.add(&name, b"zero\none\ntwo\n", true, limits).lines, 3);
        consoles.forget(&name);
        assert_eq!(consoles.add(&name, b"", false, limits).text, "");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (consoles, name) = (Consoles::default(), ContainerName::parse("a").unwrap());
        let limits = LogLimits { lines: 1, bytes: 100 };
        consoles.add(&name, &vec![b'x'; 3 * MAX_KEPT], false, limits);
        assert!(consoles.add(&name, b"\nend\n", false, limits).truncated);
        assert!(consoles.0.lock().unwrap()[&name].0.len() <= MAX_KEPT);
    }
}
