//! The workspace, tested with the real binary: spaces and their walls, messages, receipts, streams.

#[path = "../notify/events.rs"]
mod events;

mod a_frozen_agent_is_told_nothing_until_it_is_thawed;
mod a_killed_daemon_loses_no_message;
mod an_edit_tells_whom_it_mentions;
mod direct_messages_stay_between_two;
pub mod harness;
mod many_may_listen_at_once;
mod members_come_and_go;
mod messages_are_sent_read_and_found;
mod no_marker_crosses_the_wall;
mod receipts_only_go_forward;
mod replies_reach_members_only;
mod retries_speak_once;
mod streams_give_every_message_once;
mod what_a_space_may_hold_is_bounded;
mod whatever_is_killed_everything_is_accounted_for;
mod who_is_gone_is_no_reader;
mod who_left_gets_nothing_that_was_under_way;
