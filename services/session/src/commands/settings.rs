//! Commands that show and choose what holds for a conversation.

use super::table::DEFAULT;
use super::{Answer, Scene};
use crate::agents::ModelName;
use crate::book::{ECHO, NoModel};
use crate::error::Error;
use crate::sessions::SessionPatch;
use crate::thinking::Level;
use crate::turns::queue::{self, QueueMode};

/// Models of one list: more scroll the chat away.
const LISTED_MAX: usize = 40;

/// The model that answers here, and whether it was chosen for the session.
pub(super) fn model_of(scene: &Scene<'_>) -> Result<(String, bool), Error> {
    let chosen = scene
        .session
        .as_ref()
        .and_then(|session| session.model_override.clone());
    if let Some(model) = chosen {
        return Ok((model.into(), true));
    }
    let agent = scene.policy.agents.of(&scene.admission.key)?;
    let first = agent.models.first().cloned();
    Ok((first.map_or_else(|| ECHO.to_owned(), String::from), false))
}

/// How hard the model thinks here, in words for people.
pub(super) fn thinking_of(scene: &Scene<'_>) -> Result<String, Error> {
    let (model, _) = model_of(scene)?;
    if !takes_levels(scene, &model) {
        return Ok("as the model does; it is not told".to_owned());
    }
    let chosen = scene
        .session
        .as_ref()
        .and_then(|session| session.thinking_level.clone());
    let agent = scene.policy.agents.of(&scene.admission.key)?;
    let level = chosen.or_else(|| agent.thinking.clone());
    Ok(level.map_or_else(|| "as the model does".to_owned(), String::from))
}

/// `/model`.
pub(super) fn model(scene: &Scene<'_>, name: &str) -> Result<Answer, Error> {
    let (here, _) = model_of(scene)?;
    if name.is_empty() || name == "status" {
        let text = format!("{here} answers here. /model <name> chooses another one, /models lists them.");
        return Ok(Answer::says(text));
    }
    if name == "list" {
        return models(scene, "");
    }
    let agent = scene.policy.agents.of(&scene.admission.key)?;
    if name.eq_ignore_ascii_case(DEFAULT) {
        let change = SessionPatch {
            model: Some(None),
            ..SessionPatch::default()
        };
        let first = agent.models.first().map_or(ECHO, ModelName::as_str);
        let text = format!("{first} answers here from now on, as for every conversation.");
        return Ok(Answer::changes(change, text));
    }
    match scene.policy.book.resolve(name, agent) {
        Ok(model) => {
            let change = SessionPatch {
                model: Some(Some(ModelName::try_from(model.clone())?)),
                ..SessionPatch::default()
            };
            Ok(Answer::changes(
                change,
                format!("{model} answers here from now on."),
            ))
        }
        Err(NoModel::Several(names)) => Ok(Answer::says(format!(
            "Several models are called {name}: say which of {}.",
            names.join(", ")
        ))),
        Err(NoModel::Unknown) => Ok(Answer::says(format!(
            "There is no model {name}. /models lists those there are; {here} goes on answering."
        ))),
    }
}

/// `/models`.
pub(super) fn models(scene: &Scene<'_>, provider: &str) -> Result<Answer, Error> {
    let agent = scene.policy.agents.of(&scene.admission.key)?;
    let (here, _) = model_of(scene)?;
    let wanted = |name: &str| {
        let of = name.split_once('/').map_or(name, |(provider, _)| provider);
        provider.is_empty() || of.eq_ignore_ascii_case(provider)
    };
    let choices = scene.policy.book.choices(agent);
    let lines: Vec<String> = choices
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, alias)| {
            let mark = if *name == here { "* " } else { "  " };
            let alias = alias.map_or_else(String::new, |alias| format!(" ({alias})"));
            format!("{mark}{name}{alias}")
        })
        .collect();
    if lines.is_empty() {
        return Ok(Answer::says(format!("No model of {provider} is listed.")));
    }
    let more = lines.len().saturating_sub(LISTED_MAX);
    let mut text = format!(
        "Models (* answers here):\n{}",
        lines.get(..LISTED_MAX).unwrap_or(&lines).join("\n")
    );
    if more > 0 {
        text.push_str(&format!(
            "\nand {more} more: /models <provider> lists those of one provider"
        ));
    }
    Ok(Answer::says(text))
}

/// Whether a model is told how hard to think. One that is not listed is: nobody knows better.
fn takes_levels(scene: &Scene<'_>, model: &str) -> bool {
    model != ECHO && scene.policy.book.facts(model).is_none_or(|facts| facts.reasons)
}

/// `/think`.
pub(super) fn think(scene: &Scene<'_>, level: &str) -> Result<Answer, Error> {
    let (model, _) = model_of(scene)?;
    let levels = scene.policy.book.levels(&model);
    if level.is_empty() {
        let now = thinking_of(scene)?;
        let text = format!(
            "Thinking: {now}. It may be one of {}, or {DEFAULT}.",
            levels.listed()
        );
        return Ok(Answer::says(text));
    }
    if level.eq_ignore_ascii_case(DEFAULT) {
        let change = SessionPatch {
            thinking_level: Some(None),
            ..SessionPatch::default()
        };
        return Ok(Answer::changes(
            change,
            "The model thinks as the configuration says.",
        ));
    }
    let Some(level) = levels.read(level) else {
        let text = format!(
            "{level} is not a level: it may be one of {}, or {DEFAULT}.",
            levels.listed()
        );
        return Ok(Answer::says(text));
    };
    if level != "off" && !takes_levels(scene, &model) {
        let mut text = format!("{model} cannot be told how hard to think, so nothing was changed.");
        if scene.speaker.is_told_details() && model != ECHO {
            text.push_str(" If it can, list it with reasoning: true under models.providers.");
        }
        return Ok(Answer::says(text));
    }
    let text = format!("Thinking: {level}.");
    let change = SessionPatch {
        thinking_level: Some(Some(Level::known(level))),
        ..SessionPatch::default()
    };
    Ok(Answer::changes(change, text))
}

/// `/queue`.
pub(super) fn queue(scene: &Scene<'_>, mode: &str) -> Answer {
    let session = scene.session.as_ref();
    let rule = |chosen: Option<QueueMode>| {
        let channel = session.and_then(|session| session.channel.as_deref());
        queue::rule(&scene.policy.queue, channel, chosen, None)
    };
    if mode.is_empty() {
        let now = rule(session.and_then(|session| session.queue_mode));
        return Answer::says(format!(
            "Queue: {}, at most {} messages wait. It may be one of steer, followup, collect, interrupt, or {DEFAULT}.",
            now.mode.word(),
            now.cap
        ));
    }
    let mode = mode.to_ascii_lowercase();
    let set = |queue_mode| SessionPatch {
        queue_mode: Some(queue_mode),
        ..SessionPatch::default()
    };
    if mode == DEFAULT || mode == "reset" {
        return Answer::changes(
            set(None),
            format!("Queue: {}, as configured.", rule(None).mode.word()),
        );
    }
    match QueueMode::parse(&mode) {
        Some(mode) => Answer::changes(set(Some(mode)), format!("Queue: {}.", mode.word())),
        None => Answer::says(format!(
            "{mode} is not a mode of the queue: it may be one of steer, followup, collect, interrupt, or {DEFAULT}."
        )),
    }
}
