//! The published Agentex SDK, unchanged and validating strictly, against the real daemon.
//!
//! Needs Python 3 with `venv`, and the packages of `requirements.txt` from the package index. The steps are in
//! `drive.py`.

use crate::support::{Daemon, python};

#[test]
#[ignore = "needs Python, and its package index"]
fn the_published_sdk_works_unchanged() {
    let daemon = Daemon::start();
    python::drive("agentex_sdk", &[&format!("http://{}", daemon.address), &daemon.token]);
}
