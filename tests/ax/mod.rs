//! The aX dialect, tested with the real binary: keys, exchange, short-lived tokens, enrollment, agents, sessions.

mod agents_belong_to_their_maker;
mod client;
mod each_error_of_the_exchange;
mod enrollments_make_one_agent;
mod every_route_takes_the_classes_of_its_row;
mod fingerprints_are_a_signal;
mod keys_never_exceed_their_issuer;
mod sessions_belong_to_their_page_and_token;
mod tokens_are_verified_strictly;
mod tokens_live_and_die_with_their_key;
mod unknown_paths_are_told_in_the_dialect;
mod what_is_repeated_grows_nothing;
mod what_only_agents_do_is_told_to_users;
