//! For every route, one case of success and one for every code that it declares. Cases that are the same for many
//! routes are in `generic`. The others are in the module of their noun.

mod agents;
mod channels;
mod containers;
mod freezing;
mod generic;
mod knowledge;
mod notifications;
mod people;
mod requests;
mod rest;

use taosd::api::ApiRoute;

use crate::harness::Harness;
use crate::support::Reply;

/// A way to get one reply of one route.
pub struct Case {
    /// The route's id.
    pub route: &'static str,
    /// The code; empty for success.
    pub code: &'static str,
    run: fn(&Harness) -> Reply,
}

const fn case(route: &'static str, code: &'static str, run: fn(&Harness) -> Reply) -> Case {
    Case { route, code, run }
}

/// The way to make a route reply with a code (empty: success).
pub enum Way {
    /// A case for this route only.
    Own(fn(&Harness) -> Reply),
    /// A way that is the same for all routes with this code.
    Generic(fn(&Harness, &'static ApiRoute) -> Reply),
}

impl Way {
    /// Sends the request. Returns the reply.
    pub fn run(&self, harness: &Harness, route: &'static ApiRoute) -> Reply {
        match self {
            Self::Own(run) => run(harness),
            Self::Generic(run) => run(harness, route),
        }
    }
}

/// Returns every case that is for one route only.
pub fn own() -> impl Iterator<Item = &'static Case> {
    let agents = agents::CASES.iter().chain(containers::CASES).chain(freezing::CASES).chain(channels::CASES);
    agents
        .chain(people::CASES)
        .chain(notifications::CASES)
        .chain(knowledge::CASES)
        .chain(requests::CASES)
        .chain(rest::CASES)
}

/// Returns the way to this reply, or `None` if no case exists.
pub fn way(route: &'static ApiRoute, code: &str) -> Option<Way> {
    let own = own().find(|case| case.route == route.id && case.code == code);
    own.map(|case| Way::Own(case.run)).or_else(|| generic::way(code).map(Way::Generic))
}
