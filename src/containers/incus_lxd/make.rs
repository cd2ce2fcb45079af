//! Creates an instance: turns a [`CreateSpec`] into the body of `POST /1.0/instances`.

use std::path::Path;
use std::time::Instant;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::IncusLxd;
use super::rest::{RestError, parse};
use super::wire::{ENVIRONMENT, MOUNT, OWNER};
use crate::containers::values::host_path;
use crate::containers::{ContainerName, CreateSpec, Error, INSIDE_ADDRESS, ImageName, Until, text};

/// The name of the device that connects to the daemon.
pub(super) const PROXY: &str = "taosd-proxy";
/// The most bytes that an error quotes of an image's name.
const MAX_IMAGE_NAME: usize = 100;

impl IncusLxd {
    pub(super) fn make(&self, name: &ContainerName, spec: &CreateSpec, until: Until<'_>) -> Result<(), Error> {
        let deadline = until.deadline;
        spec.check()?;
        {
            // An earlier container of this name may have gone without this driver.
            let _lock = self.locks.lock(&[name], deadline)?;
            self.forget(name);
        }
        let body = json!({
            "name": name.as_str(),
            "type": "container",
            "source": { "type": "image", "fingerprint": self.fingerprint(&spec.image, deadline)? },
            "profiles": ["default"],
            "config": config(spec),
            "devices": self.devices(spec, deadline)?,
        });
        let path = match &spec.group {
            Some(group) => format!("/1.0/instances?target={}", utf8_percent_encode(group, NON_ALPHANUMERIC)),
            None => "/1.0/instances".to_owned(),
        };
        let Err(error) = self.rest.operate("POST", &path, &body, until) else { return Ok(()) };
        let error = Error::from(error);
        let answered = matches!(error, Error::Refused(_) | Error::Failed(_));
        if answered && self.instance(name, deadline).is_ok() {
            return Err(Error::AlreadyExists(name.to_string()));
        }
        let values: Vec<&str> = spec.env.iter().map(|(_, value)| value.reveal()).collect();
        Err(error.without(&values))
    }

    /// The image's fingerprint, which names the same image in the next request too.
    fn fingerprint(&self, image: &ImageName, deadline: Instant) -> Result<String, Error> {
        let alias = utf8_percent_encode(image.as_str(), NON_ALPHANUMERIC);
        match self.rest.get(&format!("/1.0/images/aliases/{alias}"), deadline) {
            Ok(reply) => match reply.metadata["target"].as_str() {
                Some(target) => Ok(target.to_owned()),
                None => Err(Error::invalid_response("an image alias without a target")),
            },
            Err(RestError::Status(404, _)) if image.may_be_fingerprint() => Ok(image.as_str().to_owned()),
            Err(RestError::Status(404, _)) => Err(Error::no_image(image.as_str(), self.known_images(deadline)?)),
            Err(other) => Err(other.into()),
        }
    }

    /// The aliases of the runtime's images.
    pub(super) fn known_images(&self, deadline: Instant) -> Result<Vec<String>, Error> {
        let aliases = self.rest.get("/1.0/images/aliases", deadline)?.metadata;
        let paths: Vec<String> = parse(aliases)?;
        let name = |path: &String| {
            let name = path.strip_prefix("/1.0/images/aliases/")?;
            Some(text::one_line(&percent_decode_str(name).decode_utf8().ok()?, MAX_IMAGE_NAME))
        };
        Ok(paths.iter().filter_map(name).collect())
    }

    fn devices(&self, spec: &CreateSpec, deadline: Instant) -> Result<Value, Error> {
        let mut devices = Map::new();
        for (index, mount) in spec.mounts.iter().enumerate() {
            let device = json!({
                "type": "disk",
                "source": host_path(&mount.source)?,
                "path": mount.target.as_str(),
                "readonly": if mount.read_only { "true" } else { "false" },
            });
            devices.insert(format!("{MOUNT}{index}"), device);
        }
        if let Some(socket) = &spec.proxy_socket {
            devices.insert(PROXY.to_owned(), proxy_device(socket)?);
        }
        if let Some(bytes) = spec.root_bytes {
            let (device, mut root) = self.root_device(deadline)?;
            root["size"] = json!(format!("{bytes}B"));
            devices.insert(device, root);
        }
        Ok(Value::Object(devices))
    }

    /// The root disk of the default profile: a size of our own needs its storage pool too.
    fn root_device(&self, deadline: Instant) -> Result<(String, Value), Error> {
        let profile = self.rest.get("/1.0/profiles/default", deadline)?.metadata;
        let root = profile["devices"]
            .as_object()
            .and_then(|devices| devices.iter().find(|(_, device)| device["type"] == "disk" && device["path"] == "/"));
        let (name, device) = root.ok_or_else(|| Error::refused("the default profile has no root disk"))?;
        Ok((name.clone(), device.clone()))
    }
}

fn config(spec: &CreateSpec) -> Value {
    let mut config = Map::new();
    config.insert(OWNER.to_owned(), json!(spec.owner));
    if let Some(bytes) = spec.memory_bytes {
        config.insert("limits.memory".to_owned(), json!(format!("{bytes}B")));
    }
    if let Some(cpus) = spec.cpus {
        config.insert("limits.cpu".to_owned(), json!(cpus.to_string()));
    }
    for (key, value) in &spec.env {
        config.insert(format!("{ENVIRONMENT}{}", key.as_str()), json!(value.reveal()));
    }
    Value::Object(config)
}

/// The proxy device that connects the inside to this socket on the host.
pub(super) fn proxy_device(socket: &Path) -> Result<Value, Error> {
    Ok(json!({
        "type": "proxy",
        "bind": "instance",
        "listen": format!("tcp:{INSIDE_ADDRESS}"),
        "connect": format!("unix:{}", host_path(socket)?),
    }))
}
