//! On a terminal the first start shows where the token is and what to type next. The commands work exactly as shown.

use crate::run::Ctl;
use crate::support::TempDir;
use crate::terminal::see_program;

#[test]
fn the_ready_line_is_followed_by_commands_that_a_shell_finds() {
    let (ctl, data) = (Ctl::bare(), TempDir::new());
    let serve = format!(
        "timeout 5 {} serve --data-dir {} --listen 127.0.0.1:0 --containers none 2>&1 | grep -v INFO",
        env!("CARGO_BIN_EXE_taosd"),
        data.path().display()
    );
    // With a pipe nobody reads the hint.
    let (piped, _) = see_program(&ctl, &serve);
    assert!(piped.contains("taosd listening on http://127.0.0.1:") && !piped.contains("your token"), "{piped}");
    let (seen, _) = see_program(&ctl, serve.split(" 2>&1").next().unwrap());
    let taosctl = env!("CARGO_BIN_EXE_taosctl");
    let after = seen.split("taosd listening on").nth(1).unwrap_or_else(|| panic!("{seen}"));
    for part in
        [format!("your token    {}/operator.token", data.path().display()), format!("in a shell    {taosctl} status")]
    {
        assert!(after.contains(&part), "{part} is not in {after}");
    }
    assert!(after.contains(&format!("{taosctl} open")) && after.contains("/docs"), "{after}");
}

#[test]
fn where_only_the_daemon_is_built_it_says_what_builds_the_rest() {
    let (ctl, dir) = (Ctl::bare(), TempDir::new());
    let built = dir.path().join("release");
    std::fs::create_dir(&built).unwrap();
    // Another process makes the copy: a program that this process holds open for writing cannot be run.
    let copied = std::process::Command::new("cp").arg(env!("CARGO_BIN_EXE_taosd")).arg(&built).status();
    assert!(copied.unwrap().success());
    let data = dir.path().join("d");
    let serve = format!(
        "timeout 5 {} serve --data-dir {} --listen 127.0.0.1:0 --containers none",
        built.join("taosd").display(),
        data.display()
    );
    let (seen, _) = see_program(&ctl, &serve);
    assert!(seen.contains("first         cargo build --release, which builds taosctl"), "{seen}");
    assert!(seen.contains(&format!("{} status", built.join("taosctl").display())), "{seen}");
}
