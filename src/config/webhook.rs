//! The table `[webhook]`: a URL, and a file with the secret that signs deliveries. The secret is in a file of its own,
//! because more people read `taosd.toml` than should know the secret.

use std::path::PathBuf;

use super::source::Sources;
use super::{Origin, file, paths};
use crate::client::endpoint::Endpoint;
use crate::secret::Plaintext;

/// The bounds of the secret's length in bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=1024;

/// The webhook that also receives notifications.
#[derive(Debug)]
pub struct WebhookSettings {
    /// The receiver, with the secret.
    pub endpoint: Endpoint,
    /// The file of the secret.
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
