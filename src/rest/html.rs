//! Escapes texts for pages. An agent's text is never markup, and characters that are invisible or change the order of
//! others are shown as symbols.

use std::fmt::{self, Write};

use askama::filters::Escaper;

use super::text::is_hidden;

/// Escapes markup and makes hidden characters visible.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown;

impl Escaper for Shown {
    fn write_escaped_str<W: Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        let mut from = 0;
        for (at, c) in text.char_indices() {
            let Some(instead) = symbol(c) else { continue };
            dest.write_str(&text[from..at])?;
            match instead {
                Instead::Text(text) => dest.write_str(text)?,
                Instead::Picture(picture) => dest.write_char(picture)?,
                Instead::Code => write!(dest, "\u{27e6}U+{:04X}\u{27e7}", u32::from(c))?,
            }
            from = at + c.len_utf8();
        }
        dest.write_str(&text[from..])
    }
}

/// The replacement of a character in a page.
enum Instead {
    Text(&'static str),
    Picture(char),
    /// Its number in hexadecimal.
    Code,
}

/// The replacement of a character; `None` if it needs none.
fn symbol(c: char) -> Option<Instead> {
    Some(match c {
        '<' => Instead::Text("&lt;"),
        '>' => Instead::Text("&gt;"),
        '&' => Instead::Text("&amp;"),
        '"' => Instead::Text("&#34;"),
        '\'' => Instead::Text("&#39;"),
        '\n' | '\t' => return None,
        '\0'..='\u{1f}' => Instead::Picture(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
        '\u{7f}' => Instead::Picture('\u{2421}'),
        '\u{80}'..='\u{9f}' => Instead::Code,
        // Scripts and emoji need the joiners, and they do not change the order.
        '\u{200c}' | '\u{200d}' => return None,
        c if is_hidden(c) => Instead::Code,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        let mut out = String::new();
        Shown.write_escaped_str(&mut out, text).expect("a string");
        out
    }

    #[test]
    fn markup_is_text_and_what_cannot_be_seen_is_shown() {
        assert_eq!(shown("<b title='x'>&\"</b>"), "&lt;b title=&#39;x&#39;&gt;&amp;&#34;&lt;/b&gt;");
        assert_eq!(shown("a\u{202e}b\u{1b}[0m\r\n\tc\u{7f}"), "a⟦U+202E⟧b␛[0m␍\n\tc␡");
        assert_eq!(shown("日本 é 👩‍💻"), "日本 é 👩‍💻");
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_place(text in any::<String>()) {
            let out = shown(&text);
            prop_assert!(!out.contains(['<', '>', '"', '\'']));
            prop_assert!(!out.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
        }
    }
}
