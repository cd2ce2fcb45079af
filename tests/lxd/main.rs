//! The container drivers on a real LXD and a real classic LXC, which `.ci/lxd` provisions, and on a fake of the REST
//! API that fails in every way a runtime can. The tests that need a real runtime are ignored by default:
//! `bash .ci/lxd && cargo test --test lxd -- --include-ignored`.

/// Makes each scenario a test on LXD (or on Incus, if `.ci/incus` runs them) and one on classic LXC.
macro_rules! on_both {
    ($($scenario:ident)*) => {
        mod on_rest {
            $(#[test] #[ignore = "needs Incus or LXD: bash .ci/lxd"] fn $scenario() { super::$scenario(&super::TestRuntime::rest()) })*
        }
        mod on_classic_lxc {
            $(#[test] #[ignore = "needs classic LXC: bash .ci/lxd"] fn $scenario() { super::$scenario(&super::TestRuntime::classic()) })*
        }
    };
}

mod classic_only;
mod client;
mod commands;
mod consoles_stay_with_their_container;
mod detection;
mod fake;
#[allow(dead_code, reason = "the daemon's tests use all of it")]
mod fake_node;
mod faults;
mod hostile_nodes;
mod inside;
mod lifecycle;
mod lxd_only;
mod node;
mod nodes_are_reached_over_tls;
mod operations_decide;
mod relay;
mod test_runtime;
