//! The Agentex dialect, tested with the real binary: builds, registrations, deployments, keys, forwarding.

mod a_build_of_a_known_name_gives_nothing;
mod deleting_ends_everything_at_once;
mod deployments_are_records_of_one_agent;
mod each_code_of_each_route;
mod forwarding_goes_to_the_agent_alone;
mod harness;
mod health_is_looked_at;
mod history_comes_from_the_merged_metadata;
mod keys_are_told_once_and_die_at_once;
mod lists_are_paged_and_ordered;
mod no_address_of_a_container_leads_to_the_host;
mod nobody_acts_without_a_grant;
mod one_credential_and_one_refusal;
mod registering_makes_ready_and_tells_one_key;
mod what_may_not_be_seen_is_not_there;
