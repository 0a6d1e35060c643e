//! What a file is, by its name.

/// A kind of file that a built program consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) mime: &'static str,
    /// Whether it becomes smaller when it is packed.
    pub(super) packs: bool,
}

const fn text(mime: &'static str) -> Kind {
    Kind { mime, packs: true }
}

const fn packed(mime: &'static str) -> Kind {
    Kind { mime, packs: false }
}

/// By the ending of the name (IANA media types).
const KINDS: &[(&str, Kind)] = &[
    ("html", text("text/html; charset=utf-8")),
    ("js", text("text/javascript; charset=utf-8")),
    ("mjs", text("text/javascript; charset=utf-8")),
    ("css", text("text/css; charset=utf-8")),
    ("json", text("application/json")),
    ("map", text("application/json")),
    ("webmanifest", text("application/manifest+json")),
    ("svg", text("image/svg+xml")),
    ("txt", text("text/plain; charset=utf-8")),
    ("md", text("text/markdown; charset=utf-8")),
    ("xml", text("application/xml")),
    ("wasm", text("application/wasm")),
    ("ico", text("image/vnd.microsoft.icon")),
    ("ttf", text("font/ttf")),
    ("otf", text("font/otf")),
    ("woff", packed("font/woff")),
    ("woff2", packed("font/woff2")),
    ("png", packed("image/png")),
    ("jpg", packed("image/jpeg")),
    ("jpeg", packed("image/jpeg")),
    ("gif", packed("image/gif")),
    ("webp", packed("image/webp")),
    ("avif", packed("image/avif")),
    ("mp3", packed("audio/mpeg")),
    ("ogg", packed("audio/ogg")),
    ("wav", packed("audio/wav")),
    ("mp4", packed("video/mp4")),
    ("webm", packed("video/webm")),
    ("pdf", packed("application/pdf")),
    ("gz", packed("application/gzip")),
    ("br", packed("application/octet-stream")),
];

/// A file whose ending says nothing.
pub(super) const UNKNOWN: Kind = packed("application/octet-stream");

/// Digits of a digest in a name: the fewest that build tools write.
const DIGEST_MIN: usize = 8;

/// Folders in which build tools put what they name by its content.
const BUILT: [&str; 4] = ["assets", "static", "_app", "chunks"];

impl Kind {
    /// `None`: the name is not that of a file, as far as one can see.
    pub(super) fn of(name: &str) -> Option<Self> {
        let (_, ending) = name.rsplit('/').next()?.rsplit_once('.')?;
        let ending = ending.to_ascii_lowercase();
        KINDS
            .iter()
            .find(|(known, _)| *known == ending)
            .map(|(_, kind)| *kind)
    }
}

/// Whether a file is named by its content: another content has another name, so what was loaded once is good for ever.
pub(super) fn is_immutable(name: &str) -> bool {
    let Some((folders, file)) = name.rsplit_once('/') else {
        return false;
    };
    let Some((stem, _)) = file.rsplit_once('.') else {
        return false;
    };
    folders.split('/').any(|folder| BUILT.contains(&folder)) && ends_in_digest(stem)
}

/// `name-BZuf2r7K` as Vite writes it, `name.3f2a9c1b8d` as others do. A word has no capital or digit within it.
fn ends_in_digest(stem: &str) -> bool {
    let is_digest = |digest: &str| {
        digest.len() >= DIGEST_MIN
            && digest
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
            && digest
                .bytes()
                .skip(1)
                .any(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    // A digest of exactly eight characters may hold the dash that separates it.
    let vite = stem
        .len()
        .checked_sub(DIGEST_MIN)
        .and_then(|at| stem.split_at_checked(at))
        .is_some_and(|(name, digest)| name.ends_with(['-', '.']) && is_digest(digest));
    let longer = stem
        .rsplit_once(['-', '.'])
        .is_some_and(|(_, digest)| is_digest(digest));
    vite || longer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_by_its_content_is_kept_for_ever_and_nothing_else() {
        for good in [
            "assets/mermaid.min-BZuf2r7K.js",
            "assets/index-B-x9f2Kd.css",
            "claw/assets/a_b-Ab3_d-fg.js",
            "static/main.3f2a9c1b8d.js",
        ] {
            assert!(is_immutable(good), "{good}");
        }
        for other in [
            "sw.js",
            "index-BZuf2r7K.js",
            "fonts/apple-touch-icon.png",
            "assets/apple-touch-component.png",
            "assets/logo.svg",
            "assets/x",
        ] {
            assert!(!is_immutable(other), "{other}");
        }
    }

    #[test]
    fn a_name_with_a_dot_is_no_file_unless_its_ending_is_one() {
        assert_eq!(
            Kind::of("x.JS").map(|kind| kind.mime),
            Some("text/javascript; charset=utf-8")
        );
        for place in ["chat/main/irc.example.org", "chat/main", "", "a.js/b"] {
            assert_eq!(Kind::of(place), None, "{place}");
        }
    }
}
