//! Which kind of failure a refusal is. Servers use the same few statuses for everything, and each has words of its own: the words
//! decide, then the status.
//!
//! The words are those of OpenAI, Azure, Anthropic, Google, Mistral, Groq, xAI, DeepSeek, Cohere, OpenRouter, Bedrock, Alibaba, Ollama,
//! llama.cpp and its Python server, LM Studio, vLLM, TGI, SGLang and LiteLLM, as public reports show them.

use gatehouse_proto::agent::v1::FailureKind;

use super::said::Said;

/// What a machine's word means, wherever a part of the word is one of these.
const CODES: &[(FailureKind, &[&str])] = &[
    (
        FailureKind::Context,
        &[
            "context_length",
            "context_window",
            "context_size",
            "contextwindowexceeded",
            "input_too_long",
            "string_above_max_length",
            "max_prompt_tokens",
        ],
    ),
    (
        FailureKind::Moderation,
        &[
            "content_filter",
            "content_policy",
            "contentpolicy",
            "responsibleaipolicy",
            "moderation",
            "data_inspection_failed",
            "datainspectionfailed",
            "prompt_blocked",
            "safety",
        ],
    ),
    (
        FailureKind::RateLimit,
        &[
            "rate_limit",
            "ratelimit",
            "insufficient_quota",
            "quota",
            "resource_exhausted",
            "throttl",
            "too_many_requests",
            "toomanyrequests",
            "insufficient_balance",
            "billing",
            "arrearage",
            "payment",
            "budget_exceeded",
        ],
    ),
    (
        FailureKind::ModelMissing,
        &[
            "model_not_found",
            "model_not_exist",
            "modelnotfound",
            "invalid_model",
            "unknown_model",
            "model_not_available",
            "model_not_supported",
            "model_not_loaded",
            "deploymentnotfound",
        ],
    ),
    (
        FailureKind::Auth,
        &[
            "invalid_api_key",
            "invalidapikey",
            "authentication",
            "unauthorized",
            "unauthenticated",
            "permission",
            "invalid_token",
            "account_deactivated",
            "accessdenied",
            "access_denied",
            "api_key_invalid",
        ],
    ),
    (
        FailureKind::Unavailable,
        &[
            "overloaded",
            "server_error",
            "internal_error",
            "service_unavailable",
            "unavailable_error",
        ],
    ),
    (FailureKind::Timeout, &["timeout", "deadline_exceeded"]),
];

/// What words mean that hold all parts of one of these, in this order.
const WORDS: &[(FailureKind, &[&[&str]])] = &[
    (
        FailureKind::Context,
        &[
            &["context length"],
            &["context size"],
            &["context window"],
            &["maximum context"],
            &["max context"],
            &["exceed", "context"],
            &["context", "overflow"],
            &["prompt is too long"],
            &["prompt too long"],
            &["input is too long"],
            &["input too long"],
            &["conversation is too long"],
            &["maximum prompt length"],
            &["input token count", "exceed"],
            &["input length", "exceed"],
            &["longer than the model"],
            &["too many tokens"],
            &["reduce the length of"],
            &["max_new_tokens", "must be <="],
            &["max_position_embeddings"],
            &["n_ctx"],
            &["larger than the maximum", "tokens"],
            &["range of input length"],
            // As Zhipu, Baidu and others say it: "exceeds the context", "input is too long".
            &["超", "上下文"],
            &["上下文", "超"],
            &["输入", "过长"],
            &["输入", "超出"],
        ],
    ),
    (
        FailureKind::Moderation,
        &[
            &["content management policy"],
            &["content policy"],
            &["content filter"],
            &["content_filter"],
            &["usage policies"],
            &["usage policy"],
            &["safety system"],
            &["flagged"],
            &["moderation"],
            &["responsible ai"],
            &["inappropriate content"],
            &["prohibited content"],
            &["blocked", "safety"],
            &["violat", "polic"],
        ],
    ),
    (
        FailureKind::RateLimit,
        &[
            &["rate limit"],
            &["rate-limit"],
            &["ratelimit"],
            &["too many requests"],
            &["exceeded your", "quota"],
            &["quota", "exceed"],
            &["insufficient", "balance"],
            &["insufficient", "credit"],
            &["insufficient", "quota"],
            &["out of quota"],
            &["no quota"],
            &["quota", "used up"],
            &["quota", "reached"],
            &["quota", "exhausted"],
            &["credit balance"],
            &["out of credit"],
            &["requires more credits"],
            &["requests per minute"],
            &["tokens per minute"],
            &["qps", "limit"],
            &["budget", "exceed"],
        ],
    ),
    (
        FailureKind::Rejected,
        &[
            // What llama.cpp and others say, with HTTP 500, when the template of a model refuses the roles of a conversation.
            &["roles must alternate"],
            &["system role not supported"],
            &["system role is not supported"],
            &["only user and assistant roles"],
            &["jinja"],
            &["chat template"],
            // Where it does not serve; no key changes that.
            &["country", "not supported"],
            &["location is not supported"],
        ],
    ),
    (
        FailureKind::Auth,
        &[
            &["api key", "invalid"],
            &["api key", "incorrect"],
            &["api key", "not valid"],
            &["api key", "missing"],
            &["api key", "expired"],
            &["api key", "required"],
            &["api key", "provide"],
            &["no api key"],
            &["api_key", "invalid"],
            &["no auth credentials"],
            &["invalid", "token", "authori"],
            &["invalid bearer"],
            &["invalid authentication"],
            &["authentication", "fail"],
            &["unauthorized"],
            &["unauthenticated"],
            &["login fail"],
            &["authentication error"],
        ],
    ),
    (
        FailureKind::ModelMissing,
        &[
            &["model", "not found"],
            &["model", "does not exist"],
            &["model", "doesn't exist"],
            &["model", "not exist"],
            &["model", "could not be found"],
            &["model", "has not been found"],
            &["model", "is not available"],
            &["model", "is not loaded"],
            &["not a valid model"],
            &["model", "has been deprecated"],
            &["model", "decommissioned"],
            &["model is not supported"],
            &["no such model"],
            &["unknown model"],
            &["invalid model"],
            &["unsupported model"],
            &["no models loaded"],
            &["model unloaded"],
            &["no model", "loaded"],
            &["no endpoints found"],
            &["deployment", "does not exist"],
        ],
    ),
    (
        FailureKind::Unavailable,
        &[
            &["overloaded"],
            &["loading model"],
            &["model", "is loading"],
            &["temporarily unavailable"],
            &["service unavailable"],
            &["internal server error"],
            &["out of memory"],
            &["at capacity"],
        ],
    ),
    (FailureKind::Timeout, &[&["timed out"], &["timeout"]]),
];

/// The kind of a refusal. Without a status it came inside an answer, and what the server names in its words stands for it.
pub(super) fn kind(status: Option<u16>, said: &Said) -> FailureKind {
    let status = status.filter(|status| *status >= 300).or(said.status);
    let by_code = CODES.iter().find_map(|(kind, parts)| {
        let is_this = |code: &String| parts.iter().any(|part| code.contains(part));
        said.codes.iter().any(is_this).then_some(*kind)
    });
    let words = said.words.to_lowercase();
    let by_words = || {
        let (kind, _) = WORDS.iter().find(|(_, phrases)| {
            let holds = |phrase: &&&[&str]| in_order(&words, phrase);
            phrases.iter().any(|phrase| holds(&phrase))
        })?;
        Some(*kind)
    };
    // Anthropic names the model and nothing else.
    let is_model = || said.codes.iter().any(|code| code == "not_found_error") && words.contains("model");
    let by_status = match status {
        Some(404) if is_model() => Some(FailureKind::ModelMissing),
        Some(401) => Some(FailureKind::Auth),
        Some(402 | 429) => Some(FailureKind::RateLimit),
        _ => None,
    };
    // Some servers put every failure of theirs under these two words: what the sentence says goes before them.
    let is_vague = |kind: &FailureKind| matches!(kind, FailureKind::Unavailable | FailureKind::Timeout);
    // Groq and OpenAI put what can never pass under the code of what will pass later.
    let too_large = is_more_than_a_minute_has(&words).then_some(FailureKind::Context);
    too_large
        .or(by_code.filter(|kind| !is_vague(kind)))
        .or(by_status)
        .or_else(|| by_words().filter(|kind| is_possible(*kind, status)))
        .or(by_code.filter(|kind| is_possible(*kind, status)))
        .unwrap_or(match status {
            // A page is of a guard in front of the provider, which never saw the key.
            Some(403) if !said.is_page => FailureKind::Auth,
            Some(408 | 504 | 524) => FailureKind::Timeout,
            // Too early: it will be there later (RFC 8470).
            Some(425) => FailureKind::Unavailable,
            Some(413) => FailureKind::Context,
            Some(500..=599) => FailureKind::Unavailable,
            _ => FailureKind::Rejected,
        })
}

/// Whether one request has more tokens than a minute allows, so that waiting changes nothing: "Limit 6000, Requested 9000".
fn is_more_than_a_minute_has(words: &str) -> bool {
    let number = |name: &str| -> Option<u64> {
        let (_, behind) = words.split_once(name)?;
        let digits: String = behind
            .trim_start_matches([' ', ':'])
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse().ok()
    };
    let limits = number("limit ").zip(number("requested "));
    words.contains("request too large") && limits.is_some_and(|(limit, requested)| requested > limit)
}

/// Words alone do not make an outage of a refusal: a parameter may be called `timeout`.
fn is_possible(kind: FailureKind, status: Option<u16>) -> bool {
    // A conflict is how some servers say that their model is being loaded.
    let refused = matches!(status, Some(400..=499) if !matches!(status, Some(408 | 409)));
    !(refused && matches!(kind, FailureKind::Unavailable | FailureKind::Timeout))
}

/// Whether the parts stand in the words one behind the other.
fn in_order(words: &str, parts: &[&str]) -> bool {
    let mut rest = words;
    parts.iter().all(|part| match rest.split_once(part) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests;
