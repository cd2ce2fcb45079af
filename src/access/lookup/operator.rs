//! Who may use the operator's Unix socket without a token: uid 0, the daemon's own uid, and members of group `taosd`
//! (DESIGN D7). The kernel reports the peer's ids.

use std::fs;

const GROUP: &str = "taosd";

/// The access rule of the operator's socket.
#[derive(Debug, Clone)]
pub struct Operators {
    own_uid: u32,
}

impl Operators {
    /// The rule for a daemon that runs as the current user.
    pub fn new() -> Self {
        Self { own_uid: rustix::process::geteuid().as_raw() }
    }

    /// True if a peer with these ids is the operator. The group's members are read each time, so that membership can be
    /// given and taken without a restart.
    pub fn admit(&self, uid: u32, gid: u32) -> bool {
        uid == 0 || uid == self.own_uid || {
            let read = |path| fs::read_to_string(path).unwrap_or_default();
            in_group(&read("/etc/group"), &read("/etc/passwd"), uid, gid)
        }
    }
}

impl Default for Operators {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the gid of the group, if the group exists.
pub fn group_id() -> Option<u32> {
    group(&fs::read_to_string("/etc/group").unwrap_or_default()).map(|(gid, _)| gid)
}

/// Returns the id and the members of [`GROUP`] (group(5)).
fn group(groups: &str) -> Option<(u32, Vec<&str>)> {
    groups.lines().find_map(|line| {
        let mut parts = line.split(':');
        if parts.next()? != GROUP {
            return None;
        }
        let gid = parts.nth(1)?.parse().ok()?;
        Some((gid, parts.next().unwrap_or("").split(',').filter(|name| !name.is_empty()).collect()))
    })
}

fn in_group(groups: &str, users: &str, uid: u32, gid: u32) -> bool {
    let Some((group_gid, members)) = group(groups) else { return false };
    gid == group_gid
        || users.lines().any(|line| {
            // passwd(5): name:password:uid:gid:…
            let mut parts = line.split(':');
            let name = parts.next().unwrap_or("");
            parts.nth(1).and_then(|id| id.parse().ok()) == Some(uid) && members.contains(&name)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: &str = "root:x:0:\nbroken\ntaosd:x:990:ann,bob\nusers:x:100:cat\n";
    const USERS: &str = "root:x:0:0::/:/bin/sh\nann:x:1001:1001::/:/bin/sh\ncat:x:1003:100::/:/bin/sh\n";

    #[test]
    fn members_of_the_group_are_admitted_and_nobody_else() {
        assert!(in_group(GROUPS, USERS, 1001, 1001), "a member");
        assert!(in_group(GROUPS, USERS, 5000, 990), "the group as primary group");
        assert!(!in_group(GROUPS, USERS, 1003, 100), "a member of another group");
        assert!(!in_group(GROUPS, USERS, 1002, 1002), "a member's name without an account");
        assert!(!in_group("", USERS, 1001, 1001), "no such group");
    }

    #[test]
    fn root_and_the_daemons_own_user_are_always_admitted() {
        let operators = Operators { own_uid: 42 };
        assert!(operators.admit(0, 0) && operators.admit(42, 4_000_000));
        assert!(!operators.admit(4_000_001, 4_000_001));
    }
}
