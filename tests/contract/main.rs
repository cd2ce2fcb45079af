//! Tests of the HTTP contract with the real binary, one scenario per file.

#[path = "../support/mod.rs"]
mod support;

mod cases;
mod harness;
mod refusing_runtime;

mod a_body_held_back_gains_nothing;
mod a_bulk_takes_every_agent;
mod agents_are_exported_and_imported;
mod anyone_finds_the_way_in;
mod archived_agents_end;
mod bodies_are_read_strictly;
mod bodies_of_strangers_starve_nobody;
mod checks_come_in_the_contracts_order;
mod every_change_is_audited;
mod every_reply_carries_its_headers;
mod every_route_and_code_is_provoked;
mod fields_are_bounded;
mod lists_are_paged;
mod names_become_slugs;
mod names_can_be_looked_up;
mod one_agents_change_is_no_others;
mod only_what_authenticates_counts;
mod preconditions_are_lists;
mod repeats_are_answered_not_done_again;
mod roles_decide_on_each_agent;
mod scopes_decide_by_the_table;
mod settings_are_changed;
mod the_bounds_of_the_security_page_hold;
mod the_edge_refuses_in_the_same_envelope;
mod the_operators_socket;
mod the_surface_is_described;
mod throttles_hold_back;
mod tokens_of_agents;
mod users_and_their_tokens;
mod waits_end_with_their_credential;
mod what_is_unchanged_is_not_sent_again;
