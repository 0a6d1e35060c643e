use super::*;

#[test]
fn the_reason_is_found_in_every_shape_of_an_error_body() {
    for (body, words) in [
        (
            r#"{"error":{"message":"no such key","type":"x","code":null}}"#,
            "no such key",
        ),
        (
            r#"{"error":"model 'qwen3:8b' not found"}"#,
            "model 'qwen3:8b' not found",
        ),
        (
            r#"{"object":"error","message":"too long","code":400}"#,
            "too long",
        ),
        (r#"{"detail":"Not Found"}"#, "Not Found"),
        (
            r#"{"detail":[{"loc":["body","messages",0],"msg":"field required","type":"value_error"}]}"#,
            "field required (body.messages.0)",
        ),
        (r#"{"detail":{"error":{"message":"nested"}}}"#, "nested"),
        (r#"{"errors":[{"message":"one"},{"message":"two"}]}"#, "one; two"),
        (r#"{"errors":["one","two","three","four"]}"#, "one; two; three"),
        (
            r#"[{"error":{"code":400,"message":"in a list","status":"INVALID_ARGUMENT"}}]"#,
            "in a list",
        ),
        (
            r#"{"message":["a must be b","c must be d"],"error":"Bad Request","statusCode":400}"#,
            "a must be b; c must be d",
        ),
        (
            r#"{"error":"invalid_token","error_description":"The token has expired"}"#,
            "The token has expired",
        ),
        (
            r#"{"title":"Bad thing","detail":"it broke","status":400}"#,
            "Bad thing: it broke",
        ),
        (
            r#"{"error_code":18,"error_msg":"Open api qps request limit reached"}"#,
            "Open api qps request limit reached",
        ),
        (
            r#"{"base_resp":{"status_code":1004,"status_msg":"login fail"}}"#,
            "login fail",
        ),
        (
            r#"{"message":"{\"error\":{\"message\":\"in a string\"}}"}"#,
            "in a string",
        ),
        (
            r#"{"error":{"message":"Error code: 429 - {\"error\": {\"message\": \"slow down\"}}"}}"#,
            "slow down",
        ),
        (
            r#"{"error":{"code":429,"message":"Provider returned error","metadata":{"raw":"upstream is rate-limited","provider_name":"X"}}}"#,
            "Provider returned error; upstream is rate-limited",
        ),
        (
            r#"{"error":{"message":"Provider returned error","metadata":{"raw":"{\"error\":{\"message\":\"deep\"}}"}}}"#,
            "Provider returned error; deep",
        ),
        (
            "event: error\ndata: {\"error\":{\"message\":\"in a stream\"}}\n\n",
            "in a stream",
        ),
        ("data: {\"message\":\"in data\"}", "in data"),
        ("error: {\"code\":500,\"message\":\"llama\"}\n", "llama"),
        ("\u{feff}{\"error\":\"behind a mark\"}", "behind a mark"),
        (r#""just a string""#, "just a string"),
        ("404 page not found\n", "404 page not found"),
        (
            "<html><head><title>502 Bad Gateway</title></head><body><h1>x</h1></body></html>",
            "502 Bad Gateway",
        ),
        (
            "<!DOCTYPE html><pre>Cannot POST /chat/completions</pre>",
            "Cannot POST /chat/completions",
        ),
        (
            "<Error><Code>AccessDenied</Code><Message>No</Message></Error>",
            "AccessDenied No",
        ),
        (r#"{"error":{"message":"half \ud83d"}}"#, "half \u{fffd}"),
        ("", ""),
        ("{}", ""),
        ("[]", ""),
        (r#"{"error":{}}"#, ""),
        (r#"{"error":null}"#, ""),
    ] {
        assert_eq!(Said::of_text(body).words, words, "{body}");
    }
}

#[test]
fn codes_and_the_status_inside_are_read_as_words_and_as_numbers() {
    let said = Said::of_text(r#"{"error":{"code":"429","type":"Rate_Limit","innererror":{"code":"Inner"}}}"#);
    assert_eq!(said.status, Some(429));
    assert!(said.codes.contains(&"rate_limit".to_owned()) && said.codes.contains(&"inner".to_owned()));
    assert_eq!(Said::of_text(r#"{"error":{"code":503.0}}"#).status, Some(503));
    assert_eq!(Said::of_text(r#"{"error":{"code":-32000}}"#).status, None);
}

#[test]
fn an_error_in_the_place_of_an_answer_is_told_from_an_answer() {
    let value = |text: &str| json::parse(text).unwrap().value;
    for text in [
        r#"{"error":{"message":"a"}}"#,
        r#"{"error":"a","choices":[]}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"error"}],"error":{"message":"a"}}"#,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"a"}}"#,
        r#"{"object":"error","message":"a"}"#,
        r#"{"choices":null,"base_resp":{"status_code":1,"status_msg":"a"}}"#,
    ] {
        assert_eq!(Said::in_answer(&value(text), false).unwrap().words, "a", "{text}");
    }
    for text in [r#"{"message":"a"}"#, r#"{"detail":"a"}"#, r#"{"errors":["a"]}"#] {
        assert_eq!(Said::in_answer(&value(text), false), None, "{text}: perhaps");
        assert_eq!(
            Said::instead_of_answer(&value(text)).unwrap().words,
            "a",
            "{text}"
        );
    }
    for text in [
        r#"{"choices":[{"delta":{"content":"a"}}],"error":null}"#,
        r#"{"choices":[],"error":{},"usage":{}}"#,
        r#"{"choices":[],"error":false,"base_resp":{"status_code":0,"status_msg":""}}"#,
        r#"{"message":{"content":"a"},"done":false}"#,
        r#"{"type":"ping"}"#,
        r#"{"id":"x","object":"chat.completion.chunk"}"#,
        "{}",
        "[]",
        "3",
    ] {
        assert_eq!(Said::in_answer(&value(text), false), None, "{text}");
        assert_eq!(Said::instead_of_answer(&value(text)), None, "{text}");
    }
    let named = Said::in_answer(&json::parse(r#""gone wrong""#).unwrap().value, true);
    assert_eq!(named.unwrap().words, "gone wrong");
}

#[test]
fn a_document_without_an_end_of_depth_is_left() {
    let deep = format!("{}\"x\"{}", "{\"error\":".repeat(60), "}".repeat(60));
    assert_eq!(Said::of_text(&deep).words, "");
}
