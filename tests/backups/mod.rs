//! Tests of backups with the real binary, on real files. Every copy is whole and holds all acknowledged writes. A
//! restore refuses any other file, and never restores a revoked right.

#[path = "../durability/mounts.rs"]
mod mounts;
mod run;
#[path = "../durability/storm.rs"]
mod storm;

mod a_backup_is_asked_for_and_the_newest_seven_are_kept;
mod a_backup_of_the_first_moment_is_kept;
mod a_check_runs_beside_the_daemon;
mod a_copy_is_never_of_another_file;
mod a_cut_audit_is_shown_by_a_head_told_before;
mod a_failing_backup_is_told_until_one_goes_well;
mod a_restore_brings_nothing_back_that_was_revoked;
mod a_restore_refuses_what_is_no_sound_backup;
mod a_restore_takes_the_lesser_of_two_states;
mod a_restore_that_is_killed_is_done_or_not_begun;
mod a_stop_gives_a_running_backup_up;
mod an_admin_who_must_come_back_brings_no_credential;
mod backups_asked_for_at_once_all_succeed;
mod backups_that_are_asked_for_have_a_rate;
mod every_copy_made_in_a_storm_is_whole;
mod one_file_is_enough_for_a_new_board;
mod room_is_given_back;
mod the_fresh_copy_is_made_only_when_something_has_changed;
mod what_stands_in_a_backup_never_runs;
