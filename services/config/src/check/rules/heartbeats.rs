//! Heartbeats: how often, at which hours, and whom they tell.

use gatehouse_document::{Document, heartbeat::Heartbeat};
use jiff::tz::TimeZone;

use crate::{issue::Issue, path::Path};

/// What a target may be that is no channel.
const TARGETS: [&str; 3] = ["none", "last", "owner"];

/// Words of OpenClaw's for the zone of the gateway.
const OWN_ZONE: [&str; 2] = ["user", "local"];

pub(super) fn check(document: &Document, issues: &mut Vec<Issue>) {
    let agents = &document.agents;
    let common = (
        Path::of(["agents", "defaults", "heartbeat"]),
        agents.defaults.heartbeat.as_ref(),
    );
    let own = agents.entries.iter().map(|(id, entry)| {
        let path = Path::of(["agents", "entries", id, "heartbeat"]);
        (path, entry.heartbeat.as_ref())
    });
    for (path, heartbeat) in std::iter::once(common).chain(own) {
        if let Some(heartbeat) = heartbeat {
            one(document, heartbeat, &path, issues);
        }
    }
}

fn one(document: &Document, heartbeat: &Heartbeat, path: &Path, issues: &mut Vec<Issue>) {
    if let Err(problem) = heartbeat.every_ms() {
        issues.push(Issue::error(path.key("every"), problem));
    }
    if let Some(hours) = &heartbeat.active_hours {
        let place = path.key("activeHours");
        if let Err(problem) = hours.minutes() {
            issues.push(Issue::error(place.clone(), problem));
        }
        let zone = hours.timezone.as_deref(); // as it is read when it acts
        if zone.is_some_and(|zone| !OWN_ZONE.contains(&zone) && TimeZone::get(zone).is_err()) {
            let problem =
                "is no time zone: write for example Europe/Berlin, or leave it out for that of the gateway";
            issues.push(Issue::error(place.key("timezone"), problem));
        }
    }
    if let Some(target) = heartbeat.target.as_deref()
        && !TARGETS.contains(&target)
        && !document.accounts().contains_key(target)
    {
        let problem = format!("there is no channels.{target}: nobody is asked anything until there is");
        issues.push(Issue::warning(path.key("target"), problem));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn found(heartbeat: Value) -> Vec<String> {
        let document = json!({
            "agents": {"entries": {"main": {"heartbeat": heartbeat}}},
            "channels": {"irc": {"server": "s", "nick": "n"}},
        });
        let mut issues = Vec::new();
        check(
            &serde_json::from_value(document).expect("a document"),
            &mut issues,
        );
        let place = |issue: Issue| issue.path.replace("agents.entries.main.heartbeat.", "");
        issues.into_iter().map(place).collect()
    }

    #[test]
    fn a_heartbeat_says_when_it_beats_in_which_zone_and_whom_it_tells() {
        let hours = |zone: &str| json!({"activeHours": {"start": "08:00", "end": "24:00", "timezone": zone}});
        for good in [
            json!({}),
            json!({"every": "30m", "target": "irc", "to": "#home"}),
            json!({"target": "last"}),
            json!({"target": "none"}),
            hours("Europe/Berlin"),
            hours("UTC"),
            hours("user"),
        ] {
            assert_eq!(found(good.clone()), [] as [&str; 0], "{good}");
        }
        for (bad, place) in [
            (json!({"every": "soon"}), "every"),
            (
                json!({"activeHours": {"start": "8", "end": "24:00"}}),
                "activeHours",
            ),
            (hours("Mars/X"), "activeHours.timezone"),
            (hours(""), "activeHours.timezone"),
            (hours(" Europe/Berlin"), "activeHours.timezone"),
            (json!({"target": "telegram", "to": "1"}), "target"),
        ] {
            assert_eq!(found(bad.clone()), [place], "{bad}");
        }
    }
}
