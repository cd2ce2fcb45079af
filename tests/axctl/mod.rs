//! The published client `axctl`, unchanged, against the real daemon.
//!
//! Needs Python 3 with `venv`, and the packages of `requirements.txt` from the package index. The steps are in
//! `drive.py`.

use crate::support::{Daemon, TempDir, python};

#[test]
#[ignore = "needs Python, and its package index"]
fn the_published_client_works_unchanged() {
    let (daemon, work) = (Daemon::start(), TempDir::new());
    let (url, work) = (format!("http://{}", daemon.address), work.path().to_str().expect("UTF-8"));
    python::drive("axctl", &[&url, &daemon.token, work, env!("CARGO_BIN_EXE_taosctl")]);
}
