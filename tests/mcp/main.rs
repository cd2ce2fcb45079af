//! The MCP endpoint, tested with the real binary: its HTTP rules, both eras, tools, resources, prompts and notices.

#[path = "../support/mod.rs"]
mod support;

#[path = "../notify/events.rs"]
mod events;

mod a_killed_daemon_speaks_once;
mod a_tool_may_what_its_route_may;
mod arguments_are_completed;
mod both_eras_are_served;
mod every_row_that_says_so_is_a_tool;
mod harness;
mod notices_tell_of_changes;
mod prompts_are_made;
mod refusals_are_results;
mod resources_are_read_by_their_routes;
mod results_are_bounded;
mod streams_of_notices_end;
mod the_clients_user_is_asked;
mod the_list_of_tools_is_kept_ready;
mod the_rules_of_http_hold;
mod tokens_open_the_endpoint;
mod waits_hold_no_thread;
