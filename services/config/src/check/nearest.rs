//! What to say about a key that the schema does not know.

use serde_json::Value;

use crate::{
    issue::Issue,
    outline::Place,
    path::{Path, Step},
};

/// What is said of a key that resembles none.
const UNKNOWN: &str = "unknown key, kept without effect";

/// Keys that one warning names.
const NAMED_MAX: usize = 12;

/// How alike two keys must be for the one to be offered for the other. 0.8 offers `dmscope` and `dm_scope` for `dmScope`
/// and `prot` for `port`, and nothing for keys of OpenClaw that mean something else.
const LIKENESS_MIN: f64 = 0.8;

/// Keys of OpenClaw that resemble one of ours and mean something else, each with the key that it stands under.
const FOREIGN: [(&str, &str); 1] = [("nickserv", "passwordFile")];

pub(super) fn unknown_key(parent: &Path, place: &Place, key: &str) -> String {
    if parent.to_string() == "channels" {
        return format!("Gatehouse has no channel {key:?} yet; its keys are kept without effect");
    }
    let under = match parent.steps().last() {
        Some(Step::Key(under)) => under.as_str(),
        Some(Step::Index(_)) | None => "",
    };
    if FOREIGN.contains(&(under, key)) {
        return UNKNOWN.to_owned();
    }
    let near = place
        .keys()
        .map(|known| (likeness(known, key), known))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((_, known)) => format!("{UNKNOWN}; did you mean `{}`?", parent.key(known)),
        None => UNKNOWN.to_owned(),
    }
}

/// Makes one warning of all keys without effect in a section, for documents that were written for somebody else. A key that
/// resembles a known one is a mistake, and keeps a warning of its own.
pub(super) fn by_section(issues: Vec<Issue>) -> Vec<Issue> {
    let section = |issue: &Issue| issue.place().first(depth(issue.place()));
    let is_inside = |issue: &Issue| issue.message == UNKNOWN && issue.place() != &section(issue);
    let mut out: Vec<Issue> = Vec::new();
    let mut said: Vec<Path> = Vec::new();
    for issue in &issues {
        if !is_inside(issue) {
            out.push(issue.clone());
            continue;
        }
        let here = section(issue);
        if said.contains(&here) {
            continue;
        }
        let mut names: Vec<String> = Vec::new();
        for other in issues
            .iter()
            .filter(|other| is_inside(other) && section(other) == here)
        {
            let name = inside(&here, other.place());
            if !names.contains(&name) {
                names.push(name);
            }
        }
        out.push(match names.as_slice() {
            [_] => issue.clone(),
            _ => Issue::warning(
                &here,
                format!("unknown keys, kept without effect: {}", listed(&names)),
            ),
        });
        said.push(here);
    }
    out
}

/// How many steps lead to the section of a key: each channel is one.
fn depth(place: &Path) -> usize {
    match place.steps() {
        [Step::Key(section), ..] if section == "channels" => 2,
        _ => 1,
    }
}

/// The way from a section to a key; all items of a list are one.
fn inside(section: &Path, place: &Path) -> String {
    let mut way = String::new();
    for step in place.steps().iter().skip(section.steps().len()) {
        match step {
            Step::Key(key) if way.is_empty() => way.push_str(key),
            Step::Key(key) => way.extend([".", key]),
            Step::Index(_) => way.push_str("[]"),
        }
    }
    way
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(NAMED_MAX).map(String::as_str);
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What to write instead of a value that means something to OpenClaw.
pub(super) fn hint(place: &Path, value: &Value) -> Option<&'static str> {
    let is = |words: &[&str]| value.as_str().is_some_and(|word| words.contains(&word));
    match place.steps() {
        [Step::Key(models), Step::Key(_), Step::Key(_), Step::Key(api)]
            if models == "models" && api == "api" =>
        {
            let hint = if is(&["ollama"]) {
                "; Ollama speaks it as well: leave `api` out and let `baseUrl` end in /v1"
            } else {
                "; Gatehouse speaks OpenAI's chat completions alone: use an address of the provider, or of a proxy, that takes them"
            };
            Some(hint)
        }
        [Step::Key(gateway), Step::Key(key)] if gateway == "gateway" => match key.as_str() {
            "mode" if is(&["remote"]) => {
                Some("; this gateway runs here, `gatehouse --url` connects to another")
            }
            "bind" if is(&["tailnet"]) => Some(
                "; it listens on this machine alone: let `tailscale serve` lead there, or set `customBindHost`",
            ),
            _ => None,
        },
        [Step::Key(gateway), Step::Key(auth), Step::Key(mode)]
            if gateway == "gateway" && auth == "auth" && mode == "mode" =>
        {
            Some("; the gateway token is asked for: `gatehouse token show`")
        }
        _ => None,
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
