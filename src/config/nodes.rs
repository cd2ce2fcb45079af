//! `[nodes.NAME]`: other machines whose Incus or LXD runs agents of this box.

use std::path::PathBuf;
use std::sync::Arc;

use super::paths;
use super::source::{Origin, Sources, shown};
use crate::client::tls::Pin;
use crate::containers::node::{TrustToken, fingerprint_of};
use crate::containers::{NodeName, NodeOptions};
use crate::secret::Plaintext;

/// The most nodes: each has threads of its own.
const MOST: usize = 16;

/// A node of `taosd.toml`.
#[derive(Debug, Clone)]
pub struct NodeSettings {
    /// Its address and credentials.
    pub options: Arc<NodeOptions>,
    /// The key `certificate` as written: a fingerprint, or the path of a file.
    pub certificate: Option<String>,
}

pub(super) fn from_sources(sources: &mut Sources) -> Vec<NodeSettings> {
    let names = sources.names_in("nodes");
    if let (true, Some(line)) = (names.len() > MOST, sources.table_line("nodes")) {
        sources.wrong(&Origin::Line(line), format_args!("nodes: at most {MOST} can be set"));
    }
    names.into_iter().filter_map(|name| node(sources, &name)).take(MOST).collect()
}

fn node(sources: &mut Sources, name: &str) -> Option<NodeSettings> {
    let line = Origin::Line(sources.line_in("nodes", name)?);
    let url = sources.text(&["nodes", name, "url"], "");
    let certificate = sources.text(&["nodes", name, "certificate"], "");
    let token = sources.text(&["nodes", name, "token"], "");
    let heading = format!("nodes.{}", shown(name));
    let Ok(name) = NodeName::parse(name) else {
        let rule = "1 to 32 of a-z, 0-9 and -, a letter first; not auto, cloud or controller";
        sources.wrong(&line, format_args!("{heading} is not the name of a node: {rule}"));
        return None;
    };
    let Some((url, url_at)) = url else {
        sources.wrong(&line, format_args!("[{heading}] must hold url = \"https://HOST:8443\""));
        return None;
    };
    let endpoint = NodeOptions::endpoint(&url);
    let endpoint = endpoint.map_err(|why| sources.wrong(&url_at, format_args!("{heading}.url {why}"))).ok();
    let read = token.as_ref().map(|(text, at)| {
        let token = TrustToken::parse(text);
        token.map_err(|why| sources.wrong(at, format_args!("{heading}.token: {why}"))).ok()
    });
    let pin = match (&certificate, &read) {
        (Some((text, at)), _) => {
            let pin = pin(text);
            pin.map_err(|why| sources.wrong(at, format_args!("{heading}.certificate: {why}"))).ok()
        }
        (None, Some(token)) => token.as_ref().map(|token| Pin::Fingerprint(token.fingerprint)),
        (None, None) => {
            sources.wrong(&line, format_args!("[{heading}] must hold a token or a certificate"));
            None
        }
    };
    let token = token.map(|(text, _)| Plaintext::new(text.trim().to_owned()));
    let options = NodeOptions { name, url, endpoint: endpoint?, pin: pin?, token };
    Some(NodeSettings { options: Arc::new(options), certificate: certificate.map(|(text, _)| text) })
}

/// Parses a fingerprint, or reads the PEM file at a path.
fn pin(text: &str) -> Result<Pin, String> {
    if let Some(fingerprint) = fingerprint_of(text) {
        return Ok(Pin::Fingerprint(fingerprint));
    }
    if !text.starts_with('/') {
        return Err("is neither a SHA-256 of 64 hexadecimal digits nor the absolute path of a file in PEM".to_owned());
    }
    Pin::of_file(&paths::whole(&PathBuf::from(text))?)
}
