//! The container drivers on a real LXD and a real classic LXC, which `.ci/lxd` provisions, and against a fake of the
//! REST API that fails in every way a runtime can. Where a runtime is missing its tests are left out, with one line
//! that says so; with `TAOSD_REQUIRE_LXD=1` that is a failure.

/// Makes each scenario a test on LXD (or Incus, where `.ci/incus` runs them) and one on classic LXC.
macro_rules! on_both {
    ($($scenario:ident)*) => {
        mod on_rest {
            $(#[test] fn $scenario() { if let Some(bed) = super::Bed::rest() { super::$scenario(&bed) } })*
        }
        mod on_classic_lxc {
            $(#[test] fn $scenario() { if let Some(bed) = super::Bed::classic() { super::$scenario(&bed) } })*
        }
    };
}

mod bed;
mod classic_only;
mod client;
mod commands;
mod detection;
mod fake;
mod faults;
mod inside;
mod lifecycle;
mod lxd_only;
mod operations_decide;
mod relay;
