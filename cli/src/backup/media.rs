//! The files beside the session service's database, and how many of them a backup takes.

use std::{fmt, io::Write};

use gatehouse_core::Home;
use gatehouse_proto::backup::v1::FileKind;

use super::{
    archive::{self, Archive},
    send, unwritable,
};
use crate::exit::{Exit, Failed};

/// Bytes of media in one backup: what the session service keeps at most.
const MEDIA_BYTES_MAX: u64 = 10 * 1024 * 1024 * 1024;

/// Media in one backup: their names are all in its manifest, which a restore reads as a whole.
const MEDIA_MAX: u64 = 400_000;

/// What was taken of the files.
#[derive(Debug)]
pub(super) struct Taken {
    without_media: bool,
    media: u64,
    bytes: u64,
}

impl Taken {
    pub(super) fn new(without_media: bool) -> Self {
        Self {
            without_media,
            media: 0,
            bytes: 0,
        }
    }

    pub(super) fn kinds(&self) -> Vec<FileKind> {
        let media = (!self.without_media).then_some(FileKind::Medium);
        media.into_iter().chain([FileKind::Workspace]).collect()
    }

    /// The name of a file in the archive, if there is room for it.
    pub(super) fn admit(&mut self, kind: FileKind, name: &str, bytes: u64) -> Result<String, Failed> {
        if kind != FileKind::Medium {
            return Ok(format!("{}{name}", archive::WORKSPACES));
        }
        self.media += 1;
        self.bytes += bytes;
        if self.media > MEDIA_MAX || self.bytes > MEDIA_BYTES_MAX {
            let told = format!(
                "there are more than {MEDIA_MAX} media, or more than {} GiB of them",
                MEDIA_BYTES_MAX >> 30
            );
            let next = "take the backup with --without-media, and copy session/media/ beside it: a file there is never changed";
            return Err(Failed::new(Exit::Failed, told).next(next));
        }
        Ok(format!("{}{name}", archive::MEDIA))
    }

    /// Those of a gateway that does not run.
    pub(super) fn add_from_disk<W: Write>(
        &mut self,
        home: &Home,
        archive: &mut Archive<W>,
    ) -> Result<(), Failed> {
        for kind in self.kinds() {
            for opened in gatehouse_session::backup::list(home, kind) {
                let mut opened = opened.map_err(unwritable)?;
                let bytes = opened.file.metadata().map_err(unwritable)?.len();
                let name = self.admit(kind, &opened.name, bytes)?;
                send(archive, &name, &mut opened.file).map_err(unwritable)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.without_media {
            return f.write_str("without media");
        }
        write!(f, "{} media ({} KiB)", self.media, self.bytes.div_ceil(1024))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_media_than_a_backup_holds_are_refused_with_what_to_do() {
        let mut taken = Taken::new(false);
        let name = taken.admit(FileKind::Medium, "ab", MEDIA_BYTES_MAX).unwrap();
        assert_eq!(name, "session/media/ab");

        let refused = taken.admit(FileKind::Medium, "cd", 1).unwrap_err();

        assert!(refused.message.contains("10 GiB"), "{}", refused.message);
        assert_eq!(
            taken.admit(FileKind::Workspace, "main/SOUL.md", 1).unwrap(),
            "session/workspace/main/SOUL.md"
        );
        assert_eq!(Taken::new(true).kinds(), [FileKind::Workspace]);
    }
}
