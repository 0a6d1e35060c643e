//! `gatehouse nodes`.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Caller, facts, sessions::given, unknown};
use crate::{
    args::{
        Common,
        nodes::{Nodes, NodesInvoke, NodesVerb},
    },
    call,
    exit::{Exit, Failed},
    output,
    term::{Ink, Style, Table, ago},
};

const LIST: &str = "node.list";
const REQUESTS: &str = "node.pair.list";

/// Longer than the wait for a result, so that the gateway says that the time is over and not we.
const BEYOND: Duration = Duration::from_secs(5);

/// An approval needs what is approved, an invocation what its command does: a name without a contract asks for all scopes of the token.
const ANY: &str = "*";

#[derive(Deserialize)]
struct All {
    #[serde(default)]
    ts: i64,
    #[serde(default)]
    nodes: Vec<Map<String, Value>>,
}

/// What waits for an answer.
#[derive(Deserialize)]
struct Waiting {
    #[serde(default)]
    pending: Vec<Asking>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asking {
    request_id: String,
    node_id: String,
    display_name: Option<String>,
}

impl Waiting {
    /// The request that is meant.
    fn meant(&self, named: Option<&str>) -> Result<&Asking, Failed> {
        let Some(named) = named else {
            return match self.pending.as_slice() {
                [only] => Ok(only),
                [] => Err(Failed::new(Exit::Failed, "no node asks for approval")
                    .next("`gatehouse nodes` shows what they have")),
                _ => Err(
                    Failed::new(Exit::Usage, "several nodes ask for approval: name one")
                        .next("`gatehouse nodes` shows them"),
                ),
            };
        };
        let is_meant = |asking: &&Asking| {
            asking.request_id.starts_with(named)
                || asking.node_id.starts_with(named)
                || asking.display_name.as_deref() == Some(named)
        };
        let found: Vec<_> = self.pending.iter().filter(is_meant).collect();
        match found.as_slice() {
            [only] => Ok(only),
            [] => Err(Failed::new(Exit::Failed, format!("{named} asks for nothing"))
                .next("`gatehouse nodes` shows who does")),
            _ => Err(Failed::new(Exit::Usage, format!("{named} may mean several"))
                .next("give more digits; `gatehouse nodes --json` has all of them")),
        }
    }
}

#[derive(Deserialize)]
struct History {
    #[serde(default)]
    invocations: Vec<Map<String, Value>>,
}

pub(crate) async fn run(common: &Common, nodes: &Nodes, style: Style) -> Result<(), Failed> {
    let verb = nodes.verb.as_ref().unwrap_or(&NodesVerb::List);
    let mut caller = Caller::connect(common, style, &[ANY]).await?;
    let done = caller.nodes(verb).await;
    caller.close().await;
    done
}

impl Caller {
    async fn nodes(&mut self, verb: &NodesVerb) -> Result<(), Failed> {
        match verb {
            NodesVerb::List => {
                let answer = self.ask(LIST, &json!({})).await?;
                if self.json {
                    return answer.print();
                }
                self.list_nodes(&answer.read()?)
            }
            NodesVerb::Describe { node } => {
                let id = self.node_id(node).await?;
                let answer = self.ask("node.describe", &json!({"nodeId": id})).await?;
                if self.json {
                    return answer.print();
                }
                let found: Map<String, Value> = answer.read()?;
                let now = found.get("ts").and_then(Value::as_i64);
                output::text(&facts::lines(&found, self.style, now))
            }
            NodesVerb::Invoke(invoke) => self.invoke(invoke).await,
            NodesVerb::Approve { node } => self.decide_node("node.pair.approve", node.as_deref()).await,
            NodesVerb::Reject { node } => self.decide_node("node.pair.reject", node.as_deref()).await,
            NodesVerb::Rename { node, name } => {
                let id = self.node_id(node).await?;
                let params = json!({"nodeId": id, "displayName": name});
                let answer = self.ask("node.rename", &params).await?;
                self.done(&answer, &format!("{} is called {name} now", short(&id)))
            }
            NodesVerb::Remove { node } => {
                let id = self.node_id(node).await?;
                let answer = self.ask("node.pair.remove", &json!({"nodeId": id})).await?;
                self.done(
                    &answer,
                    &format!("{} is not a node any more; it has to be paired again", short(&id)),
                )
            }
            NodesVerb::History { node, lines } => self.history(node.as_deref(), *lines).await,
        }
    }

    fn list_nodes(&self, all: &All) -> Result<(), Failed> {
        let mut table = Table::new(&["NODE", "NAME", "STATE", "PLATFORM", "COMMANDS", "SEEN", "REQUEST"]);
        for node in &all.nodes {
            let connected = node.get("connected").and_then(Value::as_bool) == Some(true);
            let approval = text(node, "approvalState");
            let (ink, state) = match (connected, approval.as_str()) {
                (_, "pending-approval" | "pending-reapproval") => (Ink::Yellow, "asks for approval"),
                (true, _) => (Ink::Green, "connected"),
                (false, _) => (Ink::Dim, "away"),
            };
            let seen = node.get("lastSeenAtMs").and_then(Value::as_i64).unwrap_or(0);
            let commands = node.get("commands").and_then(Value::as_array).map_or(0, Vec::len);
            table.row(vec![
                (Some(Ink::Cyan), short(&text(node, "nodeId")).to_owned()),
                (None, text(node, "displayName")),
                (Some(ink), state.to_owned()),
                (None, text(node, "platform")),
                (None, commands.to_string()),
                (None, format!("{} ago", ago((all.ts - seen).max(0)))),
                (None, text(node, "pendingRequestId")),
            ]);
        }
        self.table(
            &table,
            "there are no nodes; `gatehouse node run` makes this machine one",
        )
    }

    /// The id of a node that is meant by its id, the beginning of it, or its name.
    async fn node_id(&mut self, name: &str) -> Result<String, Failed> {
        let all: All = self.ask(LIST, &json!({})).await?.read()?;
        let ids = || {
            all.nodes
                .iter()
                .map(|node| (text(node, "nodeId"), text(node, "displayName")))
        };
        let exact = ids().find(|(id, shown)| id == name || shown == name);
        if let Some((id, _)) = exact {
            return Ok(id);
        }
        let begun: Vec<_> = ids()
            .filter(|(id, _)| name.len() >= 4 && id.starts_with(name))
            .collect();
        match begun.as_slice() {
            [(id, _)] => Ok(id.clone()),
            [] => {
                let names: Vec<_> = ids().flat_map(|(id, shown)| [id, shown]).collect();
                Err(unknown(
                    "node",
                    name,
                    names.iter().map(String::as_str),
                    "gatehouse nodes",
                ))
            }
            _ => Err(
                Failed::new(Exit::Usage, format!("several nodes begin with {name}"))
                    .next("`gatehouse nodes --json` shows their whole ids"),
            ),
        }
    }

    async fn decide_node(&mut self, method: &str, named: Option<&str>) -> Result<(), Failed> {
        let all: Waiting = self.ask(REQUESTS, &json!({})).await?.read()?;
        let asking = all.meant(named)?;
        let answer = self.ask(method, &json!({"requestId": asking.request_id})).await?;
        let shown = asking.display_name.as_deref().unwrap_or(&asking.node_id);
        let sentence = if method.ends_with("approve") {
            format!("{shown} may do what it offers now")
        } else {
            format!("{shown} was refused; it may ask again when it comes next")
        };
        self.done(&answer, &sentence)
    }

    async fn invoke(&mut self, invoke: &NodesInvoke) -> Result<(), Failed> {
        let id = self.node_id(&invoke.node).await?;
        let params = match &invoke.params {
            Some(text) => Some(call::read_params(text)?),
            None => None,
        };
        let wait = Duration::from_secs(invoke.timeout.into());
        let key = invoke
            .key
            .clone()
            .unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let asked = given([
            ("nodeId", json!(id)),
            ("command", json!(invoke.command)),
            ("params", json!(params)),
            ("timeoutMs", json!(u64::from(invoke.timeout) * 1000)),
            ("idempotencyKey", json!(key)),
            (
                "queueTtlMs",
                json!(invoke.queue.map(|seconds| u64::from(seconds) * 1000)),
            ),
        ]);
        let answer = self.ask_within("node.invoke", &asked, wait + BEYOND).await?;
        if self.json {
            return answer.print();
        }
        let told: Map<String, Value> = answer.read()?;
        if told.get("queued").and_then(Value::as_bool) == Some(true) {
            return output::line(&format!(
                "it waits for the node; `gatehouse nodes history` tells what becomes of it (key {key})"
            ));
        }
        let payload = told.get("payload").filter(|payload| !payload.is_null());
        match payload.or_else(|| told.get("payloadJSON")) {
            Some(payload) => output::line(&serde_json::to_string_pretty(payload).unwrap_or_default()),
            None => output::line("done"),
        }
    }

    async fn history(&mut self, node: Option<&str>, lines: u16) -> Result<(), Failed> {
        let id = match node {
            Some(name) => Some(self.node_id(name).await?),
            None => None,
        };
        let params = given([("nodeId", json!(id)), ("limit", json!(lines))]);
        let answer = self.ask("node.invocations.list", &params).await?;
        if self.json {
            return answer.print();
        }
        let history: History = answer.read()?;
        let mut table = Table::new(&["NODE", "COMMAND", "STATE", "TOOK", "WHY", "KEY"]);
        for one in &history.invocations {
            let at = |name: &str| one.get(name).and_then(Value::as_i64);
            let took = at("startedAtMs")
                .zip(at("endedAtMs"))
                .map(|(from, to)| format!("{} ms", to - from));
            let state = text(one, "state");
            let ink = match state.as_str() {
                "ok" => Ink::Green,
                "queued" | "running" => Ink::Dim,
                _ => Ink::Yellow,
            };
            table.row(vec![
                (Some(Ink::Cyan), short(&text(one, "nodeId")).to_owned()),
                (None, text(one, "command")),
                (Some(ink), state),
                (None, took.unwrap_or_default()),
                (None, text(one, "errorMessage")),
                (None, text(one, "idempotencyKey")),
            ]);
        }
        self.table(&table, "no node was asked for anything")
    }
}

/// Enough of an id to tell nodes apart.
fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

fn text(object: &Map<String, Value>, name: &str) -> String {
    object
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests;
