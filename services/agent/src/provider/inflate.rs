//! Bodies that were compressed although nobody asked for it. They are known by how they begin; what the header says is not needed.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

/// How gzip begins (RFC 1952, 2.3.1), which no text does.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A body on its way in.
#[derive(Debug, Default)]
pub(crate) enum Inflate {
    /// The first byte may be half of a mark.
    #[default]
    Begin,
    First,
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
}

impl Inflate {
    /// The bytes behind these.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Begin if bytes.is_empty() => Ok(Vec::new()),
            Self::Begin if bytes == [GZIP[0]] => {
                *self = Self::First;
                Ok(Vec::new())
            }
            Self::Begin => self.begin(bytes.to_vec()),
            Self::First => self.begin([&GZIP[..1], bytes].concat()),
            Self::Plain => Ok(bytes.to_vec()),
            Self::Gzip(decoder) => {
                decoder.write_all(bytes)?;
                decoder.flush()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
        }
    }

    fn begin(&mut self, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        if bytes.starts_with(&GZIP) {
            *self = Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new())));
            self.push(&bytes)
        } else {
            *self = Self::Plain;
            Ok(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn read(body: &[u8], piece: usize) -> io::Result<Vec<u8>> {
        let mut inflate = Inflate::default();
        let pieces = body.chunks(piece).map(|piece| inflate.push(piece));
        Ok(pieces.collect::<io::Result<Vec<_>>>()?.concat())
    }

    #[test]
    fn a_compressed_body_is_read_however_it_is_cut_and_another_is_left_as_it_is() {
        let text = "data: {\"a\":1}\n\n".repeat(20);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        let packed = encoder.finish().unwrap();

        for piece in [1, 2, 7, packed.len()] {
            assert_eq!(read(&packed, piece).unwrap(), text.as_bytes(), "{piece}");
            assert_eq!(read(text.as_bytes(), piece).unwrap(), text.as_bytes(), "{piece}");
        }
        assert!(read(&[0x1f, 0x8b, 0, 0, 0, 0, 0, 0, 0, 0, 0], 3).is_err());
    }
}
