//! The row with which an answer ends, and what its chat reads, also when it ended before it was whole. What was written stays;
//! the notice that says why there is no more stands behind it, for people and not for models.

use gatehouse_core::content::Block;
use gatehouse_core::{Content, ForPeople, Timestamp};

use crate::id::{EntryId, RunId};
use crate::rows::{GATEWAY_MODEL, GATEWAY_PROVIDER, content_of};
use crate::stop::StopReason;
use crate::store::{EntryExtra, NewEntry, Origin, Role, Tokens};

/// The most text of one answer: what a delivery may hold.
pub(crate) const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What parts an answer from the next one of the same run.
pub(crate) const PART: &str = "\n\n";

/// The row of an answer, or of a notice in the place of one.
pub(crate) fn row(
    run: &RunId,
    content: &Content,
    in_context: bool,
    extra: EntryExtra,
    now: Timestamp,
) -> NewEntry {
    NewEntry {
        id: EntryId::generate(),
        role: Role::Assistant,
        content: content.to_json_blocks(),
        preview: content.words(),
        timestamp: now,
        run: Some(run.clone()),
        boundary: false,
        in_context,
        extra,
    }
}

/// The row of a message that is finished while its turn goes on: the assistant's, or what a tool answered.
pub(crate) fn step(run: &RunId, role: Role, content: &Content, number: u32, now: Timestamp) -> NewEntry {
    let extra = EntryExtra {
        stop_reason: content.calls().next().map(|_| StopReason::Calls),
        step: Some(number),
        ..EntryExtra::default()
    };
    NewEntry {
        role,
        ..row(run, content, true, extra, now)
    }
}

/// What a run said before somebody steered it. Its rows are in the transcript; a chat is told at the end of the run.
#[derive(Debug, Default)]
pub(crate) struct SaidBefore {
    /// Each answer with what parts it from the next one.
    pub(crate) text: String,
    /// The part of it that stands on screens: what follows a call of a tool takes the place of what was there.
    pub(crate) on_screens: String,
    /// What it cost.
    pub(crate) spent: Tokens,
}

impl SaidBefore {
    /// Reads it out of the assistant's rows in the middle of a turn: those that were whole, and called no tool.
    pub(crate) fn of_steps<'r>(rows: impl IntoIterator<Item = &'r NewEntry>) -> Self {
        let mut said = Self::default();
        for row in rows {
            match row.extra.stop_reason {
                None => {}
                Some(StopReason::Calls) => said.on_screens.clear(),
                Some(_) => {
                    let usage = row.extra.usage.unwrap_or_default();
                    said.add(&content_of(&row.content).words(), usage);
                }
            }
        }
        said
    }

    pub(crate) fn add(&mut self, words: &str, usage: Tokens) {
        self.spent = self.spent.and(usage);
        if words.trim().is_empty() {
            return;
        }
        for text in [&mut self.text, &mut self.on_screens] {
            text.push_str(words);
            text.push_str(PART);
        }
    }
}

/// What a chat is told of an answer: words and media.
pub(crate) fn reply(content: Content) -> Option<Content> {
    let told = content.filtered(|block| matches!(block, Block::Text(_) | Block::Media(_)));
    (!told.is_blank()).then_some(told)
}

/// The same of an answer that a model was not let finish: nobody should take it for the whole.
pub(crate) fn cut_off(reply: Content, notice: ForPeople) -> Content {
    let notice = notice.after("").trim().to_owned();
    if reply.bytes() + notice.len() + AROUND_NOTICE_BYTES > ANSWER_BYTES_MAX {
        return reply;
    }
    let behind = Block::text(format!("\n({notice})"));
    reply.blocks().iter().cloned().chain([behind]).collect()
}

/// What stands beside words that no model wrote.
fn of_gateway() -> EntryExtra {
    EntryExtra {
        provider: Some(GATEWAY_PROVIDER.to_owned()),
        model: Some(GATEWAY_MODEL.to_owned()),
        ..EntryExtra::default()
    }
}

/// The row of what the gateway says itself. No model reads it.
pub(crate) fn by_gateway(run: &RunId, content: &Content, now: Timestamp) -> NewEntry {
    let extra = EntryExtra {
        stop_reason: Some(StopReason::Stop),
        ..of_gateway()
    };
    row(run, content, false, extra, now)
}

/// The most of what a model thought that a chat reads before an answer.
const THOUGHT_CHARS_MAX: usize = 3000;

/// The same of an answer in a session whose owner wants what the model thought to be read before it.
pub(crate) fn with_thoughts(reply: Content, thought: &str) -> Content {
    let thought = thought.trim();
    if thought.is_empty() {
        return reply;
    }
    let end = thought.char_indices().nth(THOUGHT_CHARS_MAX);
    let begin = end.and_then(|(end, _)| thought.get(..end)).unwrap_or(thought);
    let more = if end.is_some() { "…" } else { "" };
    let before = Block::text(format!("Reasoning:\n{begin}{more}\n"));
    [before].into_iter().chain(reply.into_blocks()).collect()
}

/// The same of an answer in a session whose owner wants its cost to be said behind it.
pub(crate) fn with_usage(reply: Content, usage: Tokens, answered_by: Option<(&str, &str)>) -> Content {
    let Tokens { input, output } = usage;
    let model = answered_by.map(|(provider, model)| format!(" · {provider}/{model}"));
    let behind = Block::text(format!(
        "\nUsage: {input} in / {output} out{}",
        model.unwrap_or_default()
    ));
    reply.into_blocks().into_iter().chain([behind]).collect()
}

/// The row of an answer that somebody stopped.
pub(crate) fn aborted(
    run: &RunId,
    text: &str,
    origin: Origin,
    wrote: Option<String>,
    now: Timestamp,
) -> NewEntry {
    let extra = EntryExtra {
        wrote,
        stop_reason: Some(StopReason::Aborted),
        abort_origin: Some(origin.word().to_owned()),
        ..of_gateway()
    };
    row(run, &Content::text(text), true, extra, now)
}

/// The row of an answer that broke off: the text so far, which a model may read, and the notice behind it, which it does not.
pub(crate) fn broken_off(
    run: &RunId,
    text: &str,
    notice: &str,
    extra: EntryExtra,
    now: Timestamp,
) -> NewEntry {
    let extra = EntryExtra {
        error_message: Some(notice.to_owned()),
        ..extra
    };
    if text.trim().is_empty() {
        return row(run, &Content::text(notice), false, extra, now);
    }
    let content = [Block::text(text), Block::notice(notice)].into_iter().collect();
    row(run, &content, true, extra, now)
}

/// What stands between an answer and the notice behind it: [`ForPeople::after`].
const AROUND_NOTICE_BYTES: usize = 4;

/// What the chat reads of an answer that broke off.
pub(crate) fn with_notice(text: &str, notice: ForPeople) -> String {
    let room = ANSWER_BYTES_MAX.saturating_sub(notice.words().len() + AROUND_NOTICE_BYTES);
    let mut end = text.len().min(room);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let (text, _) = text.split_at(end);
    notice.after(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::text_of;

    #[test]
    fn a_broken_answer_is_its_text_and_the_notice_and_models_read_the_text_alone() {
        let run = RunId::new("r1");

        let half = broken_off(&run, "half", "cut short", EntryExtra::default(), Timestamp::EPOCH);
        let nothing = broken_off(&run, " ", "cut short", EntryExtra::default(), Timestamp::EPOCH);

        assert!(half.in_context && half.content.contains("half") && half.content.contains("cut short"));
        assert_eq!(text_of(&half.content), "half");
        assert!(!nothing.in_context);
        assert_eq!(text_of(&nothing.content), "cut short");
    }

    #[test]
    fn a_chat_is_told_words_and_media_and_nothing_when_there_is_neither() {
        let content = |json| Content::from_json(json).unwrap();
        let said = content(
            r#"[{"type":"thinking","thinking":"hm"},{"type":"text","text":"hi"},{"type":"hologram"},{"type":"toolCall","id":"c","name":"n","arguments":{}}]"#,
        );
        assert_eq!(reply(said), Some(Content::text("hi")));
        assert_eq!(
            reply(content(
                r#"[{"type":"thinking","thinking":"hm"},{"type":"text","text":" "}]"#
            )),
            None
        );
        let picture = content(r#"[{"type":"image","url":"u","mimeType":"image/png"}]"#);
        assert_eq!(reply(picture.clone()), Some(picture));
    }

    #[test]
    fn a_chat_reads_what_was_thought_before_an_answer_and_its_cost_behind_it_where_its_owner_wants_it() {
        let answer = || Content::text("42");

        assert_eq!(with_thoughts(answer(), " hm ").words(), "Reasoning:\nhm\n\n42");
        assert_eq!(with_thoughts(answer(), " "), answer());
        let usage = Tokens { input: 7, output: 2 };
        assert_eq!(
            with_usage(answer(), usage, None).words(),
            "42\n\nUsage: 7 in / 2 out"
        );
        let full = with_usage(answer(), usage, Some(("p", "m"))).words();
        assert!(full.ends_with("7 in / 2 out · p/m"), "{full}");
        let long = with_thoughts(answer(), &"ü".repeat(THOUGHT_CHARS_MAX + 1)).words();
        assert!(long.contains("ü…"));
    }

    #[test]
    fn the_notice_fits_behind_the_longest_answer() {
        let longest = "ü".repeat(ANSWER_BYTES_MAX / 2);

        let reply = with_notice(&longest, ForPeople::new("cut short"));

        assert!(reply.len() <= ANSWER_BYTES_MAX && reply.ends_with("ü\n\n(cut short)"));
    }
}
