use super::*;

fn read(status: Option<u16>, body: &str) -> FailureKind {
    kind(status, &Said::of_text(body))
}

#[test]
fn a_refusal_without_words_is_told_by_its_status() {
    for (status, kind) in [
        (401, FailureKind::Auth),
        (403, FailureKind::Auth),
        (402, FailureKind::RateLimit),
        (429, FailureKind::RateLimit),
        (408, FailureKind::Timeout),
        (504, FailureKind::Timeout),
        (524, FailureKind::Timeout),
        (413, FailureKind::Context),
        (500, FailureKind::Unavailable),
        (503, FailureKind::Unavailable),
        (529, FailureKind::Unavailable),
        (404, FailureKind::Rejected),
        (400, FailureKind::Rejected),
    ] {
        assert_eq!(read(Some(status), "{}"), kind, "{status}");
    }
}

#[test]
fn a_conversation_that_does_not_fit_is_known_by_every_servers_words() {
    for (status, body) in [
        (
            400,
            r#"{"error":{"code":"context_length_exceeded","message":"too long"}}"#,
        ),
        (
            400,
            r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens in the messages. Please reduce the length of the messages.","type":"BadRequestError","param":null,"code":400}"#,
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"Requested tokens (5000) exceed context window of 4096"}}"#,
        ),
        (
            500,
            r#"{"error":{"message":"Requested tokens (5000) exceed context window of 4096","type":"internal_server_error"}}"#,
        ),
        (
            400,
            r#"{"error":"Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens"}"#,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
        ),
        (
            400,
            r#"[{"error":{"code":400,"message":"The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]"#,
        ),
        (
            400,
            r#"{"message":"Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length","type":"invalid_request_prompt"}"#,
        ),
        (
            422,
            r#"{"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000","error_type":"validation"}"#,
        ),
        (
            400,
            r#"{"error":"This model's maximum prompt length is 131072 but the request contains 200000 tokens."}"#,
        ),
        (413, "too large"),
    ] {
        assert_eq!(read(Some(status), body), FailureKind::Context, "{body}");
    }
}

#[test]
fn what_somebody_would_do_about_it_decides_and_not_the_status() {
    for (status, body, kind) in [
        (
            400,
            r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}"#,
            FailureKind::Auth,
        ),
        (
            403,
            r#"{"error":{"message":"Your input was flagged by moderation","code":403}}"#,
            FailureKind::Moderation,
        ),
        (
            400,
            r#"{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            FailureKind::Moderation,
        ),
        (
            400,
            r#"{"code":"data_inspection_failed","message":"Input data may contain inappropriate content."}"#,
            FailureKind::Moderation,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the API."}}"#,
            FailureKind::RateLimit,
        ),
        (
            403,
            r#"{"type":"about:blank","title":"No quota","detail":"you are out of quota today","status":403}"#,
            FailureKind::RateLimit,
        ),
        (
            413,
            r#"{"error":{"message":"Request too large for model: tokens per minute (TPM): Limit 6000","code":"rate_limit_exceeded","type":"tokens"}}"#,
            FailureKind::RateLimit,
        ),
        (
            404,
            r#"{"error":"model 'qwen3:8b' not found"}"#,
            FailureKind::ModelMissing,
        ),
        (
            404,
            r#"{"error":{"message":"model \"x\" not found, try pulling it first","type":"api_error"}}"#,
            FailureKind::ModelMissing,
        ),
        (
            404,
            r#"{"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.","type":"invalid_request_error","code":"model_not_found"}}"#,
            FailureKind::ModelMissing,
        ),
        (
            404,
            r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
            FailureKind::ModelMissing,
        ),
        (
            404,
            r#"{"error":{"message":"No endpoints found for a/b.","code":404}}"#,
            FailureKind::ModelMissing,
        ),
        (
            400,
            r#"{"error":{"message":"foo is not a valid model ID","code":400}}"#,
            FailureKind::ModelMissing,
        ),
        (
            404,
            r#"{"error":{"message":"No models loaded. Please load a model in the developer page."}}"#,
            FailureKind::ModelMissing,
        ),
        (
            404,
            r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-x"}}"#,
            FailureKind::ModelMissing,
        ),
        (
            503,
            r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
            FailureKind::Unavailable,
        ),
        (
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            FailureKind::Unavailable,
        ),
        (
            400,
            r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","code":"unsupported_parameter"}}"#,
            FailureKind::Rejected,
        ),
        (
            400,
            r#"{"error":{"message":"unknown field `timeout`"}}"#,
            FailureKind::Rejected,
        ),
        (
            400,
            r#"{"error":{"message":"registry.ollama.ai/library/x does not support tools"}}"#,
            FailureKind::Rejected,
        ),
    ] {
        assert_eq!(read(Some(status), body), kind, "{status} {body}");
    }
}

#[test]
fn an_error_inside_an_answer_is_told_by_its_words_and_its_own_status() {
    for (body, kind) in [
        (
            r#"{"error":{"code":429,"message":"Provider returned error","metadata":{"raw":"upstream is temporarily rate-limited"}}}"#,
            FailureKind::RateLimit,
        ),
        (
            r#"{"error":{"code":502,"message":"Provider disconnected"}}"#,
            FailureKind::Unavailable,
        ),
        (
            r#"{"error":{"message":"Invalid model: foo","type":"invalid_request_error","code":400}}"#,
            FailureKind::ModelMissing,
        ),
        (
            r#"{"error":{"message":"The server had an error","type":"server_error"}}"#,
            FailureKind::Unavailable,
        ),
        (
            r#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            FailureKind::Unavailable,
        ),
        (
            r#"{"error":{"code":401,"message":"No auth credentials found"}}"#,
            FailureKind::Auth,
        ),
        (r#"{"error":"something else"}"#, FailureKind::Rejected),
    ] {
        assert_eq!(read(None, body), kind, "{body}");
        assert_eq!(read(Some(200), body), kind, "{body}");
    }
}

#[test]
fn a_request_that_no_minute_has_room_for_is_too_long_and_waiting_is_no_advice() {
    for (status, body) in [
        (
            413,
            r#"{"error":{"message":"Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 9000","type":"tokens","code":"rate_limit_exceeded"}}"#,
        ),
        (
            429,
            r#"{"error":{"message":"Request too large for gpt-4 on tokens per min (TPM): Limit 10000, Requested 12000.","type":"tokens","code":"rate_limit_exceeded"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"输入的文本长度超过模型上下文限制","code":"1261"}}"#,
        ),
    ] {
        assert_eq!(read(Some(status), body), FailureKind::Context, "{body}");
    }
}

#[test]
fn a_model_that_is_being_loaded_is_out_of_order_for_a_while_under_any_status() {
    for (status, body) in [
        (409, r#"{"error":"model is loading"}"#),
        (503, r#"{"error":"Loading model"}"#),
        (425, "{}"),
    ] {
        assert_eq!(read(Some(status), body), FailureKind::Unavailable, "{status}");
    }
    assert_eq!(
        read(Some(409), r#"{"error":"a job has this id"}"#),
        FailureKind::Rejected
    );
    assert_eq!(
        read(
            Some(400),
            r#"{"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}"#
        ),
        FailureKind::Auth
    );
}

#[test]
fn a_template_that_refuses_a_conversation_is_no_outage() {
    for body in [
        r#"{"error":{"code":500,"message":"System role not supported","type":"server_error"}}"#,
        r#"{"error":{"code":500,"message":"Conversation roles must alternate user/assistant/user/assistant/... at row 1","type":"server_error"}}"#,
        r#"{"error":{"message":"Failed to apply chat template"}}"#,
    ] {
        assert_eq!(read(Some(500), body), FailureKind::Rejected, "{body}");
    }
    let memory =
        r#"{"error":{"message":"model requires more system memory (5.6 GiB) than is available (3.2 GiB)"}}"#;
    assert_eq!(read(Some(500), memory), FailureKind::Unavailable);
}
