//! The head of a frame from the server: never masked, never fragmented.

/// The longest head: two bytes and a 64-bit length.
pub(crate) const HEAD_MAX: usize = 10;

/// The head of one frame, kept inline.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    bytes: [u8; HEAD_MAX],
    len: u8,
}

impl Head {
    /// The head of a whole message with this opcode and payload length.
    pub(crate) fn new(opcode: u8, payload: usize) -> Self {
        let mut bytes = [0; HEAD_MAX];
        bytes[0] = 0x80 | opcode;
        let len = match (u8::try_from(payload), u16::try_from(payload)) {
            (Ok(short), _) if short < 126 => {
                bytes[1] = short;
                2
            }
            (_, Ok(medium)) => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&medium.to_be_bytes());
                4
            }
            (_, Err(_)) => {
                bytes[1] = 127;
                bytes[2..10].copy_from_slice(&u64::try_from(payload).unwrap_or(u64::MAX).to_be_bytes());
                10
            }
        };
        Self { bytes, len }
    }

    /// The bytes to send.
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_takes_7_16_or_64_bits() {
        let head = |len| Head::new(super::super::opcode::TEXT, len).as_slice().to_vec();

        assert_eq!(head(0), [0x81, 0]);
        assert_eq!(head(125), [0x81, 125]);
        assert_eq!(head(126), [0x81, 126, 0, 126]);
        assert_eq!(head(65_535), [0x81, 126, 0xff, 0xff]);
        assert_eq!(head(65_536), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
