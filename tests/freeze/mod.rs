//! Freezing agents: every credential is refused at once, the container is frozen, and a thaw gives back exactly what
//! was there. Tripwires: the use of a decoy notifies the owner.

mod a_decoy_is_noticed_wherever_it_is_shown;
mod a_decoy_is_refused_like_an_unknown_credential;
mod a_freeze_of_all_is_undone_alone;
mod a_freeze_outlives_restarts_and_restores;
mod a_frozen_agent_comes_back_as_it_was;
mod a_kill_leaves_it_frozen_or_thawed;
mod a_thousand_agents_are_frozen_at_once;
mod harness;
mod no_write_of_an_agent_lands_after_its_freeze;
mod the_owner_or_an_admin_freezes;
