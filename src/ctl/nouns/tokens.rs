//! `taosctl tokens`: all secrets that the box has issued, of every kind: agents' tokens, users' tokens, keys.

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgMatches, Command};
use serde_json::{Map, Value, json};

use super::whoami::whoami;
use super::{agent_token, credentials, keys, subjects, token};
use crate::ctl::core::failure::Failure;
use crate::ctl::core::flags::{self, Flag};
use crate::ctl::core::output::Output;
use crate::ctl::core::{ask, path, text};
use crate::ctl::login::context::Context;
use crate::ctl::login::session::Session;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::each::each;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::{self, ShowAs};
use crate::ctl::verbs::{complete, paging, watch};
use crate::rest::field::Field;
use crate::rest::route::BodyKind;

const COLUMNS: &[Column] = &[
    Column("TOKEN", "called"),
    Column("KIND", "kind"),
    Column("FOR", "holder"),
    Column("STATE", "state"),
    Column("EXPIRES", "expires_at"),
    Column("LAST USED", "last_used_at"),
    Column("LABEL", "label"),
    Column("ID", "token"),
];

/// The noun `tokens` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "tokens",
    about: "Every secret of agents and users: list, issue, show, revoke; keys for other tools",
    entries: &[
        CommandEntry::Own {
            name: "list",
            routes: &["agents_list", "users_token_list", "keys_list", "credentials_list", "auth_whoami"],
            command: list_command,
            run: list,
        },
        CommandEntry::Own {
            name: "issue",
            routes: &["agents_token_issue", "users_token_issue"],
            command: issue_command,
            run: issue,
        },
        CommandEntry::Own { name: "rotate", routes: &["agents_token_issue"], command: rotate_command, run: rotate },
        CommandEntry::Verb(agent_token::SHOW),
        CommandEntry::Own {
            name: "revoke",
            routes: &["agents_token_revoke", "users_token_revoke", "keys_revoke", "credentials_revoke"],
            command: revoke_command,
            run: revoke,
        },
        token::MINT,
        keys::ENTRY,
        credentials::ENTRY,
    ],
};

fn user_flag() -> Arg {
    let arg = Arg::new("user").long("user").value_name("NAME").value_parser(NonEmptyStringValueParser::new());
    arg.help("Whose tokens: a user's name; you if absent")
}

fn list_command(name: &'static str) -> Command {
    Command::new(name)
        .about("List the tokens of your agents, and your own tokens and keys")
        .after_help("The first column is what `tokens revoke` takes.")
        .arg(Arg::new("of").value_name("NAME").conflicts_with("user").help("Only those of an agent, or of user:NAME"))
        .args([user_flag(), watch::arg()])
}

fn list(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let session = context.session()?;
    let of = matches.get_one::<String>("of").map(String::as_str);
    let of_user = of.and_then(|of| of.strip_prefix("user:"));
    let user = matches.get_one::<String>("user").map(String::as_str).or(of_user);
    let look = || {
        let mut rows = all(&session, user)?;
        if let Some(of) = of {
            let holder = if of.contains(':') { of.to_owned() } else { format!("agent:{of}") };
            // Some rows name their agent by id.
            let mut named = rows.clone();
            subjects::named(&session, &mut named);
            let mut is_of = named.iter().map(|row| row["holder"] == holder);
            rows.retain(|_| is_of.next().unwrap_or(false));
        }
        if !context.json {
            subjects::named(&session, &mut rows);
            call(&mut rows);
        }
        let output = show::reply(&session, &ShowAs::Table(COLUMNS), &[], &Value::Array(rows.clone()))?;
        let next = "There is nothing here yet. Next: taosctl tokens issue AGENT";
        Ok(if rows.is_empty() && !context.json { output.with_note(next) } else { output })
    };
    if watch::is_asked(matches) { watch::each(look) } else { look() }
}

/// Gives each row the name that `tokens revoke` accepts: its label if that is unique, otherwise its id or the agent's
/// name.
fn call(rows: &mut [Value]) {
    let taken: Vec<String> =
        rows.iter().flat_map(|row| [text::plain(&row["token"]), text::plain(&row["label"])]).collect();
    for row in rows {
        let label = text::plain(&row["label"]);
        let is_its_own = !row["label"].is_null() && taken.iter().filter(|other| **other == label).count() == 1;
        row["called"] = if is_its_own { Value::from(label) } else { row["token"].clone() };
    }
}

/// All live secrets of every kind. Lists that the caller may not read are left out.
fn all(session: &Session<'_>, user: Option<&str>) -> Result<Vec<Value>, Failure> {
    let me = whoami(session)?;
    let rows = |route: &str, above: &[&str]| match paging::rows(session, path::route(route), above, Map::new(), None) {
        Err(Failure::Refused(refusal)) if refusal.status != 401 => Ok(Vec::new()),
        rows => rows,
    };
    let mut all = Vec::new();
    for agent in rows("agents_list", &[])?.into_iter().filter(|agent| agent["has_token"] == true) {
        all.push(json!({"token": agent["name"], "kind": "agent_token", "holder": holder("agent", &agent["name"]),
            "label": null, "state": "active", "expires_at": agent["expires_at"], "last_used_at": agent["last_used_at"]}));
    }
    let user = user.or_else(|| me["username"].as_str());
    if let Some(user) = user {
        for one in rows("users_token_list", &[user])? {
            all.push(json!({"token": one["id"], "kind": "user_token", "holder": format!("user:{user}"),
                "label": one["label"], "state": "active", "expires_at": one["expires_at"],
                "last_used_at": one["last_used_at"]}));
        }
    }
    let mut keys = rows("keys_list", &[])?;
    keys.extend(rows("credentials_list", &[])?);
    for key in keys.into_iter().filter(|key| key["lifecycle_state"] != "revoked") {
        if all.iter().any(|known| known["token"] == key["credential_id"]) {
            continue;
        }
        let holder = match &key["bound_agent_id"] {
            Value::Null => me["username"].as_str().map(|name| format!("user:{name}")).unwrap_or_default(),
            id => format!("agent:{}", text::plain(id)),
        };
        all.push(json!({"token": key["credential_id"], "kind": key["kind"], "holder": holder, "label": key["name"],
            "state": key["lifecycle_state"], "expires_at": key["expires_at"], "last_used_at": key["last_used_at"]}));
    }
    Ok(all)
}

fn holder(kind: &str, name: &Value) -> String {
    format!("{kind}:{}", text::plain(name))
}

const GRACE: &[Flag] = &[Flag::Named("grace_seconds", "grace")];

fn fields(route: &str) -> &'static [Field] {
    match path::route(route).body {
        BodyKind::Json(fields) => fields,
        _ => &[],
    }
}

fn issue_command(name: &'static str) -> Command {
    let place = Arg::new("name").value_name("NAME").required(true).value_parser(NonEmptyStringValueParser::new());
    let only_user = fields("users_token_issue").iter().filter(|field| field.name == "label");
    let only_user: Vec<Field> = only_user.copied().collect();
    let both: Vec<Field> = fields("agents_token_issue").iter().map(of_either).collect();
    Command::new(name)
        .about("Issue a token of an agent, or with user:NAME one of a user")
        .after_help(
            "An agent has one token: a new one ends the old one at once, or after --grace seconds. A user may have \
             several. The token is shown once.",
        )
        .arg(place.help("The agent's name, or user:NAME").add(complete::agents()))
        .arg(ask::yes())
        .args(flags::args(&both, GRACE))
        .args(flags::args(&only_user, &[]))
}

/// A field of both routes, with the defaults of both.
fn of_either(field: &Field) -> Field {
    match field.name {
        "expires_in_days" => {
            field.described("Days until the token expires; if absent, an agent's never does, a user's after 90.")
        }
        "scope" => field.described("The scopes of the token; if absent, the agent's, or for a user's token your own."),
        _ => *field,
    }
}

fn issue(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let name = matches.get_one::<String>("name").map_or("", String::as_str);
    let Some(user) = name.strip_prefix("user:") else {
        refuse_others(matches, "users_token_issue", "agents_token_issue", "an agent")?;
        return issue_of_agent(context, matches, name).map_err(|failure| of_a_user(context, name, failure));
    };
    refuse_others(matches, "agents_token_issue", "users_token_issue", "a user")?;
    let session = context.session()?;
    let route = path::route("users_token_issue");
    let known: Vec<Field> = fields(route.id).to_vec();
    let body = Value::Object(flags::read(&known, &[], matches)?);
    let reply = session.send_for_json(route, &path::target(route, &[user], &Map::new()), Some(&body))?;
    show::reply(&session, &ShowAs::Secret("token"), &[user], &reply)
}

fn issue_of_agent(context: &Context, matches: &ArgMatches, name: &str) -> Result<Output, Failure> {
    agent_token::ISSUE.run_for(context, matches, &[name.strip_prefix("agent:").unwrap_or(name)])
}

fn rotate_command(name: &'static str) -> Command {
    let place = Arg::new("name").value_name("NAME").required(true).value_parser(NonEmptyStringValueParser::new());
    Command::new(name)
        .about("Issue another token of an agent and end the old one")
        .after_help(
            "The old one ends at once, or after --grace seconds. The token is shown once. A user may have several \
             tokens: issue another one and revoke the old one.",
        )
        .arg(place.help("The agent's name").add(complete::agents()))
        .arg(ask::yes())
        .args(flags::args(fields("agents_token_issue"), GRACE))
}

/// Issues another token of an agent, which ends the old one. A user's old tokens would stay valid, so a user's token is
/// refused.
fn rotate(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let name = matches.get_one::<String>("name").map_or("", String::as_str);
    if let Some(user) = name.strip_prefix("user:") {
        return Err(rotates_nothing(user));
    }
    issue_of_agent(context, matches, name).map_err(|failure| match failure {
        Failure::Refused(refusal) if refusal.error == "agent_not_found" && is_user(context, name) => {
            rotates_nothing(name)
        }
        other => other,
    })
}

fn rotates_nothing(user: &str) -> Failure {
    Failure::usage(
        format!("{user} is a user, and may have several tokens: a new one does not end the old one."),
        format!(
            "Issue the new one: taosctl users token issue {user}. Then end the old one: taosctl users token revoke \
             {user} ID."
        ),
    )
}

/// Refuses the flags of the other route, which would have no effect.
fn refuse_others(matches: &ArgMatches, other: &str, own: &str, whose: &str) -> Result<(), Failure> {
    let is_own = |field: &&Field| fields(own).iter().any(|known| known.name == field.name);
    let others: Vec<Field> = fields(other).iter().filter(|field| !is_own(field)).copied().collect();
    let Some((name, _)) = flags::read(&others, GRACE, matches)?.into_iter().next() else { return Ok(()) };
    let flag = name.trim_end_matches("_seconds").replace('_', "-");
    Err(Failure::usage(format!("--{flag} has no effect on a token of {whose}."), "Leave it out."))
}

/// Completes the refusal of an unknown agent if there is a user of this name.
fn of_a_user(context: &Context, name: &str, mut failure: Failure) -> Failure {
    if let Failure::Refused(refusal) = &mut failure
        && refusal.error == "agent_not_found"
        && is_user(context, name)
    {
        refusal.fix = format!("{name} is a user: write user:{name}.");
        refusal.run = Some(format!("taosctl tokens issue user:{name}"));
    }
    failure
}

fn is_user(context: &Context, name: &str) -> bool {
    let route = path::route("users_get");
    let ask = |session: Session<'_>| session.send_for_json(route, &path::target(route, &[name], &Map::new()), None);
    context.session().and_then(ask).is_ok()
}

fn revoke_command(name: &'static str) -> Command {
    let place = Arg::new("which").value_name("TOKEN").required(true).num_args(1..);
    Command::new(name)
        .about("Revoke tokens: an agent's by its name, others by id or label")
        .arg(place.help("The first column of `tokens list`; several at once").add(complete::agents()))
        .arg(user_flag())
        .arg(ask::yes())
}

fn revoke(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let wanted: Vec<&str> = matches.get_many::<String>("which").into_iter().flatten().map(String::as_str).collect();
    if !matches.get_flag("yes") {
        ask::confirm(&format!("Revoke {}? It stops working at once.", wanted.join(", ")))?;
    }
    let session = context.session()?;
    let user = matches.get_one::<String>("user").map(String::as_str);
    let known = all(&session, user)?;
    let revoke = |one: &str| revoke_one(&session, &known, one).map_err(|failure| of_nobody(one, user, failure));
    let (outputs, code) = each(wanted, revoke)?;
    Ok(outputs.into_iter().fold(Output::default(), Output::and).ending_with(code))
}

/// Completes the refusal of a word that is neither an agent nor the label of a known token. It may be the label of the
/// token of a user who was not named.
fn of_nobody(wanted: &str, user: Option<&str>, mut failure: Failure) -> Failure {
    if let Failure::Refused(refusal) = &mut failure
        && refusal.error == "agent_not_found"
        && !wanted.starts_with("agent:")
    {
        (refusal.detail, refusal.fix) = match user {
            None => (
                format!("No agent, and no token or key of yours, is called {wanted}."),
                "For a user's token add --user NAME.".to_owned(),
            ),
            Some(user) => (
                format!("No agent, no token of the user {user} and no key of yours is called {wanted}."),
                "Give the first column of the list of tokens.".to_owned(),
            ),
        };
        refusal.run = Some(format!("taosctl tokens ls --user {}", user.unwrap_or("NAME")));
    }
    failure
}

/// Refuses an agent without a token. The daemon itself would report that the token is revoked.
fn has_a_token(session: &Session<'_>, name: &str) -> Result<(), Failure> {
    let route = path::route("agents_get");
    let agent = session.send_for_json(route, &path::target(route, &[name], &Map::new()), None)?;
    if agent["has_token"] == true {
        return Ok(());
    }
    let fix = format!("Its keys and other credentials: taosctl tokens ls {name}");
    Err(Failure::usage(format!("The agent {name} has no token."), fix))
}

fn revoke_one(session: &Session<'_>, known: &[Value], wanted: &str) -> Result<Output, Failure> {
    let agent = wanted.strip_prefix("agent:");
    let wanted = agent.unwrap_or(wanted);
    let is_wanted = |row: &&Value| row["token"] == wanted && (agent.is_none() || row["kind"] == "agent_token");
    let by_id = known.iter().find(is_wanted);
    // Only the token itself is meant by `agent:NAME`, not what else has that name as its label.
    let mut by_label = known.iter().filter(|row| agent.is_none() && row["label"] == wanted);
    if let Some(name) = agent.filter(|_| by_id.is_none()) {
        has_a_token(session, name)?;
    }
    let row = match (by_id, by_label.next(), by_label.next()) {
        (Some(row), ..) | (None, Some(row), None) => row.clone(),
        (None, Some(_), Some(_)) => {
            return Err(Failure::usage(
                format!("{wanted} is the label of several tokens."),
                "Give the id of one of them.",
            ));
        }
        // An agent without a token, or no agent at all: the daemon reports it.
        (None, None, _) => json!({"kind": "agent_token", "token": wanted}),
    };
    let id = text::plain(&row["token"]);
    let send = |route: &str, parameters: &[&str]| {
        let route = path::route(route);
        session.send_for_json(route, &path::target(route, parameters, &Map::new()), None)
    };
    let reply = match row["kind"].as_str() {
        Some("agent_token") => send("agents_token_revoke", &[&id]),
        Some("user_token") => {
            let user = text::plain(&row["holder"]);
            send("users_token_revoke", &[user.trim_start_matches("user:"), &id])
        }
        // A caller who may create a key may not always use both routes to revoke one.
        _ => send("keys_revoke", &[&id]).or_else(|_| send("credentials_revoke", &[&id])),
    }?;
    show::reply(session, &ShowAs::Done("revoked", None), &[wanted], &reply)
}
