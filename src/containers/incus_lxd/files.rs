//! Files in an instance. The API may reply 200 to a write that it did not make, so every write is read back.

use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::IncusLxd;
use super::rest::RestError;
use crate::client::http::{ClientRequest, Response};
use crate::containers::until::half;
use crate::containers::{ContainerName, ContainerPath, Error, FileSpec, MAX_FILE};

const BINARY: &str = "application/octet-stream";
/// How long the opening of a pipe's other end may take.
const PIPE: Duration = Duration::from_secs(2);

impl IncusLxd {
    pub(super) fn put_file(&self, name: &ContainerName, file: &FileSpec, deadline: Instant) -> Result<(), Error> {
        if file.content.len() > MAX_FILE {
            return Err(Error::refused("the file is too long"));
        }
        self.rest.meet(deadline)?;
        match self.push(name, file, deadline) {
            Ok(()) => {}
            Err(RestError::Other(error)) => return Err(error),
            // Most likely the folder is missing. After any other cause the second try fails too.
            Err(RestError::Status(..)) => {
                self.make_folders(name, file, deadline)?;
                self.push(name, file, deadline).map_err(|error| self.about_file(name, error, deadline))?;
            }
        }
        match self.has_arrived(name, file, deadline) {
            Ok(true) => return Ok(()),
            // An old file of another type or mode was in place, or a pipe: delete it and write again.
            Ok(false) | Err(Error::Deadline(_)) => {}
            Err(other) => return Err(other),
        }
        self.drop_file(name, &file.path, deadline)?;
        self.push(name, file, deadline).map_err(|error| self.about_file(name, error, deadline))?;
        if self.has_arrived(name, file, deadline)? { Ok(()) } else { Err(Error::failed("the file did not arrive")) }
    }

    pub(super) fn drop_file(&self, name: &ContainerName, path: &ContainerPath, deadline: Instant) -> Result<(), Error> {
        match self.rest.raw(ClientRequest::new("DELETE", url(name, path.as_str()), deadline)) {
            Ok(_) => Ok(()),
            // The path or the container is missing, and only the container's own URL tells which.
            Err(RestError::Status(404, _)) => self.instance(name, deadline).map(|_| ()),
            Err(other) => Err(other.into()),
        }
    }

    fn push(&self, name: &ContainerName, file: &FileSpec, deadline: Instant) -> Result<(), RestError> {
        let request = self.owned_by(file, ClientRequest::new("POST", url(name, file.path.as_str()), deadline));
        let request = request
            .with_header(&self.rest.header("type"), "file")
            .with_header(&self.rest.header("mode"), mode(file.mode))
            .with_header(&self.rest.header("write"), "overwrite")
            .with_body(BINARY, file.content.to_vec());
        self.rest.raw(request).map(|_| ())
    }

    /// Makes missing folders. It skips existing ones, since making one again would change its mode.
    fn make_folders(&self, name: &ContainerName, file: &FileSpec, deadline: Instant) -> Result<(), Error> {
        for folder in file.path.folders() {
            match self.open_file(name, folder, None, deadline) {
                Err(RestError::Status(404, _)) => {}
                Ok(_) => continue,
                Err(other) => return Err(other.into()),
            }
            let request = self.owned_by(file, ClientRequest::new("POST", url(name, folder), deadline));
            let request = request
                .with_header(&self.rest.header("type"), "directory")
                .with_header(&self.rest.header("mode"), mode(0o755))
                .with_body(BINARY, Vec::new());
            self.rest.raw(request).map_err(|error| self.about_file(name, error, deadline))?;
        }
        Ok(())
    }

    fn owned_by(&self, file: &FileSpec, request: ClientRequest) -> ClientRequest {
        request
            .with_header(&self.rest.header("uid"), file.uid.to_string())
            .with_header(&self.rest.header("gid"), file.gid.to_string())
    }

    pub(super) fn fetch_file(
        &self,
        name: &ContainerName,
        path: &ContainerPath,
        deadline: Instant,
    ) -> Result<Option<Vec<u8>>, Error> {
        match self.open_file(name, path.as_str(), Some(MAX_FILE), deadline) {
            Ok(answer) if answer.header(&self.rest.header("type")) == Some("file") => Ok(Some(answer.body)),
            Ok(_) => Ok(None),
            // The path or the container is missing, and only the container's own URL tells which.
            Err(RestError::Status(404, _)) => self.instance(name, deadline).map(|_| None),
            Err(other) => Err(other.into()),
        }
    }

    /// Gets what lies at a path, which the container decides. The runtime opens it, and the open of a pipe ends only with
    /// a writer: until then the runtime can neither stop nor delete the container. So if half of the time has passed,
    /// this makes the runtime open the path for writing too. Root inside can still take the pipe's name away in
    /// between; then only an end of the runtime's own process helps.
    pub(super) fn open_file(
        &self,
        name: &ContainerName,
        path: &str,
        max: Option<usize>,
        deadline: Instant,
    ) -> Result<Response, RestError> {
        let mut request = ClientRequest::new("GET", url(name, path), half(deadline));
        if let Some(max) = max {
            request = request.with_max_response(max);
        }
        let answer = self.rest.raw(request);
        if matches!(answer, Err(RestError::Other(Error::Deadline(_)))) {
            self.open_pipe(name, path, deadline.min(Instant::now() + PIPE));
        }
        answer
    }

    /// Opens a path for writing and writes nothing: a plain file stays as it is.
    fn open_pipe(&self, name: &ContainerName, path: &str, deadline: Instant) {
        let request = ClientRequest::new("POST", url(name, path), deadline)
            .with_header(&self.rest.header("type"), "file")
            .with_header(&self.rest.header("write"), "append")
            .with_body(BINARY, Vec::new());
        match self.rest.raw(request) {
            Ok(_) => log::warn!("container {name}: {path} could not be read in time; if it is a pipe, it is open now"),
            Err(error) => log::warn!("container {name}: {path} could not be read in time, nor opened: {error:?}"),
        }
    }

    fn has_arrived(&self, name: &ContainerName, file: &FileSpec, deadline: Instant) -> Result<bool, Error> {
        let answer = self.open_file(name, file.path.as_str(), Some(MAX_FILE + 1), deadline);
        let answer = answer.map_err(|error| self.about_file(name, error, deadline))?;
        Ok(answer.body == *file.content
            && answer.header(&self.rest.header("type")) == Some("file")
            && answer.header(&self.rest.header("mode")) == Some(mode(file.mode).as_str()))
    }

    /// Reads 404 on a file as a missing container only if a request for the container confirms it.
    fn about_file(&self, name: &ContainerName, error: RestError, deadline: Instant) -> Error {
        match error {
            RestError::Status(404, message) => match self.instance(name, deadline) {
                Ok(_) => Error::failed(format!("no such file or folder: {message}")),
                Err(error) => error,
            },
            other => other.into(),
        }
    }
}

fn url(name: &ContainerName, path: &str) -> String {
    format!("/1.0/instances/{name}/files?path={}", utf8_percent_encode(path, NON_ALPHANUMERIC))
}

fn mode(bits: u32) -> String {
    format!("{:04o}", bits & 0o7777)
}
