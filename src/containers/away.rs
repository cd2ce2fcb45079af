//! The ways in which a runtime can be away, and the command that mends each.

use std::io::ErrorKind;

use super::Runtime;

/// Why a runtime cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Away {
    /// It is not installed, or its socket is not there.
    Absent,
    /// Its socket is there, and nobody answers on it.
    Refusing,
    /// Its socket is there, and the daemon's user may not use it.
    Denied,
    /// It takes the request and does not answer.
    Hanging,
    /// It answered at first, and then no more.
    Lost,
}

impl Away {
    /// All of them, as `away` of an answer says them.
    pub const WORDS: [&'static str; 5] = ["absent", "refusing", "denied", "hanging", "lost"];

    /// From the error of a connection that was not made.
    pub(super) fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::Absent,
            ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Refusing,
        }
    }

    /// The word used in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Refusing => "refusing",
            Self::Denied => "denied",
            Self::Hanging => "hanging",
            Self::Lost => "lost",
        }
    }

    /// What is the matter, as a sentence for people.
    #[must_use]
    pub fn about(self, runtime: Runtime) -> String {
        let name = runtime.title();
        match self {
            Self::Absent if runtime == Runtime::None => "This host has no container runtime.".to_owned(),
            Self::Absent => format!("{name} is not here: it is not installed or it has no socket."),
            Self::Refusing => format!("{name} does not run: its socket is there and nobody answers."),
            Self::Denied => format!("The daemon's user may not use the socket of {name}."),
            Self::Hanging => format!("{name} takes requests and does not answer them."),
            Self::Lost => format!("{name} went away in the middle of the work."),
        }
    }

    /// What is the matter with a node, as the end of a sentence for people.
    #[must_use]
    pub fn about_node(self) -> &'static str {
        match self {
            Self::Absent => "the settings do not name it, or its name has no address",
            Self::Refusing => "nobody answers there as the server that the settings name",
            Self::Denied => "it does not trust this box's certificate",
            Self::Hanging => "it does not answer in time",
            Self::Lost => "it went away in the middle of the work",
        }
    }

    /// The command that mends it on a Debian box.
    #[must_use]
    pub fn mend(self, runtime: Runtime) -> &'static str {
        match (runtime, self) {
            (Runtime::Incus, Self::Absent) => {
                "apt install incus && usermod -aG incus-admin taosd && systemctl restart taosd"
            }
            (Runtime::Incus, Self::Denied) => "usermod -aG incus-admin taosd && systemctl restart taosd",
            (Runtime::Incus, Self::Refusing | Self::Lost) => "systemctl start incus.socket incus.service",
            (Runtime::Incus, Self::Hanging) => "systemctl restart incus.service",
            (Runtime::Lxd, Self::Absent) => "apt install lxd && usermod -aG lxd taosd && systemctl restart taosd",
            (Runtime::Lxd, Self::Denied) => "usermod -aG lxd taosd && systemctl restart taosd",
            (Runtime::Lxd, Self::Refusing | Self::Lost) => "systemctl start lxd.socket lxd.service",
            (Runtime::Lxd, Self::Hanging) => "systemctl restart lxd.service",
            (Runtime::Lxc, _) => "apt install lxc",
            (Runtime::None, _) => "apt install incus && usermod -aG incus-admin taosd && systemctl restart taosd",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_the_group_is_told_which_one() {
        let away = Away::of(std::io::Error::from_raw_os_error(13).kind());
        assert_eq!(away, Away::Denied);
        for (runtime, group) in [(Runtime::Incus, "incus-admin"), (Runtime::Lxd, "lxd")] {
            assert!(away.mend(runtime).starts_with(&format!("usermod -aG {group} taosd")));
        }
    }

    #[test]
    fn every_word_is_a_way() {
        let all = [Away::Absent, Away::Refusing, Away::Denied, Away::Hanging, Away::Lost];
        assert_eq!(all.map(Away::as_str), Away::WORDS);
    }
}
