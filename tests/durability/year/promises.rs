//! What must hold on every later day: acknowledged things are there, and ended tokens are refused.

use super::Year;

/// A request whose reply must contain this text on every later day.
pub struct Promise {
    /// `None` means Ann's current token.
    token: Option<String>,
    path: String,
    holds: String,
    since: u64,
}

impl Year {
    /// Promises that a request to `path` with this token, or with Ann's, finds this text from now on.
    pub(super) fn promise(&mut self, token: Option<&str>, path: &str, holds: &str) {
        let token = token.map(str::to_owned);
        let promise = Promise { token, path: path.into(), holds: holds.into(), since: self.day };
        self.promises.push(promise);
    }

    /// Fails unless every promise holds and every ended token is refused.
    pub fn hold(&self) {
        for promise in &self.promises {
            let reply =
                self.daemon.client(promise.token.as_ref().unwrap_or(&self.ann)).get(&promise.path).expect(200).text();
            let (path, since) = (&promise.path, promise.since);
            assert!(reply.contains(&promise.holds), "day {}: {path} of day {since} is {reply}", self.day);
        }
        self.dead_stay_dead();
        for keeper in &self.keepers {
            assert_eq!(self.whoami(&keeper.token), 200, "day {}: the newest token of {}", self.day, keeper.name);
        }
        self.one_token_an_agent();
    }

    /// Fails unless every ended token is refused.
    pub fn dead_stay_dead(&self) {
        for (nth, token) in self.dead.iter().enumerate() {
            assert_eq!(self.whoami(token), 401, "day {}: the dead token number {nth} works", self.day);
        }
    }

    fn one_token_an_agent(&self) {
        let most = "SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM credentials
            WHERE kind = 'agent_token' AND state = 'active' GROUP BY agent_id)";
        assert_eq!(self.daemon.number(most, []), 1);
        let graces = "SELECT count(*) FROM credentials WHERE kind = 'agent_token' AND state = 'grace'";
        assert!(self.daemon.number(graces, []) <= 1, "one rotates a day");
    }
}
