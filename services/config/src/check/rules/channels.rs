//! The rules of `channels`: what an account needs to run, and who may talk.

use serde::{Serialize, de::DeserializeOwned};

use gatehouse_document::{
    Document,
    channels::{ChannelAccount, over},
    policies::{DmPolicy, Policies},
    wrong::Wrong,
};

use crate::{issue::Issue, path::Path};

/// The rules of `channels`: those of every channel, then what each needs to run.
pub(super) fn check(document: &Document, issues: &mut Vec<Issue>) {
    for (channel, section) in document.channels.sections() {
        let (path, base) = (Path::of(["channels", channel]), section.base());
        policies(&path, base.policies(), None, issues);
        let accounts = section.accounts();
        for (id, account) in &accounts {
            let path = path.key("accounts").key(id);
            policies(&path, account.policies(), Some(base.policies()), issues);
        }
        let ids = accounts.iter().map(|(id, _)| *id);
        default_account(&path, section.default_account(), ids, issues);
    }
    if let Some(irc) = &document.channels.irc {
        for (path, own, base) in running(&Path::of(["channels", "irc"]), &irc.account, irc.accounts.iter()) {
            account(&path, own, base, issues);
        }
    }
    if let Some(telegram) = &document.channels.telegram {
        for (path, own, base) in running(
            &Path::of(["channels", "telegram"]),
            &telegram.account,
            telegram.accounts.iter(),
        ) {
            account(&path, own, base, issues);
        }
    }
    if let Some(webhook) = &document.channels.webhook {
        for (path, own, base) in running(
            &Path::of(["channels", "webhook"]),
            &webhook.account,
            webhook.accounts.iter(),
        ) {
            account(&path, own, base, issues);
        }
    }
}

/// The accounts that are on, each with its path and what it inherits.
fn running<'a, A: ChannelAccount>(
    path: &Path,
    base: &'a A,
    accounts: impl ExactSizeIterator<Item = (&'a String, &'a A)>,
) -> Vec<(Path, &'a A, Option<&'a A>)> {
    let on = |account: &A| account.enabled() != Some(false);
    if !on(base) {
        return Vec::new();
    }
    if accounts.len() == 0 {
        return vec![(path.clone(), base, None)];
    }
    accounts
        .filter(|(_, account)| on(account))
        .map(|(id, account)| (path.key("accounts").key(id), account, Some(base)))
        .collect()
}

/// What is wrong with an account as it would be connected: the channel's keys under its own. It is read here as the channel bridge
/// reads it, so that what is taken also runs.
fn account<A>(path: &Path, own: &A, base: Option<&A>, issues: &mut Vec<Issue>)
where
    A: ChannelAccount + Serialize + DeserializeOwned,
{
    let whole = base.and_then(|base| over(own, base));
    for Wrong { key, index, message } in whole.as_ref().unwrap_or(own).wrong() {
        let place = key.iter().fold(path.clone(), |place, key| place.key(key));
        let place = index.map_or(place.clone(), |index| place.index(index));
        issues.push(Issue::error(place, message));
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
