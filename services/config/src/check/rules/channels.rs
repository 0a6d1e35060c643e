//! The rules of `channels`: what an account needs to run, and who may talk.

use gatehouse_document::{
    Document,
    brought::Brought,
    channels::ChannelSection,
    policies::{DmPolicy, Policies},
    wrong::Wrong,
};

use crate::{issue::Issue, path::Path};

/// What is said of a key that is the bridge's and has another form.
const UNREAD: &str = "has a value that cannot be used here: it is a key that every channel has; see the configuration reference";

/// The rules of `channels`: those of every channel, then what each needs to run.
pub(super) fn check(document: &Document, issues: &mut Vec<Issue>) {
    for (channel, section) in document.channels.sections() {
        of_section(channel, section, issues);
    }
    for (kind, _) in document.plugins.channels() {
        let Some(written) = document.channels.others.get(kind) else {
            continue;
        };
        match serde_path_to_error::deserialize::<_, Brought>(written) {
            Ok(section) => of_section(kind, &section, issues),
            Err(error) => issues.push(Issue::error(unread(kind, error.path()), UNREAD)),
        }
    }
}

/// Where the types stumbled.
fn unread(kind: &str, path: &serde_path_to_error::Path) -> Path {
    use serde_path_to_error::Segment;
    let place = Path::of(["channels", kind]);
    path.iter().fold(place, |place, segment| match segment {
        Segment::Seq { index } => place.index(*index),
        Segment::Map { key } => place.key(key),
        Segment::Enum { .. } | Segment::Unknown => place,
    })
}

fn of_section(channel: &str, section: &dyn ChannelSection, issues: &mut Vec<Issue>) {
    let (path, base) = (Path::of(["channels", channel]), section.base());
    policies(&path, base.policies(), None, issues);
    let accounts = section.accounts();
    for (id, account) in &accounts {
        let path = path.key("accounts").key(id);
        policies(&path, account.policies(), Some(base.policies()), issues);
    }
    let ids = accounts.iter().map(|(id, _)| *id);
    default_account(&path, section.default_account(), ids, issues);
    // Read here as the channel bridge reads it, so that what is taken also runs.
    for (id, wrong) in section.wrong() {
        let path = id.map_or(path.clone(), |id| path.key("accounts").key(id));
        for Wrong { key, index, message } in wrong {
            let place = key.iter().fold(path.clone(), |place, key| place.key(key));
            let place = index.map_or(place.clone(), |index| place.index(index));
            issues.push(Issue::error(place, message));
        }
    }
}

fn default_account<'a>(
    path: &Path,
    default: Option<&str>,
    mut ids: impl ExactSizeIterator<Item = &'a str>,
    issues: &mut Vec<Issue>,
) {
    let Some(default) = default else { return };
    let known = if ids.len() == 0 {
        default == "default"
    } else {
        ids.any(|id| id == default)
    };
    if !known {
        issues.push(Issue::error(
            path.key("defaultAccount"),
            format!("there is no account {default:?}"),
        ));
    }
}

fn policies(path: &Path, own: &Policies, base: Option<&Policies>, issues: &mut Vec<Issue>) {
    let policy = own.dm_policy.or(base.and_then(|base| base.dm_policy));
    let allowed = own
        .allow_from
        .as_ref()
        .or(base.and_then(|base| base.allow_from.as_ref()));
    let everybody = allowed.is_some_and(|senders| senders.iter().any(|sender| sender.0 == "*"));
    if policy == Some(DmPolicy::Open) && !everybody {
        issues.push(Issue::error(
            path.key("dmPolicy"),
            "\"open\" lets everybody talk to the assistant and needs `allowFrom: [\"*\"]` beside it",
        ));
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_document::{Document, samples};
    use serde_json::{Value, json};

    #[test]
    fn each_account_is_judged_as_the_channel_bridge_reads_it() {
        let samples: Vec<Value> = json5::from_str(samples::ACCOUNTS).unwrap();
        for sample in samples {
            let document: Document = serde_json::from_value(json!({"channels": sample})).unwrap();
            let mut issues = Vec::new();

            super::check(&document, &mut issues);

            let errors = issues.iter().filter(|issue| issue.is_error());
            let errors: Vec<String> = errors.map(|issue| issue.place().to_string()).collect();
            assert_eq!(json!(errors), sample["wrong"], "{sample}");
        }
    }
}
