use serde_json::json;

use super::*;

fn chunk(value: Value) -> Chunk {
    read(&value).unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn words_and_thoughts_are_told_apart_in_every_spelling() {
    for (delta, (thinking, text)) in [
        (json!({"content": "hi"}), ("", "hi")),
        (json!({"reasoning": "hm", "reasoning_content": "hm"}), ("hm", "")),
        (json!({"reasoning": "hm", "reasoning_content": ""}), ("hm", "")),
        (json!({"reasoning": {"content": "hm"}}), ("hm", "")),
        (
            json!({"reasoning_details": [{"type": "reasoning.text", "text": "hm"}], "content": ""}),
            ("hm", ""),
        ),
        (
            json!({"reasoning": "hm", "reasoning_details": [{"text": "hm"}]}),
            ("hm", ""),
        ),
        (json!({"content": null}), ("", "")),
        (json!({"content": 7, "reasoning": 7}), ("", "7")),
        (json!({"content": {"text": "hi"}}), ("", "hi")),
        (
            json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "hi"}, {"type": "reference", "ids": [1]}]}),
            ("hm", "hi"),
        ),
        (
            json!({"content": [{"type": "thinking", "thinking": "hm"}]}),
            ("hm", ""),
        ),
        (json!({"content": ["h", "i"]}), ("", "hi")),
        (json!({}), ("", "")),
        (json!(null), ("", "")),
        (json!("hi"), ("", "hi")),
    ] {
        let read = chunk(json!({"choices": [{"delta": delta}]}));
        assert_eq!(
            (read.thinking.as_str(), read.text.as_str()),
            (thinking, text),
            "{delta}"
        );
    }
}

#[test]
fn servers_that_do_not_stream_are_read_as_what_they_send() {
    let whole = chunk(
        json!({"choices": [{"message": {"role": "assistant", "content": "hi", "reasoning": "hm"}, "finish_reason": "stop"}]}),
    );
    assert_eq!(
        (whole.whole.unwrap().text, whole.thinking, whole.stop_reason),
        ("hi".into(), "hm".into(), Some(StopReason::Stop))
    );

    let legacy =
        chunk(json!({"object": "text_completion", "choices": [{"text": "hi", "finish_reason": "length"}]}));
    assert_eq!(
        (legacy.text.as_str(), legacy.stop_reason),
        ("hi", Some(StopReason::Length))
    );

    let ollama = chunk(
        json!({"message": {"content": "hi", "thinking": "hm"}, "done": true, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 2}),
    );
    assert_eq!(
        (ollama.text.as_str(), ollama.thinking.as_str(), ollama.is_last),
        ("hi", "hm", true)
    );
    assert_eq!(ollama.usage.unwrap().total_tokens, 5);

    let generate = chunk(json!({"response": "hi", "done": false}));
    assert_eq!((generate.text.as_str(), generate.is_last), ("hi", false));

    let native = chunk(json!({"content": "hi", "stop": true, "stopped_limit": true}));
    assert_eq!(
        (native.text.as_str(), native.stop_reason),
        ("hi", Some(StopReason::Length))
    );
}

#[test]
fn words_that_look_like_something_else_are_words() {
    for (content, text) in [
        (json!(42), "42"),
        (json!(true), "true"),
        (json!({"type": "text", "text": "hi"}), "hi"),
        (
            json!([{"text": 4.5}, " and ", {"content": "more"}]),
            "4.5 and more",
        ),
        (json!(null), ""),
    ] {
        let read = chunk(json!({"choices": [{"delta": {"content": content}}]}));
        assert_eq!(read.text, text, "{content}");
    }
}

#[test]
fn a_message_beside_a_delta_is_a_repetition() {
    let beside = chunk(json!({"choices": [{"delta": {"content": ""}, "message": {"content": "all of it"}}]}));
    assert!(beside.whole.unwrap().beside_delta);
    let with = chunk(json!({"choices": [{"delta": {"content": "it"}, "message": {"content": "all of it"}}]}));
    assert_eq!((with.text.as_str(), with.whole), ("it", None));
}

#[test]
fn counts_are_read_as_numbers_of_any_kind() {
    for (usage, counts) in [
        (json!({"prompt_tokens": 3, "completion_tokens": 2}), Some((3, 2))),
        (
            json!({"prompt_tokens": 3.0, "completion_tokens": 2.0}),
            Some((3, 2)),
        ),
        (
            json!({"prompt_tokens": "3", "completion_tokens": null}),
            Some((3, 0)),
        ),
        (json!({"input_tokens": 3, "output_tokens": 2}), Some((3, 2))),
        (json!({"prompt_tokens": -1, "completion_tokens": 1e300}), None),
        (json!({}), None),
        (json!(null), None),
    ] {
        let read = chunk(json!({"choices": [], "usage": usage})).usage;
        assert_eq!(read.map(|usage| (usage.input, usage.output)), counts, "{usage}");
    }
    let groq =
        chunk(json!({"choices": [], "x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 2}}}));
    assert_eq!(groq.usage.unwrap().total_tokens, 5);
}

#[test]
fn of_several_answers_the_first_is_taken_and_what_is_no_answer_is_left() {
    let two = json!({"choices": [{"index": 1, "delta": {"content": "b"}}, {"index": 0, "delta": {"content": "a"}}]});
    assert_eq!(chunk(two).text, "a");
    assert_eq!(
        chunk(json!({"choices": [{"index": 1, "delta": {"content": "b"}}]})),
        Chunk::default()
    );
    for foreign in [
        json!({"type": "ping"}),
        json!("ping"),
        json!(3),
        json!([]),
        json!({}),
    ] {
        assert_eq!(read(&foreign), None, "{foreign}");
    }
}

#[test]
fn a_call_of_a_tool_and_a_refusal_are_seen() {
    let call = chunk(
        json!({"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": "ls", "arguments": ""}}]}}]}),
    );
    assert_eq!(
        call.calls.first().and_then(|call| call.name.as_deref()),
        Some("ls")
    );
    let two = chunk(
        json!({"choices": [{"delta": {"tool_calls": [{"index": 1, "id": "b", "function": {"arguments": "{\"x\""}}, {"function": {"name": "ls", "arguments": {"x": 1}}}]}}]}),
    );
    let said: Vec<_> = two
        .calls
        .iter()
        .map(|call| (call.index, call.arguments.as_str()))
        .collect();
    assert_eq!(
        said,
        [(1, "{\"x\""), (1, "{\"x\":1}")],
        "one without a number is known by its place"
    );
    let refusal = chunk(json!({"choices": [{"delta": {"refusal": "I will not"}}]}));
    assert_eq!(refusal.refusal, "I will not");
    assert_eq!(
        chunk(json!({"choices": [{"delta": {"tool_calls": [], "function_call": null}}]})).calls,
        []
    );
}

#[test]
fn what_is_said_in_sound_is_read_and_what_is_no_word_is_known() {
    let message = |message: Value| chunk(json!({"choices": [{"message": message}]}));
    let sound = message(json!({"content": null, "audio": {"id": "a", "transcript": "hi"}}));
    assert_eq!(sound.whole.unwrap().text, "hi");
    let mute = message(json!({"content": null, "audio": {"data": "AAAA"}}));
    assert_eq!((mute.whole, mute.other), (None, Some("sound")));
    let picture = chunk(json!({"choices": [{"delta": {"content": "", "images": [{"type": "image_url"}]}}]}));
    assert_eq!(picture.other, Some("pictures"));
}

#[test]
fn a_question_that_a_filter_stopped_is_no_empty_answer() {
    let blocked = chunk(json!({"choices": [], "prompt_feedback": {"block_reason": "SAFETY"}}));
    assert_eq!(
        (blocked.stop_reason, blocked.has_choice),
        (Some(StopReason::Filtered), false)
    );
    let fine = chunk(json!({"choices": [], "prompt_feedback": {"block_reason": "BLOCK_REASON_UNSPECIFIED"}}));
    assert_eq!(fine.stop_reason, None);
    assert_eq!(
        StopReason::read("FinishReason.STOP".into()),
        Some(StopReason::Stop)
    );
    assert_eq!(StopReason::read("FINISH_REASON_UNSPECIFIED".into()), None);
}
