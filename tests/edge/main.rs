//! Tests of the HTTP edge with every input and failure of the http-edge contract, over real sockets. One scenario per
//! file.

mod support;

mod a_probe_succeeds_through_every_trouble;
mod a_well_behaved_client_is_served;
mod bodies_never_become_requests;
mod deadlines_are_absolute;
mod descriptors_and_memory_stay_bounded;
mod every_reply_carries_the_standard_headers;
mod malformed_heads_are_refused_and_the_connection_closed;
mod odd_but_sound_requests_are_answered_by_the_rules;
mod one_caller_does_not_take_all_memory_of_bodies;
mod peers_are_told_apart;
mod the_last_word_is_given_before_a_close;
mod trouble_is_survived;
