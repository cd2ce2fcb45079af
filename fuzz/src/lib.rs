//! The properties of each parser of bytes from outside: one function a target, which panics if a property does not
//! hold.
//!
//! `fuzz_targets` calls these functions with the inputs of libFuzzer (`cargo fuzz run -s none NAME`; stable Rust is
//! enough). `tests/parsers.rs` calls them with the seeds below and with inputs that proptest generates from the seeds.
//!
//! Each program in `fuzz_targets` calls its function directly. A call through [`TARGETS`] would link all code of the
//! crate, and libFuzzer reads the counters of all linked code after every execution.

pub mod access;
pub mod api;
pub mod containers;
pub mod head;
pub mod http;
pub mod mcp;
pub mod settings;

/// A target: its name, the function of this name, and its seeds.
pub type Target = (&'static str, fn(&[u8]), &'static [&'static [u8]]);

/// Every target.
pub const TARGETS: &[Target] = &[
    ("accept", api::accept, &[b"text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", b"text/markdown, Text/HTML ; q=0.5"]),
    ("acp_url", api::acp_url, &[b"http://[::1]:8000/base/", b"HTTPS://a-b_c.d:443/x%2e/y", b"http://127.0.0.1"]),
    ("action_url", api::action_url, &[b"/docs", b"https://host:1/x?y#z", b"http://[::1]:80", b"//evil", b"/\\evil"]),
    ("agent_name", api::agent_name, &[b"Build Bot 2", b"atlas", b"manage", b"-a--b-"]),
    (
        "body",
        http::body,
        &[br#"{"text":"a","n":1,"f":true,"list":["x"],"in":{"n":2},"all":[{"n":3}]}"#, br#"{"n":1e3}"#],
    ),
    ("config", settings::config, &[CONFIG, b"listen = \"127.0.0.1:1\"\nworkers = 2\n[webhook]\nurl = 1\n"]),
    ("console", containers::console, &[b"\x01one\r\ntwo\x1b[31m red\x1b[0m\n\xff\xfe\n", b"\x00\x1b]0;t\x07x"]),
    (
        "container_name",
        containers::container_name,
        &[b"taos-agent-a", b"images:debian/12", b"/run/taos/token", b"A_1", b"512MiB"],
    ),
    ("context_key", api::context_key, &[b"spec%3Aa%2Fb", b"..", b"%2e%2e%5c", b"caf%C3%A9", b"a%0ab"]),
    (
        "credential",
        access::credential,
        &[b"aBearer abc", b"btaos_key_x\naBasic x", b"ctaos_session=x; a=b\nohttp://h\nhh"],
    ),
    ("cursor", api::cursor, &[b"YWdlbnRzOjE6YQ", b"agents:-1:x"]),
    ("head", head::head, &[b"GET /a%20b/?c=d\nha\nt\xffchunked", b"OPTIONS *\nhlocalhost:80", b"host:80"]),
    (
        "join",
        api::join,
        &[
            br#"{"name":"scout","reason":"To watch.","description":"d","origin_hint":"host"}"#,
            br#"{"device_code":"taos_device_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
            b"bcdf ghjk",
            b"BCDF-GHJK",
        ],
    ),
    (
        "json",
        http::json,
        &[
            br#"{"a":[1,-2.5e3,"\u00e9\ud83d\ude00",null,true]}"#,
            b"[[[[]]]]",
            br#"{"a":1,"a":2}"#,
            b"444444444444444444444444",
        ],
    ),
    ("jwt", access::jwt, &[b"eyJhbGciOiJub25lIn0.e30.", b"\x05messages tasks"]),
    (
        "lxc",
        containers::lxc,
        &[LXC, b"State:          RUNNING\nPID:            12\nMemory use:     356352", b"u 0 100000 65536", b"a = b\r\n\r", b"A=b\nc\r"],
    ),
    ("lxd", containers::lxd, &[LXD, b"/1.0/operations/0a-1?project=x"]),
    (
        "mcp",
        mcp::mcp,
        &[
            br#"v2025-11-25
{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"x"}}"#,
            br#"v2026-07-28
mtools/call
na_b
{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"a_b","arguments":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{}}}},"inputResponses":{"answer":{"action":"accept"}}}}"#,
            br#"n=?base64?Z3LDtsOfZQ==?=
{"jsonrpc":"2.0","id":null,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":""}}}"#,
            br#"[{"jsonrpc":"2.0","method":"notifications/initialized"}]"#,
        ],
    ),
    ("mentions", api::mentions, &[b"@bob, ask @Ann-! a@b.example", b"@@x @-y @z_ @a.b", "é@x (@ü)".as_bytes()]),
    (
        "multipart",
        http::multipart,
        &[
            b"\x05--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../x\"\r\n\r\nx\r\n--b--\r\n",
            b"\x01--b\r\ncontent-disposition: form-data; name=f; filename*=UTF-8''%C3%A9\r\n\r\n\r\n--b\r\n",
        ],
    ),
    (
        "node",
        settings::node,
        &[
            b"https://shed.lan:8443",
            b"shed/@big",
            b"shed:taos-agent-a",
            b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
            b"eyJmaW5nZXJwcmludCI6ImUzYjBjNDQyOThmYzFjMTQ5YWZiZjRjODk5NmZiOTI0MjdhZTQxZTQ2NDliOTM0Y2E0OTU5OTFiNzg1MmI4NTUiLCJzZWNyZXQiOiJzIn0=",
        ],
    ),
    (
        "oauth",
        api::oauth,
        &[
            b"http://127.0.0.1:4711/callback",
            b"vscode://x/y",
            b"https://a.example/cb?x=1",
            b"aWQ6c2VjcmV0",
            b"bcdf ghjk",
            b"token=x&token=y&a=%ff",
        ],
    ),
    ("query", http::query, &[b"text=a%20b+c&n=5&f=1", b"n=x&n=1&%zz=1", b"text=%00"]),
    ("scope", access::scope, &[b"agents.* ui.notify *", b"messages:write tasks api:read", b"agents.*.x"]),
    ("search", api::search, &[b"plain words", b"\"quoted\" AND (NOT x*) ^a:b", b"a\0b NEAR/2"]),
    ("secret", access::secret, &[b"taos_agent_AAAA", b"axp_u_0123456789.abc", b"\x00\x07"]),
    (
        "webhook_url",
        settings::webhook_url,
        &[b"http://a?b", b"http://[::1]:80/a?b", b"http://u@h/", b"https://h", b"http://h:65536"],
    ),
];

const CONFIG: &[u8] = br#"allowed_hosts = ["box.local"]
requests_per_minute = 10
containers = "none"
[models]
small = ["pi"]
[ax]
fingerprint_policy = "deny"
[nodes.shed]
url = "https://shed.lan"
certificate = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"#;

const LXC: &[u8] = b"K=v\n# taosd.owner = x\nlxc.environment = K=w\nlxc.cgroup2.memory.max = 512M\nlxc.cgroup2.cpu.max = 200000 100000\n";

const LXD: &[u8] =
    br#"{"name":"taos-agent-a","status":"Running","config":null,"expanded_config":{"limits.memory":"1GiB",
"limits.cpu":"0-2,5"},"last_used_at":"x","state":{"pid":7,"memory":{"usage":9},"network":{"eth0":{"addresses":
[{"address":"10.0.3.2"}]}}}}"#;

/// Returns the input as text, or `None` if it is not UTF-8. Most parsers take only text.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}
