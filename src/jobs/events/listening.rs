//! Which principals have an open stream or a wait, and on which topic. In memory only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::threads::lock;

/// The principals that listen, and their topics.
#[derive(Debug, Default)]
pub struct Listening(Mutex<Ears>);

#[derive(Debug, Default)]
struct Ears {
    /// The number of ears of each principal on each topic. Topics without ears are removed.
    by_topic: HashMap<String, HashMap<String, u32>>,
    by_principal: HashMap<String, u32>,
}

/// One principal's stream or wait on one topic; dropping it ends the listening.
#[derive(Debug)]
pub struct Ear {
    listening: Arc<Listening>,
    principal: String,
    topic: String,
}

impl Listening {
    fn lock(&self) -> MutexGuard<'_, Ears> {
        lock(&self.0)
    }

    /// Records that a principal listens to a topic, until the ear is dropped.
    pub fn start(self: &Arc<Self>, principal: &str, topic: &str) -> Ear {
        let mut ears = self.lock();
        *ears.by_principal.entry(principal.to_owned()).or_default() += 1;
        *ears.by_topic.entry(topic.to_owned()).or_default().entry(principal.to_owned()).or_default() += 1;
        drop(ears);
        Ear { listening: Arc::clone(self), principal: principal.to_owned(), topic: topic.to_owned() }
    }

    /// True if this principal listens to this topic.
    pub fn is(&self, principal: &str, topic: &str) -> bool {
        self.lock().by_topic.get(topic).is_some_and(|ears| ears.contains_key(principal))
    }

    /// True if this principal listens to anything.
    pub fn is_anywhere(&self, principal: &str) -> bool {
        self.lock().by_principal.contains_key(principal)
    }

    /// True if anybody listens to this topic.
    pub fn is_heard(&self, topic: &str) -> bool {
        self.lock().by_topic.contains_key(topic)
    }

    /// True if anybody but this principal listens to this topic.
    pub fn others(&self, principal: &str, topic: &str) -> bool {
        let ears = self.lock();
        ears.by_topic.get(topic).is_some_and(|ears| ears.len() > usize::from(ears.contains_key(principal)))
    }
}

fn one_less(counts: &mut HashMap<String, u32>, key: &str) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let mut ears = self.listening.lock();
        one_less(&mut ears.by_principal, &self.principal);
        if let Some(of_topic) = ears.by_topic.get_mut(&self.topic) {
            one_less(of_topic, &self.principal);
            if of_topic.is_empty() {
                ears.by_topic.remove(&self.topic);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ears_are_counted_and_nothing_stays_of_those_that_went() {
        let listening = Arc::<Listening>::default();
        let one = listening.start("agent:a", "space:s");
        let two = listening.start("agent:a", "space:s");
        assert!(listening.is("agent:a", "space:s") && !listening.is("agent:a", "space:t"));
        assert!(listening.is_anywhere("agent:a") && !listening.others("agent:a", "space:s"));
        let other = listening.start("agent:b", "space:s");
        assert!(listening.others("agent:a", "space:s"));
        drop((one, other));
        assert!(listening.is("agent:a", "space:s") && !listening.others("agent:a", "space:s"));
        drop(two);
        let ears = listening.lock();
        assert!(ears.by_topic.is_empty() && ears.by_principal.is_empty());
    }
}
