//! More than a hundred everyday tasks, each typed as somebody who knows `gh`, `incus` or `kubectl` would first try it.

use std::fs;
use std::process::{Command, Stdio};

use crate::run::{Ctl, url};
use crate::support::Daemon;

/// The task, the command line, and a part of its output. The lines run in this order on one fresh box without a
/// container runtime. A line that begins with `!` is refused for lack of one.
const TASKS: &[(&str, &str, &str)] = &[
    ("see the state of the box", "taosctl status", "health"),
    ("who am I", "taosctl whoami", "operator"),
    ("who am I, as in gh", "taosctl auth status", "user:operator"),
    ("which version", "taosctl version", "taosd"),
    ("find what is wrong", "taosctl doctor", "daemon"),
    ("help", "taosctl help", "Usage"),
    ("help about a verb", "taosctl help agents create", "Examples:"),
    ("create an agent", "taosctl agents create atlas", "atlas"),
    ("create one, verb first", "taosctl create agent hermes", "hermes"),
    ("create one, singular", "taosctl agent create scout --model qwen2.5:7b", "scout"),
    ("list agents", "taosctl agents ls", "hermes"),
    ("list agents as kubectl does", "taosctl get agents", "atlas"),
    ("list agents as incus does", "taosctl list", "atlas"),
    ("list them wide", "taosctl get agents -o wide", "CREATED AT"),
    ("list their names", "taosctl get agents -o name", "scout"),
    ("list their names for a script", "taosctl agents ls -q", "hermes"),
    ("list them line by line", "taosctl agents ls -o jsonl", "\"name\":\"atlas\""),
    ("list them as JSON", "taosctl agents list --json", "[{"),
    ("list them as YAML", "taosctl get agents -o yaml", "- id:"),
    ("show one", "taosctl agents show atlas", "display_name"),
    ("describe one", "taosctl describe agent atlas", "display_name"),
    ("show one by slash", "taosctl get agent/atlas", "display_name"),
    ("info about one, as incus", "taosctl info atlas", "display_name"),
    ("edit one", "taosctl agents edit atlas --display-name 'Atlas II'", "Atlas II"),
    ("set its model", "taosctl agents model atlas gpt-5", "gpt-5"),
    ("pause two", "taosctl agents pause atlas hermes", "paused: hermes"),
    ("see that they are paused", "taosctl agents ls", "paused"),
    ("resume two", "taosctl resume atlas hermes", "resumed: atlas"),
    ("start one", "! taosctl start atlas", "agent_has_no_container"),
    ("stop one", "! taosctl agents stop atlas", "agent_has_no_container"),
    ("read its log", "! taosctl logs atlas", "agent_has_no_container"),
    ("follow its log", "! taosctl logs -f atlas", "agent_has_no_container"),
    ("deploy one", "! taosctl deploy walker --image debian12", "error: "),
    ("issue a token", "taosctl tokens issue atlas", "taos_agent_"),
    ("rotate it with a grace", "taosctl token rotate atlas --grace 300", "taos_agent_"),
    ("list tokens", "taosctl tokens ls", "agent:atlas"),
    ("show a token", "taosctl token show atlas", "has_token"),
    ("revoke a token", "taosctl token revoke atlas --yes", "revoked: atlas"),
    ("create a user", "taosctl users create ann", "ann"),
    ("list users", "taosctl get users", "ann"),
    ("a token for her", "taosctl tokens create user:ann --label laptop", "taos_user_"),
    ("revoke it by its label", "taosctl tokens rm laptop --user ann -y", "revoked: laptop"),
    ("let her edit an agent", "taosctl grants create user:ann agent:atlas editor", "editor"),
    ("see who may do what", "taosctl grants ls", "agent:atlas"),
    ("see who may do what to one agent", "taosctl agents grants atlas", "user:ann"),
    ("make her an admin", "taosctl user set ann --role admin", "admin"),
    ("tell the owner", "taosctl notify 'Backup done' 'It is on the NAS.'", "delivered"),
    ("read your notifications", "taosctl notifications ls", "Backup done"),
    ("send a message", "taosctl send 'The build is green'", "sent: "),
    ("read the messages", "taosctl messages ls", "The build is green"),
    ("search them", "taosctl messages search green", "green"),
    ("make a task", "taosctl tasks create 'Sweep the floor'", "Sweep the floor"),
    ("list tasks", "taosctl get tasks", "Sweep the floor"),
    ("claim it", "taosctl task claim 'Sweep the floor'", "fence"),
    ("make a space", "taosctl create space Workshop", "workshop"),
    ("list spaces", "taosctl spaces ls", "workshop"),
    ("send a message there", "taosctl send 'Mind the saw' --space Workshop", "sent: "),
    ("read the messages there", "taosctl messages ls --space workshop", "Mind the saw"),
    ("make a task there", "taosctl tasks create 'Oil the saw' --space Workshop", "Oil the saw"),
    ("store a value", "taosctl context set plans/today sweep", "plans/today"),
    ("upload a file", "taosctl upload notes.txt", "notes.txt"),
    ("back up everything", "taosctl backup", "blake3"),
    ("list the backups", "taosctl backups", ".db"),
    ("see what happened today", "taosctl audit --since today", "user:operator"),
    ("the same line by line", "taosctl audit --since 1h -o jsonl", "agents.create"),
    ("see what was done to atlas", "taosctl audit --agent atlas", "agents.pause"),
    ("see what was done to ann", "taosctl audit --resource user:ann", "users.update"),
    ("see what happened until yesterday", "taosctl audit --until yesterday", "AT"),
    ("see what is running", "taosctl operations ls", "STATUS"),
    ("export an agent", "taosctl agents export scout > scout.json", ""),
    ("archive one", "taosctl delete agent scout --yes", "archived: scout"),
    ("bring it back", "taosctl agents restore scout", "scout"),
    ("remove two", "taosctl agents rm scout hermes -y", "archived: hermes"),
    ("remove one for good", "taosctl purge scout -y", "purged: scout"),
    ("read an error's page", "taosctl docs errors#agent_not_found", "agent_not_found"),
    ("delete the user", "taosctl users delete ann -y", "deleted: ann"),
    ("log out", "taosctl logout", "not logged in"),
    ("view one, as in gh", "taosctl agent view atlas", "display_name"),
    ("list five, as in gh", "taosctl agent list -L 5", "atlas"),
    ("list some fields, as in gh", "taosctl agent list --json name,status", "{\"name\":\"atlas\",\"status\":"),
    ("the same in our words", "taosctl agents list --fields name,status -o jsonl", "{\"name\":\"atlas\",\"status\":"),
    ("set a model, as in gh", "taosctl agent edit atlas --model gpt-5-mini", "gpt-5-mini"),
    ("make a task, as in gh", "taosctl issue create --title 'Fix the roof' --priority high", "Fix the roof"),
    ("view a task, as in gh", "taosctl task view 'Fix the roof'", "Fix the roof"),
    ("close a task, as in gh", "taosctl issue close 'Fix the roof'", "done"),
    ("list secrets, as in gh", "taosctl secret list", "user:operator"),
    ("find a message, as in gh", "taosctl search messages green", "green"),
    ("invite a user, as in gh", "taosctl user invite bob", "bob"),
    ("open the console, as in gh", "taosctl browse", "/login/"),
    ("complete words, as in gh", "taosctl completion -s bash", "TAOSCTL_COMPLETE"),
    ("log in from a pipe, as in gh", "echo $TAOS_TOKEN | taosctl auth login --with-token --url $TAOS_URL", "logged in"),
    ("list as JSON, as in incus", "taosctl list -f json", "\"name\":\"atlas\""),
    ("launch an image, as in incus", "! taosctl launch images:debian/12 web", "error: "),
    ("show the settings, as in incus", "taosctl config show", "data_dir"),
    ("list images, as in incus", "taosctl image list", "images"),
    ("list projects, as in incus", "taosctl project list", "workshop"),
    ("list remotes, as in incus", "taosctl remote list", "nothing here yet"),
    ("describe one by slash", "taosctl describe agent/atlas", "display_name"),
    ("restart one, as in kubectl", "! taosctl rollout restart agent/atlas", "agent_has_no_container"),
    ("read a log, as in kubectl", "! taosctl logs agent/atlas --tail=5", "agent_has_no_container"),
    ("get all, as in kubectl", "taosctl get all", "health"),
    ("get everywhere, as in kubectl", "taosctl get pods -A", "atlas"),
    ("get events, as in kubectl", "taosctl get events", "agents.pause"),
    ("get secrets, as in kubectl", "taosctl get secrets", "user:operator"),
    ("make a namespace, as in kubectl", "taosctl create ns lab", "lab"),
    ("get namespaces, as in kubectl", "taosctl get ns", "lab"),
    ("apply a file, as in kubectl", "sed s/scout/ranger/ scout.json > new.json; taosctl apply -f new.json", "ranger"),
    ("delete by slash, as in kubectl", "taosctl delete agent/ranger --yes", "archived: ranger"),
    ("explain a noun, as in kubectl", "taosctl explain agents", "Examples:"),
    ("see the configuration, as in kubectl", "taosctl config view", "data_dir"),
    ("which client, as in kubectl", "taosctl version --client", "taosctl"),
    ("see what one user did", "taosctl audit --user operator -n 5", "user:operator"),
    ("see what was done to one agent", "taosctl audit --agent atlas -n 5", "agent:atlas"),
    ("see the rights of one user", "taosctl grants ls --user operator", "user:operator"),
    ("list the tokens of one agent", "taosctl tokens ls hermes", "TOKEN"),
    ("list the tokens of one user", "taosctl tokens ls user:bob", "TOKEN"),
    ("give a task to an agent", "taosctl task create 'Paint the door' --assignee atlas", "Paint the door"),
    ("read all notifications", "taosctl notification read --all", "read: "),
    ("send a message, noun first", "taosctl message send 'All is well'", "sent: "),
    ("upload, noun first", "taosctl file upload notes.txt", "notes.txt"),
    ("list what agents ask for", "taosctl request list", "requests watch"),
    ("lock a user out", "taosctl user disable bob", "disabled"),
    ("let the user in again", "taosctl user enable bob", "disabled"),
    ("is it well", "taosctl health", "ready"),
    ("list all, as in docker", "taosctl ps -a", "atlas"),
    ("the end of a log", "! taosctl logs atlas -n 20", "agent_has_no_container"),
    ("my own channels", "taosctl channels ls", "nothing here yet"),
    ("my own sessions", "taosctl users sessions ls", "nothing here yet"),
    ("every tripwire", "taosctl tripwires ls", "nothing here yet"),
];

#[test]
fn all_of_them_work() {
    assert!(TASKS.len() >= 100);
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let ctl = Ctl::operator(&daemon);
    ctl.file("notes.txt", "notes");
    let mut wrong = Vec::new();
    for (task, line, part) in TASKS {
        let (refused, line) = line.strip_prefix("! ").map_or((false, *line), |line| (true, line));
        let (seen, good) = typed(&ctl, &daemon, line);
        if good == refused || !seen.contains(part) {
            wrong.push(format!("{task}: {line}: {seen}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), TASKS.len(), wrong.join("\n"));
}

/// The page of everyday commands lists every task of this table.
#[test]
fn the_page_of_everyday_commands_lists_them_all() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/agents/recipes/everyday-commands.md"));
    let page = page.expect("the page");
    for (task, line, _) in TASKS {
        let row = format!("| {task} | `{}` |", line.trim_start_matches("! ").replace('|', "\\|"));
        assert!(page.contains(&row), "{row} is not in docs/agents/recipes/everyday-commands.md");
    }
}

fn typed(ctl: &Ctl, daemon: &Daemon, line: &str) -> (String, bool) {
    let built = std::path::Path::new(env!("CARGO_BIN_EXE_taosctl")).parent().expect("a directory").display();
    let output = Command::new("bash")
        .args(["--noprofile", "--norc", "-c", line])
        .current_dir(ctl.home())
        .env_clear()
        .env("HOME", ctl.home())
        .env("PATH", format!("{built}:/usr/bin:/bin"))
        .env("TAOS_URL", url(daemon))
        .env("TAOS_TOKEN", &daemon.token)
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (format!("{}{}", text(&output.stdout), text(&output.stderr)), output.status.success())
}
