//! A channel's section of the document: one account, or several and what holds for all of them. The same in every channel.

use indexmap::IndexMap;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{account::Common, policies::Policies, wrong::Wrong};

/// What the accounts of every channel have in common.
pub trait ChannelAccount {
    /// The keys that every account has.
    fn common(&self) -> &Common;

    /// False: off.
    fn enabled(&self) -> Option<bool> {
        self.common().enabled
    }

    /// Who may talk.
    fn policies(&self) -> &Policies {
        &self.common().policies
    }

    /// What keeps it from running as it is written.
    fn wrong(&self) -> Vec<Wrong>;
}

/// What the sections of every channel have in common: one account, or several and what holds for all of them.
pub trait ChannelSection {
    /// The one account, or what holds for all.
    fn base(&self) -> &dyn ChannelAccount;
    /// The accounts by id.
    fn accounts(&self) -> Vec<(&str, &dyn ChannelAccount)>;
    /// The account that is meant when none is named.
    fn default_account(&self) -> Option<&str>;
    /// What is wrong with each account that is on, as it would be connected: the channel's keys under its own. Without an id: the
    /// one account of a section that lists none.
    fn wrong(&self) -> Vec<(Option<&str>, Vec<Wrong>)>;
}

/// An account with what its channel says for all of them: its own keys over those, each as a whole. `None`: the two cannot be put
/// together, which two readings of one type always can.
pub fn over<A: Serialize + DeserializeOwned>(own: &A, base: &A) -> Option<A> {
    let keys = |account: &A| match serde_json::to_value(account) {
        Ok(Value::Object(keys)) => Some(keys),
        _ => None,
    };
    let mut whole = keys(base)?;
    whole.extend(keys(own)?);
    serde_json::from_value(Value::Object(whole)).ok()
}

/// A channel: its section, which looks the same in every channel, over the type of its accounts, which has [`Common`] keys in
/// `common` and is read by `read`.
macro_rules! channel {
    ($(#[$doc:meta])* $section:ident, $account:ident, $place:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(default, rename_all = "camelCase")]
        pub struct $section {
            /// The one account, or what holds for all.
            #[serde(flatten)]
            pub account: $account,
            /// The accounts by id.
            #[schemars(extend("x-same-as" = $place))]
            #[serde(skip_serializing_if = "indexmap::IndexMap::is_empty")]
            pub accounts: indexmap::IndexMap<String, $account>,
            /// The account that is meant when none is named. Unset: `default`, else the first.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub default_account: Option<String>,
        }

        impl $crate::section::ChannelAccount for $account {
            fn common(&self) -> &$crate::account::Common {
                &self.common
            }

            fn wrong(&self) -> Vec<$crate::wrong::Wrong> {
                self.read().err().unwrap_or_default()
            }
        }

        impl $crate::section::ChannelSection for $section {
            fn base(&self) -> &dyn $crate::section::ChannelAccount {
                &self.account
            }

            fn accounts(&self) -> Vec<(&str, &dyn $crate::section::ChannelAccount)> {
                let accounts = self.accounts.iter();
                accounts
                    .map(|(id, account)| (id.as_str(), account as &dyn $crate::section::ChannelAccount))
                    .collect()
            }

            fn default_account(&self) -> Option<&str> {
                self.default_account.as_deref()
            }

            fn wrong(&self) -> Vec<(Option<&str>, Vec<$crate::wrong::Wrong>)> {
                $crate::section::wrong(&self.account, &self.accounts)
            }
        }
    };
}
pub(crate) use channel;

/// What is wrong with the accounts of a section that are on.
pub(crate) fn wrong<'a, A>(base: &A, accounts: &'a IndexMap<String, A>) -> Vec<(Option<&'a str>, Vec<Wrong>)>
where
    A: ChannelAccount + Serialize + DeserializeOwned,
{
    let on = |account: &A| account.enabled() != Some(false);
    if !on(base) {
        return Vec::new();
    }
    if accounts.is_empty() {
        return vec![(None, base.wrong())];
    }
    let accounts = accounts.iter().filter(|(_, account)| on(account));
    accounts
        .map(|(id, own)| {
            let whole = over(own, base);
            (Some(id.as_str()), whole.as_ref().unwrap_or(own).wrong())
        })
        .collect()
}
