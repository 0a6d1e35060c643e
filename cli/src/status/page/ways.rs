//! The ways in that are no channel: programs by HTTP, hooks, and whether the local network is told where the gateway is.

use gatehouse_core::telemetry::escape;
use serde_json::Value;

use crate::{
    control::Failing,
    start::{Start, Step},
    status::LeftOut,
    term::{Ink, Style},
};

/// The endpoints in the form of OpenAI's API: the key that switches each on, and its path.
const ENDPOINTS: [(&str, &str); 3] = [
    ("chatCompletions", "/v1/chat/completions"),
    ("responses", "/v1/responses"),
    ("embeddings", "/v1/embeddings"),
];

/// Which endpoints programs may use that know OpenAI's API, and how the others are switched on.
pub(in crate::status) fn endpoints(config: &Value, left_out: &LeftOut, style: Style) -> String {
    if let Some(entry) = left_out.around("gateway.http") {
        return unusable("OpenAI-compatible HTTP", entry, style);
    }
    let places = config.pointer("/gateway/http/endpoints");
    let of = |on: bool| -> Vec<&str> {
        let is_on = |key: &str| places.and_then(|places| places[key]["enabled"].as_bool()) == Some(true);
        let wanted = ENDPOINTS.iter().filter(|(key, _)| is_on(key) == on);
        wanted.map(|(_, path)| *path).collect()
    };
    let (on, off) = (of(true), of(false));
    let mut said = Vec::new();
    if !on.is_empty() {
        said.push(format!("{} on", on.join(", ")));
    }
    if let (Some(first), Some((key, _))) = (
        off.first(),
        ENDPOINTS.iter().find(|(_, path)| off.first() == Some(path)),
    ) {
        said.push(format!(
            "{} off (`gatehouse config set gateway.http.endpoints.{key}.enabled true` switches {first} on)",
            off.join(", ")
        ));
    }
    style.paint(
        Ink::Dim,
        &format!("OpenAI-compatible HTTP: {}\n", said.join("; ")),
    )
}

/// Whether programs outside may bring events, and where.
pub(in crate::status) fn hooks(config: &Value, left_out: &LeftOut, style: Style) -> String {
    if let Some(entry) = left_out.around("hooks") {
        return unusable("hooks", entry, style);
    }
    let hooks = &config["hooks"];
    if hooks["enabled"].as_bool() != Some(true) {
        return style.paint(
            Ink::Dim,
            "hooks: off (`gatehouse config set hooks.enabled true` switches them on)\n",
        );
    }
    let length = |key: &str| hooks[key].as_array().map_or(0, Vec::len);
    let unused = left_out.items_of("hooks.mappings");
    let mappings = length("mappings").saturating_sub(unused) + length("presets");
    let path = escape(hooks["path"].as_str().unwrap_or("/hooks"));
    let token = if hooks["token"].is_null() {
        "without a token: only mappings with a signature take anything"
    } else {
        "with a token of their own"
    };
    let mappings = match mappings {
        1 => "1 mapping".to_owned(),
        count => format!("{count} mappings"),
    };
    let unused = match unused {
        0 => String::new(),
        1 => " (1 more cannot be used, see below)".to_owned(),
        count => format!(" ({count} more cannot be used, see below)"),
    };
    let ink = if unused.is_empty() { Ink::Dim } else { Ink::Yellow };
    style.paint(
        ink,
        &format!("hooks: on at {path}, {mappings}{unused}, {token}\n"),
    )
}

/// What stands in the document and does not act.
fn unusable(what: &str, entry: &str, style: Style) -> String {
    let line = format!(
        "{what}: off, as {} of the configuration cannot be used (see below)\n",
        escape(entry)
    );
    style.paint(Ink::Yellow, &line)
}

/// Whether the local network is told of the gateway, as its last start decided, and whether the program that tells it keeps ending.
pub(in crate::status) fn discovery(start: &Start, failing: Option<&Failing>, style: Style) -> String {
    let told = start
        .steps
        .iter()
        .find(|reached| reached.step == Step::Schedules)
        .and_then(|reached| reached.told.rsplit_once("; "))
        .map(|(_, told)| escape(told));
    match (told, failing) {
        (_, Some(failing)) => style.paint(
            Ink::Yellow,
            &format!(
                "discovery: its program keeps ending; {}\n",
                escape(&failing.told())
            ),
        ),
        (Some(told), None) => style.paint(Ink::Dim, &format!("discovery: {told}\n")),
        (None, None) => String::new(),
    }
}
