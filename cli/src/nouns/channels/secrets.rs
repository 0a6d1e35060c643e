//! The files that secrets of an account are kept in. References are read with the document, and a document that did not change is not
//! read anew: so another secret goes into another file, and the document names that one.

use std::{
    fs,
    path::{Path, PathBuf},
};

use gatehouse_core::Secret;
use serde_json::Value;

use crate::setup::write;

/// Behind the name of the file, where the document names the one without it.
const OTHER: &str = ".2";

/// A secret with the file that it goes into.
pub(super) struct Placed {
    pub(super) name: String,
    pub(super) secret: Secret,
    /// The file that the document names for it until now, where that is one of these.
    before: Option<PathBuf>,
}

impl Placed {
    /// `name`: the file's, as a rule. `now`: what stands in the document in place of the secret.
    pub(super) fn of(name: String, value: &str, now: Option<&Value>) -> Self {
        let named = now.and_then(|now| now.get("path")).and_then(Value::as_str);
        let file = |path: &&str| Path::new(path).file_name().is_some_and(|file| file == &*name);
        let other = format!("{name}{OTHER}");
        let is_other = |path: &&str| Path::new(path).file_name().is_some_and(|file| file == &*other);
        let before = named.filter(|path| file(path) || is_other(path));
        let is_same =
            before.is_some_and(|path| fs::read_to_string(path).is_ok_and(|kept| kept.trim() == value));
        let takes_other = before.is_some_and(|path| is_other(&path) == is_same);
        Self {
            name: if takes_other { other } else { name },
            secret: Secret::new(value),
            before: before.filter(|_| !is_same).map(PathBuf::from),
        }
    }

    /// Whether the document names another file from now on.
    pub(super) fn moves(&self) -> bool {
        self.before.is_some()
    }

    /// An earlier document names the other file: restored, it means the secret that is good. Nobody keeps one that is not.
    pub(super) fn follow(&self) {
        if let Some(before) = &self.before {
            let _ = write::replace(before, self.secret.expose().as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn another_secret_goes_into_another_file_and_the_one_before_follows() {
        let folder = tempfile::tempdir().unwrap();
        let place = |value: &str, now: &str| {
            let now = json!({"source": "file", "path": folder.path().join(now)});
            Placed::of("telegram-default.botToken".to_owned(), value, Some(&now))
        };
        let (first, second) = ("telegram-default.botToken", "telegram-default.botToken.2");
        fs::write(folder.path().join(first), "old\n").unwrap();
        fs::write(folder.path().join(second), "old\n").unwrap();

        assert_eq!(Placed::of(first.to_owned(), "new", None).name, first);
        assert_eq!(place("new", "elsewhere").name, first);
        assert!(!place("new", "elsewhere").moves());
        for (value, now, wanted) in [
            ("new", first, second),
            ("new", second, first),
            ("old", first, first),
            ("old", second, second),
        ] {
            let placed = place(value, now);
            assert_eq!(
                (placed.name.as_str(), placed.moves()),
                (wanted, value == "new"),
                "{value} {now}"
            );
        }

        place("new", first).follow();
        assert_eq!(
            fs::read_to_string(folder.path().join(first)).unwrap().trim(),
            "new"
        );
    }
}
