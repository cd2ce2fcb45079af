//! `[[channel]]`: channels that the operator sets, for all admins or for one user. Their tokens are in files of their
//! own, because more people read `taosd.toml` than should know the tokens.

use std::path::{Path, PathBuf};

use file::{Table, Value, take_text};

use super::source::Sources;
use super::source::shown;
use super::{file, paths};
use crate::client::endpoint::Endpoint;
use crate::client::tls::Trust;
use crate::secret::Plaintext;
use crate::store::channels::{ChannelEvent, ChannelKind};
use crate::store::notifications::Level;

/// The most channels.
const MOST: usize = 16;
/// The most bytes of a token.
const TOKEN_BYTES: usize = 1024;

/// A channel of `taosd.toml`.
#[derive(Debug)]
pub struct ConfiguredChannel {
    /// The id: it stays the same while kind, URL and user stay the same.
    pub id: String,
    /// The protocol of the receiver.
    pub kind: ChannelKind,
    /// The URL of the receiver.
    pub url: String,
    /// Scheme and host of the URL, for people: the rest of the URL may be a secret.
    pub place: String,
    /// The token that the receiver requires.
    pub token: Option<Plaintext>,
    /// The file of the token.
    pub token_file: Option<PathBuf>,
    /// The certificates to trust instead of the system's authorities.
    pub trust: Option<Trust>,
    /// The file of these certificates.
    pub ca_file: Option<PathBuf>,
    /// The events that are sent there; all if empty.
    pub events: Vec<ChannelEvent>,
    /// The lowest level that is sent there.
    pub min_level: Level,
    /// The user whose notifications are sent there; `None` for those of the admins.
    pub user: Option<String>,
}

pub(super) fn from_sources(sources: &mut Sources) -> Vec<ConfiguredChannel> {
    let Some((value, origin)) = sources.take(&["channel"], "") else { return Vec::new() };
    let Value::List(list) = value else {
        sources.wrong(&origin, "channel must be a list of tables, each written as [[channel]]");
        return Vec::new();
    };
    if list.len() > MOST {
        sources.wrong(&origin, format_args!("channel: at most {MOST} can be set"));
    }
    let mut all: Vec<ConfiguredChannel> = Vec::new();
    for (nth, one) in list.into_iter().take(MOST).enumerate() {
        let read = match one {
            Value::Table(table) => read(table),
            _ => Err("must be a table with kind and url".to_owned()),
        };
        let read = read.and_then(|channel| match all.iter().any(|other| other.id == channel.id) {
            true => Err("is there twice: kind, url and user are those of another one".to_owned()),
            false => Ok(channel),
        });
        match read {
            Ok(channel) => all.push(channel),
            Err(why) => sources.wrong(&origin, format_args!("channel {}: {why}", nth + 1)),
        }
    }
    all
}

fn read(mut table: Table) -> Result<ConfiguredChannel, String> {
    let kind = word::<ChannelKind>(&mut table, "kind", ChannelKind::SLUGS)?.ok_or("kind is missing")?;
    let url = take_text(&mut table, "url")?.ok_or("url is missing")?;
    let endpoint = Endpoint::parse(&url, Plaintext::new(String::new())).map_err(|why| format!("url {why}"))?;
    let token_file = path(&mut table, "token_file")?;
    let token = token_file.as_deref().map(token).transpose()?;
    if kind == ChannelKind::Telegram && token.is_none() {
        return Err("token_file is missing, which telegram needs".to_owned());
    }
    let ca_file = path(&mut table, "ca_file")?;
    if ca_file.is_some() && !endpoint.tls {
        return Err("ca_file is of no use: url does not begin with https://".to_owned());
    }
    let trust = ca_file.as_deref().map(Trust::of_file).transpose().map_err(|why| format!("ca_file: {why}"))?;
    let events = events(&mut table)?;
    let min_level = word::<Level>(&mut table, "min_level", Level::SLUGS)?.unwrap_or(Level::Normal);
    let user = take_text(&mut table, "user")?;
    if let Some(other) = table.into_keys().next() {
        return Err(format!(
            "accepts only kind, url, token_file, ca_file, events, min_level and user, not {}",
            shown(&other)
        ));
    }
    let place = endpoint.place();
    let id = id(kind, &url, user.as_deref());
    Ok(ConfiguredChannel { id, kind, url, place, token, token_file, trust, ca_file, events, min_level, user })
}

/// An id in the form of all ids, derived from kind, URL and user.
fn id(kind: ChannelKind, url: &str, user: Option<&str>) -> String {
    let whole = format!("{kind}\0{url}\0{}", user.unwrap_or(""));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&blake3::hash(whole.as_bytes()).as_bytes()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

fn word<T: std::str::FromStr>(table: &mut Table, key: &str, words: &[&str]) -> Result<Option<T>, String> {
    let Some(text) = take_text(table, key)? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| format!("{key}: {} is not one of {}", shown(&text), words.join(", ")))
}

fn path(table: &mut Table, key: &str) -> Result<Option<PathBuf>, String> {
    let Some(text) = take_text(table, key)? else { return Ok(None) };
    let path = PathBuf::from(text);
    paths::whole(&path).map_err(|why| format!("{key}: {why}"))?;
    Ok(Some(path))
}

fn token(path: &Path) -> Result<Plaintext, String> {
    let told = |why: &str| format!("token_file: {}: {why}", path.display());
    let text = file::read(path).map_err(|why| told(&why))?;
    let token = text.trim();
    if token.is_empty() || token.len() > TOKEN_BYTES || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(told("it must hold a token of 1 to 1024 visible ASCII characters and nothing else"));
    }
    Ok(Plaintext::new(token.to_owned()))
}

fn events(table: &mut Table) -> Result<Vec<ChannelEvent>, String> {
    let wrong = || format!("events must be a list of {}", ChannelEvent::SLUGS.join(", "));
    let list = match table.remove("events").map(|node| node.value) {
        None => return Ok(Vec::new()),
        Some(Value::List(list)) => list,
        Some(_) => return Err(wrong()),
    };
    let event = |value| match value {
        Value::Text(text) => text.parse::<ChannelEvent>().map_err(|_| wrong()),
        _ => Err(wrong()),
    };
    list.into_iter().map(event).collect()
}
