//! Parses `multipart/form-data` (RFC 7578) piece by piece, in bounded memory: it keeps the headers of one part, and
//! only as much content as could be the start of a boundary.

use std::fmt;

/// The most characters of a boundary (RFC 2046, section 5.1.1).
const BOUNDARY_CHARS: usize = 70;
/// The most bytes of one part's headers.
const HEADER_BYTES: usize = 8 * 1024;
/// The most parts of one body.
const PARTS: usize = 32;

/// Why a body is not `multipart/form-data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MalformedMultipart {
    /// It does not begin with its boundary.
    Start,
    /// A part's headers are too long, not well-formed, or name no field.
    Headers,
    /// There are too many parts.
    Parts,
    /// A boundary is followed by neither a line end nor the final dashes.
    Boundary,
    /// It ends before its last boundary.
    Truncated,
}

impl fmt::Display for MalformedMultipart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "the body does not begin with its boundary",
            Self::Headers => "the headers of a part are too long or malformed",
            Self::Parts => "the body has too many parts",
            Self::Boundary => "a boundary is malformed",
            Self::Truncated => "the body ends in the middle",
        })
    }
}

/// The headers of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartHead {
    /// The field's name.
    pub name: String,
    /// The file name as sent, if the part is a file.
    pub filename: Option<String>,
    /// The content type as sent.
    pub content_type: Option<String>,
}

/// An event of the parser.
#[derive(Debug, PartialEq, Eq)]
pub enum MultipartEvent<'a> {
    /// A part begins.
    Part(PartHead),
    /// Bytes of the part's content, never empty.
    Data(&'a [u8]),
    /// The part ends.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first boundary.
    Start,
    /// Right after a boundary.
    Boundary,
    Headers,
    Content,
    /// After the last boundary: the rest is ignored.
    Done,
}

/// The parser of one body.
#[derive(Debug)]
pub struct Multipart {
    /// A line end, two dashes and the boundary.
    delimiter: Vec<u8>,
    state: State,
    /// Bytes that were fed and are not parsed yet.
    rest: Vec<u8>,
    parts: usize,
}

impl Multipart {
    /// A parser for a body of this `Content-Type`; `None` if that is not `multipart/form-data` with a boundary.
    pub fn new(content_type: &str) -> Option<Self> {
        let (media, parameters) = content_type.split_once(';')?;
        if !media.trim().eq_ignore_ascii_case("multipart/form-data") {
            return None;
        }
        let boundary = parameters_of(parameters)?.into_iter().find(|(name, _)| name == "boundary")?.1;
        let sound = |b: u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&b);
        let good = (1..=BOUNDARY_CHARS).contains(&boundary.len()) && boundary.bytes().all(sound);
        if !good || boundary.ends_with(' ') {
            return None;
        }
        // No line comes before the first boundary, so its line end is added here.
        let rest = b"\r\n".to_vec();
        Some(Self { delimiter: format!("\r\n--{boundary}").into_bytes(), state: State::Start, rest, parts: 0 })
    }

    /// Parses more bytes and passes each event to `on`, which may stop it with an error of its own.
    ///
    /// # Errors
    /// A [`MalformedMultipart`] if the body is malformed, or the error of `on`.
    pub fn feed<E: From<MalformedMultipart>>(
        &mut self,
        bytes: &[u8],
        on: &mut impl FnMut(MultipartEvent<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let mut at = 0;
        loop {
            let used = match self.state {
                State::Start => self.start(&all[at..])?,
                State::Boundary => self.boundary(&all[at..])?,
                State::Headers => self.headers(&all[at..], on)?,
                State::Content => self.content(&all[at..], on)?,
                State::Done => Some(all.len() - at),
            };
            match used {
                Some(used) => at += used,
                None => break,
            }
            if at == all.len() {
                break;
            }
        }
        all.drain(..at);
        self.rest = all;
        Ok(())
    }

    /// Ends the body.
    ///
    /// # Errors
    /// [`MalformedMultipart::Truncated`] if the last boundary is missing.
    pub fn finish(&self) -> Result<(), MalformedMultipart> {
        if self.state == State::Done { Ok(()) } else { Err(MalformedMultipart::Truncated) }
    }

    /// Returns the number of bytes used; `None` if it needs more.
    fn start(&mut self, bytes: &[u8]) -> Result<Option<usize>, MalformedMultipart> {
        let common = bytes.len().min(self.delimiter.len());
        if bytes[..common] != self.delimiter[..common] {
            return Err(MalformedMultipart::Start);
        }
        if common < self.delimiter.len() {
            return Ok(None);
        }
        self.state = State::Boundary;
        Ok(Some(common))
    }

    fn boundary(&mut self, bytes: &[u8]) -> Result<Option<usize>, MalformedMultipart> {
        // Blanks are allowed between a boundary and its line end.
        let blanks = bytes.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        if blanks > BOUNDARY_CHARS {
            return Err(MalformedMultipart::Boundary);
        }
        match &bytes[blanks..] {
            [b'-', b'-', ..] if blanks == 0 => {
                self.state = State::Done;
                Ok(Some(2))
            }
            [b'\r', b'\n', ..] => {
                self.parts += 1;
                if self.parts > PARTS {
                    return Err(MalformedMultipart::Parts);
                }
                self.state = State::Headers;
                Ok(Some(blanks + 2))
            }
            [] | [b'\r'] => Ok(None),
            [b'-'] if blanks == 0 => Ok(None),
            _ => Err(MalformedMultipart::Boundary),
        }
    }

    fn headers<E: From<MalformedMultipart>>(
        &mut self,
        bytes: &[u8],
        on: &mut impl FnMut(MultipartEvent<'_>) -> Result<(), E>,
    ) -> Result<Option<usize>, E> {
        let window = &bytes[..bytes.len().min(HEADER_BYTES)];
        let Some(end) = window.windows(4).position(|four| four == b"\r\n\r\n") else {
            return if window.len() == HEADER_BYTES { Err(MalformedMultipart::Headers.into()) } else { Ok(None) };
        };
        let head = std::str::from_utf8(&window[..end]).ok().and_then(part_head).ok_or(MalformedMultipart::Headers)?;
        on(MultipartEvent::Part(head))?;
        self.state = State::Content;
        Ok(Some(end + 4))
    }

    fn content<E: From<MalformedMultipart>>(
        &mut self,
        bytes: &[u8],
        on: &mut impl FnMut(MultipartEvent<'_>) -> Result<(), E>,
    ) -> Result<Option<usize>, E> {
        let (data, found) = self.scan(bytes);
        if data > 0 {
            on(MultipartEvent::Data(&bytes[..data]))?;
        }
        if found {
            on(MultipartEvent::End)?;
            self.state = State::Boundary;
            return Ok(Some(data + self.delimiter.len()));
        }
        Ok((data > 0).then_some(data))
    }

    /// Returns the number of bytes that are certainly content, and whether the delimiter follows.
    fn scan(&self, bytes: &[u8]) -> (usize, bool) {
        let mut from = 0;
        while let Some(at) = bytes[from..].iter().position(|b| *b == b'\r').map(|at| from + at) {
            let common = (bytes.len() - at).min(self.delimiter.len());
            if bytes[at..at + common] == self.delimiter[..common] {
                return (at, common == self.delimiter.len());
            }
            from = at + 1;
        }
        (bytes.len(), false)
    }
}

/// Parses a part's headers.
fn part_head(text: &str) -> Option<PartHead> {
    let (mut disposition, mut content_type) = (None, None);
    for line in text.split("\r\n") {
        let (name, value) = line.split_once(':')?;
        if line.contains(['\r', '\n', '\0']) {
            return None;
        }
        match name.to_ascii_lowercase().as_str() {
            "content-disposition" if disposition.is_none() => disposition = Some(value.trim()),
            "content-type" if content_type.is_none() => content_type = Some(value.trim().to_owned()),
            "content-disposition" | "content-type" => return None,
            _ => {}
        }
    }
    let (kind, parameters) = disposition?.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return None;
    }
    let parameters = parameters_of(parameters)?;
    let find = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    let extended = find("filename*").as_deref().and_then(extended);
    Some(PartHead { name: find("name")?, filename: extended.or_else(|| find("filename")), content_type })
}

/// Parses `; name=value; name="quoted value"`, with names in lower case; `None` if it is malformed.
fn parameters_of(text: &str) -> Option<Vec<(String, String)>> {
    let mut all = Vec::new();
    let mut rest = text.trim_start_matches([' ', '\t', ';']);
    while !rest.is_empty() {
        let (name, value) = rest.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        let (value, behind) = match value.trim_start().strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = value.find(';').unwrap_or(value.len());
                (value[..end].trim().to_owned(), &value[end..])
            }
        };
        if name.is_empty() || all.len() >= 16 {
            return None;
        }
        all.push((name, value));
        let behind = behind.trim_start();
        if !behind.is_empty() && !behind.starts_with(';') {
            return None;
        }
        rest = behind.trim_start_matches([' ', '\t', ';']);
    }
    Some(all)
}

/// Returns a quoted text without its quotes, and the text after it. Browsers put a backslash only before a quote.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' if chars.peek().is_some_and(|(_, next)| *next == '"') => {
                value.push('"');
                chars.next();
            }
            c => value.push(c),
        }
    }
    None
}

/// Decodes `UTF-8''percent-encoded` (RFC 8187).
fn extended(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_, encoded) = rest.split_once('\'')?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    percent_encoding::percent_decode_str(encoded).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests;
