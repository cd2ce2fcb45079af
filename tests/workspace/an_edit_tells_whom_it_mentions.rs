//! A mention that an edit adds is news for the agent, as one in a new message is; a mention that was there before is none.

use serde_json::json;

use crate::support::{Daemon, text};
use crate::workspace::harness::{agent, member};

#[test]
fn an_agent_that_an_edit_mentions_has_news_once() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let robot = agent(&daemon, &ann, "robot");
    // Only an agent in a container can be woken.
    daemon.execute("UPDATE agents SET container_name = 'taos-agent-robot', container_runtime = 'incus'", []);
    let news = || daemon.number("SELECT coalesce(sum(count), 0) FROM agent_news WHERE agent_id = ?1", [&robot.id]);
    let said = ann.say(&ann.space, "nobody is named");
    let edit = |content: &str| {
        ann.client.patch(&format!("/api/v1/messages/{}", text(&said, "id")), json!({"content": content})).expect(200)
    };
    assert_eq!(news(), 0);
    edit("@robot is named");
    assert_eq!((news(), ann.receipts(&said)), (1, vec![("robot".to_owned(), "queued".to_owned())]));
    edit("@robot is named again");
    assert_eq!(news(), 1);
}
