//! Pages of this daemon in headless Chromium, driven by the scripts in this folder.

use crate::support::{script, script_with};

#[test]
#[ignore = "needs Chromium: apt install chromium"]
fn hostile_texts_in_notifications_stay_texts() {
    script("tests/browser/notifications.sh");
}

#[test]
#[ignore = "needs Chromium, Node and its package index"]
fn the_console_is_used_as_a_person_would_in_chromium() {
    script_with("tests/browser/console.sh", &[("BROWSER", "chromium")]);
}

#[test]
#[ignore = "needs Firefox, Node and its package index"]
fn the_console_is_used_as_a_person_would_in_firefox() {
    script_with("tests/browser/console.sh", &[("BROWSER", "firefox")]);
}
