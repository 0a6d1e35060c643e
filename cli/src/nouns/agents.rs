//! `gatehouse agents`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Caller, facts, unknown};
use crate::{
    args::{
        Common,
        nouns::{Agents, AgentsVerb},
    },
    exit::Failed,
    output,
    term::{Ink, Style, Table},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct All {
    default_id: String,
    #[serde(default)]
    agents: Vec<Map<String, Value>>,
}

pub(crate) async fn run(common: &Common, agents: &Agents, style: Style) -> Result<(), Failed> {
    let mut caller = Caller::connect(common, style, &["agents.list"]).await?;
    let answer = caller.ask("agents.list", &json!({})).await?;
    let all: All = answer.read()?;
    let text = |agent: &Map<String, Value>, name: &str| {
        agent
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    match agents.verb.as_ref().unwrap_or(&AgentsVerb::List) {
        AgentsVerb::List if caller.json => answer.print()?,
        AgentsVerb::List => {
            let mut table = Table::new(&["AGENT", "NAME", "MODEL", ""]);
            for agent in &all.agents {
                let id = text(agent, "id");
                let model = agent
                    .get("model")
                    .and_then(|model| model.get("primary"))
                    .and_then(Value::as_str);
                let is_default = id == all.default_id;
                table.row(vec![
                    (Some(Ink::Cyan), id),
                    (None, text(agent, "name")),
                    (None, model.unwrap_or_default().to_owned()),
                    (Some(Ink::Dim), if is_default { "default" } else { "" }.to_owned()),
                ]);
            }
            caller.table(&table, "there are no agents")?;
        }
        AgentsVerb::Show { id } => {
            let found = all.agents.iter().find(|agent| text(agent, "id") == *id);
            let Some(agent) = found else {
                let ids: Vec<_> = all.agents.iter().map(|agent| text(agent, "id")).collect();
                return Err(unknown(
                    "agent",
                    id,
                    ids.iter().map(String::as_str),
                    "gatehouse agents",
                ));
            };
            if caller.json {
                output::line(&Value::Object(agent.clone()).to_string())?;
            } else {
                output::text(&facts::lines(agent, style, None))?;
            }
        }
    }
    caller.close().await;
    Ok(())
}
