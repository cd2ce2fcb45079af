//! The published client `axctl`, unchanged, against the real daemon, with and without its authorization server, because
//! the client probes for one.
//!
//! Needs Python 3 with `venv`, and the packages of `requirements.txt` from the package index. The steps are in
//! `drive.py`.

use crate::support::{Daemon, TempDir, python};

fn works(oauth: bool) {
    let (daemon, work) = (Daemon::with(&[], &[("TAOSD_OAUTH_ENABLED", &oauth.to_string())]), TempDir::new());
    let offered = daemon.anonymous().with("Host", &daemon.address).get("/.well-known/oauth-authorization-server");
    assert_eq!(offered.status, if oauth { 200 } else { 404 });
    let (url, work) = (format!("http://{}", daemon.address), work.path().to_str().expect("UTF-8"));
    python::drive("axctl", &[&url, &daemon.token, work, env!("CARGO_BIN_EXE_taosctl")]);
}

#[test]
#[ignore = "needs Python, and its package index"]
fn the_published_client_works_unchanged_where_programs_can_log_in() {
    works(true);
}

#[test]
#[ignore = "needs Python, and its package index"]
fn the_published_client_works_unchanged_where_they_cannot() {
    works(false);
}
