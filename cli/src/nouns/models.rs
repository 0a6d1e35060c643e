//! `gatehouse models`.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use super::{Caller, facts, sessions::given, unknown};
use crate::{
    args::{
        Common, ConfigCommand,
        nouns::{Models, ModelsVerb},
    },
    config,
    exit::{Exit, Failed},
    output,
    term::{Ink, Style, Table},
};

/// What asking the providers may add to the answer: each has five seconds, and all are asked at once.
const DISCOVERY: Duration = Duration::from_secs(60);

/// What the gateway adds to the time that a model is given.
const EXTRA: Duration = Duration::from_secs(10);

/// The key that says what answers.
const PRIMARY: &str = "agents.defaults.model.primary";

/// The model that is built in.
const ECHO: &str = "echo";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(default)]
    models: Vec<Map<String, Value>>,
    #[serde(default)]
    provider_outcomes: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    provider: String,
    status: String,
}

/// What a test of one model said.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tested {
    pub(crate) ok: bool,
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) latency_ms: i64,
    pub(crate) reason: Option<String>,
    pub(crate) next_step: Option<String>,
}

#[derive(Deserialize)]
struct Running {
    config: Value,
}

pub(crate) async fn run(common: &Common, models: &Models, style: Style) -> Result<(), Failed> {
    let listed = ModelsVerb::List {
        all: false,
        provider: None,
    };
    let verb = models.verb.as_ref().unwrap_or(&listed);
    let methods: &[&str] = match verb {
        ModelsVerb::List { .. } | ModelsVerb::Show { .. } => &["models.list"],
        ModelsVerb::Test { .. } => &["models.test", "config.get"],
        ModelsVerb::Use { model } => {
            let command = ConfigCommand::Set {
                path: PRIMARY.to_owned(),
                value: Value::String(model.clone()).to_string(),
                force: false,
            };
            return config::run(common, &command).await;
        }
    };
    let mut caller = Caller::connect(common, style, methods).await?;
    let done = match verb {
        ModelsVerb::List { all, provider } => caller.list_models(*all, provider.as_ref()).await,
        ModelsVerb::Show { model } => caller.show_model(model).await,
        ModelsVerb::Test { model, timeout } => caller.test_models(model.as_deref(), *timeout).await,
        ModelsVerb::Use { .. } => Ok(()),
    };
    caller.close().await;
    done
}

impl Caller {
    async fn list_models(&mut self, all: bool, provider: Option<&String>) -> Result<(), Failed> {
        let refresh = all.then_some(true);
        let params = given([("refresh", json!(refresh)), ("provider", json!(provider))]);
        let answer = self.ask_within("models.list", &params, DISCOVERY).await?;
        if self.json {
            return answer.print();
        }
        let listed: Listed = answer.read()?;
        let mut table = Table::new(&["MODEL", "CONTEXT", "NAME", "USED AS"]);
        for model in &listed.models {
            let text = |name: &str| model.get(name).and_then(Value::as_str).unwrap_or_default();
            let context = model.get("contextWindow").and_then(Value::as_i64);
            let (id, name) = (full_name(model), text("name").to_owned());
            let shown = if name == text("id") { String::new() } else { name };
            let is_away = model.get("available").and_then(Value::as_bool) == Some(false);
            table.row(vec![
                (Some(if is_away { Ink::Red } else { Ink::Cyan }), id),
                (
                    None,
                    context.map_or_else(|| "-".to_owned(), |tokens| tokens.to_string()),
                ),
                (None, shown),
                (None, tags(model, is_away)),
            ]);
        }
        self.table(&table, "no models: `gatehouse setup` finds one")?;
        for outcome in listed
            .provider_outcomes
            .iter()
            .filter(|outcome| outcome.status != "ready")
        {
            let Outcome { provider, status } = outcome;
            output::remark(&format!(
                "{provider}: {status}; `gatehouse models test {provider}` says why"
            ));
        }
        Ok(())
    }

    async fn show_model(&mut self, name: &str) -> Result<(), Failed> {
        let listed: Listed = self.ask("models.list", &json!({})).await?.read()?;
        let is_meant = |model: &&Map<String, Value>| {
            let is = |field: &str| model.get(field).and_then(Value::as_str) == Some(name);
            full_name(model) == name || is("id") || is("alias")
        };
        let Some(model) = listed.models.iter().find(is_meant) else {
            let names: Vec<_> = listed.models.iter().map(full_name).collect();
            return Err(unknown(
                "model",
                name,
                names.iter().map(String::as_str),
                "gatehouse models list --all",
            ));
        };
        if self.json {
            return output::line(&Value::Object(model.clone()).to_string());
        }
        output::text(&facts::lines(model, self.style, Some(crate::term::now_ms())))
    }

    async fn test_models(&mut self, name: Option<&str>, timeout: u16) -> Result<(), Failed> {
        let limit = Duration::from_secs(timeout.into());
        let asked: Vec<Value> = match name {
            Some(name) if name.contains('/') => vec![json!({"model": name})],
            Some(provider) => vec![json!({"provider": provider})],
            None => self
                .providers()
                .await?
                .iter()
                .map(|provider| json!({"provider": provider}))
                .collect(),
        };
        let mut table = Table::new(&["MODEL", "STATE", "TIME", "WHY"]);
        let (mut raw, mut failed, mut steps) = (Vec::<Box<RawValue>>::new(), 0, Vec::new());
        for mut params in asked {
            params["timeoutMs"] = json!(u32::from(timeout) * 1_000);
            let answer = self.ask_within("models.test", &params, limit + EXTRA).await?;
            let tested: Tested = answer.read()?;
            failed += usize::from(!tested.ok);
            steps.extend(
                tested
                    .next_step
                    .clone()
                    .map(|step| (tested.provider.clone(), step)),
            );
            table.row(vec![
                (Some(Ink::Cyan), format!("{}/{}", tested.provider, tested.model)),
                (
                    Some(if tested.ok { Ink::Green } else { Ink::Red }),
                    if tested.ok {
                        "answers".to_owned()
                    } else {
                        tested.status
                    },
                ),
                (None, format!("{} ms", tested.latency_ms)),
                (None, tested.reason.unwrap_or_default()),
            ]);
            raw.push(answer.payload);
        }
        if self.json {
            let texts: Vec<_> = raw.iter().map(|answer| answer.get()).collect();
            output::line(&format!("[{}]", texts.join(",")))?;
        } else {
            // The reason is what somebody came for: it is not cut.
            output::text(&table.render(self.style))?;
        }
        if failed == 0 {
            return Ok(());
        }
        let what = if failed == 1 {
            "a model does not answer"
        } else {
            "several models do not answer"
        };
        let mut error = Failed::new(Exit::Failed, what);
        error.details = steps
            .into_iter()
            .map(|(provider, step)| format!("{provider}: {step}"))
            .collect();
        Err(error)
    }

    /// The providers of the configuration, else the one that is built in.
    async fn providers(&mut self) -> Result<Vec<String>, Failed> {
        let running: Running = self.ask("config.get", &json!({})).await?.read()?;
        let providers = running
            .config
            .pointer("/models/providers")
            .and_then(Value::as_object);
        let names: Vec<_> = providers
            .map(|providers| providers.keys().cloned().collect())
            .unwrap_or_default();
        Ok(if names.is_empty() {
            vec![ECHO.to_owned()]
        } else {
            names
        })
    }
}

fn full_name(model: &Map<String, Value>) -> String {
    let text = |name: &str| model.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{}/{}", text("provider"), text("id"))
}

fn tags(model: &Map<String, Value>, is_away: bool) -> String {
    let list = model.get("tags").and_then(Value::as_array);
    let tags = list.into_iter().flatten().filter_map(Value::as_str);
    let away = is_away.then(|| {
        model
            .get("unavailableReason")
            .and_then(Value::as_str)
            .unwrap_or("away")
    });
    tags.filter(|tag| *tag != "configured" && *tag != "discovered")
        .chain(away)
        .collect::<Vec<_>>()
        .join(", ")
}
