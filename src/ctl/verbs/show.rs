//! Shows a reply: complete on one line with `--json`, otherwise for people.

use serde_json::{Map, Value, json};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::format::Format;
use crate::ctl::core::output::Output;
use crate::ctl::core::path;
use crate::ctl::core::text;
use crate::ctl::login::session::Session;
use crate::ctl::show::table::{self, Column};

/// The warning next to a secret.
pub const SHOWN_ONCE: &str = "warning: the token is shown only once; keep it in a private place";

const RESULTS: &[Column] = &[Column("NAME", "name"), Column("DONE", "success"), Column("ERROR", "error")];

/// How a reply is shown to people.
pub enum ShowAs {
    /// A list as a table.
    Table(&'static [Column]),
    /// The list in this field as a table.
    Rows(&'static str, &'static [Column]),
    /// The object, one line per field.
    Record,
    /// The object in this field.
    Part(&'static str),
    /// The stored record: this route returns it for the name in this field of the reply.
    Stored(&'static str, &'static str),
    /// One line: what was done, and to what. The hint is printed on stderr; `{}` in it stands for the object's name.
    Done(&'static str, Option<&'static str>),
    /// One line: what was done, and the value of this field.
    Said(&'static str, &'static str),
    /// The text in this field, line by line.
    Lines(&'static str),
    /// One line per agent with its result.
    Results,
    /// The bare secret in this field.
    Secret(&'static str),
    /// The secret in `token` is saved or printed as the flags say; the rest is shown.
    Kept,
    /// The reply as it is, for saving in a file.
    Document,
}

/// Shows a reply to a request with these path parameters.
///
/// # Errors
/// [`Failure::Unexpected`] for a reply of another shape.
pub fn reply(session: &Session<'_>, show: &ShowAs, parameters: &[&str], reply: &Value) -> Result<Output, Failure> {
    let json = session.context.json;
    match show {
        ShowAs::Secret(field) => secret(json, field, reply),
        ShowAs::Results if json => {
            let failed = results(object(reply)?).iter().any(|row| row["success"] != true);
            Ok(if failed { one_line(reply).failing() } else { one_line(reply) })
        }
        ShowAs::Rows(field, _) if json => Ok(one_line(reply).with_rows(field)),
        _ if json => Ok(one_line(reply)),
        ShowAs::Table(columns) => Ok(Output::text(table::table(columns, list(reply)?))),
        ShowAs::Rows(field, columns) => Ok(Output::text(table::table(columns, list(&reply[*field])?))),
        ShowAs::Record | ShowAs::Kept => record(reply),
        ShowAs::Part(field) => record(&reply[*field]),
        ShowAs::Stored(route, field) => stored(session, route, field, reply),
        ShowAs::Done(word, hint) => Ok(done(word, *hint, parameters, reply)),
        ShowAs::Said(word, field) => {
            object(reply)?;
            Ok(Output::text(format!("{word}: {}", text::clean(&text::plain(&reply[*field])))))
        }
        ShowAs::Lines(field) => lines(object(reply)?, field),
        ShowAs::Results => {
            let rows = results(object(reply)?);
            let output = Output::text(table::table(RESULTS, &rows));
            Ok(if rows.iter().any(|row| row["success"] != true) { output.failing() } else { output })
        }
        ShowAs::Document => Ok(Output::text(text::json_pretty(reply))),
    }
}

/// The reply on one line; nothing if it has no body.
pub fn one_line(reply: &Value) -> Output {
    Output::text(if reply.is_null() { String::new() } else { text::json_line(reply) })
}

/// Shows an object, one line per field.
///
/// # Errors
/// [`Failure::Unexpected`] if the value is not an object.
pub fn record(value: &Value) -> Result<Output, Failure> {
    Ok(Output::text(table::record(object(value)?)))
}

fn object(value: &Value) -> Result<&Map<String, Value>, Failure> {
    value.as_object().ok_or_else(|| Failure::Unexpected("The answer is not an object.".to_owned()))
}

fn list(value: &Value) -> Result<&[Value], Failure> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| Failure::Unexpected("The answer is not a list.".to_owned()))
}

/// Reads and shows the stored record. If the caller may not read it, shows the reply instead, because the change was
/// made.
fn stored(session: &Session<'_>, route: &str, field: &str, reply: &Value) -> Result<Output, Failure> {
    object(reply)?;
    let Some(name) = reply[field].as_str() else { return record(reply) };
    let route = path::route(route);
    match session.send_for_json(route, &path::target(route, &[name], &Map::new()), None) {
        Ok(found) => record(&found),
        Err(failure) => {
            let note = format!("note: done, but the record cannot be shown: {}", text::clean(&failure.to_string()));
            Ok(record(reply)?.with_note(&note))
        }
    }
}

fn lines(reply: &Map<String, Value>, field: &str) -> Result<Output, Failure> {
    let wrong = || Failure::Unexpected("The answer has no text.".to_owned());
    let output = Output::text(text::clean_lines(reply.get(field).and_then(Value::as_str).ok_or_else(wrong)?));
    let truncated = reply.get("truncated").is_some_and(|flag| *flag == true);
    Ok(match reply.get("omitted").and_then(Value::as_array) {
        _ if !truncated => output,
        Some(omitted) => output.with_note(&format!("note: {} documents did not fit; --json names them", omitted.len())),
        None => output.with_note("note: there are more lines before these"),
    })
}

/// The results as rows with a name.
fn results(reply: &Map<String, Value>) -> Vec<Value> {
    let by_name = reply.get("results").and_then(Value::as_object);
    let row = |(name, result): (&String, &Value)| json!({"name": name, "success": result["success"], "error": result["error"]});
    by_name.into_iter().flatten().map(row).collect()
}

fn done(word: &str, hint: Option<&str>, parameters: &[&str], reply: &Value) -> Output {
    let what = reply["name"].as_str().or_else(|| parameters.last().copied()).unwrap_or("");
    let said =
        if Format::chosen() == Format::Name { text::clean(what) } else { format!("{word}: {}", text::clean(what)) };
    let output = still_live(Output::text(said), reply);
    match (hint, reply["id"].as_str()) {
        (Some(hint), Some(_)) => output.with_note(&hint.replace("{}", &text::clean(what))),
        _ => output,
    }
}

/// Adds a note about the credentials that still work after a revocation.
fn still_live(output: Output, reply: &Value) -> Output {
    let Some(living) = reply["still_live"].as_array().filter(|living| !living.is_empty()) else { return output };
    let one = |made: &Value| {
        let of = |field: &str| made[field].as_str().unwrap_or("").to_owned();
        text::clean(&format!("{} {} ({})", of("kind"), of("credential_id"), of("name")))
    };
    let more = if reply["truncated"] == true { " and more" } else { "" };
    let names = living.iter().map(one).collect::<Vec<_>>().join(", ") + more;
    output.with_note(&format!("note: these still work: {names}; --all or --cascade all, where offered, ends them too"))
}

fn secret(json: bool, field: &str, reply: &Value) -> Result<Output, Failure> {
    let secret = object(reply)?.get(field).and_then(Value::as_str);
    let output = match (json, secret) {
        (true, _) => one_line(reply),
        (false, Some(secret)) => Output::text(text::clean(secret)),
        (false, None) => Output::default(),
    };
    Ok(match secret {
        Some(_) => output.with_note(SHOWN_ONCE).must_arrive(),
        None => output.with_note("delivered into the container; the token is not shown"),
    })
}
