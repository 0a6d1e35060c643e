//! How a conversation stands: what is known, and no guesses where a provider counted.

use super::Scene;
use crate::error::Error;
use crate::rows::content_of;
use crate::transcripts::{HistoryQuery, Role, Tokens};
use crate::turns::queue;

/// Rows that are looked through for the last answer that its provider counted: the newest exchange, as a rule.
const LOOKED_THROUGH: u32 = 100;

/// Rows that a model reads at most.
const READ_MAX: u32 = 400;

/// `/status`.
pub(super) async fn status(scene: &Scene<'_>) -> Result<String, Error> {
    let Scene {
        policy,
        speaker,
        admission,
        session,
        engine,
    } = scene;
    let agent = policy.agents.of(&admission.key)?;
    let mut lines = Vec::new();
    if speaker.is_told_details() {
        lines.push(format!("Gatehouse {}", env!("CARGO_PKG_VERSION")));
        lines.push(format!(
            "Agent: {} · session {}",
            agent.display_name(),
            admission.key
        ));
    } else {
        lines.push(format!("Agent: {}", agent.display_name()));
    }
    let (model, chosen) = super::settings::model_of(scene)?;
    let chosen = if chosen { " (chosen for this session)" } else { "" };
    let answered = session.as_ref().and_then(|session| session.answered_by.clone());
    let answered = answered
        .map(|(provider, name)| format!("{provider}/{name}"))
        .filter(|last| *last != model) // a fallback, or what was chosen before
        .map_or_else(String::new, |last| format!("; {last} answered last"));
    lines.push(format!("Model: {model}{chosen}{answered}"));
    lines.push(format!("Thinking: {}", super::settings::thinking_of(scene)?));
    lines.push(window_line(scene, &model).await?);
    if let Some(session) = session {
        lines.push(format!(
            "Tokens so far: {} read, {} written",
            grouped(session.input_tokens),
            grouped(session.output_tokens)
        ));
        let channel = session.channel.as_deref();
        let mode = queue::rule(&policy.queue, channel, session.queue_mode, None).mode;
        let busy = if engine.in_flight(&admission.key).is_some() {
            "an answer is being written"
        } else {
            "idle"
        };
        lines.push(format!("Queue: {} · {busy}", mode.word()));
    }
    Ok(lines.join("\n"))
}

/// `/context`.
pub(super) async fn context(scene: &Scene<'_>) -> Result<String, Error> {
    let rows = scene
        .engine
        .stores()
        .transcripts
        .context(&scene.admission.key, READ_MAX)
        .await?;
    let count = |role: Role| rows.iter().filter(|row| row.role == role && !row.waiting).count();
    let bytes: usize = rows.iter().map(|row| content_of(&row.content).bytes()).sum();
    let (model, _) = super::settings::model_of(scene)?;
    let mut lines = vec![format!(
        "The model reads {} messages of people, {} of the assistant and {} of tools: {} KB.",
        count(Role::User),
        count(Role::Assistant),
        count(Role::Tool),
        bytes.div_ceil(1024)
    )];
    if count(Role::System) > 0 {
        lines.push("What was said before them it reads as a summary.".to_owned());
    }
    lines.push(window_line(scene, &model).await?);
    Ok(lines.join("\n"))
}

/// `/usage`.
pub(super) async fn usage(scene: &Scene<'_>) -> Result<String, Error> {
    let (read, written) = scene
        .session
        .as_ref()
        .map_or((0, 0), |session| (session.input_tokens, session.output_tokens));
    let mut lines = vec![format!(
        "This conversation: {} tokens read, {} written.",
        grouped(read),
        grouped(written)
    )];
    lines.push(match last_counted(scene).await? {
        Some(Tokens { input, output }) => {
            format!(
                "Last answer: {} tokens read, {} written.",
                grouped(input),
                grouped(output)
            )
        }
        None => "No answer was counted by its provider lately.".to_owned(),
    });
    Ok(lines.join("\n"))
}

/// How full the model's window was when it answered last.
async fn window_line(scene: &Scene<'_>, model: &str) -> Result<String, Error> {
    let window = scene.policy.book.facts(model).and_then(|facts| facts.window);
    let window = window
        .and_then(|tokens| i64::try_from(tokens).ok())
        .filter(|tokens| *tokens > 0);
    let used = last_counted(scene)
        .await?
        .map(|tokens| tokens.input + tokens.output);
    Ok(match (used, window) {
        (Some(used), Some(window)) => {
            let percent = used.saturating_mul(100) / window;
            format!(
                "Context: {} of {} tokens ({percent}%)",
                grouped(used),
                grouped(window)
            )
        }
        (Some(used), None) => format!(
            "Context: {} tokens; the window of {model} is not known",
            grouped(used)
        ),
        (None, Some(window)) => format!("Context: nothing counted yet, of {} tokens", grouped(window)),
        (None, None) => "Context: nothing counted yet".to_owned(),
    })
}

/// What the last answer cost, unless the conversation was cut since.
async fn last_counted(scene: &Scene<'_>) -> Result<Option<Tokens>, Error> {
    let query = HistoryQuery {
        limit: LOOKED_THROUGH,
        offset: 0,
        after: None,
        bytes_max: 4 * 1024 * 1024,
    };
    let page = scene
        .engine
        .stores()
        .transcripts
        .history(&scene.admission.key, query)
        .await?;
    let newest = page.entries.iter().rev();
    let mut since = newest.take_while(|entry| entry.row.extra.compacts.is_none());
    Ok(since.find_map(|entry| entry.row.extra.usage))
}

/// A number as people read it: `12,345`.
pub(crate) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if number < 0 { format!("-{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_as_people_read_them() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
            (-12_345, "-12,345"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
