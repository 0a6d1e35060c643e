use gatehouse_document::models::Compat;

use super::*;
use crate::config::Settings;

fn lesson(words: &str, status: u16, change: impl FnOnce(&mut Settings, &mut Lesson)) -> Option<Lesson> {
    let (mut settings, mut lesson) = (Settings::default(), Lesson::default());
    change(&mut settings, &mut lesson);
    let shelf = crate::request::Shelf::new();
    let asked = Asked {
        shelf: &shelf,
        model: "m",
        settings: &settings,
        lesson,
        max_tokens: Some(100),
        thinking: Some("high"),
        is_openai: false,
        program: None,
    };
    let why = Unanswered {
        status: Some(status),
        ..Unanswered::new(
            FailureKind::Rejected,
            format!("provider p refused (it answered HTTP {status}): {words}"),
        )
    };
    without_what_is_refused(&asked, &why)
}

#[test]
fn a_field_that_a_server_names_is_left_out_of_the_next_request() {
    let nothing = |_: &mut Settings, _: &mut Lesson| ();
    let usage = lesson("Unknown field: stream_options", 400, nothing).unwrap();
    assert!(usage.refuses_usage && !usage.refuses_effort);
    let usage = lesson(
        "body.stream_options: Extra inputs are not permitted",
        422,
        nothing,
    )
    .unwrap();
    assert!(usage.refuses_usage);
    let effort = lesson(
        "Unrecognized request argument supplied: reasoning_effort",
        400,
        nothing,
    )
    .unwrap();
    assert!(effort.refuses_effort && !effort.refuses_usage);
    let openai = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
    let bound = lesson(openai, 400, nothing).unwrap();
    assert_eq!(bound.max_tokens_field, Some(MaxTokensField::MaxCompletionTokens));
}

#[test]
fn what_the_operator_wrote_is_not_undone_and_a_value_that_is_wrong_is_told() {
    let told = lesson("Unknown field: stream_options", 400, |settings, _| {
        settings.compat.supports_usage_in_streaming = Some(true);
    });
    assert_eq!(told, None);
    let told = lesson("max_tokens must be at most 50", 400, |settings, _| {
        settings.compat.supports_usage_in_streaming = Some(false);
    });
    assert_eq!(told, None);
    assert_eq!(lesson("no such path", 404, |_, _| ()), None);
    let twice = lesson(
        "max_completion_tokens is not supported",
        400,
        |settings, lesson| {
            settings.compat = Compat {
                supports_usage_in_streaming: Some(false),
                ..Compat::default()
            };
            lesson.max_tokens_field = Some(MaxTokensField::MaxCompletionTokens);
        },
    );
    assert_eq!(twice, None);
}

#[test]
fn the_status_and_the_port_of_a_provider_are_no_window() {
    let window = |message| own_words(message).and_then(window_in);

    assert_eq!(
        window(
            "the conversation is too long for model m of provider p (HTTP 400 from http://127.0.0.1:19777): maximum context length is 4096 tokens, however you requested 5013. Start a new one"
        ),
        Some(4_096)
    );
    assert_eq!(
        window(
            "the conversation is too long for model m of provider p (HTTP 400 from http://127.0.0.1:19777). Start a new one"
        ),
        None
    );
}

#[test]
fn the_window_is_read_from_what_servers_say() {
    for (words, window) in [
        (
            "This model's maximum context length is 4096 tokens. However, you requested 5013 tokens (4913 in the messages, 100 in the completion).",
            Some(4_096),
        ),
        (
            "the request (5013 tokens) exceeds the available context size (4096 tokens), try increasing it",
            Some(4_096),
        ),
        (
            "prompt is too long: 215,000 tokens > 200,000 maximum",
            Some(200_000),
        ),
        (
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            Some(1_048_576),
        ),
        ("gpt-4-0613: too long", None),
        ("too long", None),
    ] {
        assert_eq!(window_in(words), window, "{words}");
    }
}
