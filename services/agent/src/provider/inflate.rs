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
    /// Appends the bytes behind these; where they make no sense, those before that place.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::Begin if bytes.is_empty() => Ok(()),
            Self::Begin if bytes == [GZIP[0]] => {
                *self = Self::First;
                Ok(())
            }
            Self::Begin => self.begin(bytes, out),
            Self::First => self.begin(&[&GZIP[..1], bytes].concat(), out),
            Self::Plain => {
                out.extend_from_slice(bytes);
                Ok(())
            }
            Self::Gzip(decoder) => {
                // One by one, because a decoder that fails keeps to itself what the same bytes said before the place: how much
                // that is would be how the network cut them.
                let unpacked = bytes.iter().try_for_each(|byte| decoder.write_all(&[*byte]));
                let unpacked = unpacked.and_then(|()| decoder.flush());
                out.append(decoder.get_mut());
                unpacked
            }
        }
    }

    fn begin(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        *self = if bytes.starts_with(&GZIP) {
            Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))
        } else {
            Self::Plain
        };
        self.push(bytes, out)
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn read(body: &[u8], piece: usize) -> (Vec<u8>, bool) {
        let (mut inflate, mut out) = (Inflate::default(), Vec::new());
        let mut pieces = body.chunks(piece);
        let is_whole = pieces.all(|piece| inflate.push(piece, &mut out).is_ok());
        (out, is_whole)
    }

    fn pack(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_compressed_body_is_read_however_it_is_cut_and_another_is_left_as_it_is() {
        let text = "data: {\"a\":1}\n\n".repeat(20);
        let packed = pack(&text);

        for piece in [1, 2, 7, packed.len()] {
            assert_eq!(read(&packed, piece), (text.clone().into_bytes(), true), "{piece}");
            assert_eq!(
                read(text.as_bytes(), piece),
                (text.clone().into_bytes(), true),
                "{piece}"
            );
        }
    }

    #[test]
    fn what_was_packed_before_the_place_that_makes_no_sense_is_read_however_it_is_cut() {
        let text = "data: {\"a\":1}\n\n".repeat(20);
        // What follows begins as another packed part and is none.
        let broken = [
            pack(&text).as_slice(),
            &[0x1f, 0x8b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ]
        .concat();

        for piece in [1, 2, 3, 7, 64, broken.len()] {
            assert_eq!(
                read(&broken, piece),
                (text.clone().into_bytes(), false),
                "{piece}"
            );
        }
        let nothing = [0x1f, 0x8b, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(read(&nothing, 3), (Vec::new(), false));
    }
}
