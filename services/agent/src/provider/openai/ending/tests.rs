use gatehouse_proto::agent::v1::Usage;
use url::Url;

use super::*;
use crate::provider::redaction::Redaction;

fn verdict_of(end: End, framing: Framing) -> Result<Answered, Unanswered> {
    let url = Url::parse("http://h/v1/chat/completions").unwrap();
    let redaction = Redaction::default();
    let callee = Callee {
        provider: "p",
        model: "m",
        url: &url,
        has_key: true,
        redaction: &redaction,
    };
    verdict(&callee, end, framing, false)
}

/// The end of an answer with a word in it.
fn said(stop_reason: Option<StopReason>) -> End {
    End {
        stop_reason,
        has_text: true,
        has_choice: true,
        chunks: 1,
        ..End::default()
    }
}

/// The end of an answer without one.
fn silent(stop_reason: StopReason) -> End {
    End {
        has_text: false,
        ..said(Some(stop_reason))
    }
}

#[test]
fn an_answer_ends_by_its_reason_by_its_mark_or_with_its_body() {
    let done = End {
        is_done: true,
        usage: Some(Usage::default()),
        ..said(None)
    };
    for (end, framing, stop_reason) in [
        (said(Some(StopReason::Stop)), Framing::Closed, StopReason::Stop),
        (
            said(Some(StopReason::Length)),
            Framing::Closed,
            StopReason::Length,
        ),
        (
            said(Some(StopReason::Filtered)),
            Framing::Closed,
            StopReason::Filtered,
        ),
        (
            said(Some(StopReason::Other("tool_calls".into()))),
            Framing::Closed,
            StopReason::Other("tool_calls".into()),
        ),
        (done, Framing::Closed, StopReason::Stop),
        (said(None), Framing::Whole, StopReason::Stop),
    ] {
        assert_eq!(verdict_of(end, framing).unwrap().stop_reason, stop_reason);
    }
}

#[test]
fn an_answer_that_may_have_lost_its_end_is_not_called_whole() {
    let cut = End {
        is_cut: true,
        ..said(None)
    };
    for (end, framing) in [
        (said(None), Framing::Closed),
        (cut, Framing::Whole),
        (said(Some(StopReason::Fault("error".into()))), Framing::Whole),
        (said(StopReason::read("timeout".into())), Framing::Whole),
        (said(StopReason::read("Cancelled".into())), Framing::Whole),
        (said(StopReason::read("engine_overloaded".into())), Framing::Whole),
        (
            said(StopReason::read("FinishReason.OTHER".into())),
            Framing::Whole,
        ),
    ] {
        let failure = verdict_of(end, framing).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable, "{}", failure.message);
    }
}

#[test]
fn silence_says_why() {
    let thought = |reason| End {
        has_thought: true,
        ..silent(reason)
    };
    let refusal = End {
        refusal: "I will not".into(),
        ..silent(StopReason::Stop)
    };
    let call = End {
        call: Some("ls".into()),
        ..silent(StopReason::Other("tool_calls".into()))
    };
    let mark_alone = End {
        is_done: true,
        ..End::default()
    };
    for (end, kind, part) in [
        (
            silent(StopReason::Other("odd".into())),
            FailureKind::Empty,
            "without a word",
        ),
        (silent(StopReason::Stop), FailureKind::Silent, "without a word"),
        (mark_alone, FailureKind::Silent, "without a word"),
        (
            silent(StopReason::Length),
            FailureKind::Empty,
            "before its first word. Raise maxTokens",
        ),
        (
            thought(StopReason::Length),
            FailureKind::Empty,
            "used up its tokens for thinking",
        ),
        (
            thought(StopReason::Stop),
            FailureKind::Silent,
            "thought and then said nothing",
        ),
        (
            silent(StopReason::Filtered),
            FailureKind::Moderation,
            "a filter of provider p",
        ),
        (
            refusal,
            FailureKind::Moderation,
            "declined to answer: I will not.",
        ),
        (call, FailureKind::Empty, "a tool that nobody offered it: ls"),
    ] {
        let failure = verdict_of(end, Framing::Closed).unwrap_err();
        assert_eq!(failure.kind, kind, "{}", failure.message);
        assert!(failure.message.contains(part), "{part}: {}", failure.message);
    }
}

#[test]
fn a_body_that_holds_no_answer_is_said_to_hold_what_it_holds() {
    let stray = |stray: &str| End {
        stray: stray.into(),
        ..End::default()
    };
    for (end, kind, part) in [
        (
            stray("<!doctype html><title>Log in</title>"),
            FailureKind::Config,
            "HTTP 200 from http://h): Log in. Check the path",
        ),
        (
            stray("the model is asleep"),
            FailureKind::Unavailable,
            "not a chat completion: the model is asleep",
        ),
        (End::default(), FailureKind::Unavailable, "nothing at all"),
        (
            End {
                foreign: r#"{"candidates":[]}"#.into(),
                is_done: true,
                ..End::default()
            },
            FailureKind::Unavailable,
            r#"not a chat completion: {"candidates":[]}"#,
        ),
        (
            End {
                stray: "{'choices': []}".into(),
                passed_over: 1,
                chunks: 1,
                stop_reason: Some(StopReason::Stop),
                ..End::default()
            },
            FailureKind::Unavailable,
            "not a chat completion: {'choices': []}",
        ),
        (
            End {
                instead: Some(Said::words("no such model: unknown model x")),
                ..End::default()
            },
            FailureKind::ModelMissing,
            "unknown model x",
        ),
    ] {
        let failure = verdict_of(end, Framing::Whole).unwrap_err();
        assert_eq!(failure.kind, kind, "{}", failure.message);
        assert!(failure.message.contains(part), "{part}: {}", failure.message);
    }
}

#[test]
fn what_went_wrong_behind_words_is_told_unless_the_model_said_that_it_is_done() {
    let instead =
        |text: &str| Said::instead_of_answer(&crate::provider::json::parse(text).unwrap().value).unwrap();
    let broken = |text: &str| End {
        instead: Some(instead(text)),
        ..said(None)
    };
    let page = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>";
    let tail = |tail: &str| End {
        tail: tail.into(),
        ..said(None)
    };
    let done = |end: End| End { is_done: true, ..end };
    for (end, part) in [
        (broken(r#"{"code":500,"message":"CUDA error"}"#), "CUDA error"),
        (
            broken(r#"{"detail":"Internal error: worker died"}"#),
            "worker died",
        ),
        (
            done(broken(r#"{"code":500,"message":"worker died"}"#)),
            "worker died",
        ),
        (tail("Internal Server Error"), "Internal Server Error"),
        (tail(page), "502 Bad Gateway"),
        (
            End {
                error: Some(Said::words("worker died")),
                ..said(None)
            },
            "worker died",
        ),
    ] {
        let failure = verdict_of(end, Framing::Whole).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable, "{}", failure.message);
        assert!(
            failure.message.contains("in the middle of its answer") && failure.message.contains(part),
            "{part}: {}",
            failure.message
        );
    }
    let stopped = End {
        stop_reason: Some(StopReason::Stop),
        ..broken(r#"{"code":500,"message":"CUDA error"}"#)
    };
    let news = r#"{"status":"ready","message":"thank you"}"#;
    for end in [
        stopped,
        done(broken(news)),
        broken(news),
        tail("bye"),
        done(tail("Error")),
    ] {
        assert!(verdict_of(end, Framing::Whole).is_ok());
    }
}

#[test]
fn a_reason_in_place_of_an_answer_goes_before_what_is_only_supposed() {
    let overloaded = Said::words("model is overloaded");
    let end = End {
        instead: Some(overloaded),
        foreign: r#"{"message":"model is overloaded"}"#.into(),
        is_done: true,
        ..End::default()
    };
    let failure = verdict_of(end, Framing::Whole).unwrap_err();
    assert!(failure.message.contains("out of order") && failure.message.contains("model is overloaded"));
}

#[test]
fn an_answer_without_words_says_what_it_has_in_their_place() {
    let nothing = End {
        has_choice: false,
        ..silent(StopReason::Stop)
    };
    let open = End {
        stop_reason: None,
        ..nothing
    };
    let cut = End {
        is_cut: true,
        ..End::default()
    };
    for (end, kind, part) in [
        (
            End {
                other: Some("pictures"),
                ..silent(StopReason::Stop)
            },
            FailureKind::Empty,
            "answered with pictures and no word",
        ),
        (
            silent(StopReason::Other("MALFORMED_FUNCTION_CALL".into())),
            FailureKind::Empty,
            "for a reason of its own: MALFORMED_FUNCTION_CALL",
        ),
        (open, FailureKind::Empty, "its list of choices is empty"),
        (cut, FailureKind::Unavailable, "ended in the middle of its answer"),
    ] {
        let failure = verdict_of(end, Framing::Whole).unwrap_err();
        assert_eq!(failure.kind, kind, "{}", failure.message);
        assert!(failure.message.contains(part), "{part}: {}", failure.message);
    }
}
