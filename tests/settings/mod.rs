//! Settings through the real binary: what a file, the environment and flags may contain, and what a reload changes.

#[path = "../notify/events.rs"]
mod events;
#[path = "../notify/receiver.rs"]
mod receiver;

mod box_with_file;

mod a_broken_file_leaves_the_old_settings;
mod a_path_or_a_filter_that_means_something_else_is_refused;
mod a_reload_changes_what_is_allowed;
mod a_reload_takes_up_new_limits;
mod connections_outlive_a_reload;
mod every_problem_is_told_at_once;
mod hostile_files_are_refused;
mod settings_are_shown_without_secrets;
mod the_service_manager_follows_a_reload;
