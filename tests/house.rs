//! The order of the modules ("rooms"): a room uses only the rooms below it, so no two use each other. `src/lib.rs` and
//! the `mod.rs` of a room that contains rooms list the order; the imports are read from the source.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

#[path = "house/circles.rs"]
mod circles;

/// A module's path in the crate, such as `api`, `ax`, `spaces`.
type Module = Vec<String>;

/// Returns every source file of the library with its module, without comments.
fn sources() -> Vec<(Module, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.extend((path != root.join("bin")).then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((module_of(&path, &root), without_comments(&fs::read_to_string(&path).unwrap())));
            }
        }
    }
    found
}

fn module_of(path: &Path, root: &Path) -> Module {
    let relative: PathBuf = path.strip_prefix(root).unwrap().with_extension("");
    let mut module: Module = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if module.last().is_some_and(|last| last == "mod" || last == "lib") {
        module.pop();
    }
    module
}

fn without_comments(source: &str) -> String {
    source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Returns the rooms that a room's documentation lists, in lines such as ``- [`name`] - ...`` or ``1. [`name`] - ...``.
fn order(mod_rs: &str) -> Vec<String> {
    let listed = |line: &str| {
        let line = line.trim_start_matches("//! ");
        let item = line.strip_prefix("- ").or_else(|| line.split_once(". ").map(|(_, rest)| rest))?;
        let name = item.trim_start_matches(['[', '`']).split(['`', ']']).next()?;
        let is_a_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        (item.starts_with(['[', '`']) && is_a_name).then(|| name.to_owned())
    };
    mod_rs.lines().filter(|line| line.starts_with("//!")).filter_map(listed).collect()
}

/// Returns the full paths of the modules that a source names with `crate::` or `super::`.
fn named(module: &Module, source: &str) -> Vec<Module> {
    let mut found = Vec::new();
    for word in ["crate::", "super::"] {
        for (at, _) in source.match_indices(word) {
            let before = source[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            leaves(module, &source[at..], &mut found);
        }
    }
    found
}

/// Adds the absolute paths of one use tree. Of a group it adds only the first name of each path.
fn leaves(module: &Module, text: &str, found: &mut Vec<Module>) {
    let mut base = Vec::new();
    let mut rest = text;
    loop {
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.is_empty() {
            break;
        }
        rest = &rest[name.len()..];
        match name.as_str() {
            "crate" => base.clear(),
            "super" if base.is_empty() => base.extend(module[..module.len().saturating_sub(1)].iter().cloned()),
            "super" => drop(base.pop()),
            _ => base.push(name),
        }
        match rest.strip_prefix("::") {
            Some(after) => rest = after,
            None => break,
        }
    }
    let Some(group) = rest.strip_prefix('{') else { return found.push(base) };
    let end = group.find(';').unwrap_or(group.len());
    let mut depth = 0;
    for part in group[..end].split_inclusive(['{', '}', ',']) {
        let name: String = part.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if depth == 0 && !name.is_empty() {
            found.push(base.iter().cloned().chain([name]).collect());
        }
        depth += part.matches('{').count();
        depth = depth.saturating_sub(part.matches('}').count());
    }
}

/// Returns the uses that break the order inside one room. `inside` is empty for the crate itself.
fn broken(sources: &[(Module, String)], inside: &[&str], order: &[String]) -> Vec<String> {
    let rank: BTreeMap<&str, usize> = order.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let mut wrong = Vec::new();
    for (module, source) in sources {
        let Some(room) = module.get(inside.len()).filter(|_| module.starts_with(&owned(inside))) else { continue };
        let Some(mine) = rank.get(room.as_str()) else { continue };
        for path in named(module, source) {
            let other = path.get(inside.len()).filter(|_| path.starts_with(&owned(inside)));
            if let Some(other) = other.filter(|other| *other != room)
                && rank.get(other.as_str()).is_some_and(|theirs| theirs <= mine)
            {
                wrong.push(format!("{} uses {}", module.join("::"), path.join("::")));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    wrong
}

fn owned(path: &[&str]) -> Module {
    path.iter().map(|part| (*part).to_owned()).collect()
}

fn text_of(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path)).unwrap()
}

#[test]
fn a_room_uses_only_the_rooms_below_it() {
    let sources = sources();
    let rooms = order(&text_of("lib.rs"));
    for (module, _) in sources.iter().filter(|(module, _)| !module.is_empty()) {
        assert!(rooms.contains(&module[0]), "src/lib.rs does not say where `{}` stands", module[0]);
    }
    assert_eq!(broken(&sources, &[], &rooms), Vec::<String>::new());
}

#[test]
fn rooms_inside_a_room_keep_their_order_too() {
    let sources = sources();
    for room in ["access", "api", "ctl", "jobs"] {
        // These lists start at the bottom.
        let mut rooms = order(&text_of(&format!("{room}/mod.rs")));
        rooms.reverse();
        assert!(rooms.len() > 2, "{room}/mod.rs says no order");
        assert_eq!(broken(&sources, &[room], &rooms), Vec::<String>::new());
    }
}

#[test]
fn a_room_that_uses_one_above_it_is_found() {
    let source = |module: &[&str], text: &str| (owned(module), text.to_owned());
    let order = ["upper".to_owned(), "lower".to_owned()];
    let good = [source(&["upper", "a"], "use crate::lower::b;"), source(&["lower", "b"], "use super::c::D;")];
    assert_eq!(broken(&good, &[], &order), Vec::<String>::new());
    for text in
        ["use crate::upper::a;", "use super::super::upper::a;", "use crate::{time, upper};", "crate::upper::f()"]
    {
        let bad = [source(&["lower", "b"], text)];
        assert_eq!(broken(&bad, &[], &order).len(), 1, "{text}");
    }
}

/// Returns the lines of all tests that are wrong, each with its file.
fn lines_of_tests(is_wrong: impl Fn(&str) -> bool) -> Vec<(PathBuf, String)> {
    let (mut folders, mut found) = (vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.extend(text.lines().filter(|line| is_wrong(line)).map(|line| (path.clone(), line.to_owned())));
            }
        }
    }
    found
}

/// A test that does nothing when something is missing passes and shows nothing. So it must be ignored, with the reason.
#[test]
fn what_is_left_out_is_ignored_and_says_why() {
    let wrong = lines_of_tests(|line| {
        line.trim() == concat!("#[ignore", "]")
            || line.contains(concat!("println!(\"", "left out"))
            || line.contains(concat!("output()", " else {"))
    });
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Returns true if this line makes a test fail when the machine is busy for less than five seconds.
fn asserts_a_speed(line: &str) -> bool {
    let bounds = line.split('<').skip(1).map(|rest| rest.trim_start_matches(['=', ' ']));
    !line.trim_start().starts_with("while")
        && bounds.map(|rest| rest.trim_start_matches("std::time::")).any(|rest| {
            let seconds =
                rest.strip_prefix("Duration::from_secs(").and_then(|rest| rest.split(')').next()?.parse().ok());
            rest.starts_with("Duration::from_millis(") || seconds.is_some_and(|seconds: u64| seconds < 5)
        })
}

/// Speed depends on what else the machine does, so `benches/` measure it beside a reference of the same run. A test may
/// distinguish an event from a timeout that lasts much longer.
#[test]
fn no_test_asserts_a_speed() {
    for bad in ["took < Duration::from_millis(100)", "a <= std::time::Duration::from_secs(4), \"\""] {
        assert!(asserts_a_speed(bad), "{bad}");
    }
    for good in ["took < SOON", "took >= Duration::from_millis(900)", "Vec<Duration>", "a < Duration::from_secs(60)"] {
        assert!(!asserts_a_speed(good), "{good}");
    }
    let wrong = lines_of_tests(|line| asserts_a_speed(line) && !line.contains("for bad in"));
    assert!(wrong.is_empty(), "compare with SOON, or measure it in benches/: {wrong:#?}");
}

/// Type names that more than one file declares, each with the reason. The list may only shrink.
const SHARED_NAMES: &[(&str, &str)] = &[];

/// Returns the types that a source declares outside functions and implementations, including those in macros.
fn declared(source: &str) -> Vec<String> {
    let name_in = |line: &str| {
        let (indent, mut line) = (line.len() - line.trim_start().len(), line.trim_start());
        let is_public = line.starts_with("pub");
        if is_public {
            line = line.split_once(' ')?.1;
        }
        let (word, rest) = line.split_once(' ')?;
        let is_type = matches!(word, "struct" | "enum" | "trait" | "type");
        // An indented `type` belongs to a trait or its implementation.
        let counts = is_type && (word != "type" || indent == 0 || is_public);
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        (counts && name.starts_with(char::is_uppercase)).then_some(name)
    };
    source.lines().filter_map(name_in).collect()
}

#[test]
fn one_type_has_one_name() {
    let mut files: BTreeMap<String, BTreeSet<Module>> = BTreeMap::new();
    for (module, source) in sources() {
        for name in declared(&source) {
            files.entry(name).or_default().insert(module.clone());
        }
    }
    assert!(files.len() > 500, "types are not found: {}", files.len());
    let is_allowed = |name: &str| SHARED_NAMES.iter().any(|(allowed, _)| *allowed == name);
    let shared: Vec<String> = files
        .iter()
        .filter(|(name, modules)| modules.len() > 1 && !is_allowed(name))
        .map(|(name, modules)| {
            let modules: Vec<String> = modules.iter().map(|module| module.join("::")).collect();
            format!("{name}: {}", modules.join(", "))
        })
        .collect();
    assert_eq!(shared, Vec::<String>::new(), "search for one of these and you find another");
    for (name, _) in SHARED_NAMES {
        assert!(files.get(*name).is_some_and(|modules| modules.len() > 1), "{name} is declared once by now");
    }
}

/// Groups of files that still use each other. Do not add a group. Remove a group that no longer exists.
const CIRCLES: &[&[&str]] = &[
    &["api::ax::keys", "api::ax::rotate"],
    &[
        "api::engine::api_route",
        "api::engine::app",
        "api::engine::call",
        "api::engine::dispatch",
        "api::engine::frozen",
        "api::engine::metrics",
        "api::engine::site",
    ],
    &["client::body", "client::http"],
    &["config::paths", "config::source"],
    &["containers::away", "containers::error"],
    &[
        "containers::incus_lxd",
        "containers::incus_lxd::console",
        "containers::incus_lxd::journal",
        "containers::incus_lxd::make",
    ],
    &[
        "ctl::login::context",
        "ctl::login::exchange",
        "ctl::login::jwt_cache",
        "ctl::login::profile",
        "ctl::login::session",
    ],
    &["http::edge::io", "http::edge::stalled"],
    &["jobs::events::channel_message", "jobs::events::channels", "jobs::events::webhook"],
    &[
        "jobs::operations::archive",
        "jobs::operations::deploy",
        "jobs::operations::freeze",
        "jobs::operations::inbox",
        "jobs::operations::lifecycle",
        "jobs::operations::progress",
        "jobs::operations::sleep",
    ],
    &["jobs::operations::check", "jobs::operations::jobs", "jobs::operations::nodes"],
    &["rest::codes", "rest::error", "rest::intake", "rest::reply", "rest::service", "rest::stream"],
    &["store::agents::find", "store::agents::visible"],
    &["store::condition", "store::error", "store::open"],
    &["store::messages", "store::messages::find", "store::messages::reading", "store::messages::words"],
    &["ui::core::act", "ui::core::serve", "ui::core::upload", "ui::login", "ui::table"],
    &["ui::core::frame", "ui::core::view", "ui::requests"],
    &["ui::message", "ui::spaces"],
];

#[test]
fn no_files_use_each_other_but_these() {
    let found = circles::Files::of(&sources()).circles();
    let known: BTreeSet<Vec<String>> =
        CIRCLES.iter().map(|group| group.iter().map(|file| (*file).to_owned()).collect()).collect();
    let new: Vec<String> = found.difference(&known).map(|group| group.join(" ")).collect();
    assert_eq!(new, Vec::<String>::new(), "move what they share into a file below both");
    let gone: Vec<String> = known.difference(&found).map(|group| group.join(" ")).collect();
    assert_eq!(gone, Vec::<String>::new(), "no longer a circle: take it from the list");
}

/// The most lines of a function.
const FUNCTION_LINES: usize = 60;

/// Returns the functions of a source with more than `FUNCTION_LINES` lines, and how many each has.
fn long_functions(source: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = source.lines().collect();
    let mut found = Vec::new();
    for (first, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let mut words = line.split_whitespace().skip_while(|word| word.starts_with("pub") || word.starts_with("crate"));
        let mut words = words.by_ref().skip_while(|word| matches!(*word, "const" | "async" | "in"));
        let (Some("fn"), Some(name)) = (words.next(), words.next()) else { continue };
        let Some(opens) = lines[first..].iter().position(|line| line.ends_with(['{', ';', '}'])) else { continue };
        if !lines[first + opens].ends_with('{') {
            continue;
        }
        let end = format!("{}}}", " ".repeat(indent));
        let length = lines[first..].iter().position(|line| **line == end).map_or(usize::MAX, |last| last + 1);
        if length > FUNCTION_LINES {
            found.push((name.split(['(', '<']).next().unwrap_or_default().to_owned(), length));
        }
    }
    found
}

#[test]
fn a_function_fits_a_screen() {
    let long: Vec<String> = sources()
        .iter()
        .flat_map(|(module, source)| long_functions(source).into_iter().map(move |long| (module.join("::"), long)))
        .map(|(module, (name, lines))| format!("{module}::{name}: {lines} lines"))
        .collect();
    assert_eq!(long, Vec::<String>::new(), "split it so that it reads like a table of contents");
    let body = "        a();\n".repeat(FUNCTION_LINES);
    for head in ["fn f() {", "pub(super) const fn f(\n        a: u8,\n    ) -> u8 {", "pub async fn f<T>() {"] {
        let source = format!("impl A {{\n    {head}\n{body}    }}\n}}");
        assert_eq!(long_functions(&source).len(), 1, "{head}");
    }
}

/// Returns the names between `before` and the next quote.
fn quoted<'a>(text: &'a str, before: &str) -> BTreeSet<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// The daemon refuses a form with a field that the route does not have, so a wrong `name` is found anyway. This test
/// checks the names of the fields that a template shows again after a refusal.
#[test]
fn a_form_shows_again_what_its_fields_are_named() {
    let mut looked_at = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "html") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let fields = quoted(&text, " name=\"");
        for shown in quoted(&text, "sent.value(\"").union(&quoted(&text, "sent.nth(\"")) {
            assert!(fields.contains(shown), "{}: no field is named {shown:?}", path.display());
            looked_at += 1;
        }
    }
    assert!(looked_at > 10, "the templates call it otherwise now");
}

/// A limit that nothing uses looks as if it held.
#[test]
fn every_limit_is_used() {
    let limits = without_comments(&text_of("limits.rs"));
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (own, others): (Vec<_>, Vec<_>) = sources().into_iter().partition(|(module, _)| *module == owned(&["limits"]));
    assert_eq!(own.len(), 1);
    let used: BTreeSet<&str> = others.iter().flat_map(|(_, source)| source.split(|c| !is_word(c))).collect();
    let constants = limits.lines().filter_map(|line| line.strip_prefix("pub const "));
    let names = constants.filter(|rest| !rest.starts_with("fn ")).filter_map(|rest| rest.split(':').next());
    let unused: Vec<&str> = names.filter(|name| !used.contains(name)).collect();
    assert_eq!(unused, Vec::<&str>::new(), "delete it, or enforce it");
    assert!(limits.matches("\npub const ").count() > 100);
}
