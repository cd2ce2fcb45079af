//! Finds files that use each other in a circle, also through re-exports.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::Module;

/// A path that a file names, and the word that stands for it in that file.
type Named = (Module, String);

/// The files by module, without comments, string literals and unit tests.
pub struct Files {
    sources: BTreeMap<Module, String>,
    /// The re-exports of each module: the exported name, and the path that it stands for.
    exports: BTreeMap<Module, BTreeMap<String, Module>>,
}

impl Files {
    pub fn of(sources: &[(Module, String)]) -> Self {
        let uses = Regex::new(r"(?m)^(\s*)pub(\([^)]*\))?\s+use\s+([^;]*);").unwrap();
        let mut files = Self { sources: BTreeMap::new(), exports: BTreeMap::new() };
        for (module, source) in sources {
            let source = bare(source);
            let exports = files.exports.entry(module.clone()).or_default();
            for found in uses.captures_iter(&source) {
                let mut named = Vec::new();
                tree(module.clone(), &found[3], &mut named);
                exports.extend(named.into_iter().map(|(path, name)| (name, path)));
            }
            files.sources.insert(module.clone(), uses.replace_all(&source, "").into_owned());
        }
        files
    }

    /// Returns the groups of files that reach each other. The files of each group are sorted.
    pub fn circles(&self) -> BTreeSet<Vec<String>> {
        let uses: BTreeMap<&Module, BTreeSet<Module>> =
            self.sources.iter().map(|(module, source)| (module, self.used(module, source))).collect();
        let reached: BTreeMap<&Module, BTreeSet<&Module>> =
            uses.keys().map(|module| (*module, reach(module, &uses))).collect();
        let group = |module: &Module| {
            let others = reached[module].iter().filter(|other| reached[**other].contains(module));
            others.map(|module| module.join("::")).collect::<Vec<_>>()
        };
        reached.keys().filter(|module| reached[**module].contains(**module)).map(|module| group(module)).collect()
    }

    /// Returns the files that a source names.
    fn used(&self, module: &Module, source: &str) -> BTreeSet<Module> {
        let is_child = |other: &&Module| other.len() == module.len() + 1 && other.starts_with(module);
        let mut starts = vec!["crate", "super", "self"];
        starts.extend(self.sources.keys().filter(is_child).filter_map(|other| other.last()).map(String::as_str));
        let start = Regex::new(&format!(r"\b({})::", starts.join("|"))).unwrap();
        let mut named = Vec::new();
        for found in start.find_iter(source) {
            // `pub(in crate::…)` uses nothing.
            let before = &source[..found.start()];
            if !before.ends_with([':', '_', '$']) && !before.ends_with("(in ") {
                tree(module.clone(), &source[found.start()..], &mut named);
            }
        }
        let files = named.iter().map(|(path, _)| self.file_of(path, 0));
        files.filter(|file| file != module && !file.is_empty()).collect()
    }

    /// Returns the file that declares the item at `path`. Follows at most eight re-exports.
    fn file_of(&self, path: &[String], turns: usize) -> Module {
        let mut file = Module::new();
        for (at, name) in path.iter().enumerate() {
            let below: Module = file.iter().chain([name]).cloned().collect();
            if self.sources.contains_key(&below) {
                file = below;
                continue;
            }
            return match self.exports.get(&file).and_then(|exports| exports.get(name)) {
                Some(target) if *target != below && turns < 8 => {
                    let path: Module = target.iter().chain(&path[at + 1..]).cloned().collect();
                    self.file_of(&path, turns + 1)
                }
                _ => file,
            };
        }
        file
    }
}

/// Returns all files that `from` uses, directly or not.
fn reach<'a>(from: &Module, uses: &'a BTreeMap<&Module, BTreeSet<Module>>) -> BTreeSet<&'a Module> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from.clone()]);
    while let Some(module) = open.pop() {
        for other in uses.get(&module).into_iter().flatten() {
            if reached.insert(other) {
                open.push(other.clone());
            }
        }
    }
    reached
}

/// Reads one use tree, such as `a::{b, c::d as e}`, and returns the text after it.
fn tree<'a>(mut base: Module, text: &'a str, named: &mut Vec<Named>) -> &'a str {
    let mut text = text.trim_start();
    loop {
        if let Some(mut group) = text.strip_prefix('{') {
            loop {
                group = group.trim_start().trim_start_matches(',').trim_start();
                if let Some(rest) = group.strip_prefix('}') {
                    return rest;
                }
                let rest = tree(base.clone(), group, named);
                if rest.len() == group.len() {
                    return rest;
                }
                group = rest;
            }
        }
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        match name {
            "" => {
                named.push((base, String::new()));
                return rest.strip_prefix('*').unwrap_or(rest);
            }
            "crate" => base.clear(),
            "super" => drop(base.pop()),
            "self" => {}
            _ => base.push(name.to_owned()),
        }
        if let Some(rest) = rest.strip_prefix("::") {
            text = rest;
            continue;
        }
        let own = base.last().cloned().unwrap_or_default();
        let (name, rest) = match rest.strip_prefix(" as ") {
            Some(alias) => {
                let end = alias.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(alias.len());
                (alias[..end].to_owned(), &alias[end..])
            }
            None => (own, rest),
        };
        named.push((base, name));
        return rest;
    }
}

/// Returns a source without its string literals and its module of unit tests.
fn bare(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    Regex::new(r#"(?s)"(?:\\.|[^"\\])*""#).unwrap().replace_all(source, "\"\"").into_owned()
}

#[test]
fn a_circle_is_found_through_what_is_exported_again() {
    let source = |module: &str, text: &str| (module.split("::").map(str::to_owned).collect(), text.to_owned());
    let circles = |sources: &[(Module, String)]| Files::of(sources).circles();
    let parent = source("a", "mod b;\nmod c;\npub use b::{self, Thing as Other};");
    let one_way = [parent.clone(), source("a::b", "use crate::x;"), source("a::c", "use super::Other;")];
    assert!(circles(&one_way).is_empty());
    let both = [parent, source("a::b", "fn f() { super::c::g::<u8>() }"), source("a::c", "use super::{d, Other};")];
    assert_eq!(circles(&both), BTreeSet::from([vec!["a::b".to_owned(), "a::c".to_owned()]]));
    let of_parent = [source("a", "mod b;\nuse b::{f};"), source("a::b", "use super::Bag; // in the parent")];
    assert_eq!(circles(&of_parent), BTreeSet::from([vec!["a".to_owned(), "a::b".to_owned()]]));
    let of_tests =
        [source("a", "mod b;\nuse b::f;"), source("a::b", "#[cfg(test)]\nmod tests {\nuse super::super::a;\n}")];
    assert!(circles(&of_tests).is_empty());
}
