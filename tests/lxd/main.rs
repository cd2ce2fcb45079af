//! The container drivers on a real LXD and a real classic LXC, which `.ci/lxd` provisions, and against a fake of the
//! REST API that fails in every way a runtime can. Where a runtime is missing its tests are left out, with one line
//! that says so; with `TAOSD_REQUIRE_LXD=1` that is a failure.

mod bed;
mod both;
mod classic_only;
mod client;
mod detection;
mod fake;
mod faults;
mod lxd_only;
