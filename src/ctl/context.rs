//! What every command is given: the global flags, read once.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;

use super::connection::{self, Given};
use super::credentials;
use super::failure::Failure;
use super::output::complain;
use super::session::Session;
use crate::limits::IDEMPOTENCY_KEY_CHARS;
use crate::secret::Plaintext;

const ARGV_WARNING: &str = "warning: others on this machine can read --token in the process list; use --token-file\n";

/// The global flags.
#[derive(Debug)]
pub struct Context {
    /// Server and token as given.
    pub given: Given,
    /// Print JSON.
    pub json: bool,
    /// How long an answer may take.
    pub timeout: Duration,
    /// The key of this command's change.
    pub key: String,
}

impl Context {
    /// Reads the global flags.
    ///
    /// # Errors
    /// One that cannot be used.
    pub fn new(matches: &ArgMatches) -> Result<Self, Failure> {
        let text = |name: &str| matches.get_one::<String>(name).cloned();
        let given =
            Given { url: text("url"), token: text("token").map(Plaintext::new), token_file: text("token-file") };
        if given.token.is_some() {
            complain(ARGV_WARNING);
        }
        let key = match text("idempotency-key") {
            None => random_key(),
            Some(key) if key.len() <= IDEMPOTENCY_KEY_CHARS && key.bytes().all(|b| b.is_ascii_graphic()) => key,
            Some(_) => {
                let detail = format!("--idempotency-key takes 1 to {IDEMPOTENCY_KEY_CHARS} visible ASCII characters.");
                return Err(Failure::usage(detail, "Give another key, or leave it out."));
            }
        };
        let timeout = Duration::from_secs(matches.get_one("timeout").copied().unwrap_or(30));
        Ok(Self { given, json: matches.get_flag("json"), timeout, key })
    }

    /// The session with the server that flags, environment or the saved login name, or that of this machine.
    ///
    /// # Errors
    /// What is given cannot be used.
    pub fn session(&self) -> Result<Session<'_>, Failure> {
        let saved = || match self.credentials_file() {
            Some(path) => credentials::load(&path),
            None => Ok(None),
        };
        Ok(Session::new(self, connection::choose(&self.given, &Self::env, saved)?))
    }

    /// Where the login is saved.
    pub fn credentials_file(&self) -> Option<PathBuf> {
        credentials::file(&Self::env)
    }

    /// A variable of the environment; an empty one is none.
    pub fn env(name: &str) -> Option<String> {
        env::var(name).ok().filter(|value| !value.is_empty())
    }
}

/// A random UUID (RFC 9562, version 4).
fn random_key() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the kernel's random source answers on every Linux taosctl runs on");
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}
