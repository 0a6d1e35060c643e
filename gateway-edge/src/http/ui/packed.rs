//! Packed forms of files that have none beside them. Each is made once and kept, so that whoever asks for a large one again and again
//! costs nothing but the sending.

use std::{
    collections::{HashMap, VecDeque},
    fs::{File, Metadata},
    io::Write,
    os::unix::fs::{FileExt, MetadataExt},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

/// What is kept. The text files of the largest Control UI that is known take eight megabytes packed.
const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Smaller files fit into one packet anyway.
const FILE_BYTES_MIN: u64 = 1_024;

/// A larger one would hold up those who wait behind it, and keep out many others.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Whether a file of this size is packed.
pub(super) fn is_worth_it(length: u64) -> bool {
    (FILE_BYTES_MIN..=FILE_BYTES_MAX).contains(&length)
}

/// A content: inode, time of the last change, length.
type Key = (u64, i64, i64, u64);

#[derive(Debug, Default)]
pub(super) struct Packed {
    kept: Mutex<Kept>,
    /// One file is packed at a time: it takes a processor for a tenth of a second.
    turn: Mutex<()>,
}

#[derive(Debug, Default)]
struct Kept {
    files: HashMap<Key, Bytes>,
    /// In the order in which they came.
    order: VecDeque<Key>,
    bytes: usize,
}

impl Packed {
    /// The packed form of an open file. `None`: it cannot be read.
    pub(super) fn of(&self, file: &File, facts: &Metadata) -> Option<Bytes> {
        let key = (facts.ino(), facts.ctime(), facts.ctime_nsec(), facts.len());
        if let Some(packed) = self.kept(key) {
            return Some(packed);
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have packed it meanwhile.
        if let Some(packed) = self.kept(key) {
            return Some(packed);
        }
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        let mut piece = vec![0; 64 * 1024];
        let mut at = 0;
        loop {
            // By place, so that the file can be sent from its beginning.
            let count = file.read_at(&mut piece, at).ok()?;
            let read = piece.get(..count).filter(|read| !read.is_empty());
            let Some(read) = read else { break };
            at += u64::try_from(count).ok()?;
            packer.write_all(read).ok()?;
        }
        let packed = Bytes::from(packer.finish().ok()?);
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(key, &packed);
        Some(packed)
    }

    fn kept(&self, key: Key) -> Option<Bytes> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.files.get(&key).cloned()
    }
}

impl Kept {
    fn add(&mut self, key: Key, packed: &Bytes) {
        while self.bytes + packed.len() > KEPT_BYTES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            let gone = self.files.remove(&oldest);
            self.bytes -= gone.map_or(0, |gone| gone.len());
        }
        self.bytes += packed.len();
        self.order.push_back(key);
        self.files.insert(key, packed.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room_for_what_comes() {
        let mut kept = Kept::default();
        let packed = Bytes::from(vec![0; KEPT_BYTES_MAX / 4]);

        for n in 0..6 {
            kept.add((n, 0, 0, 0), &packed);
        }

        assert_eq!(kept.bytes, KEPT_BYTES_MAX);
        assert_eq!(kept.order, [2, 3, 4, 5].map(|n| (n, 0, 0, 0)));
    }
}
