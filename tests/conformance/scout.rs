//! The scripted agent. It knows that `/docs` and `/api` exist, how to read Markdown, and English words. This file names
//! no other route and no error code of the daemon.

use serde_json::Value;

use crate::conformance::page::{self, Example};
use crate::support::{Client, Reply};

/// The most pages that the agent reads for one task.
const PAGES: usize = 6;

/// The agent and what it has learnt so far.
pub struct Scout {
    client: Client,
    /// The agent's name, once it has found out.
    name: Option<String>,
    /// The requests that it sent, each with its status.
    pub trail: Vec<String>,
}

/// Why a task is not done.
#[derive(Debug)]
pub enum Stuck {
    /// No page says how to do it.
    NothingFound,
    /// The daemon refused the request that the page shows.
    Refused,
}

impl Scout {
    /// An agent with a URL and a token, and nothing else.
    pub fn new(client: Client) -> Self {
        Self { client, name: None, trail: Vec::new() }
    }

    fn get(&mut self, path: &str) -> Reply {
        let reply = self.client.get(path);
        self.trail.push(format!("GET {path} {}", reply.status));
        reply
    }

    /// Finds the example for these words and sends it. `change` puts the task's values into the example's body.
    pub fn attempt(&mut self, words: &[&str], change: impl Fn(&mut Value)) -> Result<Value, Stuck> {
        let example = self.learn(words, |example| example.method == "POST").ok_or(Stuck::NothingFound)?;
        let path = self.with_own_name(&example.path);
        let mut body: Value = example.body.as_deref().map_or(Ok(Value::Null), serde_json::from_str).expect("JSON");
        change(&mut body);
        let reply = match &body {
            Value::Null => self.client.send(&example.method, &path, None),
            body => self.client.send(&example.method, &path, Some(body.to_string().as_bytes())),
        };
        self.trail.push(format!("{} {path} {}", example.method, reply.status));
        if reply.status < 300 {
            return Ok(reply.json());
        }
        // An error names a page to read. The script reads it, but has nothing else to try.
        if let Some(page) = reply.json()["doc_url"].as_str() {
            self.get(page.split('#').next().unwrap_or(page)).expect(200);
        }
        Err(Stuck::Refused)
    }

    /// Continues with another token.
    pub fn use_token(&mut self, client: Client) {
        self.client = client;
    }

    /// Asks who the agent is, as the documentation shows.
    pub fn who_am_i(&mut self) -> Option<Value> {
        let example = self.learn(&["first", "call", "who"], |example| example.method == "GET")?;
        let reply = self.get(&example.path);
        (reply.status == 200).then(|| reply.json())
    }

    /// The example that fits the words best, from the pages that fit best.
    fn learn(&mut self, words: &[&str], fits: impl Fn(&Example) -> bool) -> Option<Example> {
        let mut best: Option<(usize, Example)> = None;
        for page in self.pages_about(words) {
            let text = self.get(&page).expect(200).text();
            for section in page::sections(&text) {
                // The heading counts most, then the first paragraph, where a recipe says when it is the right one.
                let score = 4 * count(&section.heading, words) + count(first_paragraph(&section.text), words);
                let example = section.examples.iter().find(|example| example.expect < 300 && fits(example));
                if let Some(example) = example.filter(|_| score >= 4)
                    && best.as_ref().is_none_or(|(most, _)| score > *most)
                {
                    best = Some((score, example.clone()));
                }
            }
        }
        best.map(|(_, example)| example)
    }

    /// Returns the pages to read, from the index of the documentation and from the search if there is one.
    fn pages_about(&mut self, words: &[&str]) -> Vec<String> {
        let index = self.get("/docs").expect(200).text();
        let mut ranked: Vec<(usize, String)> =
            page::links(&index).into_iter().map(|link| (count(&link.line, words), link.target)).collect();
        ranked.retain(|(score, _)| *score > 0);
        ranked.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        let mut pages: Vec<String> = ranked.into_iter().map(|(_, page)| page).collect();
        for page in self.search(words) {
            pages.push(page);
        }
        let mut seen = std::collections::HashSet::new();
        pages.retain(|page| seen.insert(page.trim_end_matches(".md").to_owned()));
        pages.truncate(PAGES);
        pages
    }

    /// Searches the documentation, if `GET /api` names a search route.
    fn search(&mut self, words: &[&str]) -> Vec<String> {
        let surface = self.get("/api").expect(200).json();
        let rows = surface["routes"].as_array().cloned().unwrap_or_default();
        let title = |row: &Value| row["title"].as_str().unwrap_or("").to_lowercase();
        let Some(route) = rows.iter().find(|row| title(row).contains("search") && row["method"] == "GET") else {
            return Vec::new();
        };
        let path = route["path"].as_str().unwrap_or_default().to_owned();
        let found = self.get(&format!("{path}?q={}", words.join("+")));
        let hits = if found.status == 200 { found.json() } else { Value::Null };
        let pages = hits.as_array().into_iter().flatten().filter_map(|hit| hit["source_url"].as_str());
        pages.filter(|page| page.starts_with("/docs/")).take(PAGES).map(str::to_owned).collect()
    }

    /// Returns an example's path with the agent's own name, if the route has a `{name}`.
    fn with_own_name(&mut self, path: &str) -> String {
        let surface = self.get("/api").expect(200).json();
        let given: Vec<&str> = path.split('/').collect();
        let pattern = surface["routes"].as_array().into_iter().flatten().find_map(|row| {
            let pattern: Vec<&str> = row["path"].as_str()?.split('/').collect();
            let same =
                pattern.len() == given.len() && pattern.iter().zip(&given).all(|(p, g)| p == g || *p == "{name}");
            same.then(|| row["path"].as_str().unwrap_or_default().to_owned())
        });
        match pattern {
            Some(pattern) if pattern.contains("{name}") => {
                if self.name.is_none() {
                    self.name = self.who_am_i().and_then(|who| who["agent_name"].as_str().map(str::to_owned));
                }
                pattern.replace("{name}", self.name.as_deref().unwrap_or("me"))
            }
            _ => path.to_owned(),
        }
    }
}

fn first_paragraph(text: &str) -> &str {
    text.trim_start().split("\n\n").next().unwrap_or("")
}

/// Counts the words that a text contains, comparing the first five bytes of each word.
fn count(text: &str, words: &[&str]) -> usize {
    let text = text.to_lowercase();
    words.iter().filter(|word| text.contains(&word[..word.len().min(5)])).count()
}
