//! The sources of a key, read in the order of precedence. Errors are collected, so that a person can correct all of
//! them at once.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use super::file::{self, Node, Table, Value};
use super::{keys, paths, suggestions};
use crate::limits::in_bounds;

/// The most errors listed; a file may have thousands.
const PROBLEMS: usize = 50;
/// The most characters shown of a name from outside.
const NAME_CHARS: usize = 64;

/// The source of a setting's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The default.
    Default,
    /// A line of the file, from 1.
    Line(usize),
    /// An environment variable, by name.
    Variable(String),
    /// A flag, such as `--listen`.
    Flag(&'static str),
}

/// The settings that cannot be used: one sentence each for the person who set them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    problems: Vec<String>,
    count: usize,
}

impl ConfigError {
    /// The first 50 problems, each with its place.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The number of problems, including those that are not listed.
    pub fn count(&self) -> usize {
        self.count
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ([one], 1) = (self.problems.as_slice(), self.count) {
            return f.write_str(one);
        }
        write!(f, "{} settings cannot be used:", self.count)?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))?;
        match self.count - self.problems.len() {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

/// The environment variables by name.
pub(super) type Environment = BTreeMap<String, String>;

/// The sources while they are read. A key that was read is taken out of the file's table.
pub(super) struct Sources {
    /// The file's name; empty if there is none.
    file_name: String,
    file: Table,
    env: Environment,
    /// The source of each key.
    pub(super) origins: BTreeMap<String, Origin>,
    /// The problems in the order found, each with its line in the file; 0 for those outside the file.
    problems: Vec<(usize, String)>,
    /// Lines that are not valid TOML. Other problems on these lines follow from that and are not noted.
    broken: BTreeSet<usize>,
}

/// A name from outside, shortened and escaped for display.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(NAME_CHARS).flat_map(char::escape_debug).collect()
}

impl Sources {
    /// Reads the process's environment, and the file at `path` or else at `TAOSD_CONFIG`.
    pub(super) fn of_process(path: Option<&Path>) -> (Self, Option<PathBuf>) {
        let mut sources = Self::new(String::new(), "", Environment::new());
        for (name, value) in env::vars_os().filter(|(_, value)| !value.is_empty()) {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => drop(sources.env.insert(name, value)),
                Err(_) if name.starts_with("TAOSD_") => sources.wrong(&Origin::Variable(name), "is not UTF-8"),
                Err(_) => {}
            }
        }
        let path = path.map(Path::to_owned).or_else(|| sources.file_in_environment());
        // Absolute, so that a reload finds the file even if the working directory has changed.
        let path = path.map(|path| std::path::absolute(&path).unwrap_or(path));
        if let Some(path) = &path {
            sources.file_name = path.display().to_string();
            match file::read(path) {
                Ok(text) => sources.read(&text),
                Err(why) => sources.problems.push((0, format!("{}: {why}", path.display()))),
            }
        }
        (sources, path)
    }

    fn file_in_environment(&mut self) -> Option<PathBuf> {
        let path = PathBuf::from(self.var(keys::FILE_VARIABLE)?);
        if let Err(why) = paths::whole(&path) {
            self.wrong(&Origin::Variable(keys::FILE_VARIABLE.to_owned()), why);
        }
        Some(path)
    }

    /// Makes sources from these texts.
    pub(super) fn new(file_name: String, text: &str, env: Environment) -> Self {
        let mut sources = Self {
            file_name,
            file: Table::new(),
            env,
            origins: BTreeMap::new(),
            problems: Vec::new(),
            broken: BTreeSet::new(),
        };
        sources.read(text);
        sources
    }

    fn read(&mut self, text: &str) {
        let (table, wrong) = file::parse(text);
        self.file = table;
        for (line, why) in wrong {
            self.problems.push((line, format!("{}:{line}: {why}", self.file_name)));
            self.broken.insert(line);
        }
    }

    /// The value of an environment variable.
    pub(super) fn var(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    /// Notes a problem with the value from `origin`.
    pub(super) fn wrong(&mut self, origin: &Origin, why: impl fmt::Display) {
        let (line, text) = match origin {
            Origin::Line(line) if self.broken.contains(line) => return,
            Origin::Line(line) => (*line, format!("{}:{line}: {why}", self.file_name)),
            Origin::Variable(name) => (0, format!("{}: {why}", shown(name))),
            Origin::Flag(flag) => (0, format!("{flag}: {why}")),
            Origin::Default => (0, why.to_string()),
        };
        self.problems.push((line, text));
    }

    /// Notes that a flag sets the key, whatever the other sources say.
    pub(super) fn flag(&mut self, key: &str, flag: &'static str) {
        self.origins.insert(key.to_owned(), Origin::Flag(flag));
    }

    /// Takes a key out of the file and returns its value. The environment variable overrides the file.
    pub(super) fn take(&mut self, path: &[&str], variable: &str) -> Option<(Value, Origin)> {
        let in_file = take_from(&mut self.file, path).map(|node| (node.value, Origin::Line(node.line)));
        let in_env = self.var(variable).map(|text| (Value::Text(text), Origin::Variable(variable.to_owned())));
        let found = in_env.or(in_file)?;
        self.origins.insert(path.join("."), found.1.clone());
        Some(found)
    }

    /// The line of a table; `None` if the key is not a table.
    pub(super) fn table_line(&self, name: &str) -> Option<usize> {
        self.file.get(name).filter(|node| matches!(node.value, Value::Table(_))).map(|node| node.line)
    }

    /// The line of a key in a table.
    pub(super) fn line_in(&self, table: &str, key: &str) -> Option<usize> {
        match self.file.get(table).map(|node| &node.value) {
            Some(Value::Table(table)) => table.get(key).map(|node| node.line),
            _ => None,
        }
    }

    /// The keys in a table.
    pub(super) fn names_in(&self, table: &str) -> Vec<String> {
        match self.file.get(table).map(|node| &node.value) {
            Some(Value::Table(table)) => table.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn text(&mut self, path: &[&str], variable: &str) -> Option<(String, Origin)> {
        match self.take(path, variable)? {
            (Value::Text(text), origin) if !text.is_empty() => Some((text, origin)),
            (_, origin) => {
                self.wrong(&origin, format_args!("{} must be a text in quotes", name(path)));
                None
            }
        }
    }

    pub(super) fn path(&mut self, key: &str, variable: &str) -> Option<PathBuf> {
        let (text, origin) = self.text(&[key], variable)?;
        let path = PathBuf::from(text);
        if let Err(why) = paths::whole(&path) {
            self.wrong(&origin, format_args!("{key}: {why}"));
        }
        Some(path)
    }

    /// Takes a list of texts; in the environment they are separated by commas.
    pub(super) fn list(&mut self, path: &[&str], variable: &str) -> Option<(Vec<String>, Origin)> {
        let (value, origin) = self.take(path, variable)?;
        let text = |value: Value| if let Value::Text(text) = value { Some(text) } else { None };
        let list = match value {
            Value::Text(text) if matches!(origin, Origin::Variable(_)) => {
                Some(text.split(',').map(|part| part.trim().to_owned()).collect())
            }
            Value::List(values) => values.into_iter().map(text).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        match list {
            Some(list) => Some((list.into_iter().filter(|text| !text.is_empty()).collect(), origin)),
            None => {
                self.wrong(&origin, format_args!("{} must be a list of texts, such as [\"one\", \"two\"]", name(path)));
                None
            }
        }
    }

    /// Takes a number within its bounds.
    pub(super) fn number(&mut self, path: &[&str], variable: &str, min: u64, max: u64) -> Option<u64> {
        let (value, origin) = self.take(path, variable)?;
        let number = match value {
            Value::Number(n) => u64::try_from(n).ok(),
            Value::Text(text) if matches!(origin, Origin::Variable(_)) => text.parse().ok(),
            _ => None,
        };
        let checked = match number {
            None => Err(format!("{} must be a whole number from {min} to {max}, without quotes", name(path))),
            Some(number) => in_bounds(&name(path), number, min, max).map(|()| number),
        };
        checked.map_err(|why| self.wrong(&origin, why)).ok()
    }

    /// Takes `true` or `false`.
    pub(super) fn switch(&mut self, path: &[&str], variable: &str) -> Option<bool> {
        let (value, origin) = self.take(path, variable)?;
        let on = match value {
            Value::Switch(on) => Some(on),
            Value::Text(text) if matches!(origin, Origin::Variable(_)) => text.parse().ok(),
            _ => None,
        };
        if on.is_none() {
            self.wrong(&origin, format_args!("{} must be true or false, without quotes", name(path)));
        }
        on
    }

    /// Takes one of these words.
    pub(super) fn word<T: Copy>(&mut self, path: &[&str], variable: &str, words: &[(&str, T)]) -> Option<T> {
        let (text, origin) = self.text(path, variable)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meant)| *meant);
        if found.is_none() {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.wrong(&origin, format_args!("{} must be one of {}, not {}", name(path), all.join(", "), shown(&text)));
        }
        found
    }

    /// Notes every key and variable that is left as unknown. Returns the origins of all keys, or the collected
    /// problems.
    pub(super) fn finish(mut self) -> Result<BTreeMap<String, Origin>, ConfigError> {
        for variable in self.env.keys().filter(|name| !keys::is_known_variable(name)).cloned().collect::<Vec<_>>() {
            let meant = suggestions::for_variable(&variable);
            self.wrong(&Origin::Variable(variable), format_args!("is not a setting{meant}"));
        }
        let left = std::mem::take(&mut self.file);
        for (key, node) in left {
            match node.value {
                Value::Table(inner) if keys::tables().contains(&key.as_str()) => self.left_in(&key, inner),
                _ if keys::tables().contains(&key.as_str()) => {
                    self.wrong(&Origin::Line(node.line), format_args!("[{key}] must be a table"));
                }
                _ => self.unknown("", "", &key, node.line),
            }
        }
        self.problems.sort_by_key(|(line, _)| *line);
        if self.problems.is_empty() {
            return Ok(self.origins);
        }
        let count = self.problems.len();
        Err(ConfigError { problems: self.problems.into_iter().map(|(_, text)| text).take(PROBLEMS).collect(), count })
    }

    fn left_in(&mut self, table: &str, left: Table) {
        for (key, node) in left {
            match node.value {
                Value::Table(inner) if keys::holds_tables(table) => {
                    for (inner_key, inner) in inner {
                        self.unknown(&format!("{table}.NAME"), &format!("{table}.{key}"), &inner_key, inner.line);
                    }
                }
                _ if keys::holds_tables(table) => {
                    self.wrong(&Origin::Line(node.line), format_args!("{table}.{} must be a table", shown(&key)));
                }
                _ => self.unknown(table, table, &key, node.line),
            }
        }
    }

    fn unknown(&mut self, table: &str, heading: &str, key: &str, line: usize) {
        let place = if table.is_empty() { String::new() } else { format!(" in [{}]", shown(heading)) };
        // The search for a similar name takes time, and a file with so many problems does not have typing errors only.
        let meant = if self.problems.len() < PROBLEMS { suggestions::for_key(table, key) } else { String::new() };
        self.wrong(&Origin::Line(line), format_args!("unknown key {}{place}{meant}", shown(key)));
    }
}

/// A key as shown to people: `ax.max_agent_pats`.
fn name(path: &[&str]) -> String {
    shown(&path.join("."))
}

fn take_from(table: &mut Table, path: &[&str]) -> Option<Node> {
    match path {
        [] => None,
        [key] => table.remove(*key),
        [first, rest @ ..] => match &mut table.get_mut(*first)?.value {
            Value::Table(inner) => take_from(inner, rest),
            _ => None,
        },
    }
}
