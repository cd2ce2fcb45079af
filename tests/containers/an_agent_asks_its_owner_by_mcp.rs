//! The official Python client runs in a real container with the delivered token. It lists the tools, sends a message
//! and asks its owner. It gets the answers that the owner typed on the console's page and on the command line.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::Host;
use crate::site::Site;
use crate::support::text;
use crate::test_runtime::TestRuntime;

/// The questions of the agent, in order.
const QUESTIONS: [&str; 2] = ["Which branch?", "How many workers?"];

#[test]
#[ignore = "needs Incus or LXD and the image with the MCP client: bash .ci/lxd deb12"]
fn the_official_client_inside_sends_asks_and_gets_the_answers_that_were_typed() {
    let host = Host::rest();
    let image = TestRuntime::mcp_image();
    let (name, operator) = (host.name("a"), host.daemon.operator());
    host.deploy_with(&name, json!({"image": image.as_str()})).expect(200);
    let container = host.container(&name);
    host.whoami_inside(&container);
    let program = include_str!("asks_its_owner.py");
    let arguments = QUESTIONS.map(|question| format!("'{question}'")).join(" ");
    let run = format!(
        "cat >/agent.py <<'END'\n{program}END\n\
         (TAOS_TOKEN=$T TAOS_URL=$U PYTHONPATH=/opt/mcp python3 /agent.py {arguments} >/story 2>&1 </dev/null &)"
    );
    assert_eq!(host.inside(&container, &run), "");
    let story = || host.inside(&container, "busybox cat /story");

    let asked = question(&host, QUESTIONS[0], &story);
    assert_eq!(text(&asked["agent"], "name"), name);
    let page = Site::operator(&host.daemon);
    assert!(page.get("/ui/requests").expect(200).text().contains(QUESTIONS[0]), "the page shows the question");
    page.act(&format!("POST /api/requests/{}/approve", text(&asked, "id")), &[("text", "the release branch")])
        .expect(303);

    let asked = question(&host, QUESTIONS[1], &story);
    let taosctl = Command::new(env!("CARGO_BIN_EXE_taosctl"))
        .args(["requests", "approve", &text(&asked, "id"), "--text", "two of them"])
        .env("TAOS_URL", format!("http://{}", host.daemon.address))
        .env("TAOS_TOKEN", &host.daemon.token)
        .env("HOME", host.mounts.path())
        .output()
        .expect("taosctl runs");
    assert!(taosctl.status.success(), "{}", String::from_utf8_lossy(&taosctl.stderr));

    host.eventually("the agent has its answers", || story().contains("\ndone"));
    let story = story();
    let lines: Vec<&str> = story.lines().collect();
    let first = |word: &str| lines.iter().find_map(|line| line.strip_prefix(word)).unwrap_or_else(|| panic!("{story}"));
    for tool in ["auth_whoami", "messages_send", "user_answer", "user_ask"] {
        assert!(first("tools ").split(' ').any(|name| name == tool), "{tool} is missing: {story}");
    }
    let answers: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("answer ")).collect();
    assert_eq!(answers, ["operator the release branch", "operator two of them"], "{story}");
    let sent = operator.get(&format!("/api/v1/messages/{}", first("sent "))).expect(200).json();
    assert_eq!(text(&sent, "content"), "hello from inside");
}

/// Waits for the request with this question, and returns it.
#[track_caller]
fn question(host: &Host, wanted: &str, story: &dyn Fn() -> String) -> Value {
    let operator = host.daemon.operator();
    let end = crate::test_runtime::soon();
    loop {
        let pending = operator.get("/api/requests?state=pending").expect(200).json();
        let asked = pending.as_array().expect("a list").iter().find(|one| one["asked"]["question"] == wanted);
        if let Some(asked) = asked {
            return asked.clone();
        }
        assert!(std::time::Instant::now() < end, "nobody asked {wanted}: {}", story());
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}
