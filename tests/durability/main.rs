//! Tests of what is left after a crash, a full disk or a damaged file, with the real binary and real files.
//!
//! The meaning of the routes is tested in `tests/contract`, and the edge in `tests/edge`.

#[path = "../support/mod.rs"]
mod support;

mod dump;
mod false_clock;
mod faulty_disk;
mod mounts;
mod stories;
mod storm;
mod year;

mod a_clean_stop_leaves_one_file;
mod a_clock_that_lies_destroys_nothing;
mod a_damaged_file_is_named_and_never_a_panic;
mod a_disk_that_turns_read_only_still_serves_reads;
mod a_file_that_goes_away_is_noticed;
mod a_full_disk_refuses_writes_and_serves_reads;
mod a_jumping_clock_revives_nothing;
mod a_kill_in_a_storm_of_writes_loses_nothing_acknowledged;
mod a_power_cut_loses_nothing_acknowledged;
mod a_revoke_holds_from_its_answer_on;
mod a_signing_key_is_published_before_it_signs;
mod a_start_that_cannot_be_is_refused_with_its_exit_code;
mod a_stop_in_a_storm_of_writes_keeps_what_was_acknowledged;
mod a_wal_cut_anywhere_is_an_earlier_state;
mod a_year_of_a_busy_box_stays_within_its_bounds;
mod an_authenticated_read_writes_nothing;
mod an_expired_credential_stays_refused;
mod every_command_survives_a_full_or_closed_stdout;
mod every_released_version_comes_up;
mod every_write_to_the_disk_may_fail;
mod no_secret_is_kept_in_plain;
mod roots_commands_keep_the_owner;
mod the_audit_chain_shows_any_change;
mod the_audit_has_a_size_as_well_as_an_age;
mod whatever_was_answered_holds_after_a_kill;
