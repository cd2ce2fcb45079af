//! Tasks, shared context and files, tested with the real binary.

mod a_change_gives_a_lease_no_more_time;
mod a_crash_during_an_upload_leaves_nothing;
mod a_crash_gives_each_task_one_holder;
mod a_fence_that_is_over_changes_nothing;
mod an_upload_ends_with_the_right_to_it;
mod changes_of_tasks_are_told;
mod context_ends_when_it_says;
mod files_go_up_and_come_down;
mod form;
mod hostile_uploads_leave_nothing;
mod leases_survive_a_crash;
mod tasks_are_done_once;
mod tasks_are_made_listed_and_changed;
mod tasks_wait_for_each_other;
mod what_agents_add_is_bounded;
mod what_belongs_elsewhere_or_is_monstrous_is_refused;
