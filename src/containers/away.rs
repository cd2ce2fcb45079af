//! The ways in which a runtime can be away, and the command that repairs each.

use std::io::ErrorKind;

use super::Runtime;

/// Why a runtime cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Away {
    /// It is not installed, or its socket is not there.
    Absent,
    /// Its socket exists and nothing answers on it.
    Refusing,
    /// Its socket exists and the daemon's user may not use it.
    Denied,
    /// It accepts the request and does not reply.
    Hanging,
    /// It replied at first, and then stopped.
    Lost,
}

impl Away {
    /// The words of all ways, as in the field `away` of a reply.
    pub const WORDS: [&'static str; 5] = ["absent", "refusing", "denied", "hanging", "lost"];

    /// Classifies the error of a connection that failed.
    pub(super) fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::Absent,
            ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Refusing,
        }
    }

    /// The word used in replies.
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

    /// The fault, as a sentence for people.
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

    /// The fault of a node, as the end of a sentence for people.
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

    /// The command that repairs it on a Debian box.
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
