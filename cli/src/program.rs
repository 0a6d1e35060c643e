//! Where this program is, also after an upgrade put another file in its place.

use std::{
    env,
    ffi::OsStr,
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// What the kernel puts behind the name of a file that is there no longer.
const GONE: &[u8] = b" (deleted)";

/// The path of this program. Of one that was replaced while it ran, that of the new file: whoever starts it again means that one.
pub(crate) fn path() -> io::Result<PathBuf> {
    env::current_exe().map(|path| in_place_of(&path).unwrap_or(path))
}

fn in_place_of(path: &Path) -> Option<PathBuf> {
    let before = path.as_os_str().as_bytes().strip_suffix(GONE)?;
    let new = PathBuf::from(OsStr::from_bytes(before));
    (!path.exists() && new.exists()).then_some(new)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_was_replaced_is_found_at_its_place_and_a_strange_name_is_only_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let (place, gone) = (
            folder.path().join("gatehouse"),
            folder.path().join("gatehouse (deleted)"),
        );

        assert_eq!(in_place_of(&gone), None, "nothing is there");
        fs::write(&place, "").unwrap();
        assert_eq!(in_place_of(&gone), Some(place.clone()));
        assert_eq!(in_place_of(&place), None);
        fs::write(&gone, "").unwrap();
        assert_eq!(in_place_of(&gone), None, "somebody calls a file so");
    }
}
