//! The command line: the real `taosctl` against the real `taosd`, or against a fake if a server must misbehave.

#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code, reason = "each target uses its own part of this")]
#[path = "../durability/false_clock.rs"]
mod false_clock;
#[path = "../durability/mounts.rs"]
mod mounts;

mod fake;
mod run;
mod terminal;

mod a_byte_order_mark_is_no_part_of_a_text;
mod a_deployment_is_watched_on_a_terminal;
mod a_home_that_cannot_be_written_stops_nothing;
mod a_login_is_saved_for_its_owner_alone;
mod a_project_has_its_own_identity;
mod a_token_stays_with_its_server;
mod agents_are_managed;
mod agents_are_registered;
mod agents_join_at_the_command_line;
mod agents_keys_are_minted;
mod an_alias_does_what_its_word_says;
mod changes_are_repeated_under_one_key;
mod doctor_says_the_fix_of_what_is_really_broken;
mod every_help_has_two_examples;
mod every_route_has_a_command;
mod everyday_tasks_work_as_first_typed;
mod exit_codes_tell_what_went_wrong;
mod files_are_uploaded_and_downloaded;
mod followers_outlive_the_daemon;
mod hostile_servers_are_survived;
mod json_is_one_line;
mod keys_and_credentials_are_managed;
mod keys_are_exchanged_silently;
mod knowledge_is_put_and_searched;
mod lists_are_read_to_their_end;
mod lists_need_no_name;
mod messages_are_sent_and_followed;
mod nodes_are_added_to_the_settings;
mod notifications_are_sent_watched_and_read;
mod output_fits_its_reader;
mod pipes_may_close_at_any_time;
mod profiles_are_verified;
mod questions_need_a_terminal;
mod requests_are_decided_on_a_terminal;
mod several_are_done_though_one_is_refused;
mod shells_offer_the_names_there_are;
mod slow_work_is_followed;
mod slow_work_shows_a_bar_on_a_terminal;
mod texts_are_taken_as_they_are;
mod the_first_start_says_what_to_do_next;
mod the_page_of_an_error_can_be_opened;
mod the_space_of_a_login_holds_for_every_command;
mod the_state_of_the_box_is_one_screen;
mod the_transcripts_are_what_is_printed;
mod tokens_are_printed_bare;
mod users_and_grants_are_managed;
mod what_is_told_is_true;
mod what_was_meant_is_told;
