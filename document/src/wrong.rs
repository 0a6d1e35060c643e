//! What is wrong with a key of an account, found where the account is read: by the config service before the document is
//! taken, and by the channel bridge before it connects. One reading for both, so that what the one takes, the other runs.

use std::fmt;

use url::Url;

/// One finding. Never contains a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The key's path within the account.
    pub key: &'static [&'static str],
    /// Which of a list.
    pub index: Option<usize>,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Wrong {
    pub(crate) fn new(key: &'static [&'static str], message: impl Into<String>) -> Self {
        Self {
            key,
            index: None,
            message: message.into(),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key.join("."))?;
        if let Some(index) = self.index {
            write!(f, "[{index}]")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// All findings in a line, for a log.
pub fn told(wrong: &[Wrong]) -> String {
    let wrong: Vec<String> = wrong.iter().map(Wrong::to_string).collect();
    wrong.join("; ")
}

/// The address below which a platform's methods are, without a slash at its end. The operator wrote it, so it may point into the
/// operator's own network; what people say never becomes part of it.
pub(crate) fn root(key: &'static [&'static str], text: &str, wrong: &mut Vec<Wrong>) -> Option<Url> {
    let found = match Url::parse(text.trim_end_matches('/')) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") || url.host().is_none() => {
            "must be an address with http or https"
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            "must not carry credentials; the account's own are all that is shown there"
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            "must not have a query or a fragment: methods are put behind it"
        }
        Ok(url) => return Some(url),
        Err(_) => "must be an address with http or https",
    };
    wrong.push(Wrong::new(key, found));
    None
}
