//! Sends a page's `http` blocks to a daemon, in order.
//!
//! A block is a request line, headers, and after an empty line the body. `$TAOS_URL` and `$TAOS_TOKEN` stand for the
//! daemon's address and the operator's token, `{{last.FIELD}}` for a field of the last JSON reply (`{{last.0.id}}`: of
//! its first row). The info string names the only accepted status. A `json` block right after the request shows what
//! the reply must contain at least; `"…"` stands for any value. `requires=containers` after the status means that the
//! block needs a daemon with a container runtime. These blocks are a sequence of their own.

use serde_json::Value;

use crate::fences::{Block, REQUIRES};
use crate::support::{Daemon, Reply};

/// The request in a block.
struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

/// Sends the blocks that need containers if `containers` is true, and else the others. The first failure ends the run
/// and is returned with its place.
pub fn replay(daemon: &Daemon, blocks: &[Block], containers: bool) -> Result<(), String> {
    let mut last = Value::Null;
    for (at, block) in blocks.iter().enumerate().filter(|(_, block)| is_one(block, containers)) {
        let reply = send(daemon, block, &last).map_err(|why| format!("{}: {why}", block.place))?;
        if let Ok(json) = serde_json::from_slice(&reply.body) {
            last = json;
        }
        if let Some(shown) = blocks.get(at + 1).filter(|block| block.language() == "json") {
            let told = |why| format!("{}: {why}", shown.place);
            let json: Value = serde_json::from_str(&shown.text).map_err(|e| told(e.to_string()))?;
            holds(&last, &json, "the reply").map_err(told)?;
        }
    }
    Ok(())
}

fn is_one(block: &Block, containers: bool) -> bool {
    block.language() == "http" && block.needs_containers() == containers
}

/// Checks that `reply` contains everything that is `shown`. `at` is the place that an error names.
fn holds(reply: &Value, shown: &Value, at: &str) -> Result<(), String> {
    match (reply, shown) {
        (_, Value::String(any)) if any == "…" => Ok(()),
        (Value::Object(reply), Value::Object(shown)) => {
            shown.iter().try_for_each(|(key, value)| match reply.get(key) {
                Some(field) => holds(field, value, &format!("{at}.{key}")),
                None => Err(format!("{at} has no {key}")),
            })
        }
        (Value::Array(reply), Value::Array(shown)) if reply.len() == shown.len() => {
            reply.iter().zip(shown).try_for_each(|(one, other)| holds(one, other, at))
        }
        _ if reply == shown => Ok(()),
        _ => Err(format!("{at} is {reply}, not {shown}")),
    }
}

fn send(daemon: &Daemon, block: &Block, last: &Value) -> Result<Reply, String> {
    let expected = expected(&block.info)?;
    let request = read(&fill(&block.text, daemon, last)?)?;
    let mut client = daemon.anonymous().with("Host", &daemon.address);
    for (name, value) in &request.headers {
        client = client.with(name, value);
    }
    let path = request.path.strip_prefix(&format!("http://{}", daemon.address)).unwrap_or(&request.path);
    let body = request.body.as_deref().map(str::as_bytes);
    let reply = client.try_send(&request.method, path, body).map_err(|e| e.to_string())?;
    if reply.status != expected {
        return Err(format!("expected {expected}, got {}: {}", reply.status, reply.text()));
    }
    Ok(reply)
}

fn expected(info: &str) -> Result<u16, String> {
    let status =
        info.strip_suffix(REQUIRES).unwrap_or(info).strip_prefix("http expect=").and_then(|text| text.parse().ok());
    status.ok_or_else(|| format!("`{info}` is not `http expect=NNN`"))
}

/// Replaces the placeholders. An unknown placeholder is an error.
fn fill(text: &str, daemon: &Daemon, last: &Value) -> Result<String, String> {
    let mut rest = text;
    let mut filled = String::with_capacity(text.len());
    while let Some((before, after)) = rest.split_once("{{last.") {
        let (path, behind) = after.split_once("}}").ok_or("{{last. is not closed")?;
        let pointer = format!("/{}", path.replace('.', "/"));
        let value = last.pointer(&pointer).ok_or_else(|| format!("the last reply has no {path}: {last}"))?;
        filled.push_str(before);
        filled.push_str(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        rest = behind;
    }
    filled.push_str(rest);
    let filled =
        filled.replace("$TAOS_TOKEN", &daemon.token).replace("$TAOS_URL", &format!("http://{}", daemon.address));
    match ["{{", "$TAOS"].iter().find(|mark| filled.contains(**mark)) {
        Some(mark) => Err(format!("{mark} stands for nothing")),
        None => Ok(filled),
    }
}

fn read(text: &str) -> Result<Request, String> {
    let (head, body) = text.split_once("\n\n").map_or((text, None), |(head, body)| (head, Some(body.trim_end())));
    let mut lines = head.lines();
    let (method, path) = lines.next().and_then(|line| line.split_once(' ')).ok_or("no request line")?;
    let headers = lines
        .map(|line| {
            line.split_once(": ").map(|(n, v)| (n.to_owned(), v.to_owned())).ok_or(format!("`{line}`: no header"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let typed = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if body.is_some() && !typed {
        return Err("a body needs a Content-Type".into());
    }
    Ok(Request { method: method.to_owned(), path: path.to_owned(), headers, body: body.map(str::to_owned) })
}

#[test]
fn a_wrong_status_or_a_broken_block_is_told_with_its_place() {
    let daemon = Daemon::start();
    let run = |info: &str, text: &str| {
        let block = Block { place: "p.md:7".into(), info: info.into(), text: text.into() };
        replay(&daemon, &[block], false)
    };
    assert_eq!(run("http expect=200", "GET /healthz\n"), Ok(()));
    assert_eq!(run("http expect=200", "GET $TAOS_URL/api/agents\nAuthorization: Bearer $TAOS_TOKEN\n"), Ok(()));
    for (info, text, why) in [
        ("http expect=201", "GET /healthz\n", "p.md:7: expected 201, got 200"),
        ("http expect=200", "GET /api/agents\n", "p.md:7: expected 200, got 401"),
        ("http", "GET /healthz\n", "p.md:7: `http` is not"),
        ("http expect=2xx", "GET /healthz\n", "p.md:7: `http expect=2xx` is not"),
        ("http expect=200 skip", "GET /healthz\n", "p.md:7: `http expect=200 skip` is not"),
        ("http expect=200", "nothing\n", "p.md:7: no request line"),
        ("http expect=200", "GET /healthz\nHost\n", "p.md:7: `Host`: no header"),
        ("http expect=200", "GET /{{last.id}}\n", "p.md:7: the last reply has no id"),
        ("http expect=200", "GET /{{next.id}}\n", "p.md:7: {{ stands for nothing"),
        ("http expect=200", "GET /$TAOS_NAME\n", "p.md:7: $TAOS stands for nothing"),
        ("http expect=200", "POST /api/agents\n\n{}\n", "p.md:7: a body needs a Content-Type"),
    ] {
        let error = run(info, text).unwrap_err();
        assert!(error.starts_with(why), "{error}");
    }
}

#[test]
fn fields_of_the_last_reply_are_filled_in() {
    let daemon = Daemon::start();
    let last = serde_json::json!([{"id": "x", "n": 3}]);
    assert_eq!(fill("/{{last.0.id}}/{{last.0.n}}", &daemon, &last).unwrap(), "/x/3");
}

#[test]
fn a_reply_that_is_shown_otherwise_than_it_is_is_told() {
    let daemon = Daemon::start();
    let block = |info: &str, text: &str| Block { place: "p.md:9".into(), info: info.into(), text: text.into() };
    let request = block("http expect=200", "GET /healthz\n");
    let run = |shown: &str| replay(&daemon, &[request.clone(), block("json", shown)], false);
    assert_eq!(run(r#"{"status": "ok", "version": "…"}"#), Ok(()));
    for (shown, why) in [
        (r#"{"status": "well"}"#, "p.md:9: the reply.status is \"ok\", not \"well\""),
        (r#"{"state": "…"}"#, "p.md:9: the reply has no state"),
        ("[]", "p.md:9: the reply is {"),
        ("{", "p.md:9: EOF while parsing"),
    ] {
        let error = run(shown).unwrap_err();
        assert!(error.starts_with(why), "{error}");
    }
}
