//! Which accounts replies can go to: a reply to any other would wait for ever, and nobody would hear of it.

use std::collections::BTreeMap;

use gatehouse_document::{ChannelAccounts, channels::DEFAULT_ACCOUNT};

use super::Target;

/// The accounts of the channels that are set up. `None`: the configuration does not say, and every chat counts as reachable.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts(Option<BTreeMap<String, ChannelAccounts>>);

impl Accounts {
    pub(crate) fn read(told: Option<&BTreeMap<String, ChannelAccounts>>) -> Self {
        Self(told.cloned())
    }

    /// The account of a channel that is meant when none is named.
    pub(crate) fn default_of(&self, channel: &str) -> &str {
        let channel = self.0.as_ref().and_then(|channels| channels.get(channel));
        channel.map_or(DEFAULT_ACCOUNT, |accounts| &accounts.default)
    }

    /// Why nothing can go to a chat. `None`: it can.
    pub(crate) fn problem(&self, target: &Target) -> Option<String> {
        let channels = self.0.as_ref()?;
        let Target {
            channel, account_id, ..
        } = target;
        let Some(accounts) = channels.get(channel) else {
            let others = names(channels.keys());
            return Some(format!(
                "the channel {channel} is not set up ({others}): set it up with `gatehouse channels add {channel}`, or name another"
            ));
        };
        match accounts.enabled.get(account_id) {
            Some(true) => None,
            Some(false) => Some(format!(
                "the account {account_id} of {channel} does not run: it is switched off or has a mistake (`gatehouse status` says which)"
            )),
            None => Some(format!(
                "{channel} has no account {account_id} ({}): name one of them, or add it to channels.{channel}.accounts",
                names(accounts.enabled.keys())
            )),
        }
    }
}

/// What there is, for a person: a household has a few.
fn names<'a>(names: impl Iterator<Item = &'a String>) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<&str> = names.take(SHOWN).map(String::as_str).collect();
    match shown.as_slice() {
        [] => "none is".to_owned(),
        shown => format!("there are {}", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn target(channel: &str, account: &str) -> Target {
        Target {
            channel: channel.to_owned(),
            account_id: account.to_owned(),
            to: "1".to_owned(),
            thread_id: None,
            reply_to_id: None,
        }
    }

    #[test]
    fn a_reply_goes_to_an_account_that_is_set_up_and_switched_on() {
        let told = json!({
            "irc": {"default": "default", "enabled": {"default": true}},
            "telegram": {"default": "work", "enabled": {"work": true, "old": false}},
        });
        let told = serde_json::from_value(told).unwrap();
        let accounts = Accounts::read(Some(&told));
        let problem = |channel, account| accounts.problem(&target(channel, account)).unwrap_or_default();

        assert_eq!(problem("irc", "default"), "");
        assert_eq!(problem("telegram", "work"), "");
        assert!(problem("telegram", "old").contains("does not run"));
        assert!(problem("telegram", "default").contains("no account default (there are old, work)"));
        assert!(problem("slack", "default").contains("slack is not set up (there are irc, telegram)"));
        assert_eq!(
            (accounts.default_of("telegram"), accounts.default_of("slack")),
            ("work", "default")
        );
        assert_eq!(Accounts::default().problem(&target("slack", "default")), None);
        assert!(
            Accounts::read(Some(&BTreeMap::new()))
                .problem(&target("slack", "default"))
                .unwrap()
                .contains("(none is)")
        );
    }
}
