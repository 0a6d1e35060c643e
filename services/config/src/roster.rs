//! Which agents the document has, and what has to be merged into it so that it has others. Decides nothing about how a document is
//! changed: what comes out of here is a patch like any client's.

use gatehouse_document::agents::normal_id;
use serde_json::{Map, Value, json};

pub(crate) use crate::error::RosterError;
use crate::text;

/// The id of the agent that there is without any.
const MAIN: &str = "main";

/// A change of the agents.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Create { name: String, said: Said },
    Update { id: String, said: Said },
    Delete { id: String },
}

/// What is said of an agent. `None`: nothing; an empty text takes it out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    pub(crate) name: Option<String>,
    pub(crate) model: Option<Model>,
    pub(crate) emoji: Option<String>,
    pub(crate) avatar: Option<String>,
}

/// Which model answers for an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Model {
    /// This one, and then those that were tried after the former.
    First(String),
    /// The one that answers for all.
    Inherited,
}

/// What a change comes to.
#[derive(Debug, PartialEq)]
pub(crate) struct Planned {
    /// What has to be merged.
    pub(crate) patch: Value,
    /// For the history.
    pub(crate) note: String,
    pub(crate) done: Done,
}

/// What is told of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) id: String,
    pub(crate) removed_bindings: usize,
}

/// What has to be merged into a document. `problem` says why nobody would be asked for a model.
///
/// # Errors
/// When the document has the agent already, or has it not, or needs it, or nobody would be asked for its model.
pub(crate) fn plan(
    document: &Value,
    change: &Change,
    problem: impl Fn(&str) -> Option<String>,
) -> Result<Planned, RosterError> {
    let roster = Roster::read(document);
    let name = match change {
        Change::Create { name, .. } => Some(name),
        Change::Update { said, .. } => said.name.as_ref(),
        Change::Delete { .. } => None,
    };
    if name.is_some_and(|name| name.contains(char::is_control)) {
        return Err(RosterError::Field {
            path: "/name",
            problem: "a name is one line: it holds a line break or another control character".to_owned(),
        });
    }
    if let Some(model) = roster.new_model(change)
        && let Some(problem) = problem(model)
    {
        return Err(RosterError::Field {
            path: "/model",
            problem,
        });
    }
    match change {
        Change::Create { name, said } => roster.create(name, said),
        Change::Update { id, said } => roster.update(id, said),
        Change::Delete { id } => roster.delete(id, document),
    }
}

/// Where an agent stands in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Under this key of `agents.entries`.
    Entry(String),
    /// At this place of `agents.list`.
    Listed(usize),
    /// Nowhere: a document without agents has one.
    Implied,
}

#[derive(Debug, Clone)]
struct Agent {
    id: String,
    place: Place,
    is_default: bool,
    written: Value,
}

struct Roster {
    agents: Vec<Agent>,
    /// `agents.list`, when it is in use.
    list: Vec<Value>,
}

impl Roster {
    /// The agents as the session service reads them: entries first, each id once.
    fn read(document: &Value) -> Self {
        let entries = document.pointer("/agents/entries").and_then(Value::as_object);
        let list = document.pointer("/agents/list").and_then(Value::as_array);
        let list = list.cloned().unwrap_or_default();
        let entries = entries
            .into_iter()
            .flatten()
            .map(|(key, written)| (key.as_str(), Place::Entry(key.clone()), written));
        let listed = list.iter().enumerate().filter_map(|(index, written)| {
            let id = written.get("id").and_then(Value::as_str)?;
            Some((id, Place::Listed(index), written))
        });
        let mut agents: Vec<Agent> = Vec::new();
        for (id, place, written) in entries.chain(listed) {
            let Some(id) = normal_id(id).filter(|id| agents.iter().all(|agent| agent.id != *id)) else {
                continue;
            };
            agents.push(Agent {
                id,
                place,
                is_default: written.get("default") == Some(&Value::Bool(true)),
                written: written.clone(),
            });
        }
        if agents.is_empty() {
            agents.push(Agent {
                id: MAIN.to_owned(),
                place: Place::Implied,
                is_default: true,
                written: json!({}),
            });
        }
        Self { agents, list }
    }

    fn find(&self, id: &str) -> Result<&Agent, RosterError> {
        let unknown = || RosterError::Unknown(id.to_owned());
        let normal = normal_id(id).ok_or_else(unknown)?;
        self.agents
            .iter()
            .find(|agent| agent.id == normal)
            .ok_or_else(unknown)
    }

    /// The model that a change chooses. What an agent has already is not chosen: a form is saved with all its fields.
    fn new_model<'c>(&self, change: &'c Change) -> Option<&'c str> {
        let (said, written) = match change {
            Change::Create { said, .. } => (said, None),
            Change::Update { id, said } => (said, self.find(id).ok().map(|agent| &agent.written)),
            Change::Delete { .. } => return None,
        };
        let Some(Model::First(model)) = &said.model else {
            return None;
        };
        let had = written.and_then(|written| written.pointer("/model/primary").or(written.get("model")));
        (had.and_then(Value::as_str) != Some(model)).then_some(model)
    }

    fn create(mut self, name: &str, said: &Said) -> Result<Planned, RosterError> {
        let id = normal_id(name).ok_or(RosterError::Nameless)?;
        if self.agents.iter().any(|agent| agent.id == id) {
            return Err(RosterError::Exists(id));
        }
        let mut patch = json!({});
        // Who answers alone is the default without saying so; of two nobody would be.
        if let [only] = self.agents.as_slice() {
            let only = only.clone();
            if only.written.get("default") != Some(&Value::Bool(true)) {
                patch = self.merged(&only, &json!({"default": true}));
            }
        }
        let mut agent = said.patch(&json!({}));
        agent["name"] = Value::from(name.trim());
        let added = if self.list.is_empty() {
            json!({"agents": {"entries": {id.clone(): agent}}})
        } else {
            let mut listed = Map::from_iter([("id".to_owned(), Value::from(id.clone()))]);
            listed.extend(agent.as_object().cloned().unwrap_or_default());
            self.list.push(Value::Object(listed));
            json!({"agents": {"list": self.list}})
        };
        text::merge(&mut patch, &added);
        Ok(planned(patch, format!("agents.create {id}"), id, 0))
    }

    fn update(mut self, id: &str, said: &Said) -> Result<Planned, RosterError> {
        let agent = self.find(id)?.clone();
        let change = said.patch(&agent.written);
        let patch = self.merged(&agent, &change);
        Ok(planned(patch, format!("agents.update {}", agent.id), agent.id, 0))
    }

    fn delete(mut self, id: &str, document: &Value) -> Result<Planned, RosterError> {
        let agent = self.find(id)?.clone();
        if self.agents.len() == 1 {
            return Err(RosterError::Only(agent.id));
        }
        if agent.is_default && self.agents.len() > 2 {
            return Err(RosterError::Default(agent.id));
        }
        let mut patch = match &agent.place {
            Place::Entry(key) => json!({"agents": {"entries": {key.clone(): null}}}),
            Place::Listed(index) => {
                self.list.remove(*index);
                let list = Some(self.list).filter(|list| !list.is_empty());
                json!({"agents": {"list": list}})
            }
            Place::Implied => json!({}),
        };
        let bindings = document.get("bindings").and_then(Value::as_array);
        let is_its = |binding: &&Value| {
            let whose = binding.get("agentId").and_then(Value::as_str);
            whose.and_then(normal_id).as_deref() == Some(agent.id.as_str())
        };
        let (gone, kept): (Vec<&Value>, Vec<&Value>) = bindings.into_iter().flatten().partition(is_its);
        if !gone.is_empty() {
            patch["bindings"] = if kept.is_empty() { Value::Null } else { json!(kept) };
        }
        Ok(planned(
            patch,
            format!("agents.delete {}", agent.id),
            agent.id,
            gone.len(),
        ))
    }

    /// What changes one agent where it stands.
    fn merged(&mut self, agent: &Agent, change: &Value) -> Value {
        match &agent.place {
            Place::Entry(key) => json!({"agents": {"entries": {key.clone(): change}}}),
            Place::Implied => json!({"agents": {"entries": {MAIN: change}}}),
            Place::Listed(index) => {
                if let Some(listed) = self.list.get_mut(*index) {
                    text::merge(listed, change);
                }
                json!({"agents": {"list": self.list}})
            }
        }
    }
}

fn planned(patch: Value, note: String, id: String, removed_bindings: usize) -> Planned {
    Planned {
        patch,
        note,
        done: Done { id, removed_bindings },
    }
}

impl Said {
    /// What makes of `written` what is said.
    fn patch(&self, written: &Value) -> Value {
        let mut patch = Map::new();
        let text = |text: &String| match text.trim() {
            "" => Value::Null,
            text => Value::from(text),
        };
        let mut identity = Map::new();
        if let Some(name) = &self.name {
            patch.insert("name".to_owned(), text(name));
            // It would be shown in the place of the new one.
            if written.pointer("/identity/name").is_some() {
                identity.insert("name".to_owned(), text(name));
            }
        }
        match &self.model {
            Some(Model::First(model)) if written.pointer("/model/fallbacks").is_some() => {
                patch.insert("model".to_owned(), json!({"primary": model}));
            }
            Some(Model::First(model)) => {
                patch.insert("model".to_owned(), Value::from(model.as_str()));
            }
            Some(Model::Inherited) => {
                patch.insert("model".to_owned(), Value::Null);
            }
            None => {}
        }
        for (key, said) in [("emoji", &self.emoji), ("avatar", &self.avatar)] {
            if let Some(said) = said {
                identity.insert(key.to_owned(), text(said));
            }
        }
        if !identity.is_empty() {
            patch.insert("identity".to_owned(), Value::Object(identity));
        }
        Value::Object(patch)
    }
}

#[cfg(test)]
mod tests;
