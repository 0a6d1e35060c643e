//! Documents that tests read.

/// Documents of people who come from OpenClaw, whole.
pub(crate) const OPENCLAW: [(&str, &str); 12] = [
    (
        "docker-telegram",
        include_str!("usable/openclaw/docker-telegram.json"),
    ),
    ("azure-envref", include_str!("usable/openclaw/azure-envref.json")),
    (
        "openrouter-models",
        include_str!("usable/openclaw/openrouter-models.json"),
    ),
    (
        "ollama-native",
        include_str!("usable/openclaw/ollama-native.json"),
    ),
    (
        "agents-list-bindings",
        include_str!("usable/openclaw/agents-list-bindings.json"),
    ),
    ("irc-docs", include_str!("usable/openclaw/irc-docs.json")),
    ("bind-tailnet", include_str!("usable/openclaw/bind-tailnet.json")),
    (
        "trusted-proxy",
        include_str!("usable/openclaw/trusted-proxy.json"),
    ),
    ("mode-remote", include_str!("usable/openclaw/mode-remote.json")),
    ("include", include_str!("usable/openclaw/include.json")),
    (
        "model-object-agent",
        include_str!("usable/openclaw/model-object-agent.json"),
    ),
    (
        "heartbeat-cron-hooks",
        include_str!("usable/openclaw/heartbeat-cron-hooks.json"),
    ),
];

/// What `include.json` includes.
pub(crate) const INCLUDED: [(&str, &str); 3] = [
    (
        "a.json5",
        "{ models: { mode: 'merge' }, wizard: { lastRunAt: '2026-02-01' } }",
    ),
    ("b.json5", "{ session: { dmScope: 'per-channel-peer' } }"),
    (
        "agents.json5",
        "{ defaults: { workspace: '~/.openclaw/workspace' } }",
    ),
];
