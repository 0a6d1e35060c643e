use gatehouse_document::{
    models::{TIMEOUT_SECONDS_MAX, TOKENS_MAX},
    samples,
};

use super::*;

fn config(json: &str) -> Config {
    json5::from_str(json).unwrap()
}

#[test]
fn both_forms_of_a_choice_are_read_and_nothing_means_the_echo() {
    assert_eq!(config("{}").default_models, ["echo/echo"]);
    assert_eq!(
        config(r#"{"agents":{"defaults":{"model":"a/b"}}}"#).default_models,
        ["a/b"]
    );
    let ordered = r#"{"agents":{"defaults":{"model":{"primary":"a/b","fallbacks":["c/d"]}}}}"#;
    assert_eq!(config(ordered).default_models, ["a/b", "c/d"]);
    let own = r#"{agents:{defaults:{model:"a/b"},entries:{x:{model:{primary:"e/f",fallbacks:["a/b"]}},y:{model:"e/f"}}}}"#;
    assert_eq!(config(own).used_models, ["e/f"]);
}

#[test]
fn a_provider_that_was_left_out_keeps_its_reason() {
    let config = config(r#"{"models":{"providers":{},"leftOut":{"old":"`api` must be another"}}}"#);

    assert_eq!(config.left_out["old"], "`api` must be another");
}

#[test]
fn a_key_is_not_printed() {
    let config = config(
        r#"{"models":{"providers":{"p":{"baseUrl":"http://h","apiKey":"sk-1","headers":{"x-key":"sk-2"}}}}}"#,
    );

    assert!(!format!("{config:?}").contains("sk-"));
}

#[test]
fn the_bounds_of_the_document_are_applied() {
    let (most, least) = (config(samples::MAXIMAL), config(samples::MINIMAL));

    let (large, small) = (&most.providers["local"], &least.providers["local"]);
    assert_eq!(large.timeout, Duration::from_secs(TIMEOUT_SECONDS_MAX.into()));
    assert_eq!(small.timeout, Duration::from_secs(1));
    let window = |config: &Config, model: &str| {
        let settings = config.settings(&ModelName::new("local", model), &config.providers["local"], None);
        let window = settings.window.unwrap();
        (window.tokens, window.answer, settings.max_tokens)
    };
    assert_eq!(
        window(&most, "large"),
        (TOKENS_MAX, Some(TOKENS_MAX), Some(TOKENS_MAX))
    );
    assert_eq!(window(&least, "m"), (1, Some(1), Some(1)));
    assert!(large.api_key.is_some() && large.headers.len() == 1);
    assert_eq!(large.headers_for("large").len(), 2);
    assert_eq!(most.default_models, ["local/large", "local/small"]);
}

#[test]
fn a_model_is_found_by_its_full_name_or_its_short_one() {
    let config = config(
        r#"{agents:{defaults:{models:{"ollama/a:b/c":{alias:"fast"}}}},
                models:{providers:{ollama:{baseUrl:"http://h"},lmstudio:{baseUrl:"http://h"}}}}"#,
    );

    let found = |text| config.resolve(text).unwrap();
    assert_eq!(found("ollama/llama3.2"), ModelName::new("ollama", "llama3.2"));
    assert_eq!(
        found("lmstudio/qwen/qwen3-8b@q4_k_m"),
        ModelName::new("lmstudio", "qwen/qwen3-8b@q4_k_m")
    );
    assert_eq!(
        found("ollama/hf.co/a/b:Q4_K_M"),
        ModelName::new("ollama", "hf.co/a/b:Q4_K_M")
    );
    assert_eq!(found(" fast "), ModelName::new("ollama", "a:b/c"));
    assert_eq!(found("echo"), ModelName::new("echo", "echo"));
}

#[test]
fn a_name_without_its_provider_is_told_what_to_write_instead() {
    let config = config(r#"{models:{providers:{ollama:{baseUrl:"http://h"}}}}"#);
    let told = |text| config.resolve(text).unwrap_err();

    for text in ["llama3.2", "/llama3.2", "llama3.2/"] {
        let told = told(text);
        assert!(
            told.message
                .contains("write <provider>/llama3.2; you have: ollama"),
            "{}",
            told.message
        );
        assert_eq!(told.kind, FailureKind::Config);
    }
    let message = told("meta/llama-3:free").message;
    assert!(
        message.contains("models.providers.meta") && message.contains("write <provider>/meta/llama-3:free"),
        "{message}"
    );
    assert!(told("ollama").message.contains("write ollama/<model>"));
    let none = Config::from(Document::default()).resolve("x").unwrap_err();
    assert!(none.message.contains("no provider yet"), "{}", none.message);
}

#[test]
fn what_is_known_of_a_provider_ends_with_its_entry_and_with_the_models_that_are_used() {
    let of = |json: &str| config(json).providers["p"].fingerprint;
    let base = r#"{models:{providers:{p:{baseUrl:"http://h",apiKey:"a"},q:{baseUrl:"http://h"}}},agents:{defaults:{model:"p/a"}}}"#;

    assert_eq!(of(base), of(base));
    assert_eq!(
        of(base),
        of(&base.replace(r#"q:{baseUrl:"http://h"}"#, r#"q:{baseUrl:"http://i"}"#))
    );
    for change in [
        (r#"p:{baseUrl:"http://h""#, r#"p:{baseUrl:"http://i""#),
        (r#"apiKey:"a""#, r#"apiKey:"b""#),
        ("p/a", "p/b"),
    ] {
        assert_ne!(of(base), of(&base.replace(change.0, change.1)), "{change:?}");
    }
}
