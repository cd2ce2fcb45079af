//! Requests: an agent asks, its owner decides, for a limited time.

mod a_grant_is_listed_once;
mod a_join_ends_with_what_approved_it;
mod a_join_gives_strangers_nothing;
mod a_kill_leaves_it_pending_or_decided;
mod a_refusal_tells_what_to_ask_for;
mod a_restore_gives_nothing_back;
mod a_role_for_a_time_leaves_no_trace;
mod an_agent_joins_and_comes_back;
mod asking_for_what_is_hidden_tells_nothing;
mod changes_are_told_as_they_happen;
mod ends_are_told_within_a_second;
#[path = "../notify/events.rs"]
mod events;
mod every_agent_may_ask;
pub mod given;
mod harness;
mod nobody_does_what_was_not_given;
mod one_decision_wins;
mod questions_are_answered_once;
mod waiting_costs_no_thread;
mod waiting_requests_leave_room_for_bodies;
mod what_hangs_on_a_right_ends_with_it;
mod what_is_asked_is_bounded;
mod what_is_given_ends_by_itself;
mod who_may_decide;
