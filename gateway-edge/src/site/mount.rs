//! A Control UI, and what a path means to it.

use std::path::{Path, PathBuf};

use gatehouse_core::NamedFile;
use gatehouse_document::{PathInput, gateway::ControlUi};

use super::is_canonical;

/// First segments of a path that are never a place inside the program: programs ask there, and a page in place of an answer would
/// mislead them.
const RESERVED: [&str; 16] = [
    "api",
    "avatar",
    "health",
    "healthz",
    "hooks",
    "media",
    "metrics",
    "plugins",
    "ready",
    "readyz",
    "rpc",
    "startupz",
    "tools",
    "v1",
    "webhooks",
    "__openclaw__",
];

/// The longest path of a place: a session's key in it has at most 512 characters, each up to twelve bytes as an escape.
const PLACE_BYTES_MAX: usize = 8 * 1024;

/// A Control UI and where on the origin it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    root: PathBuf,
    /// The folder that the root may not leave, for a root that was not written by hand.
    within: Option<PathBuf>,
    /// Empty, or a path without a slash at its end.
    base: Box<str>,
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// The address of the program itself.
    Front,
    /// A place inside it.
    Inside,
    /// A file, by its name below the root; a place inside when there is none.
    File(&'a str),
}

impl Mount {
    /// What the configuration says; `root` was named at the start and goes before it.
    pub(crate) fn of(config: &ControlUi, root: Option<&Path>) -> Option<Self> {
        let base = config.base_path.as_deref().unwrap_or_default();
        let base = base.trim_end_matches('/').into();
        let (root, within) = match (root, &config.root) {
            (Some(root), _) => (root.to_owned(), None),
            (None, _) if !config.enabled => return None,
            (None, Some(PathInput::Whole { path, within })) => (path.clone(), within.clone()),
            (None, Some(PathInput::Written(path))) => (path.into(), None),
            (None, None) => return None,
        };
        Some(Self { root, within, base })
    }

    pub(crate) fn is_at_root(&self) -> bool {
        self.base.is_empty()
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// What a path means. `None`: nothing here.
    pub(crate) fn place<'a>(&self, path: &'a str) -> Option<Place<'a>> {
        let rest = path.strip_prefix(&*self.base)?;
        if matches!(rest, "" | "/" | "/index.html") {
            return Some(Place::Front);
        }
        let rest = rest.strip_prefix('/')?;
        let first = rest.split('/').next().unwrap_or_default();
        if RESERVED.iter().any(|name| first.eq_ignore_ascii_case(name)) || path.len() > PLACE_BYTES_MAX {
            return None;
        }
        // Hidden files are nobody's business, and no honest program asks for a step up.
        if rest.split('/').any(|segment| segment.starts_with('.')) {
            return None;
        }
        // What has two forms is no file of ours.
        let is_name = is_canonical(path);
        Some(if is_name { Place::File(rest) } else { Place::Inside })
    }

    /// A file below the root, which no link leads out of.
    pub(crate) fn file(&self, name: &str) -> Option<NamedFile> {
        // The root itself may be a link, as package managers make them; what is below it is resolved beneath where that leads.
        let root = std::fs::canonicalize(&self.root).ok()?;
        if let Some(within) = &self.within {
            let within = std::fs::canonicalize(within).ok()?;
            if !root.starts_with(within) {
                return None;
            }
        }
        NamedFile::within(&root.join(name), &root)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(base: &str) -> Mount {
        let config = ControlUi {
            base_path: Some(base.to_owned()),
            ..ControlUi::default()
        };
        Mount::of(&config, Some(Path::new("/srv/ui"))).unwrap()
    }

    #[test]
    fn a_path_is_the_front_a_file_or_a_place_inside() {
        let root = mount("");

        for front in ["/", "/index.html"] {
            assert_eq!(root.place(front), Some(Place::Front));
        }
        assert_eq!(root.place("/assets/a-1.js"), Some(Place::File("assets/a-1.js")));
        for inside in ["/chat/main/", "/chat/agent%3Amain%3Amain", "//x"] {
            assert_eq!(root.place(inside), Some(Place::Inside), "{inside}");
        }
        for nothing in [
            "/api/x",
            "/v1/models",
            "/rpc/health",
            "/__openclaw__/x",
            "/API/x",
            "/webhooks/x/y",
            "/.git/config",
            "/a/../b",
        ] {
            assert_eq!(root.place(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn below_a_base_path_nothing_else_of_the_origin_is_taken() {
        let below = mount("/claw/");

        for front in ["/claw", "/claw/"] {
            assert_eq!(below.place(front), Some(Place::Front), "{front}");
        }
        assert_eq!(below.place("/claw/chat/main"), Some(Place::File("chat/main")));
        for nothing in ["/", "/chat", "/clawx", "/claws/chat"] {
            assert_eq!(below.place(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn an_operator_who_names_no_folder_or_turns_it_off_serves_none() {
        let named = |enabled| ControlUi {
            enabled,
            root: Some(PathInput::Written("/srv/ui".to_owned())),
            ..ControlUi::default()
        };

        assert_eq!(Mount::of(&ControlUi::default(), None), None);
        assert_eq!(Mount::of(&named(false), None), None);
        assert!(Mount::of(&named(true), None).is_some());
        assert!(
            Mount::of(&named(false), Some(Path::new("/opt/ui"))).is_some(),
            "said at the start"
        );
    }
}
