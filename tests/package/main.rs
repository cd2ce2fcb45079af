//! The package on a Debian box of its own: a container with systemd as PID 1. The .deb is installed by dpkg, and the
//! unit is really started, killed, upgraded and purged.
//!
//! All tests are ignored, because they need the LXD and the image of `.ci/lxd deb12` and the packages of `.ci/deb`. Run
//! these two first, then `cargo test --test package -- --include-ignored`.

#[path = "../lxd/kept_output.rs"]
mod kept_output;
mod machine;

mod a_full_disk_is_told_and_survived;
mod a_mistake_in_the_settings_is_shown_and_breaks_nothing;
mod a_standing_daemon_is_started_again;
mod classic_lxc_lives_outside_the_unit;
mod sockets_wake_the_daemon;
mod the_install_script_serves_other_distributions;
mod the_package_is_installed_killed_upgraded_and_purged;
