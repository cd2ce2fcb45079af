//! Translates what users of `gh`, `incus` or `kubectl` type out of habit into the words of `taosctl`. This happens
//! before any other parsing. A command line in the words of `taosctl` does not change.

use std::ffi::OsString;

use clap::Command;

/// Global flags that take a value.
const VALUED: [&str; 9] =
    ["--url", "--token", "--token-file", "--profile", "--idempotency-key", "--timeout", "--output", "-o", "--fields"];

/// Words at the beginning, and their translation.
const PHRASES: &[(&[&str], &[&str])] = &[
    (&["approve"], &["requests", "approve"]),
    (&["browse"], &["open"]),
    (&["config", "current-context"], &["profile", "list"]),
    (&["config", "get-contexts"], &["profile", "list"]),
    (&["config", "list"], &["box", "settings"]),
    (&["config", "show"], &["box", "settings"]),
    (&["config", "use-context"], &["profile", "use"]),
    (&["config", "view"], &["box", "settings"]),
    (&["deny"], &["requests", "deny"]),
    (&["explain"], &["help"]),
    (&["file", "download"], &["download"]),
    (&["file", "upload"], &["upload"]),
    (&["files", "download"], &["download"]),
    (&["files", "upload"], &["upload"]),
    (&["get", "all"], &["status"]),
    (&["get", "images"], &["box", "choices"]),
    (&["health"], &["status"]),
    (&["image", "list"], &["box", "choices"]),
    (&["images"], &["box", "choices"]),
    (&["message", "send"], &["send"]),
    (&["messages", "send"], &["send"]),
    (&["monitor"], &["audit", "--follow"]),
    (&["ping"], &["status"]),
    (&["remote", "list"], &["profile", "list"]),
    (&["remote", "switch"], &["profile", "use"]),
    (&["request", "approve"], &["requests", "approve"]),
    (&["request", "deny"], &["requests", "deny"]),
    (&["request", "list"], &["requests", "list"]),
    (&["request", "ls"], &["requests", "list"]),
    (&["request", "show"], &["requests", "show"]),
    (&["request", "watch"], &["requests", "watch"]),
    (&["rollout", "restart"], &["agents", "restart"]),
    (&["search", "knowledge"], &["knowledge", "search"]),
    (&["search", "messages"], &["messages", "search"]),
    (&["server", "status"], &["status"]),
    (&["top"], &["status"]),
];

/// Nouns of other command lines, and the nouns of `taosctl`.
const NOUNS: &[(&str, &str)] = &[
    ("event", "audit"),
    ("events", "audit"),
    ("instance", "agents"),
    ("instances", "agents"),
    ("issue", "tasks"),
    ("issues", "tasks"),
    ("namespace", "spaces"),
    ("namespaces", "spaces"),
    ("ns", "spaces"),
    ("pod", "agents"),
    ("pods", "agents"),
    ("project", "spaces"),
    ("projects", "spaces"),
    ("secret", "tokens"),
    ("secrets", "tokens"),
];

/// Verbs that list if no word follows the noun.
const LISTING: [&str; 3] = ["get", "list", "ls"];
/// Verbs that are followed by a noun and a name.
const BEFORE: [&str; 7] = ["create", "delete", "describe", "edit", "rm", "show", "view"];
/// First words after which `agent/NAME` is the name of an agent.
const ABOUT_AGENTS: [&str; 17] = [
    "agent", "agents", "delete", "describe", "edit", "export", "get", "info", "log", "logs", "pause", "restart",
    "resume", "rm", "show", "start", "stop",
];

/// The index of the next argument, at or after `from`, that is neither a flag nor the value of a flag.
pub(super) fn word_after(args: &[OsString], from: usize) -> Option<usize> {
    let mut skip = false;
    for (at, arg) in args.iter().enumerate().skip(from) {
        let text = arg.to_str()?;
        match text {
            _ if skip => skip = false,
            "--" => return None,
            _ if VALUED.contains(&text) => skip = true,
            _ if text.starts_with('-') && text.len() > 1 => {}
            _ => return Some(at),
        }
    }
    None
}

/// Translates the arguments into the words of `taosctl`.
pub(super) fn in_our_words(mut args: Vec<OsString>) -> Vec<OsString> {
    let Some(first) = word_after(&args, 1) else { return args };
    flags(&mut args, first);
    nouns(&mut args, first);
    phrases(&mut args, first);
    slashes(&mut args, first);
    whole(&mut args, first);
    args
}

fn text(args: &[OsString], at: usize) -> &str {
    args.get(at).and_then(|arg| arg.to_str()).unwrap_or_default()
}

/// Translates flags with other names.
fn flags(args: &mut Vec<OsString>, first: usize) {
    let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    let second = word_after(args, first + 1).unwrap_or(first);
    let lists = |at: usize| LISTING.contains(&text(args, at));
    let (is_list, is_login) =
        (lists(first) || lists(second), [first, second].iter().any(|at| text(args, *at) == "login"));
    let is_completion = text(args, first) == "completion";
    let is_version = text(args, first) == "version";
    let (is_audit, is_ps) = (text(args, first) == "audit", text(args, first) == "ps");
    let is_grants = is_list && matches!(text(args, first), "grant" | "grants");
    let is_log = [first, second].iter().any(|at| matches!(text(args, *at), "log" | "logs"));
    for at in (1..end).rev() {
        let next = text(args, at + 1).to_owned();
        match text(args, at) {
            "-L" if is_list => args[at] = "--limit".into(),
            "-n" | "--tail" if (is_list || is_audit) && is_number(&next) => args[at] = "--limit".into(),
            "-n" if is_log && is_number(&next) => args[at] = "--tail".into(),
            "-a" if is_ps => drop(args.remove(at)),
            "--agent" if is_audit || is_grants => args[at] = "--resource".into(),
            "--user" if is_audit => args[at] = "--actor".into(),
            "--user" if is_grants => args[at] = "--principal".into(),
            "-A" | "--all-namespaces" if is_list => drop(args.remove(at)),
            "-f" if is_list && matches!(next.as_str(), "json" | "yaml" | "table") => args[at] = "-o".into(),
            "--with-token" if is_login => args[at] = "--token-file=-".into(),
            "-s" | "--shell" if is_completion => drop(args.remove(at)),
            "--client" if is_version => drop(args.remove(at)),
            // gh has the names of the fields after `--json`.
            "--json" if are_fields(&next) => args[at] = "--fields".into(),
            one => {
                if let Some(fields) = one.strip_prefix("--json=").map(|fields| format!("--fields={fields}")) {
                    args[at] = fields.into();
                }
            }
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn are_fields(text: &str) -> bool {
    text.contains(',')
        && text
            .split(',')
            .all(|field| !field.is_empty() && field.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

fn nouns(args: &mut [OsString], first: usize) {
    let ours = |word: &str| NOUNS.iter().find(|(theirs, _)| *theirs == word).map(|(_, ours)| *ours);
    if let Some(noun) = ours(text(args, first)) {
        args[first] = noun.into();
        return;
    }
    let Some(second) = word_after(args, first + 1) else { return };
    let verb = text(args, first);
    // `delete pod` deletes an agent with the name `pod`.
    let is_noun = LISTING.contains(&verb) || (BEFORE.contains(&verb) && word_after(args, second + 1).is_some());
    if let Some(noun) = ours(text(args, second)).filter(|_| is_noun) {
        args[second] = noun.into();
    }
}

fn phrases(args: &mut Vec<OsString>, first: usize) {
    let second = word_after(args, first + 1);
    for (theirs, ours) in PHRASES {
        let is_second = |word: &&str| second.is_some_and(|at| text(args, at) == *word);
        if text(args, first) == theirs[0] && theirs.get(1).is_none_or(is_second) {
            if let (Some(_), Some(second)) = (theirs.get(1), second) {
                args.remove(second);
            }
            args.splice(first..=first, ours.iter().map(OsString::from));
            return;
        }
    }
}

/// Rewrites `agent/atlas` to `atlas`, if it can only be an agent.
fn slashes(args: &mut [OsString], first: usize) {
    // The argument of `import` is a file.
    let imports = word_after(args, first + 1).is_some_and(|second| text(args, second) == "import");
    if !ABOUT_AGENTS.contains(&text(args, first)) || imports {
        return;
    }
    for at in first + 1..args.len() {
        let name = ["agent/", "agents/"].iter().find_map(|kind| text(args, at).strip_prefix(kind)).map(str::to_owned);
        // The argument may be the value of a flag.
        if let Some(name) = name.filter(|name| !name.is_empty() && !text(args, at - 1).starts_with("--")) {
            args[at] = name.into();
        }
    }
}

/// Translates command lines whose words are in another order.
fn whole(args: &mut Vec<OsString>, first: usize) {
    let rest = &args[first..];
    let words: Vec<String> = rest.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ours: Vec<&str> = match words.as_slice() {
        ["launch", image, name, more @ ..] if !image.starts_with('-') && !name.starts_with('-') => {
            [&["agents", "deploy", name, "--image", image], more].concat()
        }
        [noun @ ("notification" | "notifications" | "message" | "messages"), "read", "--all", more @ ..] => {
            [&[*noun, "read-all"], more].concat()
        }
        ["user" | "users", "disable", name, more @ ..] => [&["users", "update", name, "--disabled"], more].concat(),
        ["user" | "users", "enable", name, more @ ..] => [&["users", "update", name, "--no-disabled"], more].concat(),
        ["create" | "apply", "-f" | "--filename", file, more @ ..] => [&["agents", "import", file], more].concat(),
        ["agent" | "agents", "edit" | "set" | "update", name, "--model", model, more @ ..]
        | ["edit" | "update", "agent" | "agents", name, "--model", model, more @ ..]
            if more.iter().all(|word| matches!(*word, "-q" | "--quiet" | "--json")) =>
        {
            [&["agents", "model", name, model], more].concat()
        }
        _ => return,
    };
    let ours: Vec<OsString> = ours.into_iter().map(OsString::from).collect();
    args.splice(first.., ours);
}

/// Accepts a positional argument as a flag, such as in `tasks create --title 'Sweep the floor'`.
pub(super) fn places(mut args: Vec<OsString>, whole: &Command) -> Vec<OsString> {
    let (mut command, mut from) = (whole, 1);
    while let Some(next) = word_after(&args, from)
        && let Some(below) = args[next].to_str().and_then(|word| command.find_subcommand(word))
    {
        (command, from) = (below, next + 1);
    }
    let flags: Vec<&str> = command.get_arguments().filter_map(|arg| arg.get_long()).collect();
    let names = command.get_positionals().filter_map(|place| place.get_value_names()?.first());
    let places: Vec<String> = names.map(|name| name.to_lowercase().replace('_', "-")).collect();
    let is_place = |name: &str| !flags.contains(&name) && places.iter().any(|place| place == name);
    let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    for at in (from.min(end)..end).rev() {
        let Some(flag) = args[at].to_str().and_then(|text| text.strip_prefix("--")) else { continue };
        match flag.split_once('=') {
            Some((name, value)) if is_place(name) => args[at] = value.to_owned().into(),
            None if is_place(flag) && at + 1 < args.len() => drop(args.remove(at)),
            _ => {}
        }
    }
    args
}

#[cfg(test)]
mod tests {
    use super::super::cli;
    use super::*;
    use proptest::prelude::*;

    fn ours(line: &str) -> String {
        let args = std::iter::once("taosctl").chain(line.split_whitespace()).map(OsString::from).collect();
        let args = places(in_our_words(args), &cli::command());
        args.iter().skip(1).map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn habits_become_our_words_and_our_words_stay() {
        for (theirs, wanted) in [
            ("agents list", "agents list"),
            ("agent list -L 5", "agent list --limit 5"),
            ("list -f json", "list -o json"),
            ("agents ls -f", "agents ls -f"),
            ("logs -f atlas", "logs -f atlas"),
            ("get agents -A", "get agents"),
            ("list --json name,status -q", "list --fields name,status -q"),
            ("list --json=name", "list --fields=name"),
            ("whoami --json", "whoami --json"),
            ("get secrets", "get tokens"),
            ("secret list", "tokens list"),
            ("get ns", "get spaces"),
            ("create ns work", "create spaces work"),
            ("delete pod", "delete pod"),
            ("delete pod atlas", "delete agents atlas"),
            ("agents get pod", "agents get pod"),
            ("config view", "box settings"),
            ("config use-context x", "profile use x"),
            ("config", "config"),
            ("get all", "status"),
            ("rollout restart agent/atlas", "agents restart atlas"),
            ("--url http://a:1 browse", "--url http://a:1 open"),
            ("agents import agents/atlas.json", "agents import agents/atlas.json"),
            ("apply -f agents/atlas.json", "agents import agents/atlas.json"),
            ("start agent/atlas agent/hermes", "start atlas hermes"),
            ("agents create x --display-name agent/x", "agents create x --display-name agent/x"),
            ("launch deb12 web", "agents deploy web --image deb12"),
            ("launch web --image deb12", "launch web --image deb12"),
            ("apply -f a.json -q", "agents import a.json -q"),
            ("agent edit atlas --model gpt-5", "agents model atlas gpt-5"),
            ("agent edit atlas --model a --emoji b", "agent edit atlas --model a --emoji b"),
            ("auth login --with-token", "auth login --token-file=-"),
            ("completion -s bash", "completion bash"),
            ("version --client", "version"),
            ("tasks create --title Mop", "tasks create Mop"),
            ("tasks create --title=Mop --priority high", "tasks create Mop --priority high"),
            ("users create --username ann", "users create --username ann"),
            ("send -- --title", "send -- --title"),
            ("search messages green", "messages search green"),
            ("explain agents", "help agents"),
            ("audit -n 5 --user ann", "audit --limit 5 --actor ann"),
            ("logs atlas -n 20", "logs atlas --tail 20"),
            ("agents create atlas -n 5", "agents create atlas -n 5"),
            ("notification read --all", "notification read-all"),
            ("users disable ann", "users update ann --disabled"),
            ("request list --state pending", "requests list --state pending"),
            ("message send hello", "send hello"),
            ("ps -a", "ps"),
        ] {
            assert_eq!(ours(theirs), wanted, "{theirs}");
        }
    }

    proptest! {
        #[test]
        fn any_words_are_taken(words in proptest::collection::vec("[a-z/-]{0,8}|get|ns|launch|--title|--json|-L|--|create", 0..7)) {
            let _ = ours(&words.join(" "));
        }
    }
}
