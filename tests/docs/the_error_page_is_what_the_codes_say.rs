//! `docs/agents/errors.md` is made from `src/rest/codes.rs`.

use std::fmt::Write as _;

use taosd::rest::codes;

use crate::generated::{plain, whole};

const INTRO: &str = "# Errors

Every reply that is not a success has this body, on the routes below `/api` that are not below `/api/v1`:

```json
{
  \"error\": \"agent_not_found\",
  \"detail\": \"What is wrong in this case.\",
  \"fix\": \"What to do. It is the same for every reply with this code.\",
  \"doc_url\": \"/docs/agents/recipes/managing-agents#list-agents\"
}
```

Let your program decide by the code: it never changes its meaning. In the aX dialect (`/api/v1`) the code is
`detail.error`, and `error` is a sentence. In the Agentex dialect the code is `error`, `message` is a sentence, and `code`
is the status. A few codes have another status there. Some codes add fields, such as `fields` of `validation_error`. To
find a reply in the daemon's log, search for its `X-Request-Id`. The daemon's table of codes
generates this page.
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
