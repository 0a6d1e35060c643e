//! What one session cost: its answers one after the other, and its rows.

use gatehouse_core::Content;
use gatehouse_proto::session::v1 as proto;

use super::{Counts, Metered, ModelOf, Prices};
use crate::rows::content_of;
use crate::transcripts::{Entry, Role};

/// Points of one answer: a chart is about as wide. OpenClaw's figure.
const POINTS_MAX: usize = 200;

/// Characters of a row. OpenClaw's figure.
const CHARS_MAX: usize = 2_000;

/// The answers as points of a chart, with what all of them cost up to there.
pub(super) fn series(answers: &[Metered], prices: &Prices) -> Vec<proto::UsagePoint> {
    let each = answers.len().div_ceil(POINTS_MAX).max(1);
    let (mut tokens, mut cost) = (0, 0.0);
    answers
        .chunks(each)
        .map(|chunk| {
            let mut point = proto::UsagePoint::default();
            for answer in chunk {
                point.timestamp = answer.timestamp.as_ms();
                point.input += answer.tokens.input;
                point.output += answer.tokens.output;
                point.total_tokens += answer.tokens.input + answer.tokens.output;
                point.cost += price(prices, &answer.model, &answer.counts()).unwrap_or(0.0);
            }
            tokens += point.total_tokens;
            cost += point.cost;
            point.cumulative_tokens = tokens;
            point.cumulative_cost = cost;
            point
        })
        .collect()
}

/// A row, unless it says nothing.
pub(super) fn log(entry: &Entry, prices: &Prices) -> Option<proto::UsageLog> {
    let row = &entry.row;
    if row.role == Role::System {
        return None;
    }
    let content = words(&content_of(&row.content));
    if content.is_empty() {
        return None;
    }
    let usage = row.extra.usage.filter(|_| row.role == Role::Assistant);
    let answer = usage.map(|tokens| Metered {
        timestamp: row.timestamp,
        model: ModelOf {
            provider: row.extra.provider.clone(),
            model: row.extra.model.clone(),
        },
        tokens,
    });
    Some(proto::UsageLog {
        timestamp: row.timestamp.as_ms(),
        role: row.role.word().to_owned(),
        content,
        tokens: usage.map(|tokens| tokens.input + tokens.output),
        cost: answer.and_then(|answer| price(prices, &answer.model, &answer.counts())),
    })
}

fn price(prices: &Prices, model: &ModelOf, counts: &Counts) -> Option<f64> {
    prices.cost(model, counts).map(|cost| cost.input + cost.output)
}

/// What is said, which tools are called, and whose results they are.
fn words(content: &Content) -> String {
    let calls = content.calls().map(|call| format!("[Tool: {}]", call.name));
    let results = content
        .results()
        .map(|result| format!("[Tool: {}]\n{}", result.name, result.content.words()));
    let said = Some(content.words()).filter(|said| !said.trim().is_empty());
    let parts: Vec<String> = said.into_iter().chain(calls).chain(results).collect();
    let text = parts.join("\n");
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_core::Timestamp;

    use gatehouse_document::Models;

    use super::*;
    use crate::transcripts::Tokens;

    fn answer(n: i64) -> Metered {
        Metered {
            timestamp: Timestamp::from_ms(n),
            model: ModelOf {
                provider: Some("p".to_owned()),
                model: Some("m".to_owned()),
            },
            tokens: Tokens {
                input: 1_000_000,
                output: 1,
            },
        }
    }

    #[test]
    fn many_answers_are_few_points_whose_sums_lose_nothing() {
        let document = r#"{"providers":{"p":{"models":[{"id":"m","cost":{"input":2,"output":0}}]}}}"#;
        let models: Models = serde_json::from_str(document).unwrap();
        let answers: Vec<_> = (1..=450).map(answer).collect();

        let points = series(&answers, &Prices::read(&models));

        assert_eq!(points.len(), 150);
        let last = points.last().unwrap();
        assert_eq!((last.timestamp, last.total_tokens), (450, 3_000_003));
        assert_eq!(last.cumulative_tokens, 450 * 1_000_001);
        assert!((last.cumulative_cost - 900.0).abs() < 1e-6, "{last:?}");
        assert!(series(&[], &Prices::default()).is_empty());
    }

    #[test]
    fn a_row_is_told_in_words_with_the_tools_it_calls() {
        let content = Content::from_json(
            r#"[{"type":"text","text":"look"},{"type":"toolCall","id":"c","name":"files","arguments":{}}]"#,
        )
        .unwrap();

        assert_eq!(words(&content), "look\n[Tool: files]");
        assert_eq!(
            words(&Content::text("x".repeat(3_000))).chars().count(),
            CHARS_MAX + 1
        );
    }
}
