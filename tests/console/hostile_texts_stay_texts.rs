//! The texts of agents stay text on every page: they are never markup, and invisible characters are shown.

use serde_json::json;

use crate::site::Site;
use crate::support::Daemon;

/// Each text would have an effect if a page did not show it as text.
const CORPUS: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)' x='",
    "{{ frame.user }}{% include \"x\" %}",
    "</title></textarea></pre><h1>pwned</h1>",
    "\u{202e}txt.exe\u{2066}",
    "a\u{1b}[2Jb\u{7}",
    "<style>*{display:none}</style>",
    "javascript:alert(1)",
];

#[test]
fn no_text_of_an_agent_is_markup_on_any_page() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    for text in CORPUS {
        let name: String = format!("n {text}").chars().filter(|c| !c.is_control()).take(60).collect();
        let made = operator
            .post("/api/agents", json!({"name": name, "host": text, "model": text.replace(char::is_control, "")}));
        let slug = made.json()["name"].as_str().unwrap_or_default().to_owned();
        assert!(!slug.is_empty(), "{}", made.text());
        operator.patch(&format!("/api/agents/{slug}/persona"), json!({"soul_md": text, "agent_md": text})).expect(200);
        let body =
            json!({"title": text.chars().take(120).collect::<String>(), "body": text.repeat(3), "priority": "high"});
        operator.post("/api/ui/notify", body);
    }
    let site = Site::operator(&daemon);
    let slugs: Vec<String> = operator
        .get("/api/agents")
        .json()
        .as_array()
        .expect("agents")
        .iter()
        .map(|agent| agent["name"].as_str().expect("a name").to_owned())
        .collect();
    let mut pages: Vec<String> =
        ["/ui/", "/ui/agents", "/ui/inbox", "/ui/find?q=n", "/ui/operations"].map(str::to_owned).to_vec();
    for slug in &slugs {
        pages.extend(
            ["", "?tab=settings", "?tab=access", "?tab=activity", "?tab=logs"]
                .map(|tab| format!("/ui/agents/{slug}{tab}")),
        );
    }
    pages.push("/ui/find?q=%3Cscript%3Ealert(1)%3C%2Fscript%3E".to_owned());
    pages.push("/ui/agents?q=%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E".to_owned());
    for page in pages {
        let text = site.get(&page).expect(200).text();
        for bad in ["<script>alert", "<img src=x", "<h1>pwned", "<style>*", "onmouseover='"] {
            assert!(!text.contains(bad), "{page} has {bad}");
        }
        // A field of a form keeps its value as it is. Everywhere else invisible characters are shown.
        let shown: String =
            text.split("<textarea").map(|part| part.split_once("</textarea>").map_or(part, |(_, rest)| rest)).collect();
        let shown: String = shown.lines().map(|line| if line.contains("<input") { "" } else { line }).collect();
        assert!(!shown.contains(['\u{202e}', '\u{2066}', '\u{1b}', '\u{7}']), "{page}");
    }
    let inbox = site.get("/ui/inbox").text();
    assert!(inbox.contains("⟦U+202E⟧txt.exe⟦U+2066⟧") && inbox.contains("␛[2J"), "{inbox}");
}

#[test]
fn an_address_of_an_agent_shows_its_host_and_tells_it_nothing() {
    let daemon = Daemon::start();
    let notify =
        |url: &str| daemon.operator().post("/api/ui/notify", json!({"title": "t", "body": "b", "action_url": url}));
    notify("https://evil.example/login?x=1").expect(200);
    notify("/ui/agents").expect(200);
    let page = Site::operator(&daemon).get("/ui/inbox").text();
    assert!(page.contains("rel=\"noopener noreferrer nofollow\" target=\"_blank\">Open evil.example</a>"), "{page}");
    assert!(page.contains("<a class=\"button tiny\" href=\"/ui/agents\">Open</a>"), "{page}");
}
