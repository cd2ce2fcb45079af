//! Reads a page of the documentation: sections with their text and examples, and links.

/// An example request of a page.
#[derive(Debug, Clone)]
pub struct Example {
    pub method: String,
    pub path: String,
    pub body: Option<String>,
    /// The status that the page promises.
    pub expect: u16,
}

/// A heading with the text and the examples below it.
#[derive(Debug, Default, Clone)]
pub struct Section {
    pub heading: String,
    pub text: String,
    pub examples: Vec<Example>,
}

/// A link and the line that contains it.
#[derive(Debug, Clone)]
pub struct Link {
    pub line: String,
    pub target: String,
}

/// Reads a page's sections.
pub fn sections(markdown: &str) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let mut fence: Option<(String, String)> = None;
    for line in markdown.lines() {
        let last = sections.last_mut().expect("there always is one");
        match (&mut fence, line.strip_prefix("```")) {
            (None, Some(info)) => fence = Some((info.to_owned(), String::new())),
            (Some(_), Some("")) => {
                let (info, text) = fence.take().expect("an open fence");
                last.examples.extend(example(&info, &text));
            }
            (Some((_, text)), _) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) if line.starts_with('#') => {
                sections.push(Section { heading: line.trim_matches(['#', ' ']).to_owned(), ..Section::default() });
            }
            (None, None) => {
                last.text.push_str(line);
                last.text.push('\n');
            }
        }
    }
    sections
}

/// Reads an example request; `None` for other blocks and for requests that need containers.
fn example(info: &str, text: &str) -> Option<Example> {
    let expect = info.strip_prefix("http expect=")?.parse().ok()?;
    let (head, body) = text.split_once("\n\n").map_or((text, None), |(head, body)| (head, Some(body)));
    let (method, path) = head.lines().next()?.split_once(' ')?;
    let body = body.map(str::trim).filter(|body| !body.is_empty()).map(str::to_owned);
    Some(Example { method: method.to_owned(), path: path.to_owned(), body, expect })
}

/// The links of a page to other pages of the documentation.
pub fn links(markdown: &str) -> Vec<Link> {
    let mut found = Vec::new();
    for line in markdown.lines() {
        for part in line.split("](/docs/").skip(1) {
            let target = part.split([')', '#']).next().unwrap_or_default();
            found.push(Link { line: line.to_owned(), target: format!("/docs/{target}") });
        }
    }
    found
}
