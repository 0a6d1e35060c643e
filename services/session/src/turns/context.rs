//! What a model reads: the conversation, oldest first, then the message to answer, and what was done about it so far.
//!
//! Whatever stands in a row is handed on, also what this version does not understand: the provider that wrote it may. Left out are
//! notices, which are for people, and what was thought in other turns, which no provider wants back.

use std::collections::{HashSet, VecDeque};

use gatehouse_core::Content;
use gatehouse_core::content::{Block, Text};
use gatehouse_proto::agent::v1::TurnMessage;
use gatehouse_proto::agent::v1::turn_message;

use crate::id::RunId;
use crate::rows::content_of;
use crate::store::{ContextRow, Role};

/// Rows of the conversation that a model reads at most. Older ones rarely matter and always cost.
pub(super) const ROWS_MAX: u32 = 400;
/// Bytes of the conversation that a model reads at most: with the merged messages it stays below gRPC's 4 MiB.
const BYTES_MAX: usize = 1024 * 1024;

/// What stands before a summary.
const SUMMARY_BEFORE: &str = "(This is a summary of the conversation up to here. Go on from it.)";

/// Puts the rows into the order in which they were answered, leaves out what still waits, and cuts the oldest off at
/// the bound. A message that came while another run was being answered was stored before that answer; the model reads it
/// where its own run begins, and one that steered a run behind what that had said by then.
pub(super) fn arrange(mut rows: Vec<ContextRow>, run: &RunId) -> Vec<TurnMessage> {
    rows.sort_by_key(|row| (row.read_after.unwrap_or(row.seq), row.read_after.is_some()));
    let (own, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| match row.role {
        Role::User => row.answered_in.as_ref() == Some(run),
        // Of this run, from an attempt that did not come to its end.
        Role::Assistant | Role::Tool => row.run.as_ref() == Some(run),
        Role::System => false,
    });
    let answered: HashSet<RunId> = others
        .iter()
        .filter(|row| row.role == Role::Assistant)
        .filter_map(|row| row.run.clone())
        .collect();
    let answered_later = |question: &ContextRow, run: &Option<RunId>| {
        question.answered_in != *run
            && question
                .answered_in
                .as_ref()
                .is_some_and(|run| answered.contains(run))
    };
    let mut earlier: Vec<ContextRow> = Vec::new();
    let mut asked: VecDeque<ContextRow> = VecDeque::new();
    for row in others {
        match row.role {
            Role::User if row.waiting => {}
            Role::User if row.run.is_some() => asked.push_back(row),
            Role::User | Role::System | Role::Tool => earlier.push(row),
            Role::Assistant => {
                // Its questions first, and whatever was asked before them and never answered.
                let (later, now): (VecDeque<_>, VecDeque<_>) = asked
                    .drain(..)
                    .partition(|question| answered_later(question, &row.run));
                earlier.extend(now);
                asked = later;
                earlier.push(row);
            }
        }
    }
    earlier.extend(asked);

    // The questions first, also one that was merged while the turn was at work; then its work so far, and what steered it.
    let (asked, done): (Vec<_>, Vec<_>) = own
        .into_iter()
        .partition(|row| row.role == Role::User && row.read_after.is_none());
    let own = asked
        .iter()
        .chain(&done)
        .filter_map(|row| message(row, Thoughts::Kept));
    let mut bytes = 0;
    let mut kept: VecDeque<TurnMessage> = VecDeque::new();
    for row in earlier.iter().rev() {
        let Some((message, weight)) = weighed(row, Thoughts::LeftOut) else {
            continue;
        };
        bytes += weight;
        if bytes > BYTES_MAX {
            break;
        }
        kept.push_front(message);
    }
    kept.into_iter().chain(own).collect()
}

/// What becomes of what was thought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thoughts {
    Kept,
    LeftOut,
}

fn message(row: &ContextRow, thoughts: Thoughts) -> Option<TurnMessage> {
    weighed(row, thoughts).map(|(message, _)| message)
}

fn weighed(row: &ContextRow, thoughts: Thoughts) -> Option<(TurnMessage, usize)> {
    let role = match row.role {
        Role::User => turn_message::Role::User,
        Role::Assistant => turn_message::Role::Assistant,
        Role::Tool => turn_message::Role::Tool,
        Role::System => return summary(row),
    };
    let content: Content = content_of(&row.content).filtered(|block| match block {
        Block::Text(Text { notice, .. }) => !notice,
        Block::Thinking(_) => thoughts == Thoughts::Kept,
        Block::Media(_)
        | Block::ToolCall(_)
        | Block::ToolResult(_)
        | Block::Choices(_)
        | Block::Opaque(_) => true,
    });
    if content.is_blank() {
        return None;
    }
    let weight = content.bytes();
    let (text, content) = content.into_parts();
    let message = TurnMessage {
        role: role.into(),
        text,
        content,
        provider: row.provider.clone(),
    };
    Some((message, weight))
}

/// What was said before, in few words: nobody's answer, so it stands where a person would say it.
fn summary(row: &ContextRow) -> Option<(TurnMessage, usize)> {
    let words = content_of(&row.content).words();
    let text = format!("{SUMMARY_BEFORE}\n\n{words}");
    let weight = text.len();
    let message = TurnMessage {
        role: turn_message::Role::User.into(),
        text,
        content: None,
        provider: None,
    };
    (!words.trim().is_empty()).then_some((message, weight))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::plain;

    fn row(role: Role, text: &str, run: &str) -> ContextRow {
        let run = Some(RunId::new(run));
        ContextRow {
            seq: 0,
            role,
            content: plain(text),
            answered_in: run.clone(),
            run,
            waiting: false,
            provider: None,
            read_after: None,
        }
    }

    fn texts(rows: Vec<ContextRow>, run: &str) -> Vec<String> {
        arrange(rows, &RunId::new(run))
            .into_iter()
            .map(|message| message.text)
            .collect()
    }

    #[test]
    fn the_message_to_answer_comes_last() {
        let rows = vec![
            row(Role::User, "one", "1"),
            row(Role::User, "two", "2"),
            row(Role::Assistant, "to one", "1"),
        ];

        assert_eq!(texts(rows, "2"), ["one", "to one", "two"]);
    }

    #[test]
    fn a_question_is_read_before_its_answer_even_when_it_was_said_earlier() {
        let rows = vec![
            row(Role::User, "one", "1"),
            row(Role::User, "two", "2"),
            row(Role::Assistant, "to one", "1"),
            row(Role::Assistant, "to two", "2"),
            row(Role::User, "three", "3"),
        ];

        assert_eq!(texts(rows, "3"), ["one", "to one", "two", "to two", "three"]);
    }

    #[test]
    fn what_still_waits_is_not_read_and_what_was_merged_is() {
        let merged = ContextRow {
            answered_in: Some(RunId::new("1")),
            ..row(Role::User, "and", "2")
        };
        let waiting = ContextRow {
            waiting: true,
            ..row(Role::User, "later", "3")
        };

        assert_eq!(
            texts(vec![row(Role::User, "one", "1"), merged, waiting], "1"),
            ["one", "and"]
        );
    }

    #[test]
    fn whose_model_wrote_an_answer_is_handed_on() {
        let by_echo = ContextRow {
            provider: Some("echo".to_owned()),
            ..row(Role::Assistant, "to one", "1")
        };

        let messages = arrange(
            vec![row(Role::User, "one", "1"), by_echo, row(Role::User, "two", "2")],
            &RunId::new("2"),
        );

        let providers: Vec<_> = messages
            .iter()
            .map(|message| message.provider.as_deref())
            .collect();
        assert_eq!(providers, [None, Some("echo"), None]);
    }

    #[test]
    fn the_oldest_is_cut_off_and_the_message_to_answer_never() {
        let long = "x".repeat(BYTES_MAX - 1);
        let rows = vec![
            row(Role::Assistant, "old", "0"),
            row(Role::Assistant, &long, "1"),
            row(Role::User, &long, "2"),
        ];

        let texts = texts(rows, "2");

        assert_eq!(texts.len(), 2);
        assert_eq!(texts.first().map(String::len), Some(BYTES_MAX - 1));
    }

    #[test]
    fn a_message_that_steered_a_run_is_read_behind_what_that_had_said_by_then() {
        let at = |seq, row: ContextRow| ContextRow { seq, ..row };
        let steered = ContextRow {
            answered_in: Some(RunId::new("1")),
            read_after: Some(3),
            ..at(2, row(Role::User, "and now", "2"))
        };
        let mut rows = vec![
            at(1, row(Role::User, "one", "1")),
            steered,
            at(3, row(Role::Assistant, "to one", "1")),
        ];
        assert_eq!(texts(rows.clone(), "1"), ["one", "to one", "and now"]);

        rows.push(at(4, row(Role::Assistant, "to both", "1")));
        rows.push(at(5, row(Role::User, "three", "3")));
        assert_eq!(texts(rows, "3"), ["one", "to one", "and now", "to both", "three"]);
    }
}
