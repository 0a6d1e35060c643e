//! Where the gateway's own page stands, and what a path means to it.

use gatehouse_document::gateway::ControlUi;

use super::{Mount, Place};

/// Files that browsers know by one name for ever: what the worker rules, and where it starts, follows from its address.
pub(crate) const FIXED: [&str; 3] = ["sw.js", "manifest.webmanifest", "icon.svg"];

/// First segments of the places inside the page, as `web/views/shell.js` has them. Anything else is no place.
const PLACES: [&str; 4] = ["chat", "chats", "now", "gateway"];

/// The folder of the files of one version.
pub(crate) const ASSETS: &str = "assets";

/// Where the page stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnPage {
    base: Box<str>,
}

impl OwnPage {
    /// At the place of a Control UI where none is named, else at the root beside it. `None`: it is turned off, or the root is taken.
    pub(crate) fn of(config: &ControlUi, other: Option<&Mount>) -> Option<Self> {
        let base = match other {
            Some(mount) if mount.is_at_root() => return None,
            Some(_) => "",
            None => config
                .base_path
                .as_deref()
                .unwrap_or_default()
                .trim_end_matches('/'),
        };
        config.enabled.then(|| Self { base: base.into() })
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn is_at_root(&self) -> bool {
        self.base.is_empty()
    }

    /// What a path means. `None`: nothing of this page.
    pub(crate) fn place<'a>(&self, path: &'a str) -> Option<Place<'a>> {
        let rest = path.strip_prefix(&*self.base)?;
        if matches!(rest, "" | "/") {
            return Some(Place::Front);
        }
        let rest = rest.strip_prefix('/')?;
        let first = rest.split('/').next().unwrap_or_default();
        if PLACES.contains(&first) {
            return Some(Place::Inside);
        }
        (first == ASSETS || FIXED.contains(&rest)).then_some(Place::File(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(config: &str) -> Option<OwnPage> {
        let config: ControlUi = serde_json::from_str(config).unwrap();
        let other = Mount::of(&config, None);
        OwnPage::of(&config, other.as_ref())
    }

    #[test]
    fn it_stands_where_no_other_control_ui_does() {
        let base = |config: &str| own(config).map(|own| own.base.to_string());

        assert_eq!(base("{}").as_deref(), Some(""));
        assert_eq!(base(r#"{"basePath": "/claw/"}"#).as_deref(), Some("/claw"));
        assert_eq!(
            base(r#"{"root": "/srv", "basePath": "/claw"}"#).as_deref(),
            Some("")
        );
        assert_eq!(base(r#"{"root": "/srv"}"#), None, "the root is taken");
        assert_eq!(base(r#"{"enabled": false}"#), None);
    }

    #[test]
    fn a_path_is_the_front_a_place_or_a_file_and_anything_else_is_not_the_pages() {
        let root = own("{}").unwrap();

        assert_eq!(root.place("/"), Some(Place::Front));
        for inside in ["/chat/agent%3Amain%3Amain", "/now", "/gateway/devices", "/chats"] {
            assert_eq!(root.place(inside), Some(Place::Inside), "{inside}");
        }
        assert_eq!(root.place("/sw.js"), Some(Place::File("sw.js")));
        assert_eq!(
            root.place("/assets/0/main.js"),
            Some(Place::File("assets/0/main.js"))
        );
        for nothing in ["/nothing", "/chatter", "/main.js", "/rpc/health", "/api"] {
            assert_eq!(root.place(nothing), None, "{nothing}");
        }
        let below = own(r#"{"basePath": "/claw"}"#).unwrap();
        assert_eq!(below.place("/claw/now"), Some(Place::Inside));
        assert_eq!(below.place("/now"), None);
    }
}
