//! What to say about a key that the schema does not know.

use crate::{outline::Place, path::Path};

/// How alike two keys must be for the one to be offered for the other. 0.8 offers `dmscope` and `dm_scope` for `dmScope`
/// and `prot` for `port`, and nothing for keys of OpenClaw that mean something else.
const LIKENESS_MIN: f64 = 0.8;

pub(super) fn unknown_key(parent: &Path, place: &Place, key: &str) -> String {
    if parent.to_string() == "channels" {
        return format!("Gatehouse has no channel {key:?} yet; its keys are kept without effect");
    }
    let near = place
        .keys()
        .map(|known| (likeness(known, key), known))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((_, known)) => format!(
            "unknown key, kept without effect; did you mean `{}`?",
            parent.key(known)
        ),
        None => "unknown key, kept without effect".to_owned(),
    }
}

fn likeness(known: &str, key: &str) -> f64 {
    let plain = |text: &str| -> String {
        text.chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_ascii_lowercase()
    };
    let (known, key) = (plain(known), plain(key));
    strsim::normalized_damerau_levenshtein(&known, &key).max(if known.len() > 3 && key.len() > 3 {
        strsim::jaro(&known, &key) - 0.05
    } else {
        0.0
    })
}
