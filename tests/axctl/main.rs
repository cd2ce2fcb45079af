//! The published client `axctl`, unchanged, against the real daemon.
//!
//! Needs Python 3 with `venv`, and the packages of `requirements.txt` from the package index: so it runs where
//! `TAOSD_REQUIRE_AXCTL=1` says so. The steps are in `drive.py`.

#[path = "../support/mod.rs"]
mod support;

use support::{Daemon, TempDir, python};

#[test]
fn the_published_client_works_unchanged() {
    if !python::is_required("TAOSD_REQUIRE_AXCTL", "axctl") {
        return;
    }
    let (daemon, work) = (Daemon::start(), TempDir::new());
    let (url, work) = (format!("http://{}", daemon.address), work.path().to_str().expect("UTF-8"));
    python::drive("axctl", &[&url, &daemon.token, work, env!("CARGO_BIN_EXE_taosctl")]);
}
