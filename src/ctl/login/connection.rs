//! Chooses the server of a command and the token for it.
//!
//! Flags come first, then the environment, then files: the nearest `.taos/config.toml`, the active profile, the saved
//! login. The local socket is last. A source that names both a URL and a token keeps them together. The environment's
//! token is not sent to another `--url` than the environment's, and a saved token is sent to its own server only.

use std::io::{self, Read};
use std::path::Path;
use std::sync::OnceLock;

use super::credentials::is_token;
use crate::config::paths;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::input;
use crate::ctl::core::server::Server;
use crate::rest::text::without_bom_str;
use crate::secret::Plaintext;

/// The source of a token from the environment.
pub const ENVIRONMENT: &str = "environment";
/// The source of the token that `taosctl login` saved.
pub const SAVED_LOGIN: &str = "saved login";
/// The source if there is no token.
pub const NO_LOGIN: &str = "none";

/// The flags that choose a server and a token.
#[derive(Debug, Default)]
pub struct LoginFlags {
    /// `--url`.
    pub url: Option<String>,
    /// `--token`.
    pub token: Option<Plaintext>,
    /// `--token-file`.
    pub token_file: Option<String>,
    /// The token from stdin, which can be read only once, while a command may make several sessions.
    pub stdin: OnceLock<Plaintext>,
}

/// A server and the token for it.
#[derive(Debug)]
pub struct Connection {
    /// The server.
    pub server: Server,
    /// The token; `None` on a socket, where the daemon knows the peer.
    pub token: Option<Plaintext>,
    /// The source of the token, for people.
    pub source: String,
    /// The space that the source of the token names.
    pub space_id: Option<String>,
}

/// A saved token, and the only server that it is for.
#[derive(Debug)]
pub struct SavedLogin {
    /// The server; the token is sent to no other.
    pub server: Server,
    /// The token.
    pub token: Plaintext,
    /// The file with the token, for people.
    pub source: String,
    /// The space that the file names.
    pub space_id: Option<String>,
}

type EnvLookup<'a> = &'a dyn Fn(&str) -> Option<String>;

impl From<SavedLogin> for Connection {
    fn from(kept: SavedLogin) -> Self {
        let SavedLogin { server, token, source, space_id } = kept;
        Self { server, token: Some(token), source, space_id }
    }
}

/// A place where a login may be saved; called only when its turn comes.
pub type LoginSource<'a> = &'a dyn Fn() -> Result<Option<SavedLogin>, Failure>;

impl Connection {
    /// The source of the token, in words that tell a person what to change.
    pub fn origin(&self) -> &str {
        match self.source.as_str() {
            ENVIRONMENT => "TAOS_TOKEN or TAOS_TOKEN_FILE of the environment",
            source => source,
        }
    }

    /// The command that gets another token instead of this one.
    pub fn log_in(&self) -> String {
        let log_in = format!("taosctl login --url {}", self.server);
        match self.source.as_str() {
            // The environment would override the new login.
            ENVIRONMENT => format!("unset TAOS_TOKEN TAOS_TOKEN_FILE; {log_in}"),
            source if source.starts_with("profile ") => "taosctl profile ls".to_owned(),
            _ => log_in,
        }
    }

    /// Makes a connection to this server; `source` is the source of the token.
    pub fn new(server: Server, token: Option<Plaintext>, source: &str) -> Self {
        Self { server, token, source: source.to_owned(), space_id: None }
    }
}

impl LoginFlags {
    /// The server named by a flag or by `TAOS_URL`.
    ///
    /// # Errors
    /// [`Failure::Usage`] if the URL is not valid.
    pub fn server(&self, env: EnvLookup<'_>) -> Result<Option<Server>, Failure> {
        if let Some(url) = &self.url {
            return Server::parse(url).map(Some);
        }
        let Some(url) = env("TAOS_URL") else { return Ok(None) };
        let socket = url.strip_prefix("unix:").filter(|path| !path.is_empty());
        if let Some(Err(why)) = socket.map(|path| paths::of_variable("TAOS_URL", Path::new(path))) {
            return Err(Failure::usage(format!("{why}."), "Write unix: and the absolute path of the socket."));
        }
        Server::parse(&url).map(Some)
    }

    /// The token from the flags.
    ///
    /// # Errors
    /// Both flags are given, the file cannot be read, or the text is not a token.
    pub fn token(&self) -> Result<Option<Plaintext>, Failure> {
        match (&self.token, &self.token_file) {
            (Some(_), Some(_)) => Err(Failure::usage(
                "--token and --token-file are both given.",
                "Give only one of them, preferably --token-file.",
            )),
            (Some(token), None) => checked(token.reveal()).map(Some),
            (None, Some(path)) => self.read(path).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Reads a token from a file, or for `-` the one from stdin.
    fn read(&self, path: &str) -> Result<Plaintext, Failure> {
        let token = match self.stdin.get() {
            Some(token) if path == "-" => return Ok(Plaintext::new(token.reveal().to_owned())),
            _ => read_token(path)?,
        };
        if path == "-" {
            let _ = self.stdin.set(Plaintext::new(token.reveal().to_owned()));
        }
        Ok(token)
    }
}

/// Chooses the connection. The places are asked in their order, and only if neither flags nor environment give a token.
///
/// # Errors
/// A flag, a variable or a saved login cannot be used.
pub fn choose(given: &LoginFlags, env: EnvLookup<'_>, places: &[LoginSource<'_>]) -> Result<Connection, Failure> {
    let named = given.server(env)?;
    let local = || Server::local(env);
    if let Some(token) = given.token()? {
        return Ok(Connection::new(named.unwrap_or_else(local), Some(token), "flags"));
    }
    if may_use_environment(given, env, named.as_ref())?
        && let Some(token) = environment_token(given, env)?
    {
        return Ok(Connection::new(named.unwrap_or_else(local), Some(token), ENVIRONMENT));
    }
    for place in places {
        if let Some(kept) = place()?
            && named.as_ref().is_none_or(|server| *server == kept.server)
        {
            return Ok(kept.into());
        }
    }
    Ok(Connection::new(named.unwrap_or_else(local), None, NO_LOGIN))
}

/// If the environment has a URL, its token is for that URL only.
fn may_use_environment(given: &LoginFlags, env: EnvLookup<'_>, named: Option<&Server>) -> Result<bool, Failure> {
    match env("TAOS_URL") {
        Some(url) if given.url.is_some() => Ok(Server::parse(&url).ok().as_ref() == named),
        _ => Ok(true),
    }
}

fn environment_token(given: &LoginFlags, env: EnvLookup<'_>) -> Result<Option<Plaintext>, Failure> {
    match (env("TAOS_TOKEN"), env("TAOS_TOKEN_FILE")) {
        (Some(token), _) => checked(&token).map(Some),
        (None, Some(path)) if path == "-" => given.read(&path).map(Some),
        (None, Some(path)) => {
            let path = paths::of_variable("TAOS_TOKEN_FILE", Path::new(&path)).map_err(|why| {
                Failure::usage(format!("{why}."), "Set TAOS_TOKEN_FILE to the absolute path of the file.")
            })?;
            given.read(&path.to_string_lossy()).map(Some)
        }
        (None, None) => Ok(None),
    }
}

/// Reads a token from a file, or from stdin for `-`.
///
/// # Errors
/// [`Failure::Login`] if the file cannot be read, or does not contain a token.
pub fn read_token(path: &str) -> Result<Plaintext, Failure> {
    let mut text = String::new();
    input::open(path)
        .map_err(|error| unreadable(path, &error))?
        .take(8 * 1024)
        .read_to_string(&mut text)
        .map_err(|error| unreadable(path, &error))?;
    let text = Plaintext::new(text);
    checked(text.reveal())
}

fn unreadable(path: &str, error: &io::Error) -> Failure {
    Failure::login(
        format!("The token cannot be read from {path}: {error}"),
        "Name a file that contains only the token.",
    )
}

/// A text that has the form of a token, without the blanks around it.
///
/// # Errors
/// [`Failure::Login`] if the text does not have that form.
pub fn checked(text: &str) -> Result<Plaintext, Failure> {
    let text = without_bom_str(text).trim();
    if is_token(text) {
        return Ok(Plaintext::new(text.to_owned()));
    }
    // The error does not repeat the text: it may be a secret with a typing error.
    Err(Failure::login("The token is empty, too long, or has blanks in it.", "Give only the token, on one line."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "http://a:1";
    const B: &str = "http://b:2";

    fn plain(text: &str) -> Plaintext {
        Plaintext::new(text.to_owned())
    }

    /// The server and token chosen for this `--url`, `--token` and environment, with a login saved for A.
    fn chosen(url: Option<&str>, token: Option<&str>, env: &[(&str, &str)]) -> (String, String) {
        let given = LoginFlags { url: url.map(str::to_owned), token: token.map(plain), ..LoginFlags::default() };
        let lookup = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let connection = choose(&given, &lookup, &[&|| Ok(None), &|| Ok(kept(A, "saved"))]).unwrap();
        let token = connection.token.map_or(String::new(), |token| token.reveal().to_owned());
        (connection.server.to_string(), token)
    }

    fn kept(url: &str, token: &str) -> Option<SavedLogin> {
        let (server, source) = (Server::parse(url).unwrap(), token.to_owned());
        Some(SavedLogin { server, token: plain(token), source, space_id: None })
    }

    #[test]
    fn the_nearest_place_wins_one_of_another_server_is_passed_over_and_a_broken_one_ends_it() {
        let by = |url: Option<&str>, places: &[LoginSource<'_>]| {
            let given = LoginFlags { url: url.map(str::to_owned), ..LoginFlags::default() };
            choose(&given, &|_| None, places).map(|connection| connection.source)
        };
        let (project, profile): (LoginSource<'_>, LoginSource<'_>) =
            (&|| Ok(kept(A, "project")), &|| Ok(kept(B, "profile")));
        let broken: LoginSource<'_> = &|| Err(Failure::login("x", "y"));
        assert_eq!(by(None, &[project, profile]).unwrap(), "project");
        assert_eq!(by(Some(B), &[project, profile]).unwrap(), "profile");
        assert_eq!(by(Some("http://c:3"), &[project, profile]).unwrap(), "none");
        assert!(by(None, &[broken, profile]).is_err());
        assert_eq!(by(None, &[project, broken]).unwrap(), "project", "it was not its turn");
    }

    fn pair(server: &str, token: &str) -> (String, String) {
        (server.to_owned(), token.to_owned())
    }

    #[test]
    fn flags_beat_the_environment_which_beats_the_saved_login() {
        let env = [("TAOS_URL", B), ("TAOS_TOKEN", "env")];
        assert_eq!(chosen(Some(A), Some("flag"), &env), pair(A, "flag"));
        assert_eq!(chosen(None, None, &env), pair(B, "env"));
        assert_eq!(chosen(None, None, &[]), pair(A, "saved"));
        assert_eq!(chosen(Some(B), None, &[("TAOS_TOKEN", "env")]), pair(B, "env"));
        assert_eq!(chosen(None, Some("flag"), &[("TAOS_URL", B)]), pair(B, "flag"));
    }

    #[test]
    fn a_token_never_goes_to_the_url_of_another_source() {
        assert_eq!(chosen(Some(B), None, &[]), pair(B, ""));
        assert_eq!(chosen(Some(B), None, &[("TAOS_URL", A), ("TAOS_TOKEN", "env")]), pair(B, ""));
        assert_eq!(chosen(None, None, &[("TAOS_URL", B)]), pair(B, ""));
        // A token without a URL is for the daemon of this machine, not for the server of the saved login.
        assert!(chosen(None, Some("flag"), &[]).0.starts_with("unix:"));
        assert!(chosen(None, None, &[("TAOS_TOKEN", "env")]).0.starts_with("unix:"));
    }

    #[test]
    fn the_same_server_spelled_otherwise_is_the_same() {
        assert_eq!(chosen(Some("HTTP://A:1/"), None, &[]), pair(A, "saved"));
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_told_back() {
        for bad in ["", "a b", "a\nb", "ä", &"x".repeat(4097)] {
            let failure = checked(bad).unwrap_err();
            assert_eq!(failure.exit_code(), 2);
        }
        assert_eq!(checked(" tok\n").unwrap().reveal(), "tok");
    }
}
