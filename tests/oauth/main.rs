//! The authorization server, tested with the real binary: login links, discovery, clients, consent, tokens, attacks.

#[path = "../support/mod.rs"]
mod support;

mod a_grant_ends_while_its_account_cannot_act;
mod a_grant_has_its_time_and_its_bounds;
mod a_key_becomes_a_token_by_standard_means;
mod a_kill_leaves_no_grant_or_one_that_can_be_refreshed;
mod a_link_logs_in_once;
mod a_program_asks_for_more;
mod a_program_logs_in_by_a_click;
mod a_program_without_a_browser_logs_in;
mod a_removed_scheme_gets_no_code;
mod a_service_asks_about_tokens;
mod an_agents_owner_ends_what_others_let_in;
mod attacks_give_nothing;
mod model;
mod no_secret_of_a_login_is_kept;
mod no_token_outlives_or_outreaches_what_it_came_from;
mod program;
mod programs_are_registered_by_hand;
mod programs_use_only_what_they_registered;
mod the_pages_work_without_scripts;
mod the_programs_of_a_deleted_user_end;
mod tokens_for_another_service;
mod what_ends_a_grant_needs_no_allowance;
mod what_is_refused_for_now_can_be_tried_again;
