//! One piece of an answer, read as it is meant: from a stream (`delta`), from a server that does not stream (`message`), from the older
//! completions (`text`), and from Ollama's and llama.cpp's own interfaces. Fields of another type than expected are left out.

use gatehouse_proto::agent::v1::Usage;
use serde_json::{Map, Value};

use crate::{
    program::CallPiece,
    provider::{StopReason, failure::Said},
};

/// What one document says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Chunk {
    pub(super) thinking: String,
    pub(super) text: String,
    /// Text of a whole message. It may be all that was said so far once more.
    pub(super) whole: Option<Whole>,
    /// Why it declines, in its own words.
    pub(super) refusal: String,
    /// The tools that it wants to call, piece by piece.
    pub(super) calls: Vec<CallPiece>,
    pub(super) stop_reason: Option<StopReason>,
    pub(super) usage: Option<Usage>,
    /// What it holds that is no words and cannot be shown.
    pub(super) other: Option<&'static str>,
    /// Whether there is an answer in it, be it an empty one.
    pub(super) has_choice: bool,
    /// Nothing follows.
    pub(super) is_last: bool,
}

/// Text that came as a message.
#[derive(Debug, PartialEq)]
pub(super) struct Whole {
    pub(super) text: String,
    /// Whether the same document has a `delta` as well, so that this can only be a repetition.
    pub(super) beside_delta: bool,
}

/// How deep lists of parts go.
const DEPTH_MAX: usize = 4;

/// Calls of tools in one answer at most: more than any model makes.
pub(super) const CALLS_MAX: usize = 128;

/// Where some servers and the gateways before them put the whole of an answer.
const WRAPPERS: [&str; 4] = ["data", "result", "output", "response"];

/// The error of the one answer that is read, where it stands beside the answer (OpenRouter).
pub(super) fn error(value: &Value) -> Option<Said> {
    let choices = value.get("choices")?.as_array()?;
    choices.iter().find_map(|choice| Said::in_answer(choice, false))
}

/// Reads a document. `None`: it is no part of an answer.
pub(super) fn read(value: &Value) -> Option<Chunk> {
    let map = value.as_object()?;
    if !map.contains_key("choices")
        && let Some(inner) = WRAPPERS.iter().find_map(|key| map.get(*key)?.as_object())
        && ["choices", "response", "message"]
            .iter()
            .any(|key| inner.contains_key(*key))
    {
        return unwrapped(inner);
    }
    unwrapped(map)
}

fn unwrapped(map: &Map<String, Value>) -> Option<Chunk> {
    let mut chunk = Chunk {
        usage: usage(map),
        stop_reason: is_blocked(map).then_some(StopReason::Filtered),
        ..Chunk::default()
    };
    match map.get("choices") {
        // Of several answers the first is taken.
        Some(Value::Array(choices)) => {
            let is_first = |choice: &&Value| {
                choice
                    .get("index")
                    .and_then(Value::as_f64)
                    .is_none_or(|index| index == 0.0)
            };
            if let Some(choice) = choices.iter().find(is_first) {
                chunk.choice(choice);
            }
        }
        Some(choice @ Value::Object(_)) => chunk.choice(choice),
        _ => chunk.own(map)?,
    }
    Some(chunk)
}

impl Chunk {
    /// Whether it has more of the answer, or of what was thought before it.
    pub(super) fn has_words(&self) -> bool {
        let whole = self.whole.as_ref().is_some_and(|whole| !whole.text.is_empty());
        whole || !self.text.is_empty() || !self.thinking.is_empty() || !self.calls.is_empty()
    }

    fn choice(&mut self, choice: &Value) {
        self.has_choice = true;
        self.stop_reason = word(choice, "finish_reason").and_then(StopReason::read);
        let delta = choice.get("delta").filter(|delta| !delta.is_null());
        match delta {
            Some(Value::String(text)) => self.text.push_str(text),
            Some(delta) => self.message(delta),
            None => {}
        }
        if let Some(message) = choice.get("message").filter(|message| !message.is_null())
            && self.text.is_empty()
        {
            let mut whole = Self::default();
            match message {
                Value::String(text) => whole.text.push_str(text),
                message => whole.message(message),
            }
            if delta.is_none() {
                self.thinking = whole.thinking;
                self.refusal = whole.refusal;
                self.calls = whole.calls;
                self.other = whole.other;
            }
            self.whole = (!whole.text.is_empty()).then_some(Whole {
                text: whole.text,
                beside_delta: delta.is_some(),
            });
        } else if let Some(text) = choice.get("text").and_then(Value::as_str)
            && delta.is_none()
        {
            self.text.push_str(text);
        }
        if self.usage.is_none() {
            self.usage = choice.as_object().and_then(usage);
        }
    }

    /// A message, or an increment of one.
    fn message(&mut self, message: &Value) {
        // Two spellings are about, and some servers send both with the same words.
        let thinking = ["reasoning_content", "reasoning", "thinking", "reasoning_text"]
            .iter()
            .filter_map(|key| message.get(*key))
            .map(words)
            .find(|words| !words.is_empty());
        self.thinking = thinking
            .or_else(|| message.get("reasoning_details").map(words))
            .unwrap_or_default();
        if let Some(content) = message.get("content") {
            self.content(content, 0);
        }
        if let Some(refusal) = message.get("refusal").and_then(Value::as_str) {
            self.refusal.push_str(refusal);
        }
        if let Some(audio) = message.get("audio").filter(|audio| audio.is_object()) {
            match audio.get("transcript").and_then(Value::as_str) {
                Some(spoken) if self.text.is_empty() => self.text.push_str(spoken),
                _ => self.other = Some("sound"),
            }
        }
        let pictures = message.get("images").and_then(Value::as_array);
        if pictures.is_some_and(|pictures| !pictures.is_empty()) {
            self.other = Some("pictures");
        }
        match message.get("tool_calls").and_then(Value::as_array) {
            Some(calls) => {
                let calls = calls.iter().take(CALLS_MAX).enumerate();
                self.calls = calls
                    .filter_map(|(place, call)| call_piece(place, call))
                    .collect();
            }
            // The form before there were several.
            None => self
                .calls
                .extend(message.get("function_call").and_then(|call| call_piece(0, call))),
        }
    }

    /// Words, or parts of which some are thinking (Mistral).
    fn content(&mut self, content: &Value, depth: usize) {
        match content {
            Value::String(text) => self.text.push_str(text),
            // Of a server that took the words for what they look like.
            Value::Number(_) | Value::Bool(_) => self.text.push_str(&content.to_string()),
            Value::Array(parts) if depth < DEPTH_MAX => {
                for part in parts {
                    self.content(part, depth + 1);
                }
            }
            Value::Object(part) => match part.get("type").and_then(Value::as_str) {
                Some("thinking" | "reasoning") => {
                    let inside = ["thinking", "reasoning", "text", "content"]
                        .iter()
                        .find_map(|key| part.get(*key));
                    self.thinking.push_str(&inside.map(words).unwrap_or_default());
                }
                Some("refusal") => self
                    .refusal
                    .push_str(&part.get("refusal").map(words).unwrap_or_default()),
                None | Some("text" | "output_text") => {
                    let words = ["text", "content", "value"];
                    if let Some(text) = words.iter().find_map(|key| part.get(*key)) {
                        self.content(text, depth + 1);
                    }
                }
                Some(_) => {} // not words
            },
            Value::Null | Value::Array(_) => {}
        }
    }

    /// The interfaces that some servers had before they had this one.
    fn own(&mut self, map: &Map<String, Value>) -> Option<()> {
        self.has_choice = !map.contains_key("choices");
        if let Some(message) = map.get("message").filter(|message| message.is_object()) {
            self.message(message);
        } else if let Some(text) = ["response", "content"]
            .iter()
            .find_map(|key| map.get(*key)?.as_str())
        {
            self.text.push_str(text);
            self.thinking = map.get("thinking").map(words).unwrap_or_default();
        } else if map.get("role").and_then(Value::as_str) == Some("assistant")
            && let Some(content) = map.get("content")
        {
            // A message alone, with what ended it beside it (Anthropic).
            self.content(content, 0);
            self.stop_reason = map
                .get("stop_reason")
                .and_then(Value::as_str)
                .and_then(|reason| StopReason::read(reason.to_owned()));
        } else if self.usage.is_none() && map.get("done") != Some(&Value::Bool(true)) {
            return None;
        }
        if ["done", "stop"]
            .iter()
            .any(|key| map.get(*key) == Some(&Value::Bool(true)))
        {
            let reason = map.get("done_reason").and_then(Value::as_str).unwrap_or("stop");
            let cut = map.get("stopped_limit") == Some(&Value::Bool(true));
            self.stop_reason = StopReason::read(if cut { "length" } else { reason }.to_owned());
            self.is_last = true;
        }
        Some(())
    }
}

/// Whether a filter let no answer come about (Gemini).
fn is_blocked(map: &Map<String, Value>) -> bool {
    let spelled = |one: &str, other: &str, map: &Map<String, Value>| map.get(one).or(map.get(other)).cloned();
    let feedback = spelled("prompt_feedback", "promptFeedback", map);
    let reason = feedback
        .as_ref()
        .and_then(Value::as_object)
        .and_then(|feedback| spelled("block_reason", "blockReason", feedback));
    let reason = reason.as_ref().and_then(Value::as_str);
    reason.is_some_and(|reason| !reason.is_empty() && !reason.ends_with("UNSPECIFIED"))
}

/// A call, or a piece of one. `place` is where it stands, for servers that do not number them.
fn call_piece(place: usize, call: &Value) -> Option<CallPiece> {
    let function = call.get("function").unwrap_or(call);
    if !function.is_object() {
        return None;
    }
    let index = call
        .get("index")
        .and_then(tokens)
        .and_then(|index| usize::try_from(index).ok());
    let filled = |text: &String| !text.is_empty();
    Some(CallPiece {
        index: index.unwrap_or(place),
        id: word(call, "id").filter(filled),
        name: word(function, "name").filter(filled),
        arguments: match function.get("arguments") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(), // Ollama's own form
        },
    })
}

fn word(map: &Value, key: &str) -> Option<String> {
    map.get(key)?.as_str().map(str::to_owned)
}

/// All words of a value, in whatever parts.
fn words(value: &Value) -> String {
    fn gather(value: &Value, depth: usize, out: &mut String) {
        match value {
            Value::String(text) => out.push_str(text),
            Value::Array(parts) if depth < DEPTH_MAX => {
                parts.iter().for_each(|part| gather(part, depth + 1, out))
            }
            Value::Object(part) if depth < DEPTH_MAX => {
                let inside = ["text", "summary", "content", "thinking"]
                    .iter()
                    .find_map(|key| part.get(*key));
                if let Some(inside) = inside {
                    gather(inside, depth + 1, out);
                }
            }
            _ => {}
        }
    }
    let mut out = String::new();
    gather(value, 0, &mut out);
    out
}

/// What it cost, under the names that are about.
fn usage(map: &Map<String, Value>) -> Option<Usage> {
    let inside = ["usage", "x_groq", "timings"]
        .iter()
        .filter_map(|key| map.get(*key)?.as_object());
    let inside = inside.map(|inside| inside.get("usage").and_then(Value::as_object).unwrap_or(inside));
    inside.chain([map]).find_map(|map| {
        let count = |keys: &[&str]| keys.iter().find_map(|key| tokens(map.get(*key)?));
        let input = count(&["prompt_tokens", "input_tokens", "prompt_eval_count", "prompt_n"]);
        let output = count(&["completion_tokens", "output_tokens", "eval_count", "predicted_n"]);
        if input.is_none() && output.is_none() {
            return None;
        }
        let (input, output) = (input.unwrap_or(0), output.unwrap_or(0));
        Some(Usage {
            input,
            output,
            total_tokens: input.saturating_add(output),
        })
    })
}

/// A count, as a number of any kind or in quotes.
pub(super) fn tokens(value: &Value) -> Option<i64> {
    /// No conversation has more; a larger number is none.
    const TOKENS_MAX: f64 = 1e12;
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    if !(0.0..=TOKENS_MAX).contains(&number) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "within the bound")]
    Some(number as i64)
}

#[cfg(test)]
mod tests;
