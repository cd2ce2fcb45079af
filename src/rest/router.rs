//! Finds the route of a request by method and path.

use std::collections::BTreeSet;

use hyper::http::Method;

use super::route::{FREE_TEXT, Route};

/// The values of the path parameters, in the order of the path.
pub type Params = Vec<String>;

/// The result of a lookup.
pub enum RouteMatch<P: 'static, C: 'static, A: 'static> {
    /// The route, with its parameters.
    Route(&'static Route<P, C, A>, Params),
    /// The path exists, but not with this method: these are its methods (HEAD and OPTIONS included).
    OtherMethod(BTreeSet<&'static str>),
    /// There is no such path.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    Literal(&'static str),
    One,
    FreeText,
    Rest,
}

struct PathEntry<P: 'static, C: 'static, A: 'static> {
    segments: Vec<Segment>,
    routes: Vec<&'static Route<P, C, A>>,
}

/// All paths, by their number of segments; literal segments win over parameters.
pub struct Router<P: 'static, C: 'static, A: 'static> {
    /// The index is the number of segments.
    by_length: Vec<Vec<PathEntry<P, C, A>>>,
    open_ended: Vec<PathEntry<P, C, A>>,
}

fn segments(path: &'static str) -> Vec<Segment> {
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| match segment.strip_prefix('{') {
            Some(name) if name.ends_with("...}") => Segment::Rest,
            Some(_) if segment == FREE_TEXT => Segment::FreeText,
            Some(_) => Segment::One,
            None => Segment::Literal(segment),
        })
        .collect()
}

/// True if the segment of a path at this index is free text.
pub fn is_free_text(path: &'static str, at: usize) -> bool {
    segments(path).get(at) == Some(&Segment::FreeText)
}

impl<P, C, A> PathEntry<P, C, A> {
    fn matches(&self, path: &[String]) -> bool {
        let open = self.segments.last() == Some(&Segment::Rest);
        if if open { path.len() < self.segments.len() } else { path.len() != self.segments.len() } {
            return false;
        }
        self.segments.iter().zip(path).all(|(segment, given)| match segment {
            Segment::Literal(literal) => literal == given,
            // Only a route that declares free text accepts a slash inside a segment.
            Segment::One => !given.contains('/'),
            Segment::FreeText | Segment::Rest => true,
        })
    }

    fn params(&self, path: &[String]) -> Params {
        let mut params = Vec::new();
        for (at, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Literal(_) => {}
                Segment::One | Segment::FreeText => params.push(path[at].clone()),
                Segment::Rest => params.push(path[at..].join("/")),
            }
        }
        params
    }
}

impl<P, C, A> Router<P, C, A> {
    /// Builds a router over these tables.
    pub fn new(tables: &[&'static [Route<P, C, A>]]) -> Self {
        let mut router = Self { by_length: Vec::new(), open_ended: Vec::new() };
        for route in tables.iter().flat_map(|table| table.iter()) {
            let segments = segments(route.path);
            let entries = match segments.last() {
                Some(Segment::Rest) => &mut router.open_ended,
                _ => {
                    let most = router.by_length.len().max(segments.len() + 1);
                    router.by_length.resize_with(most, Vec::new);
                    &mut router.by_length[segments.len()]
                }
            };
            match entries.iter_mut().find(|entry| entry.segments == segments) {
                Some(entry) => entry.routes.push(route),
                None => entries.push(PathEntry { segments, routes: vec![route] }),
            }
        }
        for entries in &mut router.by_length {
            // Paths with more literal segments at the start come first.
            entries.sort_by_key(|entry| {
                entry.segments.iter().map(|s| matches!(s, Segment::One | Segment::FreeText)).collect::<Vec<_>>()
            });
        }
        router
    }

    /// Finds the route of a request. HEAD finds the route of GET.
    pub fn find(&self, method: &Method, path: &[String]) -> RouteMatch<P, C, A> {
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        let closed = self.by_length.get(path.len()).into_iter().flatten();
        // The first path that matches decides: if a segment is a literal of one path, it is never a parameter of
        // another.
        let Some(entry) = closed.chain(&self.open_ended).find(|entry| entry.matches(path)) else {
            return RouteMatch::Nothing;
        };
        if let Some(route) = entry.routes.iter().find(|route| route.method == *wanted) {
            return RouteMatch::Route(route, entry.params(path));
        }
        let mut allowed = BTreeSet::from(["OPTIONS"]);
        for route in &entry.routes {
            allowed.insert(route.method.as_str());
            if route.method == Method::GET {
                allowed.insert("HEAD");
            }
        }
        RouteMatch::OtherMethod(allowed)
    }
}
