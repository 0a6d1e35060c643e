mod entries;
mod names;

use serde_json::json;

use super::*;
use crate::{
    revision::{
        Reader, Revision,
        samples::{INCLUDED, OPENCLAW},
    },
    secrets::Sources,
};

fn sources() -> Sources {
    static FOLDER: std::sync::LazyLock<tempfile::TempDir> = std::sync::LazyLock::new(|| {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in INCLUDED {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        folder
    });
    Sources {
        env: Box::new(|name| match name {
            "GW" => Some("kX9qmQ2vL7pR4wZ8".to_owned()),
            "TG" => Some("123456789:AAEhBP0av28kX9qmQ2vL7pR4wZ8kX9qmQ2v".to_owned()),
            _ => None,
        }),
        folder: FOLDER.path().to_owned(),
        secrets: FOLDER.path().join("secrets"),
    }
}

fn read(document: &Value) -> Revision {
    Revision::read(&document.to_string(), &sources()).unwrap_or_else(|refused| panic!("{refused:?}"))
}

fn refused(document: &Value) -> Vec<String> {
    let refused = Revision::read(&document.to_string(), &sources()).expect_err("not usable");
    refused.all().iter().map(ToString::to_string).collect()
}

fn warnings(revision: &Revision) -> Vec<String> {
    revision.warnings().iter().map(ToString::to_string).collect()
}

fn cut(revision: &Revision, reader: Reader) -> Value {
    serde_json::from_str(&revision.cut(reader)).expect("JSON")
}

#[test]
fn every_document_of_openclaw_runs_and_what_has_no_effect_is_named_once_for_each_section() {
    for (name, text) in OPENCLAW {
        let revision =
            Revision::read(text, &sources()).unwrap_or_else(|refused| panic!("{name}: {refused:?}"));

        let found = warnings(&revision);
        let all_is_used = name == "trusted-proxy";
        assert_eq!(
            found.is_empty(),
            all_is_used,
            "{name} says something that has no effect: {found:#?}"
        );
        let mut without_effect: Vec<&str> = found
            .iter()
            .filter(|line| line.contains("unknown keys, kept without effect"))
            .filter_map(|line| line.split(':').next())
            .collect();
        let lines = without_effect.len();
        without_effect.dedup();
        assert_eq!(without_effect.len(), lines, "{name}: {found:#?}");
        assert!(found.len() <= 15, "{name}: {found:#?}");
    }
}

#[test]
fn what_documents_of_openclaw_lose_is_said_with_the_reason() {
    let of = |wanted: &str| {
        let (_, text) = OPENCLAW
            .into_iter()
            .find(|(name, _)| *name == wanted)
            .expect("there");
        warnings(&Revision::read(text, &sources()).expect("runs")).join("\n")
    };

    let azure = of("azure-envref");
    assert!(
        azure.contains(
            "models.providers.azure: is left out, the rest runs: `api` must be \"openai-completions\""
        ),
        "{azure}"
    );
    let ollama = of("ollama-native");
    assert!(
        ollama.contains("models.providers.ollama: is left out") && ollama.contains("/v1"),
        "{ollama}"
    );
    assert!(
        ollama.contains("models.providers.openai: is left out"),
        "{ollama}"
    );
    assert!(!of("bind-tailnet").contains("gateway.bind"));
    assert!(of("bind-tailnet").contains("gateway.auth.token: is left out, the rest runs: can be guessed"));
    assert!(!of("trusted-proxy").contains("is left out"));
    assert!(of("mode-remote").contains("gateway.mode: is left out"));
    let ollama_model =
        "agents.defaults.model: \"ollama/q/w:latest\" is not asked: models.providers.ollama is left out";
    assert!(ollama.contains(ollama_model), "{ollama}");
    assert!(
        !of("openrouter-models").contains("did you mean"),
        "it means something else"
    );
    let irc = of("irc-docs");
    assert!(
        irc.contains("channels.irc: unknown keys, kept without effect: ") && irc.contains("mentionPatterns"),
        "{irc}"
    );
    let agent = of("model-object-agent");
    assert!(
        agent.contains("agents.defaults.timeoutSeconds: is left out"),
        "{agent}"
    );
    assert!(
        !agent.contains("contextWindow"),
        "131072.0 is a whole number: {agent}"
    );
}

#[test]
fn a_model_without_its_provider_is_told_what_to_write_and_a_short_name_is_one() {
    let told = |model: &str, providers: Value| {
        let document = json!({
            "models": {"providers": providers},
            "agents": {"defaults": {"model": {"primary": model}, "models": {"ollama/llama3.2:3b": {"alias": "fast"}}}},
        });
        warnings(&read(&document)).join("; ")
    };
    let ollama = || json!({"ollama": {"baseUrl": "http://127.0.0.1:11434/v1"}});

    let bare = told("llama3.2", ollama());
    assert!(
        bare.contains("write <provider>/llama3.2; you have: ollama"),
        "{bare}"
    );
    let foreign = told("meta-llama/llama-3.3:free", ollama());
    assert!(
        foreign.contains("`models.providers.meta-llama`")
            && foreign.contains("<provider>/meta-llama/llama-3.3:free; you have: ollama"),
        "{foreign}"
    );
    let provider = told("ollama", ollama());
    assert!(provider.contains("write ollama/<model>"), "{provider}");
    let none = told("llama3.2", json!({}));
    assert!(none.contains("no provider yet"), "{none}");
    for fine in ["ollama/hf.co/a/b:Q4_K_M", "fast", "echo", "echo/echo"] {
        assert_eq!(told(fine, ollama()), "", "{fine}");
    }
}

#[test]
fn how_a_model_is_asked_is_known_word_by_word() {
    let document = json!({"models": {"providers": {"p": {
        "baseUrl": "https://h/openai/deployments/gpt?api-version=2024-10-21",
        "maxTokens": 4096,
        "params": {"temperature": 0.2, "extra_body": {"anything": [1]}},
        "compat": {"supportsUsageInStreaming": false, "maxTokensField": "max_completion_tokens"},
        "models": [{"id": "gpt", "contextTokens": 65536, "headers": {"x-model": "a"}, "params": {"topP": 0.5}, "compat": {"supportsStore": false}}],
    }}}});
    assert_eq!(warnings(&read(&document)), Vec::<String>::new());

    let mut wrong = document.clone();
    wrong["models"]["providers"]["p"]["compat"]["maxTokensField"] = json!("max_token");
    wrong["agents"] = json!({"defaults": {"model": "p/gpt"}});
    let told = warnings(&read(&wrong)).join("; ");
    assert!(told.contains("maxTokensField"), "{told}");
}
