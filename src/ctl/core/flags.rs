//! Flags made from a route's declared fields. Underscores become dashes, a list is a repeatable flag, and a boolean has
//! a second flag that begins with `--no-`. A [`Flag`] of the verb names each exception.

use std::io::Read;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use serde_json::{Map, Value};

use super::failure::Failure;
use super::input;
use crate::rest::field::{Field, Type};
use crate::rest::text::without_bom_str;

/// The most bytes of a file that goes into a body; the daemon accepts less.
const FILE_BYTES: u64 = 4 * 1024 * 1024;

/// The fields without a generated flag: the command line handles pages, waiting and time ranges itself.
const OWN: [&str; 5] = ["limit", "cursor", "wait", "since", "until"];

/// The field that names a space, in every route that takes one.
const SPACE: &str = "space_id";

/// The flag that names a space. `--space-id` is its former name.
pub fn space_arg(id: impl Into<clap::Id>) -> Arg {
    let arg = Arg::new(id).long("space").alias("space-id").value_name("SPACE").allow_hyphen_values(true);
    let arg = arg.value_parser(NonEmptyStringValueParser::new());
    arg.help("The space: its id, slug or name; the default one if absent")
}

/// An exception to the rules for a field's flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// The field has a flag of this name.
    Named(&'static str, &'static str),
    /// The flag of this name takes a file, whose text is the value of the field.
    File(&'static str, &'static str),
    /// The field has no flag, but is a positional argument.
    Place(&'static str),
    /// The field is a positional argument, and also has its flag, which is hidden.
    First(&'static str),
}

impl Flag {
    /// The name of the field.
    pub fn field(self) -> &'static str {
        match self {
            Self::Named(field, _) | Self::File(field, _) => field,
            Self::Place(field) | Self::First(field) => field,
        }
    }
}

/// The flags of these fields, with these exceptions.
pub fn args(fields: &[Field], departures: &[Flag]) -> Vec<Arg> {
    fields.iter().filter(|field| !OWN.contains(&field.name)).flat_map(|field| of_field(field, departures)).collect()
}

fn of_field(field: &Field, departures: &[Flag]) -> Vec<Arg> {
    let departure = departures.iter().find(|flag| flag.field() == field.name);
    if let Some(Flag::Place(_)) = departure {
        let name = field.name.trim_end_matches("_id").to_uppercase();
        let arg = Arg::new(id(field)).value_name(name).value_parser(NonEmptyStringValueParser::new());
        return vec![arg.help(field.about).required(field.required)];
    }
    let long = match departure {
        Some(Flag::Named(_, long) | Flag::File(_, long)) => (*long).to_owned(),
        None if field.name == SPACE => return vec![space_arg(id(field)).required(field.required)],
        _ => field.name.replace('_', "-"),
    };
    let arg = Arg::new(id(field)).long(long.clone()).help(field.about).required(field.required);
    let arg = match long.strip_suffix("-id") {
        // The API also accepts a name as this id.
        Some(short @ "assignee") => arg.alias(short.to_owned()),
        _ => arg,
    };
    // `--tail` is the name in kubectl and docker.
    let arg = if field.name == "lines" { arg.alias("tail") } else { arg };
    match departure {
        Some(Flag::First(_)) => placed_first(field, arg),
        Some(Flag::File(..)) => vec![arg.value_name("FILE").help(format!("A file, - for stdin: {}", field.about))],
        _ => by_kind(field, arg, &long),
    }
}

/// A field as a positional argument, and its hidden flag.
fn placed_first(field: &Field, arg: Arg) -> Vec<Arg> {
    let name = field.name.trim_end_matches("_id").to_uppercase();
    let place = Arg::new(place_id(field)).value_name(name);
    let place = match field.kind {
        Type::Word(words) => place.value_parser(PossibleValuesParser::new(words)),
        _ => place.value_parser(NonEmptyStringValueParser::new()),
    };
    let place = place.help(field.about).conflicts_with(id(field));
    let place = if field.required { place.required_unless_present(id(field)) } else { place };
    let arg = match field.kind {
        Type::Word(words) => arg.value_parser(PossibleValuesParser::new(words)),
        _ => arg,
    };
    let arg = if field.name == "username" { arg.alias("name") } else { arg };
    vec![place, arg.required(false).hide(true).value_name("TEXT").allow_hyphen_values(true)]
}

/// The flags for the type of a field.
fn by_kind(field: &Field, arg: Arg, long: &str) -> Vec<Arg> {
    match field.kind {
        // Text for people may begin with a dash.
        Type::Text { .. } => vec![arg.value_name("TEXT").allow_hyphen_values(true)],
        Type::Word(words) => vec![arg.value_parser(PossibleValuesParser::new(words)).value_name("WORD")],
        Type::Integer { min, max } => vec![arg.value_parser(value_parser!(i64).range(min..=max)).value_name("N")],
        Type::Flag => {
            let no = Arg::new(no_id(field)).long(format!("no-{long}")).help("Set it to false");
            let no = no.action(ArgAction::SetTrue).overrides_with(id(field));
            let arg = if field.name == "follow" { arg.short('f') } else { arg };
            vec![arg.action(ArgAction::SetTrue).overrides_with(no_id(field)), no]
        }
        Type::Texts { .. } | Type::Scopes => {
            let none = Arg::new(no_id(field)).long(format!("no-{long}")).help("An empty list");
            let none = none.action(ArgAction::SetTrue).conflicts_with(id(field));
            let arg = if matches!(field.kind, Type::Scopes) { arg.value_delimiter(',') } else { arg };
            let arg = arg.allow_hyphen_values(true).action(ArgAction::Append).value_name("TEXT");
            vec![arg.help(format!("{} Repeatable", field.about)), none]
        }
        Type::Objects(fields) => {
            let names: Vec<String> = fields.iter().map(|field| format!("{}=…", field.name)).collect();
            let help = format!("{} Repeatable: {}", field.about, names.join(","));
            vec![arg.action(ArgAction::Append).value_name("KEY=VALUE,…").help(help)]
        }
        // A single object has no flag; a verb that needs one takes its body from a file.
        Type::Object(_) | Type::EmptyList | Type::Number | Type::FlagOr(_) => Vec::new(),
        Type::AnyObject => vec![arg.value_name("JSON")],
        Type::Due { .. } => vec![arg.value_name("TIME|SECONDS")],
    }
}

/// The fields that were given, by name.
///
/// # Errors
/// [`Failure::Usage`] if a file cannot be read, or a value cannot be parsed.
pub fn read(fields: &[Field], departures: &[Flag], matches: &ArgMatches) -> Result<Map<String, Value>, Failure> {
    let mut given = Map::new();
    for field in fields.iter().filter(|field| !OWN.contains(&field.name)) {
        let from_file = departures.iter().any(|flag| matches!(flag, Flag::File(name, _) if *name == field.name));
        if let Some(value) = value(field, from_file, matches)? {
            given.insert(field.name.to_owned(), value);
        }
    }
    Ok(given)
}

fn value(field: &Field, from_file: bool, matches: &ArgMatches) -> Result<Option<Value>, Failure> {
    let id = id(field);
    Ok(match field.kind {
        Type::Text { .. } | Type::Word(_) => match matches.get_one::<String>(&id).or_else(|| placed(field, matches)) {
            Some(path) if from_file => Some(Value::from(read_file(path)?)),
            text => text.map(|text| Value::from(text.as_str())),
        },
        Type::Integer { .. } => matches.get_one::<i64>(&id).map(|n| Value::from(*n)),
        Type::Flag if matches.get_flag(&id) => Some(Value::from(true)),
        Type::Flag if matches.get_flag(&no_id(field)) => Some(Value::from(false)),
        Type::Texts { .. } | Type::Scopes if matches.get_flag(&no_id(field)) => Some(Value::Array(Vec::new())),
        Type::Texts { .. } | Type::Scopes => {
            matches.get_many::<String>(&id).map(|texts| texts.map(String::as_str).collect::<Value>())
        }
        Type::Due { .. } => matches
            .get_one::<String>(&id)
            .map(|text| text.parse::<i64>().map_or_else(|_| Value::from(text.as_str()), Value::from)),
        Type::AnyObject => matches.get_one::<String>(&id).map(|text| any_object(field, text)).transpose()?,
        Type::Objects(fields) => match matches.get_many::<String>(&id) {
            Some(texts) => Some(Value::Array(texts.map(|text| object(fields, text)).collect::<Result<_, _>>()?)),
            None => None,
        },
        _ => None,
    })
}

/// Parses an object in JSON.
fn any_object(field: &Field, text: &str) -> Result<Value, Failure> {
    let wrong = || Failure::usage(format!("{} is not a JSON object.", field.name), "Write it as {\"key\": \"value\"}.");
    serde_json::from_str(text).ok().filter(Value::is_object).ok_or_else(wrong)
}

/// Parses an object of the form `key=value,...`; a key alone means true. The daemon checks whether required fields are
/// missing.
fn object(fields: &[Field], text: &str) -> Result<Value, Failure> {
    let mut object = Map::new();
    for pair in text.split(',').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, "true"));
        let field = fields.iter().find(|field| field.name.replace('_', "-") == name.replace('_', "-"));
        let value = match field.map(|field| field.kind) {
            Some(Type::Flag) => value.parse::<bool>().ok().map(Value::from),
            Some(Type::Integer { .. }) => value.parse::<i64>().ok().map(Value::from),
            Some(Type::Text { .. } | Type::Word(_)) => Some(Value::from(value)),
            _ => None,
        };
        let wrong = || Failure::usage(format!("{pair} is not a field of this flag."), "See --help for its fields.");
        object.insert(field.ok_or_else(wrong)?.name.to_owned(), value.ok_or_else(wrong)?);
    }
    Ok(Value::Object(object))
}

/// The text of a file, or of stdin for `-`, without a byte order mark.
///
/// # Errors
/// The file cannot be read, is longer than 4 MiB, or is not UTF-8.
pub fn read_file(path: &str) -> Result<String, Failure> {
    let fix = match path {
        "-" => "Write a text to stdin; give - to one argument and name files for the others.",
        _ => "Name a text file.",
    };
    let failure = |error: &dyn std::fmt::Display| Failure::usage(format!("{path}: {error}"), fix);
    let mut text = String::new();
    input::open(path)
        .map_err(|e| failure(&e))?
        .take(FILE_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|e| failure(&e))?;
    if text.len() as u64 > FILE_BYTES {
        return Err(failure(&"larger than the daemon takes"));
    }
    Ok(without_bom_str(&text).to_owned())
}

// The prefix keeps these ids apart from the ids of the global flags and of the path parameters.
fn id(field: &Field) -> String {
    format!("field.{}", field.name)
}

fn place_id(field: &Field) -> String {
    format!("place.field.{}", field.name)
}

/// The value of the field as a positional argument.
fn placed<'a>(field: &Field, matches: &'a ArgMatches) -> Option<&'a String> {
    matches.try_get_one::<String>(&place_id(field)).ok().flatten()
}

fn no_id(field: &Field) -> String {
    format!("no.field.{}", field.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Command;
    use serde_json::json;

    const FIELDS: &[Field] = &[
        Field::text("display_name", 9, "x"),
        Field::integer("days", 1, 9, "x"),
        Field::flag("deliver", "x"),
        Field::of("scope", Type::Scopes, "x"),
        Field::word("role", &["a", "b"], "x"),
        Field::text("cursor", 9, "x"),
        Field::of("mounts", Type::Objects(&[Field::text("source", 9, "x"), Field::flag("read_only", "x")]), "x"),
    ];

    fn given(args: &[&str]) -> Option<Value> {
        let departures = [Flag::Named("days", "grace")];
        let command = Command::new("x").no_binary_name(true).args(super::args(FIELDS, &departures));
        let matches = command.try_get_matches_from(args).ok()?;
        Some(Value::Object(read(FIELDS, &departures, &matches).ok()?))
    }

    #[test]
    fn what_is_not_given_is_not_sent_and_what_is_has_its_type() {
        assert_eq!(given(&[]), Some(json!({})));
        let args = ["--display-name", "", "--grace", "3", "--deliver", "--scope", "a", "--scope", "b", "--role", "a"];
        assert_eq!(
            given(&args),
            Some(json!({"display_name": "", "days": 3, "deliver": true, "scope": ["a", "b"], "role": "a"}))
        );
        assert_eq!(given(&["--no-deliver", "--no-scope"]), Some(json!({"deliver": false, "scope": []})));
        assert_eq!(given(&["--no-deliver", "--deliver"]), Some(json!({"deliver": true})));
    }

    #[test]
    fn a_text_may_begin_with_a_dash() {
        assert_eq!(given(&["--display-name", "- one"]), Some(json!({"display_name": "- one"})));
        assert_eq!(given(&["--display-name", "--x"]), Some(json!({"display_name": "--x"})));
    }

    #[test]
    fn a_list_of_objects_is_written_as_pairs() {
        assert_eq!(
            given(&["--mounts", "source=/a,read-only=false", "--mounts", "read_only"]),
            Some(json!({"mounts": [{"source": "/a", "read_only": false}, {"read_only": true}]}))
        );
        for bad in ["x=1", "source=/a,x", "read-only=maybe"] {
            assert_eq!(given(&["--mounts", bad]), None, "{bad}");
        }
    }

    #[test]
    fn what_has_no_flag_or_not_its_type_is_refused() {
        for args in [["--cursor", "x"], ["--days", "3"], ["--grace", "x"], ["--grace", "10"], ["--role", "c"]] {
            assert_eq!(given(&args), None, "{args:?}");
        }
    }
}
