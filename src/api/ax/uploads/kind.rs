//! The kinds of files, and the check of a file's content: by its first bytes, or by valid UTF-8 throughout.

use crate::closed_set::closed_set;

closed_set! {
    /// A kind of file that may be uploaded. Kinds that a browser would run, such as HTML and SVG, are not among them.
    pub enum FileKind {
        Png "image/png" "A PNG picture.";
        Jpeg "image/jpeg" "A JPEG picture.";
        Gif "image/gif" "A GIF picture.";
        Webp "image/webp" "A WebP picture.";
        Pdf "application/pdf" "A PDF document.";
        Json "application/json" "JSON, in UTF-8.";
        Markdown "text/markdown" "Markdown, in UTF-8.";
        Plain "text/plain" "Text, in UTF-8.";
        Csv "text/csv" "A table, in UTF-8.";
    }
}

impl FileKind {
    /// Returns the kind that a `Content-Type` names; a part without one is text (RFC 7578, 4.4).
    pub fn named(content_type: Option<&str>) -> Option<Self> {
        let Some(text) = content_type else { return Some(Self::Plain) };
        let media = text.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        media.parse().ok()
    }

    fn is_text(self) -> bool {
        matches!(self, Self::Json | Self::Markdown | Self::Plain | Self::Csv)
    }

    /// True if a file of this kind may begin with these bytes.
    fn begins(self, bytes: &[u8]) -> bool {
        match self {
            Self::Png => bytes.starts_with(b"\x89PNG\r\n\x1a\n"),
            Self::Jpeg => bytes.starts_with(b"\xff\xd8\xff"),
            Self::Gif => bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a"),
            Self::Webp => bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"),
            Self::Pdf => bytes.starts_with(b"%PDF-"),
            _ => true,
        }
    }
}

/// The number of first bytes that identify a kind.
const BEGINNING: usize = 12;

/// Checks the content of a file while it comes in.
#[derive(Debug)]
pub struct Looker {
    kind: FileKind,
    beginning: Vec<u8>,
    /// The bytes of an incomplete character.
    broken: Vec<u8>,
}

impl Looker {
    /// Creates a check for a file that is declared to be of this kind.
    pub fn new(kind: FileKind) -> Self {
        Self { kind, beginning: Vec::with_capacity(BEGINNING), broken: Vec::with_capacity(4) }
    }

    /// Returns the declared kind.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// Takes the next bytes; true while the file may be of its kind.
    pub fn goes_on(&mut self, bytes: &[u8]) -> bool {
        if self.kind.is_text() {
            return !bytes.contains(&0) && self.is_utf_8(bytes);
        }
        if self.beginning.len() < BEGINNING {
            let more = bytes.len().min(BEGINNING - self.beginning.len());
            self.beginning.extend_from_slice(&bytes[..more]);
            return self.beginning.len() < BEGINNING || self.kind.begins(&self.beginning);
        }
        true
    }

    /// True if the whole file is of its kind.
    pub fn ends(&self) -> bool {
        self.broken.is_empty() && (self.kind.is_text() || self.kind.begins(&self.beginning))
    }

    fn is_utf_8(&mut self, mut bytes: &[u8]) -> bool {
        while let (false, Some((first, rest))) = (self.broken.is_empty(), bytes.split_first()) {
            self.broken.push(*first);
            bytes = rest;
            match std::str::from_utf8(&self.broken) {
                Ok(_) => self.broken.clear(),
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        match std::str::from_utf8(bytes) {
            Ok(_) => true,
            Err(error) => {
                self.broken.extend_from_slice(&bytes[error.valid_up_to()..]);
                error.error_len().is_none()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is(kind: FileKind, pieces: &[&[u8]]) -> bool {
        let mut looker = Looker::new(kind);
        pieces.iter().all(|piece| looker.goes_on(piece)) && looker.ends()
    }

    #[test]
    fn a_file_is_what_its_first_bytes_say() {
        assert!(is(FileKind::Png, &[b"\x89PN", b"G\r\n\x1a\n....rest"]));
        assert!(is(FileKind::Webp, &[b"RIFF1234WEBPVP8 "]) && is(FileKind::Pdf, &[b"%PDF-1.7 and more"]));
        assert!(is(FileKind::Gif, &[b"GIF89a"]), "a short one is looked at in the end");
        for kind in [FileKind::Png, FileKind::Jpeg, FileKind::Gif, FileKind::Webp, FileKind::Pdf] {
            assert!(!is(kind, &[b"<svg xmlns='x'></svg>"]) && !is(kind, &[]), "{kind}");
        }
        assert!(
            !is(FileKind::Plain, &[b"a\0b"]) && !is(FileKind::Csv, &[b"\xff"]) && !is(FileKind::Json, &[b"caf\xc3"])
        );
        assert!(is(FileKind::Markdown, &[b"caf\xc3", b"\xa9"]) && is(FileKind::Plain, &[]));
    }

    #[test]
    fn kinds_are_named_with_and_without_parameters_and_others_are_none() {
        assert_eq!(FileKind::named(Some("Text/Plain; charset=utf-8")), Some(FileKind::Plain));
        assert_eq!(FileKind::named(None), Some(FileKind::Plain));
        for other in ["text/html", "image/svg+xml", "application/octet-stream", "", "application/zip"] {
            assert_eq!(FileKind::named(Some(other)), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn text_is_utf_8_however_it_is_cut(bytes in prop::collection::vec(any::<u8>(), 0..40), text in any::<String>(), at in any::<usize>()) {
            for all in [bytes, text.replace('\0', "").into_bytes()] {
                let at = at % (all.len() + 1);
                let whole = !all.contains(&0) && std::str::from_utf8(&all).is_ok();
                prop_assert_eq!(is(FileKind::Plain, &[&all[..at], &all[at..]]), whole);
                prop_assert_eq!(is(FileKind::Plain, &all.chunks(1).collect::<Vec<_>>()), whole);
            }
        }
    }
}
