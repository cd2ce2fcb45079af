//! A real deployment, as a person sees it on a terminal of 80 columns: the bar, then the agent, the list, the box.

use std::env;

use crate::run::Ctl;
use crate::support::Daemon;
use crate::terminal::{plain, see};

/// The agent and its container go away also if the test fails.
struct Agent<'a>(&'a Ctl, String);

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        self.0.run(&["agents", "rm", &self.1, "--yes"]);
        self.0.run(&["purge", &self.1, "--yes"]);
    }
}

#[test]
#[ignore = "needs LXD: bash .ci/lxd deb12"]
fn the_bar_says_what_is_done_and_every_screen_fits() {
    let set = |name: &str| env::var(name).unwrap_or_else(|_| panic!("{name} is not set: bash .ci/lxd deb12"));
    // Its image takes a moment: what is done at once shows no bar.
    let (socket, image) = (set("TAOSD_TEST_LXD_SOCKET"), set("TAOSD_TEST_SYSTEMD_IMAGE"));
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
