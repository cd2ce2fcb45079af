//! `taosctl doctor`: checks everything that a command needs, and names a fix for each problem.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use clap::{ArgMatches, Command};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::version::OWN;
use super::whoami::{principal, whoami};
use crate::ctl::core::failure::{Failure, JOIN_THE_GROUP, ServerRefusal};
use crate::ctl::core::output::Output;
use crate::ctl::core::server::Server;
use crate::ctl::core::{path, text, when};
use crate::ctl::login::connection::ENVIRONMENT;
use crate::ctl::login::context::Context;
use crate::ctl::login::credentials;
use crate::ctl::login::session::{self, Session};
use crate::ctl::show::look::{Look, mood, size};
use crate::ctl::show::texts::wrap;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::{paging, show};

/// Seconds by which the two clocks may differ.
const SKEW: i64 = 60;
/// Hours after which a backup is old.
const OLD_BACKUP: i64 = 24 * 7;

/// The fix for different versions of taosctl and the daemon.
const VERSIONS: &str = "If you have just installed it: sudo systemctl restart taosd. Else install one version of both: \
    sudo apt install ./taosd_VERSION_ARCH.deb, or sudo packaging/install.sh in a checkout.";

/// `taosctl doctor`.
pub const ENTRY: CommandEntry = CommandEntry::Own {
    name: "doctor",
    routes: &["healthz", "readyz", "auth_whoami", "agents_containers", "box_status", "backups_list"],
    command,
    run,
};

fn command(name: &'static str) -> Command {
    Command::new(name)
        .about("Check the socket, the login, the daemon, the clocks, the disk and the container runtime")
        .after_help("Each line that is not ok says what to do. Exits with 1 if a check has failed.")
}

/// The result of one check.
struct DoctorFinding {
    name: &'static str,
    state: &'static str,
    detail: String,
    fix: String,
}

impl DoctorFinding {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, state: "ok", detail: detail.into(), fix: String::new() }
    }

    fn warning(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, state: "warning", detail: detail.into(), fix: fix.into() }
    }

    fn failed(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, state: "failed", detail: detail.into(), fix: fix.into() }
    }
}

fn run(context: &Context, _: &ArgMatches) -> Result<Output, Failure> {
    let mut found = vec![configuration()];
    match context.session() {
        // The problem with the saved login is in the list already.
        Err(failure) if found.iter().any(|finding| finding.detail == failure.to_string()) => {}
        Err(failure) => found.push(DoctorFinding::failed("login", failure.to_string(), fix_of(&failure))),
        Ok(session) => examine(&session, &mut found),
    }
    let failed = found.iter().any(|finding| finding.state == "failed");
    let rows: Vec<Value> =
        found.iter().map(|f| json!({"check": f.name, "state": f.state, "detail": f.detail, "fix": f.fix})).collect();
    let output = if context.json {
        show::one_line(&Value::Array(rows))
    } else {
        Output::text(screen(&found, &Look::of_stdout()))
    };
    Ok(if failed { output.failing() } else { output })
}

fn fix_of(failure: &Failure) -> String {
    match failure {
        Failure::Usage { fix, .. } | Failure::Login { fix, .. } => fix.clone(),
        Failure::Refused(refusal) => refusal.fix.clone(),
        _ => "Run taosctl doctor again when that is fixed.".to_owned(),
    }
}

fn examine(session: &Session<'_>, found: &mut Vec<DoctorFinding>) {
    if let Server::Unix(place) = &session.connection.server {
        let socket = socket(place);
        let is_bad = socket.state == "failed";
        found.push(socket);
        if is_bad {
            return;
        }
    }
    if !daemon(session, found) {
        return;
    }
    found.extend(ready(session));
    let login = login(session);
    let is_bad = login.state == "failed";
    found.push(login);
    if !is_bad {
        found.push(runtime(session));
        found.push(backups(session));
    }
}

/// Checks the directory of the login and the profiles.
fn configuration() -> DoctorFinding {
    const NAME: &str = "config";
    match Context::find_home() {
        Err(failure) => DoctorFinding::failed(NAME, failure.to_string(), fix_of(&failure)),
        Ok(None) => {
            DoctorFinding::warning(NAME, "There is no place for a saved login.", "Set HOME or TAOS_CONFIG_DIR.")
        }
        Ok(Some(home)) => match credentials::load(&home) {
            Err(failure) => DoctorFinding::failed(NAME, failure.to_string(), fix_of(&failure)),
            Ok(_) if !home.can_be_written() => {
                let detail = format!("{} cannot be written: a login cannot be saved.", home.directory().display());
                DoctorFinding::warning(
                    NAME,
                    detail,
                    "Set TAOS_CONFIG_DIR to the absolute path of a directory of yours.",
                )
            }
            Ok(saved) => match home.check() {
                // A login is not saved there.
                Err(failure) => DoctorFinding::failed(NAME, failure.to_string(), fix_of(&failure)),
                Ok(()) if saved.is_some() => DoctorFinding::ok(NAME, "a saved login, for its owner alone"),
                Ok(()) => DoctorFinding::ok(NAME, "no saved login"),
            },
        },
    }
}

fn socket(place: &Path) -> DoctorFinding {
    const NAME: &str = "socket";
    let shown = place.display();
    let start = "Start the daemon: sudo systemctl start taosd, or taosd serve. If it runs elsewhere, set TAOS_URL.";
    match place.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return DoctorFinding::failed(NAME, format!("{shown} is not there."), start);
        }
        Ok(meta) if !meta.file_type().is_socket() => {
            return DoctorFinding::failed(
                NAME,
                format!("{shown} is not a socket."),
                "Name the daemon's socket with --url unix:PATH.",
            );
        }
        _ => {}
    }
    match UnixStream::connect(place) {
        Ok(_) => DoctorFinding::ok(NAME, format!("{shown} takes connections")),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            DoctorFinding::failed(NAME, format!("You may not use {shown}."), JOIN_THE_GROUP)
        }
        Err(error) => DoctorFinding::failed(NAME, format!("{shown}: {error}."), start),
    }
}

/// Checks whether the daemon replies, its version, and its clock against this machine's.
fn daemon(session: &Session<'_>, found: &mut Vec<DoctorFinding>) -> bool {
    let route = path::route("healthz");
    let server = session.connection.server.to_string();
    let reply = match session.send(route, route.path, None) {
        Ok(reply) => reply,
        Err(failure) => {
            let fix = "Start the daemon: sudo systemctl start taosd, or taosd serve. Or name another with --url.";
            found.push(DoctorFinding::failed("daemon", failure.to_string(), fix));
            return false;
        }
    };
    let health = session::json(&reply).unwrap_or_default();
    let version = text::plain(&health["version"]);
    found.push(DoctorFinding::ok("daemon", format!("answers at {server}")));
    found.push(if version == OWN {
        DoctorFinding::ok("version", format!("taosctl and taosd are both {OWN}"))
    } else {
        let detail = format!("taosctl is {OWN}, taosd is {version}.");
        DoctorFinding::warning("version", detail, VERSIONS)
    });
    if let Some(theirs) = reply.header("date").and_then(|date| jiff::fmt::rfc2822::parse(date).ok()) {
        found.push(clock(theirs.timestamp(), Timestamp::now()));
    }
    true
}

fn clock(theirs: Timestamp, ours: Timestamp) -> DoctorFinding {
    let apart = (theirs.as_second() - ours.as_second()).abs();
    if apart <= SKEW {
        return DoctorFinding::ok("clock", "yours and the daemon's agree");
    }
    let detail = format!("Yours and the daemon's differ by {}.", when::span(apart));
    DoctorFinding::failed("clock", detail, "Let a time server set both: sudo timedatectl set-ntp true.")
}

/// The fix for each of the daemon's own checks.
const MENDS: &[(&str, &str)] = &[
    ("database", "Stop the daemon, run taosd check, and restore a backup: taosctl docs recipes/backup."),
    ("disk", "Free some space or replace the disk: df -h shows what is full, journalctl -u taosd what went wrong."),
    ("queue", "Wait a moment. If it stays so: taosctl docs recipes/troubleshooting."),
    ("workers", "Restart the daemon: sudo systemctl restart taosd; journalctl -u taosd says why they ended."),
    ("backups", "Free some space in the data directory; journalctl -u taosd says why no copy can be written."),
];

/// The daemon's own checks: one line if all succeed, otherwise one line for each that fails.
fn ready(session: &Session<'_>) -> Vec<DoctorFinding> {
    const NAME: &str = "health";
    let route = path::route("readyz");
    match session.send_for_json(route, route.path, None) {
        Ok(_) => vec![DoctorFinding::ok(NAME, "database, disk, queue, workers, automatic backups")],
        Err(Failure::Refused(refusal)) => {
            let checks = refusal.field("checks").and_then(Value::as_object).cloned().unwrap_or_default();
            let bad = |(name, fix): &(&'static str, &str)| {
                let told = checks.get(*name).filter(|told| *told != "ok")?;
                Some(DoctorFinding::failed(name, text::plain(told), *fix))
            };
            let found: Vec<DoctorFinding> = MENDS.iter().filter_map(bad).collect();
            if found.is_empty() { vec![DoctorFinding::failed(NAME, refusal.detail, refusal.fix)] } else { found }
        }
        Err(failure) => vec![DoctorFinding::failed(NAME, failure.to_string(), fix_of(&failure))],
    }
}

fn login(session: &Session<'_>) -> DoctorFinding {
    const NAME: &str = "login";
    let me = match whoami(session) {
        Ok(me) => me,
        Err(failure) => {
            let first = if session.connection.source == ENVIRONMENT {
                " TAOS_TOKEN or TAOS_TOKEN_FILE comes before a login: unset it."
            } else {
                ""
            };
            let fix = format!(
                "Log in: taosctl login --url {}.{first} The token of the operator is in the daemon's data directory: \
                 sudo cat /var/lib/taosd/operator.token.",
                session.connection.server
            );
            return DoctorFinding::failed(NAME, failure.to_string(), fix);
        }
    };
    let who = principal(&me).unwrap_or_else(|failure| failure.to_string());
    let now = Timestamp::now();
    match when::of(&me["expires_at"]) {
        Some(at) if at < now + SignedDuration::from_hours(24 * 7) => {
            let detail = format!("{who}; the token ends {}.", when::relative(at, now));
            DoctorFinding::warning(
                NAME,
                detail,
                "Issue another: taosctl tokens issue user:NAME, then run taosctl login.",
            )
        }
        Some(at) => DoctorFinding::ok(NAME, format!("{who}; the token ends {}", when::relative(at, now))),
        None => DoctorFinding::ok(NAME, who),
    }
}

fn runtime(session: &Session<'_>) -> DoctorFinding {
    const NAME: &str = "runtime";
    let fix = "Install one: sudo apt install incus, then sudo usermod -aG incus-admin taosd and sudo systemctl restart \
        taosd. Or name its socket: TAOSD_CONTAINERS_SOCKET. Without one agents run where you start them.";
    let ask = |route: &str| session.send_for_json(path::route(route), path::route(route).path, None);
    // Only admins may read the status.
    let status = ask("box_status").unwrap_or_default();
    if status.get("runtime").is_some_and(|name| name.is_null() || name == "none") {
        return DoctorFinding::warning(NAME, "The daemon uses no container runtime.", fix);
    }
    match ask("agents_containers") {
        Ok(rows) => {
            let some = rows.as_array().map_or(0, Vec::len);
            let name = status["runtime"].as_str().map_or(String::new(), |name| format!("{name}, "));
            let some =
                if some == 1 { "1 container of an agent".to_owned() } else { format!("{some} containers of agents") };
            DoctorFinding::ok(NAME, format!("{name}{some}"))
        }
        Err(Failure::Refused(refusal)) if refusal.status >= 500 => away(NAME, &refusal, fix),
        Err(failure) => DoctorFinding::warning(NAME, failure.to_string(), fix_of(&failure)),
    }
}

/// A runtime that does not answer. The daemon says which command repairs it, so that nobody installs one that is there
/// and does not run. Without that command, the fix is `otherwise`.
fn away(name: &'static str, refusal: &ServerRefusal, otherwise: &str) -> DoctorFinding {
    let Some(mend) = refusal.field("mend").and_then(Value::as_str).filter(|mend| !mend.is_empty()) else {
        return DoctorFinding::warning(name, refusal.detail.clone(), otherwise);
    };
    let told = format!(" As root: {mend}");
    let detail = refusal.detail.strip_suffix(&told).unwrap_or(&refusal.detail);
    DoctorFinding::warning(name, detail, format!("As root: {mend}"))
}

fn backups(session: &Session<'_>) -> DoctorFinding {
    const NAME: &str = "backup";
    let rows = match paging::rows(session, path::route("backups_list"), &[], Map::new(), None) {
        Ok(rows) => rows,
        Err(failure) => return DoctorFinding::ok(NAME, format!("not yours to see: {failure}")),
    };
    let now = Timestamp::now();
    let newest = rows.iter().filter_map(|row| Some((when::of(&row["created_at"])?, row["bytes"].as_u64()?))).max();
    match newest {
        None => DoctorFinding::warning(NAME, "None was asked for yet.", "Make one: taosctl backup."),
        Some((at, _)) if at < now - SignedDuration::from_hours(OLD_BACKUP) => DoctorFinding::warning(
            NAME,
            format!("The newest is from {}.", when::relative(at, now)),
            "Make one: taosctl backup.",
        ),
        Some((at, bytes)) => DoctorFinding::ok(NAME, format!("{} ({})", when::relative(at, now), size(bytes))),
    }
}

/// The findings for people. No line is longer than the terminal.
fn screen(found: &[DoctorFinding], look: &Look) -> String {
    let mut out = String::new();
    let room = look.width.unwrap_or(80).saturating_sub(19).max(20);
    for finding in found {
        let word = format!("{} {:<7}", mood(finding.state).mark(), finding.state);
        let word = look.coloured("state", &json!(finding.state), &word);
        for (at, line) in wrap(&text::clean(&finding.detail), room).iter().enumerate() {
            let (word, name) = if at == 0 { (word.as_str(), finding.name) } else { ("         ", "") };
            let _ = writeln!(out, "{}", format!("{word} {name:<8} {line}").trim_end());
        }
        for (at, line) in wrap(&text::clean(&finding.fix), room.saturating_sub(5)).iter().enumerate() {
            let _ = writeln!(out, "{:19}{}{line}", "", if at == 0 { "fix: " } else { "     " });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_that_does_not_run_is_started_and_not_installed() {
        let mend = "systemctl start lxd.socket lxd.service";
        let refused = |more: Value| {
            let mut body =
                json!({"error": "container_runtime_unavailable", "detail": format!("It is away. As root: {mend}")});
            for (key, value) in more.as_object().unwrap() {
                body[key] = value.clone();
            }
            match Failure::refused(503, body.to_string().as_bytes(), None) {
                Failure::Refused(refusal) => away("runtime", &refusal, "Install one."),
                other => panic!("{other}"),
            }
        };
        let told = refused(json!({"mend": mend}));
        assert_eq!((told.state, told.detail.as_str()), ("warning", "It is away."));
        assert_eq!(told.fix, format!("As root: {mend}"));
        assert_eq!(refused(json!({})).fix, "Install one.");
    }

    #[test]
    fn clocks_that_differ_are_told_with_the_fix() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(clock(at(0), at(60)).state, "ok");
        let apart = clock(at(0), at(7200));
        assert_eq!((apart.state, apart.detail.as_str()), ("failed", "Yours and the daemon's differ by 2 h."));
        assert!(apart.fix.contains("timedatectl"), "{}", apart.fix);
    }
}
