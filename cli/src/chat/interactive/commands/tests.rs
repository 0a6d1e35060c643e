use super::*;

fn model(provider: &str, id: &str) -> Model {
    Model {
        id: id.into(),
        provider: provider.into(),
        ..Model::default()
    }
}

#[test]
fn a_model_is_chosen_by_number_by_name_and_by_a_short_name_that_is_clear() {
    let models = [
        model("ollama", "llama3.2"),
        model("openai", "gpt"),
        model("proxy", "gpt"),
        model("echo", "echo"),
    ];
    let chosen = |name| chosen(&models, name);

    assert_eq!(chosen("2").unwrap(), "openai/gpt");
    assert_eq!(chosen("proxy/gpt").unwrap(), "proxy/gpt");
    assert_eq!(chosen("llama3.2").unwrap(), "ollama/llama3.2");
    assert_eq!(
        chosen("ollama/qwen3:8b").unwrap(),
        "ollama/qwen3:8b",
        "what the provider has beside its list"
    );
    assert_eq!(chosen("echo").unwrap(), "echo/echo");
    assert_eq!(chosen("gpt"), None, "two providers have one");
    assert_eq!(chosen("9"), None);
    assert_eq!(chosen("claude"), None);
}
