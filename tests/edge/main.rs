//! The HTTP edge under every input and trouble of the http-edge contract, over real sockets. One scenario a file.

mod support;

mod a_well_behaved_client_is_served;
mod bodies_never_become_requests;
mod malformed_heads_are_refused_and_the_connection_closed;
mod odd_but_sound_requests_are_answered_by_the_rules;
