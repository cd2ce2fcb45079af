//! The published Agentex SDK, unchanged and validating strictly, against the real daemon.
//!
//! Needs Python 3 with `venv`, and the packages of `requirements.txt` from the package index: so it runs where
//! `TAOSD_REQUIRE_AGENTEX=1` says so. The steps are in `drive.py`.

#[path = "../support/mod.rs"]
mod support;

use support::{Daemon, python};

#[test]
fn the_published_sdk_works_unchanged() {
    if !python::is_required("TAOSD_REQUIRE_AGENTEX", "the SDK") {
        return;
    }
    let daemon = Daemon::start();
    python::drive("agentex_sdk", &[&format!("http://{}", daemon.address), &daemon.token]);
}
