//! Notifications and knowledge, through the real binary.

#[path = "../support/mod.rs"]
mod support;

mod cast;
mod events;
mod receiver;

mod a_notification_reaches_its_owner;
mod a_repeated_notify_is_answered_not_sent_again;
mod a_source_belongs_to_who_made_it;
mod a_stream_tells_every_notification_once;
mod a_wait_ends_with_the_next_notification;
mod bad_notifications_are_refused;
mod fragments_are_inert;
mod knowledge_is_found_by_its_words;
mod knowledge_is_written_by_source;
mod lists_are_paged_and_counted;
mod narrow_credentials_are_refused;
mod old_and_surplus_notifications_go;
mod one_agent_never_pushes_out_anothers_notices;
mod owners_are_warned_before_a_credential_ends;
mod senders_have_a_rate_each;
mod streams_are_bounded_and_end_with_their_credential;
mod the_documentation_is_knowledge;
mod the_system_prompt_fits;
mod the_webhook_is_tried_until_it_takes;
