//! The steps around a handler: the application, calls, dispatch, idempotency, pages, slow work.

pub(crate) mod api_route;
pub(crate) mod app;
pub(crate) mod call;
pub(crate) mod descent;
pub(crate) mod dispatch;
mod frozen;
pub mod growth;
pub(crate) mod idempotency;
pub(crate) mod joins;
pub(crate) mod logins;
pub(crate) mod metrics;
pub(crate) mod paging;
pub(crate) mod reply_cache;
pub(crate) mod rules;
pub(crate) mod site;
pub(crate) mod slow;
pub(crate) mod subrequest;
mod unrouted;
