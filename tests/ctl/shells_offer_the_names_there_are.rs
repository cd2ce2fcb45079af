//! Completion: the shell's script asks `taosctl`, which offers verbs, flags, and the names that the daemon has.

use crate::run::{Ctl, Run};
use crate::support::Daemon;

/// The completions of the last word.
fn offered(ctl: &Ctl, words: &[&str]) -> Vec<String> {
    let mut command = ctl.command(&["--", "taosctl"]);
    command.args(words).env("TAOSCTL_COMPLETE", "fish");
    let run = Run::of(command.output().expect("taosctl runs")).expect(0);
    run.stdout.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn names_of_agents_users_spaces_and_operations_are_offered() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["agents", "create", "Atlas"]);
    ctl.ok(&["agents", "create", "Hermes"]);
    ctl.ok(&["users", "create", "ann"]);
    ctl.ok(&["spaces", "create", "Workshop"]);
    assert_eq!(offered(&ctl, &["agents", "get", "at"]), ["atlas"]);
    assert_eq!(offered(&ctl, &["agents", "start", "h"]), ["hermes"]);
    assert_eq!(offered(&ctl, &["users", "get", "a"]), ["ann"]);
    assert_eq!(offered(&ctl, &["spaces", "usage", "work"]), ["workshop"]);
    assert!(offered(&ctl, &["tokens", "issue", ""]).contains(&"atlas".to_owned()));
    ctl.ok(&["agents", "rm", "hermes", "--yes"]);
    assert_eq!(offered(&ctl, &["agents", "restore", ""])[0], "hermes");
    let operation = ctl.json(&["operations", "ls"])[0]["id"].as_str().map(str::to_owned);
    assert_eq!(operation.as_deref(), offered(&ctl, &["operations", "get", "0"]).first().map(String::as_str));
}

#[test]
fn verbs_and_flags_are_offered_without_a_server() {
    let ctl = Ctl::bare().env("TAOS_URL", "http://127.0.0.1:1");
    assert!(offered(&ctl, &["agents", "dep"]).contains(&"deploy-status".to_owned()));
    assert!(offered(&ctl, &["agents", "ls", "--wat"]).contains(&"--watch".to_owned()));
    assert_eq!(offered(&ctl, &["agents", "get", "at"]), Vec::<String>::new());
}

#[test]
fn verbs_that_stand_first_are_completed_too() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["agents", "create", "Atlas"]);
    assert_eq!(offered(&ctl, &["start", "at"]), ["atlas"]);
    assert_eq!(offered(&ctl, &["get", "agen"]), ["agents"]);
    assert_eq!(offered(&ctl, &["get", "agents", "at"]), ["atlas"]);
    assert_eq!(offered(&ctl, &["describe", "users", "op"]), ["operator"]);
    assert!(!offered(&ctl, &[""]).contains(&"describe".to_owned()), "they are not offered themselves");
}

/// The output of a shell that runs this program. The program installs the completion as its help says.
fn in_shell(ctl: &Ctl, shell: &str, flags: &[&str], program: &str) -> String {
    let built = std::path::Path::new(env!("CARGO_BIN_EXE_taosctl")).parent().expect("a directory").display();
    let mut command = ctl.command(&[]);
    let inner = command.env("PATH", format!("{built}:/usr/bin:/bin")).env("TERM", "xterm");
    let mut command = std::process::Command::new(shell);
    command.args(flags).arg(program).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let run = Run::of(command.output().unwrap_or_else(|error| panic!("{shell}: {error}")));
    run.expect(0).stdout
}

fn with_atlas(daemon: &Daemon) -> Ctl {
    let ctl = Ctl::operator(daemon);
    ctl.ok(&["agents", "create", "Atlas"]);
    ctl
}

#[test]
fn bash_completes_a_name() {
    let daemon = Daemon::start();
    let program = "source <(taosctl completion bash); COMP_WORDS=(taosctl agents get at); COMP_CWORD=3; COMP_TYPE=9; \
        f=$(complete -p taosctl | sed 's/.*-F \\([^ ]*\\).*/\\1/'); $f taosctl at get; echo \"${COMPREPLY[*]}\"";
    let seen = in_shell(&with_atlas(&daemon), "bash", &["--noprofile", "--norc", "-c"], program);
    assert_eq!(seen, "atlas\n");
}

#[test]
#[ignore = "needs fish: apt install fish"]
fn fish_completes_a_name() {
    let daemon = Daemon::start();
    let program = "taosctl completion fish | source; complete -C 'taosctl agents get at'";
    let seen = in_shell(&with_atlas(&daemon), "fish", &["--no-config", "-c"], program);
    assert_eq!(seen, "atlas\tregistered\n");
}

#[test]
#[ignore = "needs zsh: apt install zsh"]
fn zsh_completes_a_name() {
    let daemon = Daemon::start();
    // A second zsh on its own terminal, in which Tab is pressed. It echoes the completed line.
    let program = r#"zmodload zsh/zpty; zpty z zsh -f -i
        until_seen() { local all= some=; for n in {1..200}; do zpty -rt z some && all+=$some; [[ $all == *$1* ]] && return; sleep 0.05; done; print -r -- "no $1: $all"; exit 1 }
        zpty -w z 'PS1=; autoload -U compinit; compinit -u -D; source <(taosctl completion zsh); print is-''ready'
        until_seen is-ready
        zpty -wn z $'taosctl agents get at	'
        until_seen 'get atlas'; print completed"#;
    let seen = in_shell(&with_atlas(&daemon), "zsh", &["-f", "-c"], program);
    assert_eq!(seen, "completed\n");
}
