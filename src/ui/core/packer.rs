//! Compresses pages. A compressor needs a third of a megabyte, and after it is freed the allocator keeps this memory
//! for the thread. So all workers share one, which is kept.

use std::sync::Mutex;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use crate::rest::document::GZIP_HEAD;
use crate::threads::lock;

static PACKER: Mutex<Option<Compress>> = Mutex::new(None);

/// Compresses a text to a gzip file. `None` if that fails; the text is then sent uncompressed.
pub(super) fn gzip(text: &[u8]) -> Option<Vec<u8>> {
    let mut crc = Crc::new();
    crc.update(text);
    let mut file = Vec::with_capacity(text.len() / 3 + 64);
    file.extend(GZIP_HEAD);
    deflate(text, &mut file)?;
    file.extend(crc.sum().to_le_bytes());
    file.extend(crc.amount().to_le_bytes());
    Some(file)
}

fn deflate(text: &[u8], file: &mut Vec<u8>) -> Option<()> {
    let mut packer = lock(&PACKER);
    let packer = packer.get_or_insert_with(|| Compress::new(Compression::fast(), false));
    packer.reset();
    loop {
        let taken = usize::try_from(packer.total_in()).ok()?;
        match packer.compress_vec(text.get(taken..)?, file, FlushCompress::Finish).ok()? {
            Status::StreamEnd => return Some(()),
            // The buffer is full.
            Status::Ok | Status::BufError => file.reserve(file.capacity().max(1024)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    fn unzipped(file: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        let mut decoder = GzDecoder::new(file);
        decoder.read_to_end(&mut text).unwrap();
        assert!(decoder.into_inner().is_empty(), "nothing stands behind the file");
        text
    }

    proptest! {
        // Random bytes do not shrink, so the file is longer than the reserved capacity.
        #[test]
        fn a_file_holds_the_text(text in proptest::collection::vec(any::<u8>(), 0..5000), times in 1_usize..40) {
            let text = text.repeat(times);
            prop_assert_eq!(unzipped(&gzip(&text).unwrap()), text);
        }
    }
}
