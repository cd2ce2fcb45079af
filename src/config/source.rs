//! Where a key may be set, read in the order of precedence. What is wrong is collected: a person mends all of it at
//! once.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use super::file::{self, Node, Table, Value};
use super::{keys, paths, suggestions};
use crate::limits::in_bounds;

/// Problems that are listed; a file may hold thousands.
const PROBLEMS: usize = 50;
/// Characters of a name from outside that are repeated.
const NAME_CHARS: usize = 64;

/// Where a setting's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nothing was set.
    Default,
    /// A line of the file.
    Line(usize),
    /// A variable of the environment.
    Variable(String),
    /// A flag.
    Flag(&'static str),
}

/// Settings that cannot be used: a sentence each for the person who set them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    problems: Vec<String>,
    count: usize,
}

impl ConfigError {
    /// Each problem with its place, 50 at the most.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// How many there are, those that are not listed included.
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

/// The environment as it is read here.
pub(super) type Environment = BTreeMap<String, String>;

/// The settings that are being read.
pub(super) struct Sources {
    /// The file's name, empty where there is none.
    file_name: String,
    file: Table,
    env: Environment,
    /// Where each key was set.
    pub(super) origins: BTreeMap<String, Origin>,
    /// By line of the file, 0 for the rest; in the order found.
    problems: Vec<(usize, String)>,
    /// Lines that are not TOML: what else is wrong there follows from that.
    broken: BTreeSet<usize>,
}

/// A name from outside as it may be shown.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(NAME_CHARS).flat_map(char::escape_debug).collect()
}

impl Sources {
    /// The process's environment and the file `path` names, or else `TAOSD_CONFIG`.
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
        // A reload must find it again, wherever the daemon has gone to meanwhile.
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

    /// These texts.
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

    /// A variable of the environment.
    pub(super) fn var(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    /// Notes what is wrong with what stands somewhere.
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

    /// Notes that a flag decides, whatever else is set.
    pub(super) fn flag(&mut self, key: &str, flag: &'static str) {
        self.origins.insert(key.to_owned(), Origin::Flag(flag));
    }

    /// Takes a key out of the file, and its value there or in the environment, which beats the file.
    pub(super) fn take(&mut self, path: &[&str], variable: &str) -> Option<(Value, Origin)> {
        let in_file = take_from(&mut self.file, path).map(|node| (node.value, Origin::Line(node.line)));
        let in_env = self.var(variable).map(|text| (Value::Text(text), Origin::Variable(variable.to_owned())));
        let found = in_env.or(in_file)?;
        self.origins.insert(path.join("."), found.1.clone());
        Some(found)
    }

    /// The line of a table, where it is one.
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

    /// A list of texts; in the environment separated by commas.
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

    /// A number within its bounds.
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

    /// On or off.
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

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, path: &[&str], variable: &str, words: &[(&str, T)]) -> Option<T> {
        let (text, origin) = self.text(path, variable)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meant)| *meant);
        if found.is_none() {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.wrong(&origin, format_args!("{} must be one of {}, not {}", name(path), all.join(", "), shown(&text)));
        }
        found
    }

    /// What is left is unknown. All that was wrong, if anything was.
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
        // Looking for the name that is meant takes time, and so many are no slips of the pen.
        let meant = if self.problems.len() < PROBLEMS { suggestions::for_key(table, key) } else { String::new() };
        self.wrong(&Origin::Line(line), format_args!("unknown key {}{place}{meant}", shown(key)));
    }
}

/// A key as it is shown: `ax.max_agent_pats`.
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
