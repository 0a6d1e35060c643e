//! A response as it is made: item by item, and each step of that an event.

use std::{collections::VecDeque, mem};

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::super::{
    calls::Calls,
    driver::Form,
    refusal, sse,
    turn::{CallPiece, Ended, Piece, Usage},
};
use crate::error::Refusal;

/// A response as far as it has come.
#[derive(Debug, Clone)]
pub(super) struct Response {
    /// The run.
    id: String,
    model: String,
    /// Seconds since 1970.
    created: i64,
    /// What the request asked, as a response repeats it.
    asked: Value,
    /// Events so far.
    sequence: u64,
    has_begun: bool,
    /// Finished items, and those that are being written in the place of which nothing stands yet.
    output: Vec<Value>,
    open: Option<Text>,
    calls: Calls,
    /// The place of each call among the items.
    places: Vec<usize>,
}

/// A text that is being written.
#[derive(Debug, Clone)]
struct Text {
    kind: Kind,
    place: usize,
    id: String,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Message,
    Reasoning,
}

impl Kind {
    /// What events about its text begin with.
    fn event(self) -> &'static str {
        match self {
            Self::Message => "response.output_text",
            Self::Reasoning => "response.reasoning_text",
        }
    }

    fn item(self, id: &str, status: &str, content: &Value) -> Value {
        match self {
            Self::Message => {
                json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": content})
            }
            Self::Reasoning => {
                json!({"id": id, "type": "reasoning", "status": status, "summary": [], "content": content})
            }
        }
    }

    fn part(self, text: &str) -> Value {
        match self {
            Self::Message => json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []}),
            Self::Reasoning => json!({"type": "reasoning_text", "text": text}),
        }
    }
}

type Events = VecDeque<Bytes>;

impl Response {
    pub(super) fn new(id: String, model: String, created: i64, asked: Value) -> Self {
        Self {
            id,
            model,
            created,
            asked,
            sequence: 0,
            has_begun: false,
            output: Vec::new(),
            open: None,
            calls: Calls::default(),
            places: Vec::new(),
        }
    }

    /// What stands in the response as it is now.
    fn object(&self, status: &str, more: Value) -> Value {
        let mut object = json!({
            "id": self.id, "object": "response", "created_at": self.created, "status": status, "model": self.model,
            "error": null, "incomplete_details": null, "output": self.output, "usage": null,
        });
        if let (Some(object), Value::Object(asked), Value::Object(more)) =
            (object.as_object_mut(), self.asked.clone(), more)
        {
            object.extend(asked);
            object.extend(more);
        }
        object
    }

    fn event(&mut self, name: &str, data: Value, events: &mut Events) {
        let mut event = Map::new();
        event.insert("type".to_owned(), name.into());
        event.insert("sequence_number".to_owned(), self.sequence.into());
        if let Value::Object(data) = data {
            event.extend(data);
        }
        self.sequence += 1;
        events.push_back(sse::event(Some(name), &event));
    }

    fn begin(&mut self, events: &mut Events) {
        if mem::replace(&mut self.has_begun, true) {
            return;
        }
        for name in ["response.created", "response.in_progress"] {
            let response = self.object("in_progress", Value::Null);
            self.event(name, json!({"response": response}), events);
        }
    }

    /// More of a text; another kind of item begins another one.
    fn write(&mut self, kind: Kind, text: &str, events: &mut Events) {
        if self.open.as_ref().is_some_and(|open| open.kind != kind) {
            self.close_text(events);
        }
        let (place, id) = match &mut self.open {
            Some(open) => {
                open.text.push_str(text);
                (open.place, open.id.clone())
            }
            None => self.open_text(kind, text, events),
        };
        let mut delta = json!({"item_id": id, "output_index": place, "content_index": 0, "delta": text});
        if let (Kind::Message, Some(delta)) = (kind, delta.as_object_mut()) {
            delta.insert("logprobs".to_owned(), json!([]));
        }
        self.event(&format!("{}.delta", kind.event()), delta, events);
    }

    fn open_text(&mut self, kind: Kind, text: &str, events: &mut Events) -> (usize, String) {
        let place = self.output.len();
        let prefix = match kind {
            Kind::Message => "msg",
            Kind::Reasoning => "rs",
        };
        let id = self.item_id(prefix, place);
        self.output.push(Value::Null);
        let item = kind.item(&id, "in_progress", &json!([]));
        self.event(
            "response.output_item.added",
            json!({"output_index": place, "item": item}),
            events,
        );
        let part = json!({"item_id": id, "output_index": place, "content_index": 0, "part": kind.part("")});
        self.event("response.content_part.added", part, events);
        self.open = Some(Text {
            kind,
            place,
            id: id.clone(),
            text: text.to_owned(),
        });
        (place, id)
    }

    fn item_id(&self, prefix: &str, place: usize) -> String {
        let run = self.id.trim_start_matches("resp_");
        format!("{prefix}_{run}_{place}")
    }

    fn close_text(&mut self, events: &mut Events) {
        let Some(Text {
            kind,
            place,
            id,
            text,
        }) = self.open.take()
        else {
            return;
        };
        let part = kind.part(&text);
        let at = |more: Value| {
            let mut at = json!({"item_id": id, "output_index": place, "content_index": 0});
            if let (Some(at), Value::Object(more)) = (at.as_object_mut(), more) {
                at.extend(more);
            }
            at
        };
        let done = match kind {
            Kind::Message => at(json!({"text": text, "logprobs": []})),
            Kind::Reasoning => at(json!({"text": text})),
        };
        let part_done = at(json!({"part": part}));
        let item = kind.item(&id, "completed", &json!([part]));
        self.event(&format!("{}.done", kind.event()), done, events);
        self.event("response.content_part.done", part_done, events);
        self.finish_item(place, item, events);
    }

    fn finish_item(&mut self, place: usize, item: Value, events: &mut Events) {
        if let Some(slot) = self.output.get_mut(place) {
            slot.clone_from(&item);
        }
        let done = json!({"output_index": place, "item": item});
        self.event("response.output_item.done", done, events);
    }

    /// More of a call. Several may be written side by side; all are finished at the end.
    fn call(&mut self, piece: &CallPiece, events: &mut Events) {
        self.close_text(events);
        self.calls.take(piece);
        let index = piece.index.min(self.places.len());
        if index == self.places.len() {
            let place = self.output.len();
            self.places.push(place);
            self.output.push(Value::Null);
            let item = self.call_item(index, place, "in_progress", "");
            self.event(
                "response.output_item.added",
                json!({"output_index": place, "item": item}),
                events,
            );
        }
        if let Some(place) = self
            .places
            .get(index)
            .copied()
            .filter(|_| !piece.arguments.is_empty())
        {
            let id = self.item_id("fc", place);
            let delta = json!({"item_id": id, "output_index": place, "delta": piece.arguments});
            self.event("response.function_call_arguments.delta", delta, events);
        }
    }

    fn call_item(&self, index: usize, place: usize, status: &str, arguments: &str) -> Value {
        let call = self.calls.get(index).cloned().unwrap_or_default();
        json!({
            "id": self.item_id("fc", place), "type": "function_call", "status": status, "call_id": call.id,
            "name": call.name, "arguments": arguments,
        })
    }

    fn close_all(&mut self, events: &mut Events) {
        self.close_text(events);
        let places = self.places.clone();
        for (index, place) in places.into_iter().enumerate() {
            let call = self.calls.get(index).cloned().unwrap_or_default();
            let done = json!({
                "item_id": self.item_id("fc", place), "output_index": place, "name": call.name, "arguments": call.arguments,
            });
            self.event("response.function_call_arguments.done", done, events);
            let item = self.call_item(index, place, "completed", &call.arguments);
            self.finish_item(place, item, events);
        }
    }

    fn ended(&self, ended: &Ended) -> (&'static str, Value) {
        let reason = match ended.stop_reason.as_deref() {
            Some("length") => Some("max_output_tokens"),
            Some("content_filter") => Some("content_filter"),
            _ => None,
        };
        let usage = usage(ended.usage);
        match reason {
            Some(reason) => (
                "incomplete",
                self.object(
                    "incomplete",
                    json!({"incomplete_details": {"reason": reason}, "usage": usage}),
                ),
            ),
            None => ("completed", self.object("completed", json!({"usage": usage}))),
        }
    }
}

impl Form for Response {
    fn take(&mut self, piece: Piece, events: &mut Events) {
        let is_seen = piece.is_seen();
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
        if is_seen {
            self.begin(events);
        }
        if let Some(thinking) = thinking {
            self.write(Kind::Reasoning, &thinking, events);
        }
        if let Some(text) = text {
            self.write(Kind::Message, &text, events);
        }
        if let Some(call) = tool_call {
            self.call(&call, events);
        }
        if let Some(ended) = end {
            self.close_all(events);
            let (status, response) = self.ended(&ended);
            self.event(
                &format!("response.{status}"),
                json!({"response": response}),
                events,
            );
        }
    }

    fn refuse(&mut self, refusal: &Refusal, events: &mut Events) {
        self.begin(events);
        self.close_all(events);
        let error = json!({"code": refusal::code(refusal), "message": refusal.message});
        let response = self.object("failed", json!({"error": error}));
        self.event("response.failed", json!({"response": response}), events);
    }

    fn whole(mut self, ended: &Ended) -> Value {
        self.close_all(&mut Events::new());
        self.ended(ended).1
    }
}

fn usage(usage: Option<Usage>) -> Value {
    let Usage {
        input,
        output,
        total_tokens,
    } = usage.unwrap_or_default();
    json!({
        "input_tokens": input, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": total_tokens,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response() -> Response {
        Response::new(
            "resp_1".to_owned(),
            "openclaw".to_owned(),
            7,
            json!({"user": null}),
        )
    }

    fn pieces(pieces: &[Value]) -> Vec<Piece> {
        let read = pieces.iter().cloned().map(serde_json::from_value::<Piece>);
        read.collect::<Result<_, _>>().unwrap()
    }

    fn sent(events: &Events) -> Vec<Value> {
        let read = events.iter().map(|event| {
            let text = std::str::from_utf8(event).unwrap();
            let (head, data) = text.split_once("\ndata: ").unwrap();
            let data: Value = serde_json::from_str(data).unwrap();
            assert_eq!(head, format!("event: {}", data["type"].as_str().unwrap()));
            data
        });
        read.collect()
    }

    #[test]
    fn each_step_is_an_event_in_the_order_that_sdks_know() {
        let (mut response, mut events) = (response(), Events::new());
        for piece in pieces(&[
            json!({"thinking": "hm"}),
            json!({"text": "I "}),
            json!({"text": "look."}),
            json!({"toolCall": {"index": 0, "id": "c1", "name": "ls", "arguments": ""}}),
            json!({"toolCall": {"index": 0, "arguments": "{}"}}),
            json!({"end": {"status": "ok", "stopReason": "tool_calls", "usage": {"input": 3, "output": 2, "totalTokens": 5}}}),
        ]) {
            response.take(piece, &mut events);
        }

        let sent = sent(&events);
        let names: Vec<&str> = sent.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "response.created",
                "response.in_progress",
                "response.output_item.added",
                "response.content_part.added",
                "response.reasoning_text.delta",
                "response.reasoning_text.done",
                "response.content_part.done",
                "response.output_item.done",
                "response.output_item.added",
                "response.content_part.added",
                "response.output_text.delta",
                "response.output_text.delta",
                "response.output_text.done",
                "response.content_part.done",
                "response.output_item.done",
                "response.output_item.added",
                "response.function_call_arguments.delta",
                "response.function_call_arguments.done",
                "response.output_item.done",
                "response.completed",
            ]
        );
        let numbers: Vec<u64> = sent
            .iter()
            .map(|event| event["sequence_number"].as_u64().unwrap())
            .collect();
        assert!(numbers.iter().copied().eq(0..20));
        let output = &sent[19]["response"]["output"];
        assert_eq!(output[1]["content"][0]["text"], "I look.");
        assert_eq!(
            (&output[2]["call_id"], &output[2]["arguments"]),
            (&json!("c1"), &json!("{}"))
        );
        assert_eq!(sent[19]["response"]["usage"]["total_tokens"], 5);
        assert_eq!(
            response.whole(&Ended::default())["output"],
            *output,
            "the whole says the same"
        );
    }

    #[test]
    fn an_answer_that_was_cut_is_incomplete_and_one_that_broke_has_failed_with_what_it_said() {
        let (mut cut, mut events) = (response(), Events::new());
        for piece in pieces(&[
            json!({"text": "a"}),
            json!({"end": {"status": "ok", "stopReason": "length"}}),
        ]) {
            cut.take(piece, &mut events);
        }
        let last = sent(&events).pop().unwrap();
        assert_eq!(last["type"], "response.incomplete");
        assert_eq!(
            last["response"]["incomplete_details"]["reason"],
            "max_output_tokens"
        );

        let (mut broken, mut events) = (response(), Events::new());
        for piece in pieces(&[json!({"text": "half"})]) {
            broken.take(piece, &mut events);
        }
        broken.refuse(
            &Refusal::invalid("no").detail("code", "content_filter"),
            &mut events,
        );
        let last = sent(&events).pop().unwrap();
        assert_eq!(last["type"], "response.failed");
        assert_eq!(last["response"]["error"]["code"], "content_filter");
        assert_eq!(last["response"]["output"][0]["content"][0]["text"], "half");
    }
}
