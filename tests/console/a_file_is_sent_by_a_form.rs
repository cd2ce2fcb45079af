//! A form sends a file as browsers do, without any script: the space contains it, and the next page says so. If the
//! route refuses the file, the page of the form shows the error.

use serde_json::json;

use crate::site::Site;
use crate::support::{Daemon, Reply};

/// Sends a form with a file, as a browser does.
fn send(site: &Site, next: &str, space: &str, (name, kind, content): (&str, &str, &[u8])) -> Reply {
    let mut body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"space_id\"\r\n\r\n{space}\r\n--b\r\nContent-Disposition: form-data; \
         name=\"file\"; filename=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(content);
    body.extend_from_slice(b"\r\n--b--\r\n");
    let client = site.client().with("Content-Type", "multipart/form-data; boundary=b");
    client.with("Sec-Fetch-Site", "same-origin").send("POST", &format!("/ui/upload?next={next}"), Some(&body))
}

#[test]
fn a_file_is_sent_listed_shown_and_read() {
    let daemon = Daemon::start();
    let site = Site::operator(&daemon);
    let spaces = daemon.operator().get("/api/v1/spaces").expect(200).json();
    let space = spaces["spaces"][0]["id"].as_str().expect("a space");
    let next = "%2Fui%2Fspaces%2Foperator%3Ftab%3Dfiles";
    // Longer than a chunk, so that the daemon reads it in several steps.
    let long = "a line of a long text\n".repeat(40_000);
    for (name, content) in [("plan.md", "# Plan\n"), ("long.txt", long.as_str())] {
        let reply = send(&site, next, space, (name, "text/plain", content.as_bytes())).expect(303);
        assert_eq!(reply.header("location"), Some("/ui/spaces/operator?tab=files&done=uploads_create"));
    }
    let files = daemon.operator().get("/api/v1/uploads").expect(200).json();
    let names: Vec<_> = files.as_array().expect("a list").iter().map(|file| &file["original_filename"]).collect();
    assert_eq!(names, [&json!("long.txt"), &json!("plan.md")], "the newest first");
    let page = site.get("/ui/spaces/operator?tab=files").expect(200).text();
    let url = files[0]["url"].as_str().expect("an address");
    assert!(page.contains("long.txt") && page.contains(&format!("href=\"{url}\"")), "{page}");
    assert_eq!(site.get(url).expect(200).text(), long);
    // A message shows the file to all in the conversation.
    let attached =
        json!([{"id": files[1]["attachment_id"], "filename": "plan.md", "url": files[1]["url"]}]).to_string();
    let fields = [("space_id", space), ("content", "plan.md"), ("attachments", &attached)];
    site.act("POST /api/v1/messages", &fields).expect(303);
    let talk = site.get("/ui/spaces/operator").expect(200).text();
    assert!(talk.contains(&format!("href=\"{}\"", files[1]["url"].as_str().expect("an address"))), "{talk}");
}

#[test]
fn what_the_route_refuses_the_page_tells() {
    let daemon = Daemon::start();
    let site = Site::operator(&daemon);
    let next = "%2Fui%2Fspaces%2Foperator%3Ftab%3Dfiles";
    let page = send(&site, next, "", ("x.html", "text/html", b"<p>x")).expect(415).text();
    assert!(page.contains("role=\"alert\"") && page.contains("Send a file"), "{page}");
    let page = send(&site, next, "no-such-space", ("x.txt", "text/plain", b"x")).expect(403).text();
    assert!(page.contains("role=\"alert\""), "{page}");
    // A user who may not send files, a form from another site, and a client without a session.
    let reader = Site::of(&daemon, daemon.user_token("operator", &["spaces.*", "auth.login"]).token());
    send(&reader, next, "", ("x.txt", "text/plain", b"x")).expect(403);
    let form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n";
    let foreign = site.client().with("Content-Type", "multipart/form-data; boundary=b");
    foreign.with("Origin", "http://evil.example").send("POST", "/ui/upload", Some(form.as_bytes())).expect(403);
    let nobody = daemon.anonymous().with("Accept", "text/html").with("Content-Type", "multipart/form-data; boundary=b");
    let reply = nobody.send("POST", "/ui/upload", Some(form.as_bytes()));
    assert!(reply.status == 303 || reply.status == 401, "{}", reply.status);
    // The form can only lead on to a page of the console.
    let away = send(&site, "%2F%2Fevil.example", "", ("x.txt", "text/plain", b"x")).expect(303);
    assert_eq!(away.header("location"), Some("/ui/?done=uploads_create"));
    assert_eq!(daemon.operator().get("/api/v1/uploads").expect(200).json().as_array().expect("a list").len(), 1);
}
