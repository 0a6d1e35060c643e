//! Cuts a body into gRPC messages: a compression flag, a length of four bytes, and so many bytes (gRPC over HTTP/2). Data
//! frames begin and end anywhere.

use bytes::{Bytes, BytesMut};
use tonic::Status;

use super::{compressed, cut_short, invalid};
use crate::server::MESSAGE_BYTES_MAX;

/// The bytes before a message.
pub(super) const PREFIX_BYTES: usize = 5;

#[derive(Debug, Default)]
pub(super) struct Messages {
    /// What is left of the last data frame.
    data: Bytes,
    /// A message that began in an earlier one. Grows as its bytes come, not as its prefix promises.
    begun: BytesMut,
}

impl Messages {
    /// Takes a data frame in. Only once [`Messages::next`] has nothing left.
    pub(super) fn feed(&mut self, data: Bytes) {
        debug_assert!(
            self.data.is_empty(),
            "a data frame is read to its end before the next one"
        );
        self.data = data;
    }

    /// The next whole message, with its prefix.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Status> {
        if self.begun.is_empty() {
            // Nearly always: a message that lies within one data frame is handed on as it is.
            match length(&self.data)? {
                Some(length) if length <= self.data.len() => return Ok(Some(self.data.split_to(length))),
                _ => {}
            }
        }
        self.take(PREFIX_BYTES);
        let Some(length) = length(&self.begun)? else {
            return Ok(None);
        };
        self.take(length);
        Ok((self.begun.len() == length).then(|| self.begun.split().freeze()))
    }

    /// Says whether the body may end here.
    pub(super) fn end(&self) -> Result<(), Status> {
        if self.begun.is_empty() {
            Ok(())
        } else {
            Err(cut_short())
        }
    }

    #[cfg(test)]
    pub(super) fn reserved(&self) -> usize {
        self.begun.capacity()
    }

    /// Moves bytes from the data frame until the message has so many.
    fn take(&mut self, total: usize) {
        let missing = total.saturating_sub(self.begun.len()).min(self.data.len());
        self.begun.extend_from_slice(&self.data.split_to(missing));
    }
}

/// How long a message is with its prefix; `None` while that is not whole.
fn length(bytes: &[u8]) -> Result<Option<usize>, Status> {
    let Some((flag, length)) = bytes.get(..PREFIX_BYTES).and_then(<[u8]>::split_first) else {
        return Ok(None);
    };
    match flag {
        0 => {}
        1 => return Err(compressed("an encoding that the call does not name")),
        _ => {
            return Err(invalid(
                "the request is not gRPC: a message begins with an unknown flag",
            ));
        }
    }
    let length = length.try_into().map_or(u32::MAX, u32::from_be_bytes);
    match usize::try_from(length) {
        Ok(length) if length <= MESSAGE_BYTES_MAX => Ok(Some(PREFIX_BYTES + length)),
        _ => Err(invalid(format!(
            "a message of {length} bytes is larger than {} MiB",
            MESSAGE_BYTES_MAX / (1024 * 1024)
        ))),
    }
}
