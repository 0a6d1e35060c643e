//! Providers that people have: where they are and where their key is. All of them speak OpenAI's chat completions.

/// A service on the network that wants a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hosted {
    /// Its name in the configuration.
    pub(super) id: &'static str,
    /// Its name for people.
    pub(super) label: &'static str,
    /// Its address.
    pub(super) base_url: &'static str,
    /// The variables in which its own tools look for the key.
    pub(super) keys: &'static [&'static str],
    /// A model that is good for most things and costs little, where the list has it: how its id begins.
    pub(super) usual: &'static str,
    /// The whole name of such a model, for when the list cannot be had: some services list their models in another way than OpenAI.
    pub(super) model: &'static str,
}

/// A program on this machine that wants none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local {
    /// Its name in the configuration.
    pub(super) id: &'static str,
    /// Its name for people.
    pub(super) label: &'static str,
    /// The address that it has unless it was told otherwise.
    pub(super) base_url: &'static str,
}

/// By how many people have them.
pub(super) const HOSTED: &[Hosted] = &[
    Hosted {
        id: "openai",
        label: "OpenAI",
        base_url: "https://api.openai.com/v1",
        keys: &["OPENAI_API_KEY"],
        usual: "gpt-4o-mini",
        model: "gpt-4o-mini",
    },
    Hosted {
        id: "anthropic",
        label: "Anthropic",
        base_url: "https://api.anthropic.com/v1",
        keys: &["ANTHROPIC_API_KEY"],
        usual: "claude-sonnet",
        model: "claude-sonnet-4-5",
    },
    Hosted {
        id: "gemini",
        label: "Google Gemini",
        base_url: "https://generativelanguage.googleapis.com/v1beta/openai",
        keys: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        usual: "gemini-2.5-flash",
        model: "gemini-2.5-flash",
    },
    Hosted {
        id: "openrouter",
        label: "OpenRouter",
        base_url: "https://openrouter.ai/api/v1",
        keys: &["OPENROUTER_API_KEY"],
        usual: "openrouter/auto",
        model: "openrouter/auto",
    },
    Hosted {
        id: "mistral",
        label: "Mistral",
        base_url: "https://api.mistral.ai/v1",
        keys: &["MISTRAL_API_KEY"],
        usual: "mistral-small",
        model: "mistral-small-latest",
    },
    Hosted {
        id: "groq",
        label: "Groq",
        base_url: "https://api.groq.com/openai/v1",
        keys: &["GROQ_API_KEY"],
        usual: "llama-3.3-70b",
        model: "llama-3.3-70b-versatile",
    },
];

/// Each at the port of its own documentation.
pub(super) const LOCAL: &[Local] = &[
    Local {
        id: "ollama",
        label: "Ollama",
        base_url: "http://127.0.0.1:11434/v1",
    },
    Local {
        id: "llamacpp",
        label: "llama.cpp",
        base_url: "http://127.0.0.1:8080/v1",
    },
    Local {
        id: "lmstudio",
        label: "LM Studio",
        base_url: "http://127.0.0.1:1234/v1",
    },
    Local {
        id: "vllm",
        label: "vLLM",
        base_url: "http://127.0.0.1:8000/v1",
    },
];
