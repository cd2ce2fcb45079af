//! A credential may do only what its own scope, the credential that made it, and its principal's present rights all
//! allow.

mod a_key_forwards_only_while_its_maker_may;
mod a_key_never_outlives_what_made_it;
mod a_name_given_again_is_another;
mod a_restricted_key_sees_no_other_agent;
mod an_editor_never_widens;
mod cascade_all_reaches_every_agent;
mod created_agents_get_no_more_than_their_maker_has;
mod harness;
mod model;
mod narrowing_reaches_every_credential;
mod only_who_may_do_it_may_cancel_it;
mod revoking_tells_what_still_lives;
mod secrets_in_wrong_places_are_cut;
