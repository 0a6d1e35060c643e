//! What an account remembers, as the one value that `gatehouse.channel.v1.ChannelAdapter` has for it: both ends of an adapter that is a
//! process of its own. What is kept is the same rows as in process, so that turning `isolate` on or off forgets nothing.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use serde::de::Error as _;

use super::store::{ENTRIES_MAX, Remember, VALUE_BYTES_MAX};
use crate::{adapter::AccountKey, store::StoreError};

/// Values by their names.
pub(crate) type Values = BTreeMap<String, Vec<u8>>;

/// Makes one value of several.
///
/// # Errors
/// When it would be longer than a value may be.
pub(crate) fn fold(values: &Values) -> Result<Vec<u8>, StoreError> {
    let text: BTreeMap<&str, String> = values
        .iter()
        .map(|(name, value)| (name.as_str(), STANDARD_NO_PAD.encode(value)))
        .collect();
    let folded = serde_json::to_vec(&text).map_err(StoreError::Row)?;
    if folded.len() > VALUE_BYTES_MAX {
        return Err(StoreError::Full(
            "an isolated account remembers at most 48 KiB in all",
        ));
    }
    Ok(folded)
}

/// Makes several values of one. Nothing at all is none.
///
/// # Errors
/// When it is no such value.
pub(crate) fn unfold(folded: &[u8]) -> Result<Values, StoreError> {
    if folded.is_empty() {
        return Ok(Values::new());
    }
    let text: BTreeMap<String, String> = serde_json::from_slice(folded).map_err(StoreError::Row)?;
    if text.len() > ENTRIES_MAX {
        return Err(StoreError::Full("an account remembers at most 64 values"));
    }
    text.into_iter()
        .map(|(name, value)| match STANDARD_NO_PAD.decode(value) {
            Ok(value) => Ok((name, value)),
            Err(error) => Err(StoreError::Row(serde_json::Error::custom(error))),
        })
        .collect()
}

/// The rows of an account, seen as one value under whatever name.
pub(super) struct Folded(pub(super) Arc<dyn Remember>);

#[async_trait]
impl Remember for Folded {
    async fn state(&self, account: AccountKey, _: String) -> Result<Option<Vec<u8>>, StoreError> {
        fold(&self.0.states(account).await?).map(Some)
    }

    /// Rows that are what they were are left alone, so that one that changed is one commit.
    async fn keep_state(&self, account: AccountKey, _: String, value: Vec<u8>) -> Result<(), StoreError> {
        let (new, old) = (unfold(&value)?, self.0.states(account.clone()).await?);
        for name in old.keys().filter(|name| !new.contains_key(*name)) {
            self.0.forget_state(account.clone(), name.clone()).await?;
        }
        for (name, value) in new {
            if old.get(&name) != Some(&value) {
                self.0.keep_state(account.clone(), name, value).await?;
            }
        }
        Ok(())
    }

    async fn forget_state(&self, account: AccountKey, _: String) -> Result<(), StoreError> {
        self.keep_state(account, String::new(), Vec::new()).await
    }

    async fn states(&self, account: AccountKey) -> Result<Values, StoreError> {
        self.0.states(account).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        account::AccountState,
        testing::{key, stores},
    };

    #[tokio::test]
    async fn what_is_kept_folded_is_found_by_its_names_and_the_other_way_round() {
        let (_folder, stores) = stores();
        let own = AccountState::new(key("a"), stores.accounts.clone());
        let folded = own.folded();
        own.put("offset", b"1".to_vec()).await.expect("kept");
        own.put("token", vec![0, 255]).await.expect("kept");

        let mut values = unfold(&folded.get("any").await.expect("read").expect("a value")).expect("values");
        assert_eq!(values.get("token"), Some(&vec![0, 255]));
        values.insert("offset".to_owned(), b"2".to_vec());
        values.remove("token");
        let value = fold(&values).expect("it fits");
        folded.put("any", value).await.expect("kept");

        let offset = own.get("offset").await.expect("read");
        assert_eq!(offset.as_deref(), Some(b"2".as_slice()));
        assert_eq!(own.get("token").await.expect("read"), None);
        assert!(folded.put("any", b"{".to_vec()).await.is_err());
    }

    #[test]
    fn what_would_be_too_long_is_refused() {
        let long = Values::from([("x".to_owned(), vec![0; 49 * 1024])]);
        assert!(matches!(fold(&long), Err(StoreError::Full(_))));
        assert!(unfold(&[]).expect("nothing is no mistake").is_empty());
    }
}
