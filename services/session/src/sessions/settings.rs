//! What a session's owner sets that no list is filtered by. Kept as one text in the session's row.

use serde::{Deserialize, Serialize};

use super::Change;
use crate::error::Error;

/// How much of tools is shown. Screens read it from the session's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verbose {
    Off,
    On,
    Full,
}

/// Whether chats read what the model thought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reasoning {
    Off,
    On,
}

/// What is said behind answers in chats about their cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ResponseUsage {
    Off,
    Tokens,
    /// With the model that answered.
    Full,
}

/// Whether anything may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SendPolicy {
    Allow,
    Deny,
}

/// A setting that is one of a few words.
pub(crate) trait Word: Copy + Sized + 'static {
    /// Each value under its word, in the contract and in the store.
    const WORDS: &[(&str, Self)];
    /// What a caller is told who wrote another word.
    const REFUSED: Error;

    /// # Errors
    /// When it is none of the words.
    fn read(word: &str) -> Result<Self, Error> {
        let known = Self::WORDS.iter().find(|(known, _)| *known == word);
        known.map(|(_, value)| *value).ok_or(Self::REFUSED)
    }

    fn word(self) -> &'static str
    where
        Self: PartialEq,
    {
        let known = Self::WORDS.iter().find(|(_, value)| *value == self);
        known.map_or("", |(word, _)| word)
    }
}

impl Word for Verbose {
    const WORDS: &[(&str, Self)] = &[("off", Self::Off), ("on", Self::On), ("full", Self::Full)];
    const REFUSED: Error = Error::Field {
        path: "/verboseLevel",
        problem: "is not off, on or full",
    };
}

impl Word for Reasoning {
    const WORDS: &[(&str, Self)] = &[("off", Self::Off), ("on", Self::On)];
    const REFUSED: Error = Error::Field {
        path: "/reasoningLevel",
        problem: "is not off or on: thoughts are not streamed into chats",
    };
}

impl Word for ResponseUsage {
    const WORDS: &[(&str, Self)] = &[
        ("off", Self::Off),
        ("tokens", Self::Tokens),
        ("full", Self::Full),
        ("on", Self::Tokens), // what an older client calls it
    ];
    const REFUSED: Error = Error::Field {
        path: "/responseUsage",
        problem: "is not off, tokens or full",
    };
}

impl Word for SendPolicy {
    const WORDS: &[(&str, Self)] = &[("allow", Self::Allow), ("deny", Self::Deny)];
    const REFUSED: Error = Error::Field {
        path: "/sendPolicy",
        problem: "is not allow or deny",
    };
}

/// What is set. Unset: as usual.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Settings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) icon: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) color: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verbose: Option<Verbose>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reasoning: Option<Reasoning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<ResponseUsage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) send: Option<SendPolicy>,
}

impl Settings {
    /// Whether nothing may be said here.
    pub(crate) fn forbids_sending(&self) -> bool {
        self.send == Some(SendPolicy::Deny)
    }
}

/// What to change of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SettingChanges {
    pub(crate) icon: Change<String>,
    pub(crate) color: Change<String>,
    pub(crate) verbose: Change<Verbose>,
    pub(crate) reasoning: Change<Reasoning>,
    pub(crate) usage: Change<ResponseUsage>,
    pub(crate) send: Change<SendPolicy>,
}

impl SettingChanges {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Makes them.
    pub(crate) fn apply(&self, to: &mut Settings) {
        fn change<T: Clone>(change: &Change<T>, to: &mut Option<T>) {
            if let Some(value) = change {
                to.clone_from(value);
            }
        }
        let Self {
            icon,
            color,
            verbose,
            reasoning,
            usage,
            send,
        } = self;
        change(icon, &mut to.icon);
        change(color, &mut to.color);
        change(verbose, &mut to.verbose);
        change(reasoning, &mut to.reasoning);
        change(usage, &mut to.usage);
        change(send, &mut to.send);
    }

    /// Those that make another session what this one is.
    pub(crate) fn like(settings: &Settings) -> Self {
        let Settings {
            icon: _, // what tells one session from another stays with it
            color: _,
            verbose,
            reasoning,
            usage,
            send: _,
        } = settings;
        Self {
            verbose: verbose.map(Some),
            reasoning: reasoning.map(Some),
            usage: usage.map(Some),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_kept_in_its_words_and_what_goes_back_to_the_default_is_gone() {
        let mut settings = Settings::default();
        let changes = SettingChanges {
            verbose: Some(Some(Verbose::Full)),
            send: Some(Some(SendPolicy::Deny)),
            ..SettingChanges::default()
        };

        changes.apply(&mut settings);
        assert_eq!(
            serde_json::to_string(&settings).unwrap(),
            r#"{"verbose":"full","send":"deny"}"#
        );
        assert!(settings.forbids_sending());

        let back = SettingChanges {
            send: Some(None),
            ..SettingChanges::default()
        };
        back.apply(&mut settings);
        assert!(!settings.forbids_sending() && settings.verbose == Some(Verbose::Full));
    }

    #[test]
    fn words_are_read_and_others_refused_with_their_place() {
        assert_eq!(ResponseUsage::read("on").unwrap().word(), "tokens");
        assert_eq!(Reasoning::read("on").unwrap(), Reasoning::On);
        assert!(matches!(
            Reasoning::read("stream"),
            Err(Error::Field {
                path: "/reasoningLevel",
                ..
            })
        ));
    }
}
