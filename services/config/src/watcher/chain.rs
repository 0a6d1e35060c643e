//! The way to a file, link by link.

use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    ffi::OsString,
    fs,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

/// Links on the way to a file: as many as the kernel follows.
const LINKS_MAX: usize = 40;

/// Everything on the way to some files whose change may be a change of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chain {
    /// Folders, and the name in each that leads on.
    names: BTreeSet<(PathBuf, OsString)>,
    /// The files at the end, those that are there.
    files: BTreeSet<PathBuf>,
    /// What stands under the folders' and files' names at the moment.
    nodes: Vec<(u64, u64)>,
}

impl Chain {
    pub(super) fn of(files: &[PathBuf]) -> Self {
        let mut chain = Self::default();
        for file in files {
            chain.walk(file);
        }
        let node = |path: &Path| fs::metadata(path).map_or((0, 0), |facts| (facts.dev(), facts.ino()));
        chain.nodes = chain.places().map(node).collect();
        chain
    }

    fn walk(&mut self, file: &Path) {
        let mut rest: VecDeque<PathBuf> = parts(file).collect();
        let mut here = PathBuf::from("/");
        let mut links = 0;
        while let Some(part) = rest.pop_front() {
            if part.has_root() {
                here = part;
                continue;
            }
            if part == Path::new("..") {
                here.pop();
                continue;
            }
            let path = here.join(&part);
            match fs::read_link(&path) {
                Ok(target) if links < LINKS_MAX => {
                    links += 1;
                    self.names.insert((here.clone(), part.into_os_string()));
                    for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
                        rest.push_front(part);
                    }
                }
                Ok(_) | Err(_) if rest.is_empty() => {
                    self.names.insert((here.clone(), part.into_os_string()));
                    if path.is_file() {
                        self.files.insert(path);
                    }
                }
                Ok(_) | Err(_) => here = path,
            }
        }
    }

    /// What has to be watched: the folders and the files.
    pub(super) fn places(&self) -> impl Iterator<Item = &Path> {
        let folders: BTreeSet<&Path> = self.names.iter().map(|(folder, _)| folder.as_path()).collect();
        folders.into_iter().chain(self.files.iter().map(PathBuf::as_path))
    }

    /// The names that events may concern us under.
    pub(super) fn names(&self) -> HashSet<PathBuf> {
        let names = self.names.iter().map(|(folder, name)| folder.join(name));
        names.chain(self.files.iter().cloned()).collect()
    }
}

/// The parts of a path, without those that lead nowhere.
fn parts(path: &Path) -> impl Iterator<Item = PathBuf> {
    path.components().filter_map(|part| match part {
        Component::CurDir => None,
        Component::RootDir | Component::ParentDir | Component::Normal(_) | Component::Prefix(_) => {
            Some(PathBuf::from(part.as_os_str()))
        }
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_link_on_the_way_is_watched_where_it_stands() {
        let home = tempfile::tempdir().expect("a folder");
        let root = fs::canonicalize(home.path()).expect("there");
        for folder in ["conf", "conf/..one", "dotfiles"] {
            fs::create_dir(root.join(folder)).expect("made");
        }
        fs::write(root.join("conf/..one/gatehouse.json5"), "{}").expect("written");
        symlink("..one", root.join("conf/..data")).expect("linked");
        symlink("..data/gatehouse.json5", root.join("conf/gatehouse.json5")).expect("linked");
        symlink("../conf/gatehouse.json5", root.join("dotfiles/g.json5")).expect("linked");

        let chain = Chain::of(&[root.join("dotfiles/g.json5")]);

        let places: Vec<_> = chain.places().map(Path::to_owned).collect();
        let expected = ["conf", "conf/..one", "dotfiles", "conf/..one/gatehouse.json5"];
        assert_eq!(places, expected.map(|place| root.join(place)));
        for name in [
            "dotfiles/g.json5",
            "conf/gatehouse.json5",
            "conf/..data",
            "conf/..one/gatehouse.json5",
        ] {
            assert!(chain.names().contains(&root.join(name)), "{name}");
        }
    }

    #[test]
    fn links_in_a_circle_and_files_that_are_not_there_come_to_an_end() {
        let home = tempfile::tempdir().expect("a folder");
        symlink("b", home.path().join("a")).expect("linked");
        symlink("a", home.path().join("b")).expect("linked");

        let chain = Chain::of(&[home.path().join("a"), home.path().join("none/file")]);

        assert!(chain.files.is_empty() && !chain.names.is_empty());
    }
}
