//! A real deployment, as a person sees it on a terminal of 80 columns: the bar, then the agent, the list, the box.

use std::collections::HashMap;
use std::{env, fs};

use crate::run::Ctl;
use crate::support::Daemon;
use crate::terminal::{plain, see};

/// Deletes and purges the agent and its container, also if the test fails.
struct Agent<'a>(&'a Ctl, String);

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        self.0.run(&["agents", "rm", &self.1, "--yes"]);
        self.0.run(&["purge", &self.1, "--yes"]);
    }
}

/// A variable of the environment, or else of the file that `.ci/lxd` wrote.
fn setting(name: &str) -> String {
    let folder = env::var("TAOSD_CI_DIR").unwrap_or_else(|_| "/var/lib/taosd-ci".to_owned());
    let written = fs::read_to_string(format!("{folder}/env")).unwrap_or_default();
    let pairs: HashMap<&str, &str> = written.lines().filter_map(|line| line.split_once('=')).collect();
    let found = env::var(name).ok().or_else(|| pairs.get(name).map(|value| (*value).to_owned()));
    found.unwrap_or_else(|| panic!("{name} is not set: bash .ci/lxd deb12"))
}

#[test]
#[ignore = "needs LXD: bash .ci/lxd deb12"]
fn the_bar_says_what_is_done_and_every_screen_fits() {
    // An image with systemd takes a moment. A deployment that ends at once shows no bar.
    let (socket, image) = (setting("TAOSD_TEST_LXD_SOCKET"), setting("TAOSD_TEST_SYSTEMD_IMAGE"));
    let daemon = Daemon::with(&["--containers", "lxd", "--containers-socket", &socket], &[]);
    let ctl = Ctl::operator(&daemon);
    let agent = Agent(&ctl, format!("watched-{}", std::process::id()));
    let (seen, code) = see(&ctl, &format!("deploy {} --image {image} -o name", agent.1));
    assert_eq!(code, 0, "{seen}");
    let seen = plain(&seen);
    let frames: Vec<&str> =
        seen.split('\r').filter(|frame| frame.contains(" deploy ") && frame.contains('%')).collect();
    assert!(frames.iter().any(|frame| frame.contains('━')), "{seen:?}");
    assert!(frames.iter().any(|frame| frame.contains("%  starting")), "the step is told: {seen:?}");
    assert!(seen.trim_end().ends_with(&agent.1), "the result takes its place: {seen:?}");
    for (line, part) in
        [("agents ls", "● running"), ("status", "1 running"), ("doctor", "lxd, 1 container of an agent")]
    {
        let (seen, _) = see(&ctl, line);
        let seen = plain(&seen);
        assert!(seen.contains(part), "{line}: {seen}");
        assert!(seen.lines().all(|line| line.trim_end().chars().count() <= 80), "{line}: {seen}");
    }
}
