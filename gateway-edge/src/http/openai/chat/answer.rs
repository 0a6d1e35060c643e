//! The two forms of an answer of chat completions: in chunks, and whole.

use std::collections::VecDeque;

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::{
    calls::{Call, Calls},
    driver::Form,
    sse,
    turn::{CallPiece, Ended, Piece, Usage},
};
use crate::error::Refusal;

/// An answer as far as it has come: each piece is a chunk of a stream, and all together are the whole of it.
#[derive(Debug, Clone)]
pub(super) struct Chat {
    /// The run.
    id: String,
    model: String,
    /// Seconds since 1970.
    created: i64,
    wants_usage: bool,
    has_begun: bool,
    text: String,
    thinking: String,
    calls: Calls,
}

impl Chat {
    pub(super) fn new(id: String, model: String, created: i64, wants_usage: bool) -> Self {
        Self {
            id,
            model,
            created,
            wants_usage,
            has_begun: false,
            text: String::new(),
            thinking: String::new(),
            calls: Calls::default(),
        }
    }

    /// The chunks that a piece makes: one for each piece of the model's answer, the role before the first, the end and its cost behind
    /// the last.
    fn chunks(&mut self, piece: Piece) -> Vec<Value> {
        let mut chunks = Vec::new();
        if piece.is_seen() && !std::mem::replace(&mut self.has_begun, true) {
            chunks.push(self.delta(json!({"role": "assistant", "content": "", "refusal": null}), None));
        }
        let Piece {
            run,
            text,
            thinking,
            tool_call,
            end,
            text_was_thinking: _,
            begun_anew: _, // a stream has nothing to take back
            notice: _,     // stands in the head
        } = piece;
        if let Some(run) = run {
            self.id = run.run_id; // a repeat may have begun another run
        }
        if let Some(text) = text {
            self.text.push_str(&text);
            chunks.push(self.delta(json!({"content": text}), None));
        }
        if let Some(thinking) = thinking {
            self.thinking.push_str(&thinking);
            chunks.push(self.delta(json!({"reasoning_content": thinking}), None));
        }
        if let Some(call) = tool_call {
            self.calls.take(&call);
            chunks.push(self.delta(json!({"tool_calls": [call_delta(call)]}), None));
        }
        if let Some(ended) = end {
            let reason = finish_reason(&ended, self.calls.is_there());
            chunks.push(self.delta(json!({}), Some(reason)));
            if self.wants_usage {
                chunks.push(self.chunk(json!([]), usage(ended.usage)));
            }
        }
        chunks
    }

    fn delta(&self, delta: Value, finish: Option<&'static str>) -> Value {
        let choices = json!([{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": null}]);
        self.chunk(choices, Value::Null)
    }

    fn chunk(&self, choices: Value, usage: Value) -> Value {
        let mut chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model,
            "choices": choices,
        });
        if let (true, Some(chunk)) = (self.wants_usage, chunk.as_object_mut()) {
            chunk.insert("usage".to_owned(), usage);
        }
        chunk
    }
}

impl Form for Chat {
    fn take(&mut self, piece: Piece, events: &mut VecDeque<Bytes>) {
        let is_last = piece.end.is_some();
        events.extend(self.chunks(piece).iter().map(|chunk| sse::event(None, chunk)));
        if is_last {
            events.push_back(sse::DONE);
        }
    }

    fn refuse(&mut self, refusal: &Refusal, events: &mut VecDeque<Bytes>) {
        events.push_back(sse::refused(refusal));
    }

    fn whole(self, ended: &Ended) -> Value {
        let calls: Vec<Value> = self.calls.each().map(whole_call).collect();
        let finish = finish_reason(ended, !calls.is_empty());
        let content = (!self.text.is_empty() || calls.is_empty()).then_some(self.text);
        let mut message = json!({"role": "assistant", "content": content, "refusal": null});
        if let Some(message) = message.as_object_mut() {
            if !calls.is_empty() {
                message.insert("tool_calls".to_owned(), calls.into());
            }
            if !self.thinking.is_empty() {
                message.insert("reasoning_content".to_owned(), self.thinking.into());
            }
        }
        json!({
            "id": self.id, "object": "chat.completion", "created": self.created, "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": null}],
            "usage": usage(ended.usage),
        })
    }
}

fn whole_call(call: &Call) -> Value {
    let Call { id, name, arguments } = call;
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

fn call_delta(call: CallPiece) -> Value {
    let CallPiece {
        index,
        id,
        name,
        arguments,
    } = call;
    let mut function = json!({"arguments": arguments});
    if let (Some(name), Some(function)) = (name, function.as_object_mut()) {
        function.insert("name".to_owned(), name.into());
    }
    let mut delta = json!({"index": index, "function": function});
    if let (Some(id), Some(delta)) = (id, delta.as_object_mut()) {
        delta.insert("id".to_owned(), id.into());
        delta.insert("type".to_owned(), "function".into());
    }
    delta
}

/// Why the answer ends, in one of OpenAI's words: SDKs know no others.
fn finish_reason(ended: &Ended, has_calls: bool) -> &'static str {
    match ended.stop_reason.as_deref() {
        _ if has_calls => "tool_calls",
        Some("length") => "length",
        Some("content_filter") => "content_filter",
        _ => "stop",
    }
}

fn usage(usage: Option<Usage>) -> Value {
    let Usage {
        input,
        output,
        total_tokens,
    } = usage.unwrap_or_default();
    json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": total_tokens})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat() -> Chat {
        Chat::new("r0".to_owned(), "openclaw".to_owned(), 7, true)
    }

    fn pieces() -> Vec<Piece> {
        [
            json!({"run": {"runId": "r1", "sessionKey": "agent:main:openai:1", "agentId": "main"}}),
            json!({"model": {"provider": "p", "model": "m"}}),
            json!({"thinking": "hm"}),
            json!({"text": "a"}),
            json!({"text": "b"}),
            json!({"toolCall": {"index": 0, "id": "c1", "name": "ls", "arguments": ""}}),
            json!({"toolCall": {"index": 0, "arguments": "{}"}}),
            json!({"end": {"status": "ok", "stopReason": "tool_calls", "usage": {"input": 3, "output": 2, "totalTokens": 5}}}),
        ]
        .into_iter()
        .map(|piece| serde_json::from_value(piece).unwrap())
        .collect()
    }

    #[test]
    fn each_piece_is_one_chunk_and_the_end_and_its_cost_stand_last() {
        let mut chunks = chat();

        let sent: Vec<Value> = pieces()
            .into_iter()
            .flat_map(|piece| chunks.chunks(piece))
            .collect();

        let deltas: Vec<Value> = sent
            .iter()
            .map(|chunk| chunk["choices"][0]["delta"].clone())
            .collect();
        assert_eq!(
            deltas,
            [
                json!({"role": "assistant", "content": "", "refusal": null}),
                json!({"reasoning_content": "hm"}),
                json!({"content": "a"}),
                json!({"content": "b"}),
                json!({"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "ls", "arguments": ""}}]}),
                json!({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
                json!({}),
                Value::Null,
            ]
        );
        assert!(
            sent.iter()
                .all(|chunk| chunk["id"] == "r1" && chunk["object"] == "chat.completion.chunk")
        );
        assert_eq!(sent[6]["choices"][0]["finish_reason"], "tool_calls");
        assert_eq!(
            sent[7]["usage"],
            json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5})
        );
        assert_eq!(sent[7]["choices"], json!([]));
    }

    #[test]
    fn the_whole_answer_says_the_same_at_once() {
        let mut chat = chat();
        let mut ended = None;
        for mut piece in pieces() {
            ended = piece.end.take();
            chat.take(piece, &mut VecDeque::new());
        }

        let answer = chat.whole(&ended.unwrap());

        let choice = &answer["choices"][0];
        assert_eq!(
            (&answer["id"], &choice["finish_reason"]),
            (&json!("r1"), &json!("tool_calls"))
        );
        assert_eq!(choice["message"]["content"], "ab");
        assert_eq!(choice["message"]["reasoning_content"], "hm");
        assert_eq!(
            choice["message"]["tool_calls"],
            json!([{"id": "c1", "type": "function", "function": {"name": "ls", "arguments": "{}"}}])
        );
    }

    #[test]
    fn reasons_that_no_sdk_knows_are_an_ordinary_end() {
        for (word, told) in [
            ("stop", "stop"),
            ("length", "length"),
            ("eos", "stop"),
            ("content_filter", "content_filter"),
        ] {
            let ended: Ended = serde_json::from_value(json!({"status": "ok", "stopReason": word})).unwrap();
            assert_eq!(finish_reason(&ended, false), told);
        }
    }
}
