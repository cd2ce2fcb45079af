//! The table `[workspace]`: bounds of the spaces of the box and of the agents in them (workspace contract, section 5).

use super::source::Sources;

macro_rules! workspace {
    ($( #[doc = $about:literal] $name:ident $env:literal = $default:expr, $min:expr, $max:expr; )*) => {
        /// The table `[workspace]` of `taosd.toml`; in the environment `TAOSD_WORKSPACE_<KEY>`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct Workspace {
            $( #[doc = $about] pub $name: u64, )*
        }

        impl Workspace {
            pub(super) fn from_sources(sources: &mut Sources) -> Self {
                Self { $(
                    $name: sources.number(&["workspace", stringify!($name)], $env, $min, $max).unwrap_or($default),
                )* }
            }

            /// Every key's name and value, in the order of the documentation.
            pub(super) fn values(&self) -> Vec<(&'static str, u64)> {
                vec![ $( (stringify!($name), self.$name), )* ]
            }
        }
    };
}

workspace! {
    /// Messages that a space keeps.
    messages_per_space "TAOSD_WORKSPACE_MESSAGES_PER_SPACE" = 100_000, 100, 100_000_000;
    /// Bytes of messages that a space keeps.
    message_bytes_per_space "TAOSD_WORKSPACE_MESSAGE_BYTES_PER_SPACE" = 256 * 1024 * 1024, 64 * 1024, 1 << 40;
    /// Days a message is kept.
    message_days "TAOSD_WORKSPACE_MESSAGE_DAYS" = 365, 1, 36_500;
    /// Context keys of a space.
    context_keys "TAOSD_WORKSPACE_CONTEXT_KEYS" = 10_000, 1, 10_000_000;
    /// Bytes of a space's context, keys included.
    context_bytes "TAOSD_WORKSPACE_CONTEXT_BYTES" = 64 * 1024 * 1024, 1024, 1 << 40;
    /// Bytes of a space's uploads.
    upload_bytes_per_space "TAOSD_WORKSPACE_UPLOAD_BYTES_PER_SPACE" = 256 * 1024 * 1024, 1024, 1 << 40;
    /// Bytes of all uploads of the box.
    upload_bytes "TAOSD_WORKSPACE_UPLOAD_BYTES" = 1024 * 1024 * 1024, 1024, 1 << 40;
    /// Tasks of a space that are neither done nor cancelled.
    open_tasks "TAOSD_WORKSPACE_OPEN_TASKS" = 10_000, 1, 1_000_000;
    /// Bytes that one agent may add per day.
    agent_bytes_per_day "TAOSD_WORKSPACE_AGENT_BYTES_PER_DAY" = 64 * 1024 * 1024, 1024, 1 << 40;
    /// Rows that one agent may add per day.
    agent_rows_per_day "TAOSD_WORKSPACE_AGENT_ROWS_PER_DAY" = 10_000, 1, 100_000_000;
}
