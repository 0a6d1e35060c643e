//! Settings that are one of a few words.

use super::table::DEFAULT;
use super::{Answer, Scene};
use crate::sessions::settings::{SendPolicy, SettingChanges, Settings, Word};
use crate::sessions::{Change, SessionPatch};

/// One of them, as it is shown and changed.
struct Setting<W> {
    name: &'static str,
    /// What holds when it is not set.
    usual: &'static str,
    of: fn(&Settings) -> Option<W>,
    to: fn(Change<W>) -> SettingChanges,
}

/// `/verbose`.
pub(super) fn verbose(scene: &Scene<'_>, word: &str) -> Answer {
    let setting = Setting {
        name: "Verbose",
        usual: "off",
        of: |settings| settings.verbose,
        to: |verbose| SettingChanges {
            verbose,
            ..SettingChanges::default()
        },
    };
    answer(scene, &setting, word)
}

/// `/reasoning`.
pub(super) fn reasoning(scene: &Scene<'_>, word: &str) -> Answer {
    let setting = Setting {
        name: "Reasoning",
        usual: "off",
        of: |settings| settings.reasoning,
        to: |reasoning| SettingChanges {
            reasoning,
            ..SettingChanges::default()
        },
    };
    answer(scene, &setting, word)
}

/// `/usage` with a word.
pub(super) fn usage(scene: &Scene<'_>, word: &str) -> Answer {
    let setting = Setting {
        name: "Usage behind answers",
        usual: "off",
        of: |settings| settings.usage,
        to: |usage| SettingChanges {
            usage,
            ..SettingChanges::default()
        },
    };
    answer(scene, &setting, word)
}

/// `/send`: in the words that people use.
pub(super) fn send(scene: &Scene<'_>, word: &str) -> Answer {
    let setting = Setting::<SendPolicy> {
        name: "Sending",
        usual: "allow",
        of: |settings| settings.send,
        to: |send| SettingChanges {
            send,
            ..SettingChanges::default()
        },
    };
    let word = match word.to_ascii_lowercase().as_str() {
        "on" => "allow".to_owned(),
        "off" => "deny".to_owned(),
        "inherit" => DEFAULT.to_owned(),
        other => other.to_owned(),
    };
    answer(scene, &setting, &word)
}

fn answer<W: Word + PartialEq>(scene: &Scene<'_>, setting: &Setting<W>, word: &str) -> Answer {
    let Setting { name, usual, of, to } = setting;
    let mut words: Vec<&str> = Vec::new();
    for (word, value) in W::WORDS {
        if value.word() == *word {
            words.push(word); // and not what an older client calls it
        }
    }
    let words = words.join(", ");
    let word = word.trim().to_ascii_lowercase();
    if word.is_empty() {
        let now = scene.session.as_ref().and_then(|session| of(&session.settings));
        let now = now.map_or(*usual, |value| value.word());
        return Answer::says(format!("{name}: {now}. It may be one of {words}, or {DEFAULT}."));
    }
    let set = |value: Option<W>| SessionPatch {
        settings: to(Some(value)),
        ..SessionPatch::default()
    };
    if word == DEFAULT {
        return Answer::changes(set(None), format!("{name}: {usual}, as usual."));
    }
    match W::read(&word) {
        Ok(value) => Answer::changes(set(Some(value)), format!("{name}: {}.", value.word())),
        Err(_) => Answer::says(format!(
            "{word} is none of {words}, or {DEFAULT}: nothing was changed."
        )),
    }
}
