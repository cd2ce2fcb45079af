//! Agents: the registry's routes, and those that need a container runtime (taOS contract, section 2).

mod archive;
mod calls;
mod container_fields;
mod container_routes;
pub(crate) mod containers;
mod create;
mod deploy;
mod fields;
mod lifecycle;
mod model;
mod permissions;
mod read;
pub(super) mod record;
mod routes;
mod settings;
mod transfer;
mod wake;

pub use calls::ROUTES as CALLS_ROUTES;
pub use container_routes::CONTAINER_ROUTES;
pub use routes::ROUTES;
