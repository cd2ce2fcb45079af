//! For every route one case of success, and one for every code it declares. What is the same for many routes is
//! written once, in `generic`; what is particular to one stands with its noun.

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

/// One way to get one answer.
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

/// What makes a route answer with a code (empty: succeed).
pub enum Way {
    /// A case of its own.
    Own(fn(&Harness) -> Reply),
    /// The way that is the same for all routes with this code.
    Generic(fn(&Harness, &'static ApiRoute) -> Reply),
}

impl Way {
    /// Goes it.
    pub fn run(&self, harness: &Harness, route: &'static ApiRoute) -> Reply {
        match self {
            Self::Own(run) => run(harness),
            Self::Generic(run) => run(harness, route),
        }
    }
}

/// Every case that is particular to a route.
pub fn own() -> impl Iterator<Item = &'static Case> {
    let agents = agents::CASES.iter().chain(containers::CASES).chain(freezing::CASES).chain(channels::CASES);
    agents
        .chain(people::CASES)
        .chain(notifications::CASES)
        .chain(knowledge::CASES)
        .chain(requests::CASES)
        .chain(rest::CASES)
}

/// The way to this answer; `None` if nobody wrote one.
pub fn way(route: &'static ApiRoute, code: &str) -> Option<Way> {
    let own = own().find(|case| case.route == route.id && case.code == code);
    own.map(|case| Way::Own(case.run)).or_else(|| generic::way(code).map(Way::Generic))
}
