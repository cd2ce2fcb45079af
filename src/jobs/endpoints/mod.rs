//! The addresses that agents listen on, and whether requests may go there.

pub mod acp_target;
pub mod acp_url;
pub mod host_net;
