//! The table `[webhook]`: a URL, and a file that holds the secret deliveries are signed with. A secret in `taosd.toml`
//! would be read by more people than need it.

use std::path::PathBuf;

use super::source::Sources;
use super::{Origin, file, paths};
use crate::client::endpoint::Endpoint;
use crate::secret::Plaintext;

/// Bytes of the secret.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=1024;

/// Where notifications are delivered as well.
#[derive(Debug)]
pub struct WebhookSettings {
    /// The receiver.
    pub endpoint: Endpoint,
    /// Where its secret was read from.
    pub secret_file: PathBuf,
}

impl WebhookSettings {
    pub(super) fn from_sources(sources: &mut Sources) -> Option<Self> {
        let line = Origin::Line(sources.table_line("webhook")?);
        let url = sources.text(&["webhook", "url"], "");
        let file = sources.text(&["webhook", "secret_file"], "");
        let (Some((url, url_at)), Some((file, file_at))) = (url, file) else {
            sources.wrong(&line, "[webhook] must hold url = \"http://…\" and secret_file = \"PATH\"");
            return None;
        };
        let secret_file = PathBuf::from(file);
        if let Err(why) = paths::whole(&secret_file) {
            sources.wrong(&file_at, format_args!("webhook.secret_file: {why}"));
            return None;
        }
        let secret = match file::read(&secret_file) {
            Ok(text) if SECRET_BYTES.contains(&text.trim().len()) => text.trim().to_owned(),
            Ok(_) => {
                let why = format!("{} must hold a secret of 16 to 1024 bytes", secret_file.display());
                sources.wrong(&file_at, format_args!("webhook.secret_file: {why}"));
                String::new()
            }
            Err(why) => {
                sources.wrong(&file_at, format_args!("webhook.secret_file: {}: {why}", secret_file.display()));
                String::new()
            }
        };
        match Endpoint::parse(&url, Plaintext::new(secret)) {
            Ok(endpoint) => Some(Self { endpoint, secret_file }),
            Err(why) => {
                sources.wrong(&url_at, format_args!("webhook.url {why}"));
                None
            }
        }
    }
}
