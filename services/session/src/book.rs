//! What the configuration says of models: which there are, and what each can do.

use std::collections::{BTreeMap, BTreeSet};

use crate::agents::{Agent, ModelName};
use crate::config::{Model, SessionConfig};
use crate::error::Error;
use crate::thinking::{Level, Levels};

/// The built-in provider and its only model.
pub(crate) const ECHO: &str = "echo/echo";

/// What is known of one model that is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Its name for people.
    pub(crate) name: Option<String>,
    /// Whether it may be told how hard to think.
    pub(crate) reasons: bool,
    /// Whether it sees pictures.
    pub(crate) sees: bool,
    /// Tokens of one conversation.
    pub(crate) window: Option<u64>,
    /// Words of its own for how hard to think.
    pub(crate) levels: Vec<String>,
}

/// All models of one revision.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    /// In the order of the configuration, by `<provider>/<model>`.
    listed: Vec<(String, Facts)>,
    providers: BTreeSet<String>,
    /// Full names by short ones.
    aliases: BTreeMap<String, String>,
}

/// Why a name means no model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoModel {
    /// Nothing is called so.
    Unknown,
    /// Several providers have one of that name.
    Several(Vec<String>),
}

impl Book {
    pub(crate) fn read(config: &SessionConfig) -> Self {
        let mut listed = Vec::new();
        for (provider, entry) in &config.models.providers {
            for model in &entry.models {
                listed.push((format!("{provider}/{}", model.id), facts(model)));
            }
        }
        let named = config.agents.defaults.models.iter();
        let aliases = named.filter_map(|(model, settings)| Some((settings.alias.clone()?, model.clone())));
        Self {
            listed,
            providers: config.models.providers.keys().cloned().collect(),
            aliases: aliases.collect(),
        }
    }

    /// What is known of a model. `None`: it is not listed, and nothing is known.
    pub(crate) fn facts(&self, name: &str) -> Option<&Facts> {
        self.listed
            .iter()
            .find(|(listed, _)| listed == name)
            .map(|(_, facts)| facts)
    }

    /// How hard a model may be told to think.
    pub(crate) fn levels(&self, model: &str) -> Levels<'_> {
        let own = self.facts(model).into_iter().flat_map(|facts| &facts.levels);
        Levels::with(own.map(String::as_str))
    }

    /// What a caller's word for it means, whichever model answers in the end.
    pub(crate) fn level(&self, path: &'static str, word: &str) -> Result<Level, Error> {
        let own = self.listed.iter().flat_map(|(_, facts)| &facts.levels);
        let levels = Levels::with(own.map(String::as_str));
        let level = levels.read(word).map(Level::known);
        level.ok_or_else(|| Error::Level {
            path,
            levels: levels.listed(),
        })
    }

    /// Whether somebody serves a model of this name. What a provider has is the provider's to say.
    ///
    /// # Errors
    /// When the configuration has no such provider.
    pub(crate) fn check(&self, model: &ModelName) -> Result<(), Error> {
        let name = model.as_str();
        let provider = name.split_once('/').map_or(name, |(provider, _)| provider);
        if name == ECHO || self.providers.contains(provider) {
            return Ok(());
        }
        Err(Error::Field {
            path: "/model",
            problem: "names a provider that the configuration does not have (models.providers)",
        })
    }

    /// The model that a caller names, in full. A name without its provider is that of a model which one provider alone has.
    ///
    /// # Errors
    /// When there is none, or several.
    pub(crate) fn named(
        &self,
        path: &'static str,
        name: &ModelName,
        agent: Option<&Agent>,
    ) -> Result<ModelName, Error> {
        let wrong = |problem| Error::Field { path, problem };
        let text = name.as_str();
        if let Some((provider, model)) = text.split_once('/') {
            if provider.is_empty() || model.is_empty() {
                return Err(wrong("is not <provider>/<model>"));
            }
            if self.check(name).is_ok() {
                return Ok(name.clone());
            }
        }
        match agent.map(|agent| self.resolve(text, agent)) {
            Some(Ok(full)) => Ok(ModelName::known(full)),
            Some(Err(NoModel::Several(_))) => Err(wrong(
                "is what several providers call a model: name it as <provider>/<model>",
            )),
            Some(Err(NoModel::Unknown)) | None if text.contains('/') => Err(wrong(
                "names a provider that the configuration does not have (models.providers)",
            )),
            Some(Err(NoModel::Unknown)) | None => {
                Err(wrong("is no model that is listed: name it as <provider>/<model>"))
            }
        }
    }

    /// The models that may be chosen, with their short names: those that are listed, and those that an agent uses.
    pub(crate) fn choices(&self, agent: &Agent) -> Vec<(String, Option<&str>)> {
        let mut names: Vec<String> = self.listed.iter().map(|(name, _)| name.clone()).collect();
        let used = agent.models.iter().cloned().map(String::from);
        for name in used.chain([ECHO.to_owned()]) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let alias = |name: &String| {
            let known = self.aliases.iter().find(|(_, full)| *full == name);
            known.map(|(alias, _)| alias.as_str())
        };
        names.iter().map(|name| (name.clone(), alias(name))).collect()
    }

    /// The model that somebody means: by its full name, its short one, or the provider's name of it when only one has it.
    pub(crate) fn resolve(&self, text: &str, agent: &Agent) -> Result<String, NoModel> {
        let text = text.trim();
        if let Some(full) = self.aliases.get(text) {
            return Ok(full.clone());
        }
        if text == "echo" || text == ECHO {
            return Ok(ECHO.to_owned());
        }
        let choices = self.choices(agent);
        if choices.iter().any(|(name, _)| name == text) {
            return Ok(text.to_owned());
        }
        let ends = |name: &&String| {
            name.split_once('/')
                .is_some_and(|(_, id)| id.eq_ignore_ascii_case(text))
        };
        let mut named: Vec<String> = choices
            .iter()
            .map(|(name, _)| name)
            .filter(ends)
            .cloned()
            .collect();
        match named.len() {
            1 => Ok(named.remove(0)),
            // A provider that lists no models is asked for whatever is named.
            0 if text
                .split_once('/')
                .is_some_and(|(provider, id)| !id.is_empty() && self.providers.contains(provider)) =>
            {
                Ok(text.to_owned())
            }
            0 => Err(NoModel::Unknown),
            _ => Err(NoModel::Several(named)),
        }
    }
}

fn facts(model: &Model) -> Facts {
    let takes_effort = model
        .compat
        .as_ref()
        .and_then(|compat| compat.supports_reasoning_effort);
    let levels = model.compat.as_ref().map(|compat| &compat.reasoning_effort_map);
    Facts {
        name: model.name.clone(),
        reasons: takes_effort.unwrap_or(model.reasoning),
        sees: model.input.iter().any(|kind| kind == "image"),
        window: model.context_tokens.or(model.context_window),
        levels: levels
            .into_iter()
            .flatten()
            .map(|(level, _)| level.clone())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::Agents;

    const CONFIG: &str = r#"{agents:{defaults:{model:"a/used",models:{"a/large":{alias:"big"}}}},
        models:{providers:{a:{models:[{id:"large",reasoning:true,input:["text","image"],contextWindow:9},{id:"m"}]},
            b:{models:[{id:"m"}]},c:{}}}}"#;

    fn book() -> (Book, Agent) {
        let config: SessionConfig = json5::from_str(CONFIG).unwrap();
        let agent = Agents::read(&config.agents).all()[0].clone();
        (Book::read(&config), agent)
    }

    #[test]
    fn a_model_is_meant_by_its_full_name_its_short_one_or_its_own_when_one_has_it() {
        let (book, agent) = book();
        let means = |text| book.resolve(text, &agent);

        assert_eq!(means("big").unwrap(), "a/large");
        assert_eq!(means("LARGE").unwrap(), "a/large");
        assert_eq!(means("used").unwrap(), "a/used");
        assert_eq!(means("c/anything:7b").unwrap(), "c/anything:7b");
        assert_eq!(means("echo").unwrap(), ECHO);
        assert_eq!(
            means("m"),
            Err(NoModel::Several(vec!["a/m".into(), "b/m".into()]))
        );
        for nothing in ["x", "x/y", "c/", ""] {
            assert_eq!(means(nothing), Err(NoModel::Unknown), "{nothing}");
        }
    }

    #[test]
    fn callers_may_leave_the_provider_out_where_one_alone_has_the_model() {
        let (book, agent) = book();
        let named = |name: &str| {
            book.named("/model", &ModelName::known(name), Some(&agent))
                .map(String::from)
        };

        for (name, full) in [
            ("large", "a/large"),
            ("big", "a/large"),
            ("used", "a/used"),
            ("echo", ECHO),
            ("c/anything:7b", "c/anything:7b"),
        ] {
            assert_eq!(named(name).unwrap(), full, "{name}");
        }
        // `m` is what two call one of theirs, and `a` is a provider.
        for not in ["m", "a", "x", "x/y", "c/", "/m", ""] {
            assert!(
                matches!(named(not), Err(Error::Field { path: "/model", .. })),
                "{not}"
            );
        }
        assert!(book.named("/model", &ModelName::known("large"), None).is_err());
    }

    #[test]
    fn a_model_of_a_provider_that_there_is_not_cannot_be_chosen() {
        let (book, _) = book();
        let check = |name: &str| book.check(&ModelName::known(name));

        for served in ["c/anything:7b", "a/large", ECHO] {
            assert!(check(served).is_ok(), "{served}");
        }
        for not in ["x/y", "echo/other", "C/m"] {
            assert!(check(not).is_err(), "{not}");
        }
    }

    #[test]
    fn what_a_listed_model_can_do_is_known_and_of_others_nothing_is() {
        let (book, _) = book();

        let large = book.facts("a/large").unwrap();
        assert!(large.reasons && large.sees && large.window == Some(9));
        let plain = book.facts("b/m").unwrap();
        assert!(!plain.reasons && !plain.sees && plain.window.is_none());
        assert_eq!(book.facts("a/used"), None);
    }
}
