//! Tests of the daemon with agents in containers: the real binary on a real LXD and a real classic LXC, which `.ci/lxd`
//! provisions. A gate in front of the real LXD's socket makes the runtime fail. Tests that need a real runtime are
//! ignored: `bash .ci/lxd deb12 && cargo test --test containers -- --include-ignored`.

/// Makes two tests of each scenario: one on LXD (or on Incus, if `.ci/incus` runs them) and one on classic LXC.
macro_rules! on_both {
    ($($scenario:ident)*) => {
        mod on_rest {
            $(#[test] #[ignore = "needs Incus or LXD: bash .ci/lxd"] fn $scenario() { super::$scenario(crate::harness::Host::rest()) })*
        }
        mod on_classic_lxc {
            $(#[test] #[ignore = "needs classic LXC: bash .ci/lxd"] fn $scenario() { super::$scenario(crate::harness::Host::classic()) })*
        }
    };
}

mod cut;
#[path = "../lxd/fake.rs"]
#[allow(dead_code, reason = "the drivers' tests use all of it")]
mod fake;
#[path = "../lxd/fake_node.rs"]
#[allow(dead_code, reason = "the drivers' tests use all of it")]
mod fake_node;
mod gate;
mod harness;
#[path = "../lxd/kept_output.rs"]
mod kept_output;
#[path = "../lxd/node.rs"]
#[allow(dead_code, reason = "the drivers' tests use all of it")]
mod node;
mod pretend;
#[path = "../console/site.rs"]
#[allow(dead_code, reason = "the console's tests use all of it")]
mod site;
mod stream;
#[path = "../support/mod.rs"]
mod support;
#[path = "../lxd/test_runtime.rs"]
#[allow(dead_code, reason = "the drivers' tests use all of it")]
mod test_runtime;

mod a_container_in_use_is_not_left_over;
mod a_container_of_another_agent_is_left_alone;
mod a_deleted_agent_is_dead_at_once;
mod a_deletion_that_is_cut_is_finished;
mod a_failed_archiving_wakes_nobody;
mod a_frozen_agent_keeps_its_work;
mod a_full_queue_stops_no_write;
mod a_lost_reply_of_a_freeze_pauses_nobody;
mod a_node_that_hangs_stops_nobody;
mod a_pipe_inside_holds_nothing_up;
mod a_queue_is_worked_off_while_its_workers_are_killed;
mod a_refused_agent_asks_its_owner;
mod a_restore_whose_reply_is_lost_can_be_repeated;
mod a_runtime_that_is_away_leaves_nothing;
mod a_start_renews_only_what_was_stopped;
mod a_start_without_the_runtime_finishes_later;
mod a_swapped_mount_is_not_followed;
mod a_token_of_unknown_outcome_is_replaced;
mod a_token_that_cannot_be_activated_is_replaced;
mod a_tripwire_inside_tells_the_owner;
mod a_wake_that_nobody_heard_does_not_count;
mod agents_come_and_go_in_parallel;
mod agents_live_on_a_second_box;
mod agents_sleep_and_wake;
mod an_agent_asks_its_owner_by_mcp;
mod an_agent_is_deployed_in_a_browser;
mod an_end_waits_for_the_disk;
mod an_endless_state_hides_no_container;
mod an_interrupted_tripwire_is_taken_out_or_replaced;
mod an_old_look_changes_no_status;
mod archives_lose_nothing;
mod containers_are_told_apart;
mod containers_keep_their_names;
mod crashes_leave_one_token;
mod deployments_are_checked;
mod failing_runtimes_keep_the_old_token;
mod journals_are_read;
mod lifecycle_is_an_operation;
mod logs_are_followed;
mod no_environment_reaches_the_database;
mod operations_always_end;
mod requests_reach_agents_in_containers;
mod rotation_changes_what_is_inside;
mod tokens_reach_existing_containers;
mod two_machines_and_one_is_cut_off;
mod without_a_runtime;
