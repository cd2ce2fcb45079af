//! Tests of the daemon's settings from texts: precedence, defaults, and errors.

use proptest::prelude::*;

use crate::config::*;

fn load(flags: &Flags, file: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::from_sources(flags, None, Sources::new("taosd.toml".into(), file, env))
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    let file = "data_dir = '/f'\nhead_timeout = 3\nidle_timeout = 4\nlisten = ['127.0.0.1:1']";
    let env = [("TAOSD_DATA_DIR", "/e"), ("TAOSD_HEAD_TIMEOUT", "5"), ("TAOSD_LISTEN", "127.0.0.1:2, [::1]:3")];
    let config = load(&Flags::default(), file, &env).unwrap();
    assert_eq!(config.data_dir, Path::new("/e"));
    assert_eq!((config.limits.head_timeout, config.limits.idle_timeout), (5, 4));
    assert_eq!(config.listen.len(), 2);
    let flags = Flags { data_dir: Some("/g".into()), ..Flags::default() };
    assert_eq!(load(&flags, file, &env).unwrap().data_dir, Path::new("/g"));
}

#[test]
fn defaults_follow_systemd_then_xdg_then_home() {
    let home = ("HOME", "/home/a");
    let at = |env: &[(&str, &str)]| load(&Flags::default(), "", env).unwrap();
    assert_eq!(at(&[home]).data_dir, Path::new("/home/a/.local/state/taosd"));
    assert_eq!(at(&[home, ("XDG_STATE_HOME", "/x")]).data_dir, Path::new("/x/taosd"));
    let under = at(&[home, ("STATE_DIRECTORY", "/var/lib/taosd:/b"), ("RUNTIME_DIRECTORY", "/run/taosd")]);
    assert_eq!(under.data_dir, Path::new("/var/lib/taosd"));
    assert_eq!(under.socket, Path::new("/run/taosd/taosd.sock"));
    assert_eq!(at(&[home]).listen, [DEFAULT_LISTEN]);
    assert!(load(&Flags::default(), "", &[]).is_err());
}

#[test]
fn what_cannot_be_used_refuses_the_start() {
    let env = [("HOME", "/h")];
    for file in [
        "hed_timeout = 3",
        "head_timeout = 'x'",
        "head_timeout = 0",
        "listen = ['nowhere']",
        "listen = [3]",
        "[models]\na = 'b'",
        "[other]\na = 1",
        "containers = 'lxd'",
        "frameworks.a = 'b'",
        "allowed_hosts = ['http://box.lan']",
        "log = 'taosd=loud'",
        "head_timeout = 1.5",
        "head_timeout = '5'",
        "head_timeout = 99999999999999999999",
        "head_timeout = 3\nhead_timeout = 4",
        "[containers]\nmount_roots = ['a']",
        "[containers]\nmount_roots = '/a'",
        "[containers]\nmount_roots = [1]",
        "[containers]\nmount_roots = [{ users = ['ann'] }]",
        "[containers]\nmount_roots = [{ path = 'a' }]",
        "[containers]\nmount_roots = [{ path = '/a', users = 'ann' }]",
        "[containers]\nmount_roots = [{ path = '/a', owners = ['ann'] }]",
        "[containers]\nbind_credentials = 'no'",
        "[frameworks.a]\nenv = { a = 'b' }",
        "[webhook]",
        "[nodes]\nshed = 'https://shed'",
        "[nodes.shed]",
        "[nodes.shed]\nurl = 'https://shed'",
        "[nodes.shed]\nurl = 'http://shed'\ncertificate = '/etc/hostname'",
        "[nodes.shed]\nurl = 'https://shed'\ntoken = 'e30='",
        "[nodes.shed]\nurl = 'https://shed'\ncertificate = 'abcd'",
        "[nodes.shed]\nurl = 'https://shed'\ncertificate = '/nonexistent'",
        "[nodes.shed]\nurl = 'https://shed'\ncertificate = '/dev/zero'",
        "[ax]\nfingerprint_policy = 'maybe'",
        "[ax]\nmax_agent_pats = 0",
        "[ax]\nother = 1",
        "[webhook]\nurl = 'http://a/'",
        "[webhook]\nurl = 'http://a/'\nsecret_file = '/nonexistent'",
    ] {
        assert!(load(&Flags::default(), file, &env).is_err(), "{file}");
    }
    let flags = Flags { socket: Some(format!("/{}", "x".repeat(107)).into()), ..Flags::default() };
    assert!(load(&flags, "", &env).is_err());
}
#[test]
fn all_that_is_wrong_is_told_at_once_with_its_place() {
    let file = "lisen = ['127.0.0.1:1']\nidle_timeout = 'long'\nhead_timeout = 3 4\n[containers]\nruntime = 'docker'\n\
        listen = ['127.0.0.1:1']\n[frameworks.a]\nimages = 'b'\n[ax]\nmax_agent_pats = 101\n";
    let env = [("HOME", "/h"), ("TAOSD_LISTN", "127.0.0.1:1"), ("TAOSD_WORKERS", "many"), ("TAOSD_TEST_X", "1")];
    let error = load(&Flags::default(), file, &env).unwrap_err();
    let start = |problem: &String| problem.split(&[';', ','][..]).next().unwrap_or("").to_owned();
    assert_eq!(
        error.problems().iter().map(start).collect::<Vec<_>>(),
        [
            "TAOSD_WORKERS: workers must be a whole number from 0 to 256",
            "TAOSD_LISTN: is not a setting",
            "taosd.toml:1: unknown key lisen",
            "taosd.toml:2: idle_timeout must be a whole number from 1 to 86400",
            "taosd.toml:3: string values must be quoted",
            "taosd.toml:5: containers.runtime must be one of auto",
            "taosd.toml:6: unknown key listen in [containers]",
            "taosd.toml:8: unknown key images in [frameworks.a]",
            "taosd.toml:10: ax.max_agent_pats must be between 1 and 100",
        ]
    );
    assert!(error.problems()[7].ends_with("did you mean image?"), "{error}");
    assert!(error.to_string().starts_with("9 settings cannot be used:\n  TAOSD_WORKERS"), "{error}");
}

const FINGERPRINT: &str =
    "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";

#[test]
fn nodes_have_names_of_their_own_and_are_few() {
    let block = |name: &str| format!("[nodes.{name}]\nurl = 'https://h'\ncertificate = '{FINGERPRINT}'\n");
    let env = [("HOME", "/h")];
    let all = load(&Flags::default(), &format!("{}{}", block("shed"), block("barn-2")), &env).unwrap().nodes;
    let names: Vec<&str> = all.iter().map(|node| node.options.name.as_str()).collect();
    assert_eq!(names, ["barn-2", "shed"]);
    assert_eq!((all[0].options.endpoint.host.as_str(), all[0].options.endpoint.port), ("h", 8443));
    for name in ["Shed", "auto", "cloud", "controller", "a-", "'a b'", &"x".repeat(33)] {
        let error = load(&Flags::default(), &block(name), &env).unwrap_err().to_string();
        assert!(error.starts_with("taosd.toml:1: nodes."), "{error}");
    }
    let many: String = (0..17).map(|n| block(&format!("n{n}"))).collect();
    let error = load(&Flags::default(), &many, &env).unwrap_err().to_string();
    assert!(error.contains("at most 16"), "{error}");
    // The error does not show the token, because it is a secret.
    let error = load(&Flags::default(), "[nodes.shed]\nurl = 'https://h'\ntoken = 'hunter2'", &env).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    let error = load(&Flags::default(), &format!("{}tokn = 'x'", block("shed")), &env).unwrap_err();
    assert!(error.to_string().ends_with("unknown key tokn in [nodes.shed]; did you mean token?"), "{error}");
}

#[test]
fn thousands_of_problems_are_counted_and_names_are_cut_short() {
    let long = "x".repeat(10_000);
    let file: String =
        (0..5000).map(|n| format!("k{n} = 1\n")).chain([format!("{long} = 1\n\"\\u0007\" = 1")]).collect();
    let text = load(&Flags::default(), &file, &[("HOME", "/h")]).unwrap_err().to_string();
    assert!(text.lines().count() == 52 && text.ends_with("and 4952 more") && text.len() < 10_000, "{text}");
    assert!(!text.contains('\u{7}'));
}

#[test]
fn the_log_filter_comes_from_its_own_variable_then_rust_log_then_the_file() {
    let log = |env: &[(&str, &str)]| {
        let env = [&[("HOME", "/h")], env].concat();
        load(&Flags::default(), "log = 'warn'", &env).unwrap().log
    };
    assert_eq!(log(&[]), "warn");
    assert_eq!(log(&[("RUST_LOG", "debug,other?")]), "debug,other?");
    assert_eq!(log(&[("RUST_LOG", "debug"), ("TAOSD_LOG", "error")]), "error");
}

proptest! {
    /// An error names its place, nothing panics, and an accepted value is within its bounds.
    #[test]
    fn any_file_is_taken_or_told_what_is_wrong(
        lines in proptest::collection::vec(
            prop_oneof![
                "(listen|socket|log|workers|idle_timeout|allowed_hosts|image|env|url|certificate|max_agent_pats|x) = (-?[0-9]{1,20}|'[a-z:/.]{0,9}'|\\['a'\\]|\\{ A = 'b' \\}|true|1.5)",
                "\\[(ax|containers|models|webhook|frameworks|frameworks\\.a|nodes\\.a|other)\\]",
                "[ -~]{0,12}",
            ],
            0..8,
        ),
        value in "[ -~é]{1,12}",
    ) {
        let text = lines.join("\n");
        match load(&Flags::default(), &text, &[("HOME", "/h"), ("TAOSD_WORKERS", &value)]) {
            Ok(config) => {
                for key in Limits::KEYS {
                    prop_assert!((key.min..=key.max).contains(&config.limits.get(key.name).unwrap()));
                }
                prop_assert!(config.settings().iter().all(|one| !one.value.is_empty()));
            }
            Err(error) => {
                for problem in error.problems() {
                    let line = problem.strip_prefix("taosd.toml:").and_then(|rest| rest.split(':').next());
                    let line = line.map(|number| number.parse::<usize>().unwrap());
                    prop_assert!(line.is_none_or(|n| (1..=lines.len()).contains(&n)), "{}", problem);
                    prop_assert!(line.is_some() || problem.starts_with("TAOSD_WORKERS: "), "{}", problem);
                }
            }
        }
    }
}
