//! A text that the replies to many requests share. The parts that differ stand before and after it, so that the text is
//! compressed once and never copied more than once.

use std::sync::OnceLock;

use flate2::{Compress, Compression, Crc, FlushCompress};
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue, VARY};
use hyper::http::StatusCode;

use crate::rest::document::{GZIP_HEAD, takes_gzip};
use crate::rest::reply::Reply;

/// The text, and its compressed form after the first request for it.
#[derive(Debug, Default)]
pub struct Packed {
    text: String,
    deflated: OnceLock<Option<Deflated>>,
}

/// DEFLATE blocks that end on a byte boundary and are not the last ones.
#[derive(Debug)]
struct Deflated {
    bytes: Vec<u8>,
    crc: Crc,
}

impl Packed {
    /// Creates the packed form of this text.
    pub fn new(text: String) -> Self {
        Self { text, deflated: OnceLock::new() }
    }

    /// Returns a reply with this text between two short ones, compressed if the request accepts gzip.
    pub fn reply(&self, before: &str, behind: &str, request: &HeaderMap) -> Reply {
        let zipped = request.contains_key(ACCEPT_ENCODING) && takes_gzip(request);
        let zipped = if zipped { self.gzip(before, behind) } else { None };
        let is_zipped = zipped.is_some();
        let body = zipped.unwrap_or_else(|| [before, &self.text, behind].concat().into_bytes());
        let mut reply = Reply::typed(StatusCode::OK, "application/json", body);
        reply.headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if is_zipped {
            reply.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        reply
    }

    /// Returns the whole as a gzip file with uncompressed outer parts; `None` if an outer part is too long for one
    /// block.
    fn gzip(&self, before: &str, behind: &str) -> Option<Vec<u8>> {
        let deflated = self.deflated.get_or_init(|| deflate(self.text.as_bytes())).as_ref()?;
        let mut crc = Crc::new();
        crc.update(before.as_bytes());
        crc.combine(&deflated.crc);
        crc.update(behind.as_bytes());
        let room = before.len() + deflated.bytes.len() + behind.len() + 64;
        let mut file = Vec::with_capacity(room);
        file.extend(GZIP_HEAD);
        store(&mut file, before, false)?;
        file.extend(&deflated.bytes);
        store(&mut file, behind, true)?;
        file.extend(crc.sum().to_le_bytes());
        file.extend(crc.amount().to_le_bytes());
        Some(file)
    }
}

/// Compresses a text, so that another block can follow.
fn deflate(text: &[u8]) -> Option<Deflated> {
    let mut crc = Crc::new();
    crc.update(text);
    let mut zip = Compress::new(Compression::default(), false);
    // A text that cannot be compressed grows by a few bytes per block.
    let mut bytes = Vec::with_capacity(text.len() + text.len() / 100 + 64);
    zip.compress_vec(text, &mut bytes, FlushCompress::Sync).ok()?;
    let is_whole = zip.total_in() == text.len() as u64 && bytes.len() < bytes.capacity();
    is_whole.then_some(Deflated { bytes, crc })
}

/// Appends a block that is not compressed: at most 65,535 bytes (RFC 1951, section 3.2.4).
fn store(file: &mut Vec<u8>, text: &str, is_last: bool) -> Option<()> {
    let length = u16::try_from(text.len()).ok()?;
    file.push(u8::from(is_last));
    file.extend(length.to_le_bytes());
    file.extend((!length).to_le_bytes());
    file.extend(text.as_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    fn unzipped(file: &[u8]) -> String {
        let mut text = String::new();
        let mut decoder = GzDecoder::new(file);
        decoder.read_to_string(&mut text).unwrap();
        assert!(decoder.into_inner().is_empty(), "nothing stands behind the file");
        text
    }

    #[test]
    fn a_text_as_long_as_a_list_shrinks() {
        let packed = Packed::new("{\"name\":\"messages_send\"}".repeat(5_000));
        let file = packed.gzip("[", "]").unwrap();
        assert!(file.len() < packed.text.len() / 20);
        assert_eq!(unzipped(&file), format!("[{}]", packed.text));
        assert!(packed.gzip(&"x".repeat(65_535), "").is_some());
        assert!(packed.gzip(&"x".repeat(65_536), "").is_none(), "what is too long for a block is sent plain");
    }

    proptest! {
        #[test]
        fn a_file_holds_the_three_parts(before in "\\PC{0,40}", text in "\\PC{0,200}", behind in "\\PC{0,40}") {
            let packed = Packed::new(text.clone());
            for _ in 0..2 {
                prop_assert_eq!(unzipped(&packed.gzip(&before, &behind).unwrap()), format!("{before}{text}{behind}"));
            }
        }
    }
}
