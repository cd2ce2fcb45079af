//! Every key of `taosd.toml` except the limits, which are in [`Limits::KEYS`]: its variable, flag and default, and
//! whether a reload applies it. The check for unknown keys and the documentation use this list.

use crate::limits::Limits;

/// One key of `taosd.toml`.
#[derive(Debug, Clone, Copy)]
pub struct SettingKey {
    /// Its table; empty for the top of the file. `NAME` stands for any name.
    pub table: &'static str,
    /// The key; `NAME` stands for any name.
    pub name: &'static str,
    /// Its environment variable; empty if it has none.
    pub env: &'static str,
    /// Its flag; empty if it has none.
    pub flag: &'static str,
    /// Its default, in words.
    pub default: &'static str,
    /// An example value, as TOML.
    pub example: &'static str,
    /// The meaning of the key, for people.
    pub about: &'static str,
    /// True if a reload applies it; otherwise it needs a restart.
    pub reloads: bool,
}

const TOP: SettingKey =
    SettingKey { table: "", name: "", env: "", flag: "", default: "", example: "", about: "", reloads: true };

/// Every key except the limits, in the order of the documentation.
pub const KEYS: &[SettingKey] = &[
    SettingKey {
        name: "data_dir",
        env: "TAOSD_DATA_DIR",
        flag: "--data-dir",
        default: "`$STATE_DIRECTORY`, else `$XDG_STATE_HOME/taosd`, else `~/.local/state/taosd`",
        example: "\"/var/lib/taosd\"",
        about: "The data directory: the database, tokens and backups.",
        reloads: false,
        ..TOP
    },
    SettingKey {
        name: "listen",
        env: "TAOSD_LISTEN",
        flag: "--listen, repeatable",
        default: "`127.0.0.1:6969`",
        example: "[\"127.0.0.1:6969\"]",
        about: "Addresses to listen on; port 0 picks a free one. In the environment, separate them with commas.",
        reloads: false,
        ..TOP
    },
    SettingKey {
        name: "socket",
        env: "TAOSD_SOCKET",
        flag: "--socket",
        default: "`taosd.sock` in `$RUNTIME_DIRECTORY`, else in the data directory",
        example: "\"/run/taosd/taosd.sock\"",
        about: "The operator's Unix socket; at most 107 bytes.",
        reloads: false,
        ..TOP
    },
    SettingKey {
        name: "allowed_hosts",
        env: "TAOSD_ALLOWED_HOSTS",
        default: "none",
        example: "[\"box.lan\"]",
        about: "More names of this machine that a browser may use, without scheme; the port is ignored.",
        ..TOP
    },
    SettingKey {
        name: "channel_hosts",
        env: "TAOSD_CHANNEL_HOSTS",
        default: "none",
        example: "[\"gotify.lan\"]",
        about: "Hosts outside the internet that users' channels may use, also without TLS.",
        ..TOP
    },
    SettingKey {
        name: "channel",
        default: "none",
        example: "[{ kind = \"ntfy\", url = \"https://ntfy.sh/my-box\", events = [\"request\", \"tripwire\"] }]",
        about: "Channels that notify all admins, or one `user`: `kind` (webhook, ntfy, gotify, telegram) and `url`; `token_file`, `ca_file` (a PEM file with the authorities to trust instead of the system's), `events`, `min_level` (low, normal, high). Each can be a table `[[channel]]` at the end of the file.",
        ..TOP
    },
    SettingKey {
        name: "public_url",
        env: "TAOSD_PUBLIC_URL",
        default: "none",
        example: "\"https://box.example.org\"",
        about: "The address at which people reach the daemon; https if a proxy adds TLS. Its host counts as one of allowed_hosts. Links in messages begin with it, and tokens name it as their issuer.",
        ..TOP
    },
    SettingKey {
        name: "log",
        env: "TAOSD_LOG",
        default: "`$RUST_LOG`, else `info`",
        example: "\"info\"",
        about: "What to log to stderr: off, error, warn, info, debug or trace, and module=level pairs. \
            A change of the line for each request (access=info) needs a restart.",
        ..TOP
    },
    SettingKey {
        name: "time_sync_file",
        env: "TAOSD_TIME_SYNC_FILE",
        default: "`/run/systemd/timesync/synchronized`",
        example: "\"/run/systemd/timesync/synchronized\"",
        about: "A file that changes whenever a time server sets the clock. After a change the daemon trusts a clock that has jumped.",
        reloads: false,
        ..TOP
    },
    SettingKey {
        name: "containers_socket",
        env: "TAOSD_CONTAINERS_SOCKET",
        flag: "--containers-socket",
        default: "the usual places",
        example: "\"/var/snap/lxd/common/lxd/unix.socket\"",
        about: "The socket of the container runtime; for lxc, the folder of the containers.",
        reloads: false,
        ..TOP
    },
    SettingKey {
        name: "lxc_images",
        env: "TAOSD_LXC_IMAGES",
        default: "`/var/lib/lxc/.images`",
        example: "\"/var/lib/lxc/.images\"",
        about: "The folder of classic LXC's images.",
        reloads: false,
        ..TOP
    },
    SettingKey {
        table: "containers",
        name: "runtime",
        env: "TAOSD_CONTAINERS",
        flag: "--containers",
        default: "`auto`",
        example: "\"auto\"",
        about: "The container runtime: auto, incus, lxd, lxc or none.",
        reloads: false,
    },
    SettingKey {
        table: "containers",
        name: "image",
        default: "none",
        example: "\"debian12\"",
        about: "The image for deployments that name none.",
        ..TOP
    },
    SettingKey {
        table: "containers",
        name: "bind_credentials",
        default: "`deny`",
        example: "\"deny\"",
        about: "How to treat a credential of one agent on another agent's socket: deny, warn (accept with a log line) or off (accept).",
        ..TOP
    },
    SettingKey {
        table: "containers",
        name: "mount_roots",
        default: "none",
        example: "[\"/srv/agents\"]",
        about: "Folders of the box below which deployments of admins may mount, as absolute paths; `{ path = \"/srv/ann\", users = [\"ann\"] }` also opens one to the listed users (`*`: all), and `agents` limits it to the listed agents.",
        ..TOP
    },
    SettingKey {
        table: "frameworks.NAME",
        name: "image",
        default: "none",
        example: "\"hermes\"",
        about: "The image of deployments that name this framework.",
        ..TOP
    },
    SettingKey {
        table: "frameworks.NAME",
        name: "env",
        default: "none",
        example: "{ HERMES_MODE = \"quiet\" }",
        about: "Environment of the processes in their containers; taosd config show does not print it.",
        ..TOP
    },
    SettingKey {
        table: "nodes.NAME",
        name: "url",
        default: "none",
        example: "\"https://shed.lan:8443\"",
        about: "The address of another machine's Incus or LXD, on which agents may be deployed; at most 16 nodes. The port is 8443 if absent.",
        ..TOP
    },
    SettingKey {
        table: "nodes.NAME",
        name: "certificate",
        default: "the fingerprint in token",
        example: "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
        about: "The SHA-256 of its certificate, as incus info prints it, or a PEM file with its certificate or its certificate authority. Required without token.",
        ..TOP
    },
    SettingKey {
        table: "nodes.NAME",
        name: "token",
        default: "none",
        example: "\"eyJjbGllbnRfbmFtZSI6InRhb3NkIiwuLi59\"",
        about: "A trust token of incus config trust add or lxc config trust add: redeemed once, for the client certificate in nodes/client.crt of the data directory; taosd config show does not print it.",
        ..TOP
    },
    SettingKey {
        table: "models",
        name: "NAME",
        default: "no table: models are not checked",
        example: "[\"controller\", \"worker-1\"]",
        about: "A model, and the hosts that serve it: controller is this box, cloud is a provider.",
        ..TOP
    },
    SettingKey {
        table: "ax",
        name: "fingerprint_policy",
        env: "TAOSD_AX_FINGERPRINT_POLICY",
        default: "`warn`",
        example: "\"warn\"",
        about: "How to treat a key with a new fingerprint: warn (write an audit row) or deny.",
        ..TOP
    },
    SettingKey {
        table: "ax",
        name: "max_agent_pats",
        env: "TAOSD_AX_MAX_AGENT_PATS",
        default: "3",
        example: "3",
        about: "Maximum number of active keys of one agent, 1 to 100.",
        ..TOP
    },
    SettingKey {
        table: "agentex",
        name: "health_checks",
        env: "TAOSD_AGENTEX_HEALTH_CHECKS",
        default: "`false`",
        example: "false",
        about: "Whether the daemon checks the health of registered agents, at /healthz of their acp_url.",
        ..TOP
    },
    SettingKey {
        table: "agentex",
        name: "health_interval",
        env: "TAOSD_AGENTEX_HEALTH_INTERVAL",
        default: "30",
        example: "30",
        about: "Seconds between two health checks, 1 to 3600; after 5 failures in a row an agent is unhealthy.",
        ..TOP
    },
    SettingKey {
        table: "workspace",
        name: "messages_per_space",
        env: "TAOSD_WORKSPACE_MESSAGES_PER_SPACE",
        default: "100000",
        example: "100000",
        about: "Messages that a space keeps; beyond that the oldest unpinned ones are deleted.",
        ..TOP
    },
    SettingKey {
        table: "workspace",
        name: "message_bytes_per_space",
        env: "TAOSD_WORKSPACE_MESSAGE_BYTES_PER_SPACE",
        default: "268435456",
        example: "268435456",
        about: "Bytes of messages that a space keeps.",
        ..TOP
    },
    SettingKey {
        table: "workspace",
        name: "message_days",
        env: "TAOSD_WORKSPACE_MESSAGE_DAYS",
        default: "365",
        example: "365",
        about: "Days to keep a message.",
        ..TOP
    },
    SettingKey {
        table: "workspace",
        name: "context_keys",
        env: "TAOSD_WORKSPACE_CONTEXT_KEYS",
        default: "10000",
        example: "10000",
        about: "Keys of a space's context.",
        ..TOP
    },
    SettingKey {
        table: "workspace",
        name: "context_bytes",
        env: "TAOSD_WORKSPACE_CONTEXT_BYTES",
        default: "67108864",
        example: "67108864",
        about: "Bytes of a space's context, keys included.",
        ..TOP
    },
    SettingKey {
        table: "workspace",
        name: "upload_bytes_per_space",
        env: "TAOSD_WORKSPACE_UPLOAD_BYTES_PER_SPACE",
        default: "268435456",
        example: "268435456",
        about: "Bytes of a space's uploads.",
        ..TOP
    },
    SettingKey {
        table: "workspace",
        name: "upload_bytes",
        env: "TAOSD_WORKSPACE_UPLOAD_BYTES",
        default: "1073741824",
        example: "1073741824",
        about: "Bytes of all uploads of the box.",
        ..TOP
    },
    SettingKey {
        table: "workspace",
        name: "open_tasks",
        env: "TAOSD_WORKSPACE_OPEN_TASKS",
        default: "10000",
        example: "10000",
        about: "Tasks of a space that are neither done nor cancelled.",
        ..TOP
    },
    SettingKey {
        table: "workspace",
        name: "agent_bytes_per_day",
        env: "TAOSD_WORKSPACE_AGENT_BYTES_PER_DAY",
        default: "67108864",
        example: "67108864",
        about: "Bytes of messages, tasks, context and uploads that one agent may add per day.",
        ..TOP
    },
    SettingKey {
        table: "workspace",
        name: "agent_rows_per_day",
        env: "TAOSD_WORKSPACE_AGENT_ROWS_PER_DAY",
        default: "10000",
        example: "10000",
        about: "Messages, tasks, keys and files that one agent may add per day.",
        ..TOP
    },
    SettingKey {
        table: "oauth",
        name: "enabled",
        env: "TAOSD_OAUTH_ENABLED",
        default: "`true`",
        example: "true",
        about: "Whether programs can log in when a person consents (OAuth 2.1).",
        ..TOP
    },
    SettingKey {
        table: "oauth",
        name: "insecure_http",
        env: "TAOSD_OAUTH_INSECURE_HTTP",
        default: "`false`",
        example: "false",
        about: "Whether programs, and people with a link, can also log in under names other than loopback and the https host of public_url. Secrets then cross the network in clear.",
        ..TOP
    },
    SettingKey {
        table: "oauth",
        name: "access_ttl",
        env: "TAOSD_OAUTH_ACCESS_TTL",
        default: "900",
        example: "900",
        about: "Seconds an access token lives, 60 to 3600.",
        ..TOP
    },
    SettingKey {
        table: "oauth",
        name: "refresh_idle_days",
        env: "TAOSD_OAUTH_REFRESH_IDLE_DAYS",
        default: "30",
        example: "30",
        about: "Days after which an unused grant ends.",
        ..TOP
    },
    SettingKey {
        table: "oauth",
        name: "refresh_days",
        env: "TAOSD_OAUTH_REFRESH_DAYS",
        default: "90",
        example: "90",
        about: "Days after which a grant ends even if it is used.",
        ..TOP
    },
    SettingKey {
        table: "oauth",
        name: "register",
        env: "TAOSD_OAUTH_REGISTER",
        default: "`true`",
        example: "true",
        about: "Whether programs can register themselves; otherwise only the clients of taosctl oauth clients add can log in.",
        ..TOP
    },
    SettingKey {
        table: "oauth",
        name: "registrations_per_minute",
        env: "TAOSD_OAUTH_REGISTRATIONS_PER_MINUTE",
        default: "10",
        example: "10",
        about: "Registrations per minute of one peer; 0 switches the rate off.",
        ..TOP
    },
    SettingKey {
        table: "oauth",
        name: "redirect_schemes",
        env: "TAOSD_OAUTH_REDIRECT_SCHEMES",
        default: "`cursor`, `vscode`, `vscode-insiders`, `windsurf`",
        example: "[\"vscode\"]",
        about: "Private schemes that programs may use in redirect URIs.",
        ..TOP
    },
    SettingKey {
        table: "oauth",
        name: "resources",
        default: "none",
        example: "[{ uri = \"https://grafana.lan\", scopes = [\"tasks:read\"], alg = \"ES256\" }]",
        about: "Other services that the daemon issues tokens for: `uri` (the audience), `scopes` (the scope words of its tokens; all if absent), `alg` (EdDSA or ES256; EdDSA if absent). Each can be a table `[[oauth.resources]]` at the end of the file.",
        ..TOP
    },
    SettingKey {
        table: "requests",
        name: "ttl",
        env: "TAOSD_REQUESTS_TTL",
        default: "86400",
        example: "86400",
        about: "Seconds in which a request can be decided if it names no time itself, 60 to 604800.",
        ..TOP
    },
    SettingKey {
        table: "webhook",
        name: "url",
        default: "none",
        example: "\"http://127.0.0.1:9000/hook\"",
        about: "The URL that also receives notifications: http or https; taosd config show does not print its path.",
        ..TOP
    },
    SettingKey {
        table: "webhook",
        name: "secret_file",
        default: "none",
        example: "\"/etc/taosd/webhook.secret\"",
        about: "A file with the secret of 16 to 1024 bytes that signs deliveries. Required with url.",
        ..TOP
    },
];

/// Limits that only a restart applies.
pub const LIMITS_AT_START: &[&str] = &["workers"];
/// The prefix of every environment variable of the daemon.
pub(super) const PREFIX: &str = "TAOSD_";
/// The variable with the path of the file.
pub(super) const FILE_VARIABLE: &str = "TAOSD_CONFIG";
/// Prefixes of variables that only the project's own tests and build read.
const OTHERS_VARIABLES: [&str; 2] = ["TAOSD_TEST_", "TAOSD_CI_"];

/// The environment variable of a limit.
pub fn variable(limit: &str) -> String {
    format!("{PREFIX}{}", limit.to_uppercase())
}

/// True if the table contains tables of any name, such as `nodes`.
pub(super) fn holds_tables(table: &str) -> bool {
    KEYS.iter().any(|key| key.table.strip_suffix(".NAME") == Some(table))
}

/// The names of the tables at the top of the file.
pub(super) fn tables() -> Vec<&'static str> {
    let mut all: Vec<&str> = KEYS.iter().filter_map(|key| key.table.split('.').next()).collect();
    all.retain(|table| !table.is_empty());
    all.dedup();
    all
}

/// True if a reload applies this setting, named as in [`super::Setting::key`].
pub(super) fn reloads(setting: &str) -> bool {
    let full =
        |key: &SettingKey| if key.table.is_empty() { key.name.into() } else { format!("{}.{}", key.table, key.name) };
    !LIMITS_AT_START.contains(&setting) && KEYS.iter().filter(|key| !key.reloads).all(|key| full(key) != setting)
}

/// True if the daemon reads this variable, or the variable does not concern the daemon.
pub(super) fn is_known_variable(name: &str) -> bool {
    name == FILE_VARIABLE
        || !name.starts_with(PREFIX)
        || OTHERS_VARIABLES.iter().any(|others| name.starts_with(others))
        || KEYS.iter().any(|key| key.env == name)
        || Limits::KEYS.iter().any(|key| variable(key.name) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_others_are_none_of_the_daemons() {
        for name in ["TAOSD_CONFIG", "TAOSD_LISTEN", "TAOSD_WORKERS", "TAOSD_TEST_LXD_SOCKET", "TAOSD_CI_DIR", "HOME"] {
            assert!(is_known_variable(name), "{name}");
        }
        for name in ["TAOSD_", "TAOSD_TEST", "TAOSD_LISTN", "TAOSD_CONTAINERS_IMAGE", "TAOSD_MODELS"] {
            assert!(!is_known_variable(name), "{name}");
        }
    }

    #[test]
    fn limits_that_need_a_restart_are_limits() {
        assert!(LIMITS_AT_START.iter().all(|name| Limits::KEYS.iter().any(|key| key.name == *name)));
        assert!(reloads("head_timeout") && reloads("ax.max_agent_pats") && reloads("containers.image"));
        assert!(!reloads("workers") && !reloads("listen") && !reloads("containers.runtime"));
    }
}
