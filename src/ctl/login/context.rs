//! What every command is given: the global flags, read once.

use std::env;
use std::time::Duration;

use clap::ArgMatches;

use super::connection::{self, LoginFlags, LoginSource, SAVED_LOGIN, SavedLogin};
use super::credentials::{self, Saved};
use super::session::Session;
use super::{profile, project};
use crate::ctl::core::failure::Failure;
use crate::ctl::core::format::Format;
use crate::ctl::core::home::Home;
use crate::limits::IDEMPOTENCY_KEY_CHARS;
use crate::say::complain;
use crate::secret::Plaintext;

const ARGV_WARNING: &str = "warning: others on this machine can read --token in the process list; use --token-file\n";

/// The global flags.
#[derive(Debug)]
pub struct Context {
    /// Server and token as given.
    pub given: LoginFlags,
    /// The profile to use whatever else is set.
    pub profile: Option<String>,
    /// Print JSON; other forms for programs are made of it at the end.
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
        // First, so that whatever goes wrong is told in it.
        let format = text("format");
        let fields: Vec<String> = matches.get_many("fields").into_iter().flatten().cloned().collect();
        let some = !fields.is_empty();
        let format = Format::choose(format.as_deref(), matches.get_flag("json"), matches.get_flag("quiet"), fields);
        if some && !format.is_machine() {
            let detail = "--fields chooses what JSON, YAML and JSON lines hold.";
            return Err(Failure::usage(detail, "Leave out -o, or give -o yaml or -o jsonl."));
        }
        let given =
            LoginFlags { url: text("url"), token: text("token").map(Plaintext::new), token_file: text("token-file") };
        if given.token.is_some() {
            complain(ARGV_WARNING);
        }
        let key = match text("idempotency-key") {
            None => uuid::Uuid::new_v4().to_string(),
            Some(key) if key.len() <= IDEMPOTENCY_KEY_CHARS && key.bytes().all(|b| b.is_ascii_graphic()) => key,
            Some(_) => {
                let detail = format!("--idempotency-key takes 1 to {IDEMPOTENCY_KEY_CHARS} visible ASCII characters.");
                return Err(Failure::usage(detail, "Give another key, or leave it out."));
            }
        };
        let timeout = Duration::from_secs(matches.get_one("timeout").copied().unwrap_or(30));
        Ok(Self { given, profile: text("profile"), json: format.is_machine(), timeout, key })
    }

    /// What a command without global flags has: the environment, and this much time.
    pub fn without_flags(timeout: Duration) -> Self {
        Self { given: LoginFlags::default(), profile: None, json: true, timeout, key: String::new() }
    }

    /// The session with the server that flags, environment, project, profile or saved login name, or that of this
    /// machine.
    ///
    /// # Errors
    /// What is given cannot be used.
    pub fn session(&self) -> Result<Session<'_>, Failure> {
        if let Some(name) = &self.profile {
            if self.given.url.is_some() || self.given.token.is_some() || self.given.token_file.is_some() {
                let fix = "Leave out --url and --token-file, or --profile.";
                return Err(Failure::usage("--profile names its own server and token.", fix));
            }
            return Ok(Session::new(self, profile::kept(&Self::home()?, name)?.into()));
        }
        let places: [LoginSource<'_>; 3] = [&project::here, &profile::in_use, &saved_login];
        Ok(Session::new(self, connection::choose(&self.given, &Self::env, &places)?))
    }

    /// The same, without the agents that project and profile stand for: what a user does for them.
    ///
    /// # Errors
    /// What is given cannot be used.
    pub fn user_session(&self) -> Result<Session<'_>, Failure> {
        Ok(Session::new(self, connection::choose(&self.given, &Self::env, &[&saved_login])?))
    }

    /// The configuration directory, if there is a place for one.
    ///
    /// # Errors
    /// The environment names one that cannot be used.
    pub fn find_home() -> Result<Option<Home>, Failure> {
        Home::find(&Self::env)
    }

    /// The configuration directory.
    ///
    /// # Errors
    /// There is no place for one.
    pub fn home() -> Result<Home, Failure> {
        let fix = "Name a directory with TAOS_CONFIG_DIR.";
        Self::find_home()?
            .ok_or_else(|| Failure::login("HOME is not set, so there is no place for the configuration.", fix))
    }

    /// A variable of the environment; an empty one is none.
    pub fn env(name: &str) -> Option<String> {
        env::var(name).ok().filter(|value| !value.is_empty())
    }
}

fn saved_login() -> Result<Option<SavedLogin>, Failure> {
    let saved = Context::find_home()?.map(|home| credentials::load(&home)).transpose()?.flatten();
    Ok(saved.map(|saved| {
        let Saved { server, token, space_id, .. } = saved;
        SavedLogin { server, token, source: SAVED_LOGIN.to_owned(), space_id }
    }))
}
