//! Snippets: the part of a text that holds most of a query's words, found in one pass. SQLite's own function compares
//! every place of a word with every other. For a text that repeats one word thirty thousand times that takes seconds.

/// The words in a snippet.
const LENGTH: usize = 24;
/// The mark for text that is left out.
const GAP: char = '…';

/// Returns the words around the match. If the text has none of the words, returns the title if it has any, else the
/// beginning of the text.
pub fn snippet(title: &str, content: &str, words: &[String]) -> String {
    let wanted = wanted(words);
    match best(content, &wanted) {
        (0, text) => match best(title, &wanted) {
            (0, _) => text,
            (_, title) => title,
        },
        (_, text) => text,
    }
}

/// Returns the parts of the query's words, folded, each once.
fn wanted(words: &[String]) -> Vec<String> {
    let mut wanted: Vec<String> =
        words.iter().flat_map(|word| tokens(word).map(|(at, end)| folded(&word[at..end]))).collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

/// Returns the beginning and end of each run of letters and digits.
fn tokens(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let mut chars = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let at = chars.find(|(_, c)| c.is_alphanumeric())?.0;
        while chars.next_if(|(_, c)| c.is_alphanumeric() || is_mark(*c)).is_some() {}
        Some((at, chars.peek().map_or(text.len(), |(end, _)| *end)))
    })
}

/// Returns the window with most of the wanted words, the first of equal ones, and how many of them it holds.
fn best(text: &str, wanted: &[String]) -> (usize, String) {
    // Which wanted word each place of the window holds, as a ring.
    let mut ring = [(0, None); LENGTH];
    let mut counts = vec![0usize; wanted.len()];
    let mut held = 0;
    let (mut most, mut begin, mut end) = (0, 0, text.len());
    for (number, (at, stop)) in tokens(text).enumerate() {
        let slot = number % LENGTH;
        if let (_, Some(gone)) = ring[slot] {
            counts[gone] -= 1;
            held -= usize::from(counts[gone] == 0);
        }
        let found = wanted_one(&text[at..stop], wanted);
        ring[slot] = (at, found);
        if let Some(found) = found {
            held += usize::from(counts[found] == 0);
            counts[found] += 1;
        }
        let count = number + 1;
        // The first window is kept while it grows, so that a text without any of the words is shown from its beginning.
        if held > most || count <= LENGTH {
            let oldest = if count < LENGTH { 0 } else { count % LENGTH };
            (most, begin, end) = (held, ring[oldest].0, stop);
        }
        // No window can hold more. Most texts are read no further than to the first place of the words.
        if most == wanted.len() && count >= LENGTH {
            break;
        }
    }
    let gap = |rest: &str| if has_token(rest) { GAP.to_string() } else { String::new() };
    (most, format!("{}{}{}", gap(&text[..begin]), text[begin..end].trim(), gap(&text[end..])))
}

/// Returns which of the wanted words this is. A text has thousands of words: ASCII words are compared without a copy.
fn wanted_one(word: &str, wanted: &[String]) -> Option<usize> {
    if word.is_ascii() {
        return wanted.iter().position(|one| one.eq_ignore_ascii_case(word));
    }
    let word = folded(word);
    wanted.iter().position(|one| *one == word)
}

fn has_token(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// Returns a word as the index has it, close enough to find it again: lower case, Latin letters without their marks.
fn folded(word: &str) -> String {
    word.chars().filter(|c| !is_mark(*c)).flat_map(char::to_lowercase).map(plain).collect()
}

/// True for an accent that follows its letter as a character of its own.
fn is_mark(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

/// Returns the letter without its mark.
fn plain(c: char) -> char {
    match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => 'c',
        'ď' => 'd',
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => 'e',
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => 'g',
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' => 'i',
        'ñ' | 'ń' | 'ņ' | 'ň' => 'n',
        'ò'..='ö' | 'ō' | 'ŏ' | 'ő' => 'o',
        'ŕ' | 'ř' => 'r',
        'ś' | 'ŝ' | 'ş' | 'š' => 's',
        'ţ' | 'ť' => 't',
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str, words: &[&str]) -> String {
        snippet("A title", text, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    /// Does the same as `best` without a shortcut.
    fn best_of_all(text: &str, wanted: &[String]) -> (usize, String) {
        let all: Vec<(usize, usize)> = tokens(text).collect();
        let held = |window: &[(usize, usize)]| {
            wanted.iter().filter(|one| window.iter().any(|(at, end)| folded(&text[*at..*end]) == **one)).count()
        };
        let mut found = (0, &all[..all.len().min(LENGTH)]);
        found.0 = held(found.1);
        for window in all.windows(LENGTH) {
            if held(window) > found.0 {
                found = (held(window), window);
            }
        }
        let (begin, end) = (found.1.first().map_or(0, |one| one.0), found.1.last().map_or(text.len(), |one| one.1));
        let gap = |rest: &str| if has_token(rest) { GAP.to_string() } else { String::new() };
        (found.0, format!("{}{}{}", gap(&text[..begin]), text[begin..end].trim(), gap(&text[end..])))
    }

    #[test]
    fn the_words_around_what_was_found_are_told() {
        assert_eq!(of("some plain words", &["plain"]), "some plain words");
        let long = format!("{}the Zébra eats grass {}", "before ".repeat(50), "after ".repeat(50));
        let told = of(&long, &["zebra", "grass"]);
        assert!(told.starts_with('…') && told.ends_with('…') && told.contains("Zébra eats grass"), "{told}");
        assert_eq!(tokens(&told).count(), LENGTH);
        assert_eq!(of("nothing of it", &["title"]), "A title");
        assert_eq!(of("nothing of it", &["elsewhere"]), "nothing of it");
    }

    proptest! {
        #[test]
        fn no_window_holds_more(text in "([ab]|É|e\u{301}|[c-h]{1,2}){0,3}( ([abAB]|É|[c-h]{1,2})){0,120}") {
            let wanted = wanted(&["a".to_owned(), "B".to_owned(), "é".to_owned()]);
            prop_assert_eq!(best(&text, &wanted), best_of_all(&text, &wanted));
        }

        #[test]
        fn it_is_a_part_of_the_text_and_short(text in "(\\PC|[ab \n]|é|e\u{301}){0,400}", word in "[ab]{1,2}") {
            let told = of(&text, &[&word]);
            let inner = told.trim_start_matches(GAP).trim_end_matches(GAP);
            prop_assert!(text.contains(inner) || "A title".contains(inner));
            prop_assert!(tokens(inner).count() <= LENGTH);
        }
    }
}
