//! `docs/agents/errors.md` is made from `src/rest/codes.rs`.

use std::fmt::Write as _;

use taosd::rest::codes;

use crate::generated::{plain, whole};

const INTRO: &str = "# Errors

Every answer that is not a success has this body, whatever the route:

```json
{
  \"error\": \"agent_not_found\",
  \"detail\": \"What is particular to this case, for people.\",
  \"fix\": \"One sentence that says what to do; always the same for a code.\",
  \"doc_url\": \"/docs/agents/recipes/managing-agents#list-agents\"
}
```

Switch on `error`: codes never change their meaning. Some codes add fields of their own, such as `fields` of
`validation_error`. The `X-Request-Id` header is the reply's number in the daemon's log. This page is made from the
daemon's own table: it lists every code, in that order.
";

fn page() -> String {
    let mut page = INTRO.to_owned();
    for code in codes::ALL {
        let _ = write!(
            page,
            "\n## {}\n\nStatus {}. {}\n\nFix: {}",
            code.slug,
            code.status,
            plain(code.about),
            plain(code.fix)
        );
        if let Some((name, anchor)) = code.doc.map(|doc| doc.split_once('#').unwrap_or((doc, ""))) {
            let _ = write!(page, " See [{name}](/docs/agents/{name}.md#{anchor}).");
        }
        page.push('\n');
    }
    page
}

#[test]
fn the_error_page_is_what_the_codes_say() {
    whole("docs/agents/errors.md", &page());
}
