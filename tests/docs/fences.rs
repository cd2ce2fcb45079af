//! Reads the fenced blocks of a page, each with its place.
//!
//! A fence begins at a line of three or more backticks with its info string and ends at a line of exactly as many. A
//! block that the runners could miss (another kind of code block, an unknown info string, an empty or unclosed block)
//! is an error with file and line. A page cannot exclude a block from the run.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag};

/// One fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// `FILE:LINE` of the opening fence.
    pub place: String,
    /// The text after the opening backticks.
    pub info: String,
    /// The lines between the fences.
    pub text: String,
}

impl Block {
    /// True if it needs a daemon with a container runtime.
    pub fn needs_containers(&self) -> bool {
        self.info.ends_with(REQUIRES)
    }

    /// The first word of the info string.
    pub fn language(&self) -> &str {
        self.info.split(' ').next().unwrap_or("")
    }
}

/// The end of the info string of a block that needs a daemon with a container runtime.
pub const REQUIRES: &str = " requires=containers";

/// The languages that a block may have. These tests run `http` and `bash`; the tests of published OAuth libraries run
/// `python` and `js`. The others show output or files.
const LANGUAGES: &[&str] = &["http", "bash", "text", "json", "toml", "python", "js"];

/// All blocks of a page.
pub fn blocks(file: &str, markdown: &str) -> Result<Vec<Block>, String> {
    let mut found = Vec::new();
    let mut open: Option<(usize, Block)> = None;
    for (number, line) in markdown.lines().enumerate() {
        let place = format!("{file}:{}", number + 1);
        let ticks = line.len() - line.trim_start_matches('`').len();
        match &mut open {
            Some((fence, _)) if ticks == *fence && line.len() == ticks => {
                found.extend(open.take().map(|(_, block)| block));
            }
            Some((_, block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            None if ticks >= 3 => {
                open = Some((ticks, Block { place, info: line[ticks..].trim().to_owned(), text: String::new() }));
            }
            None if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") => {
                return Err(format!("{place}: a fence must be of backticks and begin its line"));
            }
            None => {}
        }
    }
    if let Some((_, block)) = open {
        return Err(format!("{}: the block is not closed", block.place));
    }
    found.iter().try_for_each(check)?;
    agrees_with_the_renderer(file, markdown, found.len())?;
    Ok(found)
}

fn check(block: &Block) -> Result<(), String> {
    if block.text.trim().is_empty() {
        return Err(format!("{}: the block is empty", block.place));
    }
    if !LANGUAGES.contains(&block.language()) {
        return Err(format!("{}: `{}` is none of {}", block.place, block.info, LANGUAGES.join(", ")));
    }
    let rest = block.info.strip_prefix(block.language()).unwrap_or("");
    let allowed = match block.language() {
        "http" => true,
        "bash" => rest.is_empty() || rest == REQUIRES,
        _ => rest.is_empty(),
    };
    if !allowed {
        return Err(format!("{}: `{}` cannot be so", block.place, block.info));
    }
    Ok(())
}

/// Checks that a browser shows as many code blocks as the runners see.
fn agrees_with_the_renderer(file: &str, markdown: &str, blocks: usize) -> Result<(), String> {
    let mut fenced = 0;
    for (event, range) in Parser::new_ext(markdown, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) => fenced += 1,
            Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) => {
                let line = markdown[..range.start].lines().count();
                return Err(format!("{file}:{line}: an indented code block is not run; use a fence"));
            }
            _ => {}
        }
    }
    if fenced == blocks { Ok(()) } else { Err(format!("{file}: {fenced} code blocks are shown, {blocks} were found")) }
}

#[test]
fn a_fence_ends_at_exactly_as_many_backticks() {
    let page = "# t\n\n````text\na\n```\nb\n`````\n````\n\n```bash\ntrue\n```\n";
    let found = blocks("p.md", page).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].place.as_str(), found[0].text.as_str()), ("p.md:3", "a\n```\nb\n`````\n"));
    assert_eq!((found[1].place.as_str(), found[1].text.as_str()), ("p.md:10", "true\n"));
}

#[test]
fn what_would_not_be_run_is_an_error_with_its_place() {
    for (page, place) in [
        ("x\n\n```bash\n```\n", "p.md:3: the block is empty"),
        ("```bash\n\n \n```\n", "p.md:1: the block is empty"),
        ("```bash\ntrue\n", "p.md:1: the block is not closed"),
        ("```bash\ntrue\n````\n", "p.md:1: the block is not closed"),
        ("```sh\ntrue\n```\n", "p.md:1: `sh` is none of"),
        ("```\ntrue\n```\n", "p.md:1: `` is none of"),
        ("```bash-skip\ntrue\n```\n", "p.md:1: `bash-skip` is none of"),
        ("```bash skip\ntrue\n```\n", "p.md:1: `bash skip` cannot be so"),
        ("```json requires=containers\n{}\n```\n", "p.md:1: `json requires=containers` cannot be so"),
        ("~~~bash\ntrue\n~~~\n", "p.md:1: a fence must be of backticks"),
        ("- a\n\n  ```bash\n  true\n  ```\n", "p.md:3: a fence must be of backticks"),
        ("a\n\n    indented\n", "p.md:3: an indented code block"),
    ] {
        let error = blocks("p.md", page).unwrap_err();
        assert!(error.starts_with(place), "{page:?}: {error}");
    }
}
