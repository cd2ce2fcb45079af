//! Channels send notifications to people's phones. The tests use real receivers over TLS with a private authority.

mod receiver;

mod a_bad_receiver_holds_up_nobody_else;
mod a_changed_channel_is_tried_at_once;
mod a_channel_is_its_users_own;
mod a_disabled_user_hears_nothing;
mod a_secret_of_a_channel_is_sealed;
mod a_secret_stays_with_its_server;
mod an_end_that_cannot_be_noted_is_not_sent_again;
mod each_kind_is_told_in_its_own_way;
mod the_operators_channels_tell_the_admins;
mod users_channels_reach_no_network_of_the_box;
mod what_waits_outlives_the_daemon;
