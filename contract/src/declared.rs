//! Reads what descriptors declare: methods, events and the plans of messages.

use std::{collections::HashMap, sync::Arc, time::Duration};

use gatehouse_proto::options::v1 as options;
use prost_reflect::{DescriptorPool, MessageDescriptor, MethodDescriptor, ServiceDescriptor};
use prost_types::method_options::IdempotencyLevel;

use crate::{
    Action, BackendId, ContractError, EventKind, Identity, MessagePlan, Method, PluginId, Subscription,
    comments::Comments,
    identity,
    options::{Options, access},
    plan::{Field, Kind, Shape},
    planner::{self, is_foreign},
};

/// How long the edge waits when a method does not say: the option's own comment promises it.
pub(crate) const DEADLINE_DEFAULT: Duration = Duration::from_secs(30);

/// How long a plugin may let clients wait: as long as the longest wait of the gateway's own, a run that somebody waits for.
const PLUGIN_DEADLINE_MS_MAX: u32 = 600_000;

/// Longest name of a method or an event. Names are labels of metrics and words of refusals; the longest of ours has 29 bytes.
const NAME_MAX: usize = 128;

/// Whose descriptors they are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Owner<'a> {
    /// The gateway's own. Every method and every event declares everything.
    Core,
    /// A plugin's. Those of its methods that declare nothing are its own business, and what the gateway's packages hold came
    /// along as an import.
    Plugin(&'a PluginId),
}

/// Everything that some descriptors declare. No two methods, and no two events, share a name.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) methods: Vec<Arc<Method>>,
    pub(crate) events: Vec<Arc<EventKind>>,
    pub(crate) messages: HashMap<String, Arc<MessagePlan>>,
}

/// Reads an encoded `FileDescriptorSet` with its imports and custom options.
pub(crate) fn read(bytes: &[u8], owner: Owner<'_>) -> Result<Declared, ContractError> {
    let pool = DescriptorPool::decode(bytes).map_err(ContractError::Descriptors)?;
    let options = Options::new(&pool);
    let comments = Comments::read(&pool);
    let messages = planner::plan(&pool, &options, &comments)?;
    let reader = Reader {
        owner,
        options: &options,
        comments: &comments,
        messages: &messages,
    };

    let mut methods = Vec::new();
    for service in pool
        .services()
        .filter(|service| owner.has(service.package_name()))
    {
        let backend = reader.backend(&service)?;
        for method in service.methods() {
            methods.extend(reader.method(&method, backend.as_ref())?.map(Arc::new));
        }
    }
    let mut events = Vec::new();
    for message in pool
        .all_messages()
        .filter(|message| owner.has(message.package_name()))
    {
        events.extend(reader.event(&message)?.map(Arc::new));
    }

    let named = methods.iter().filter(|method| !method.name.is_empty());
    refuse_duplicates(named.map(|method| (&method.name, &*method.path)))?;
    refuse_duplicates(events.iter().map(|event| (&event.name, event.plan.full_name())))?;
    Ok(Declared {
        methods,
        events,
        messages,
    })
}

impl Owner<'_> {
    /// Whether what stands in this package is the owner's.
    fn has(self, package: &str) -> bool {
        let core = package == "gatehouse" || package.starts_with("gatehouse.");
        !is_foreign(package) && (matches!(self, Self::Core) || !core)
    }
}

struct Reader<'a> {
    owner: Owner<'a>,
    options: &'a Options<'a>,
    comments: &'a Comments,
    messages: &'a HashMap<String, Arc<MessagePlan>>,
}

impl Reader<'_> {
    /// Who serves a service. A plugin serves what it declares, and nothing else does.
    fn backend(&self, descriptor: &ServiceDescriptor) -> Result<Option<BackendId>, ContractError> {
        let element = descriptor.full_name();
        let declared = self.options.service(descriptor)?.unwrap_or_default().backend;
        match self.owner {
            Owner::Plugin(_) if declared != 0 => Err(ContractError::misdeclared(
                element,
                "declares a backend: a plugin serves its methods itself",
            )),
            Owner::Plugin(plugin) => Ok(Some(BackendId::Plugin(plugin.clone()))),
            Owner::Core if declared == 0 => Ok(None),
            Owner::Core => match Identity::declared(declared) {
                Some(Identity::Edge | Identity::Operator) | None => Err(ContractError::misdeclared(
                    element,
                    format!("declares identity {declared} as its backend, which serves no methods"),
                )),
                Some(identity) => Ok(Some(BackendId::Core(identity))),
            },
        }
    }

    /// `None` for what a plugin keeps to itself.
    fn method(
        &self,
        descriptor: &MethodDescriptor,
        backend: Option<&BackendId>,
    ) -> Result<Option<Method>, ContractError> {
        let element = descriptor.full_name();
        let refuse = |problem: String| ContractError::misdeclared(element, problem);
        let declared = match (self.options.method(descriptor)?, self.owner) {
            (Some(declared), _) => declared,
            (None, Owner::Core) => options::Method::default(),
            (None, Owner::Plugin(_)) => return Ok(None),
        };
        let Some(access) = access(declared.access) else {
            return Err(ContractError::NoAccess {
                element: element.to_owned(),
            });
        };
        if declared.name.is_empty() {
            if let Owner::Plugin(_) = self.owner {
                return Err(refuse(
                    "declares no name: a plugin's methods are for clients".to_owned(),
                ));
            }
        } else {
            check_name(&declared.name).map_err(refuse)?;
            if access == crate::Access::Internal {
                return Err(refuse("has a name, so its access cannot be internal".to_owned()));
            }
            if descriptor.is_client_streaming() {
                return Err(refuse("has a name, so it cannot take a stream".to_owned()));
            }
            if backend.is_none() {
                return Err(refuse(
                    "has a name, so its service must declare its backend".to_owned(),
                ));
            }
        }
        if let Owner::Plugin(_) = self.owner
            && declared.deadline_ms > PLUGIN_DEADLINE_MS_MAX
        {
            return Err(refuse(format!(
                "declares a deadline of {} ms: a plugin's method is waited for at most {PLUGIN_DEADLINE_MS_MAX}",
                declared.deadline_ms
            )));
        }
        let callers = callers(&declared).map_err(refuse)?;
        let plan = |message: &MessageDescriptor| {
            let plan = self.messages.get(message.full_name()).map(Arc::clone);
            plan.ok_or_else(|| refuse(format!("{} has no JSON form here", message.full_name())))
        };
        let response = plan(&descriptor.output())?;
        let unwrap = Some(declared.unwrap.clone()).filter(|field| !field.is_empty());
        if let Some(field) = &unwrap {
            field_of(&response, field)
                .ok_or_else(|| refuse(format!("unwraps '{field}', which is not a response field")))?;
        }
        let service = descriptor.parent_service().full_name().to_owned();
        let options = descriptor.method_descriptor_proto().options.as_ref();
        let repeats = options.map_or(IdempotencyLevel::IdempotencyUnknown, |options| {
            options.idempotency_level()
        });
        Ok(Some(Method {
            path: format!("/{service}/{}", descriptor.name()),
            service,
            backend: backend.cloned(),
            access,
            callers,
            long_wait: declared.long_wait,
            large_answer: declared.large_answer,
            deadline: match declared.deadline_ms {
                0 => DEADLINE_DEFAULT,
                ms => Duration::from_millis(u64::from(ms)),
            },
            request_stream: descriptor.is_client_streaming(),
            streaming: descriptor.is_server_streaming(),
            idempotent: repeats != IdempotencyLevel::IdempotencyUnknown,
            reads: repeats == IdempotencyLevel::NoSideEffects,
            subscription: declared
                .subscription
                .map(|s| subscription(s, &response))
                .transpose()
                .map_err(refuse)?,
            request: plan(&descriptor.input())?,
            unwrap: unwrap.map(|field| json_name(&response, &field)),
            response,
            comment: self.comments.of_method(descriptor),
            name: declared.name,
        }))
    }

    fn event(&self, descriptor: &MessageDescriptor) -> Result<Option<EventKind>, ContractError> {
        let element = descriptor.full_name();
        let refuse = |problem: String| ContractError::misdeclared(element, problem);
        let Some(declared) = self.options.event(descriptor)? else {
            return Ok(None);
        };
        let Some(access) = access(declared.access) else {
            return Err(ContractError::NoAccess {
                element: element.to_owned(),
            });
        };
        if declared.name.is_empty() {
            return Err(refuse("is an event without a name".to_owned()));
        }
        check_name(&declared.name).map_err(refuse)?;
        let plan = self.messages.get(element).map(Arc::clone);
        Ok(Some(EventKind {
            name: declared.name,
            access,
            publishers: identity::declared(&declared.publishers).map_err(refuse)?,
            comment: self.comments.of_message(descriptor),
            plan: plan.ok_or_else(|| refuse("has no JSON form here".to_owned()))?,
        }))
    }
}

/// Names are what clients, metrics and logs repeat.
fn check_name(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if name.len() > NAME_MAX || !name.bytes().all(plain) {
        return Err(format!(
            "has a name that is longer than {NAME_MAX} bytes or holds more than letters, digits, '.', '-' and '_'"
        ));
    }
    Ok(())
}

/// The processes that may call a method. What clients may call is forwarded by the edge, and open to an operator's tool.
fn callers(declared: &options::Method) -> Result<Vec<Identity>, String> {
    let listed = identity::declared(&declared.callers)?;
    match (listed.is_empty(), declared.name.is_empty()) {
        (false, _) => Ok(listed),
        (true, false) => Ok(vec![Identity::Edge, Identity::Operator]),
        (true, true) => Err("does not declare its callers".to_owned()),
    }
}

/// A field by the name that an option uses: the JSON name, or the one in the contract.
fn field_of<'a>(plan: &'a MessagePlan, name: &str) -> Option<&'a Field> {
    let message = plan.message();
    let camel = camel(name);
    message
        .by_name(name, 0)
        .or_else(|| message.by_name(&camel, 0))
        .and_then(|index| message.fields.get(index))
}

fn json_name(plan: &MessagePlan, name: &str) -> String {
    field_of(plan, name).map_or_else(|| name.to_owned(), |field| field.name.to_string())
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let mut letters = word.chars();
        name + &letters
            .next()
            .map(|c| c.to_ascii_uppercase())
            .into_iter()
            .chain(letters)
            .collect::<String>()
    })
}

fn subscription(declared: options::Subscription, response: &MessagePlan) -> Result<Subscription, String> {
    let action = match declared.action() {
        options::subscription::Action::Add => Action::Add,
        options::subscription::Action::Remove => Action::Remove,
        options::subscription::Action::Watch => Action::Watch,
        options::subscription::Action::Unspecified => {
            return Err("has a subscription without an action".to_owned());
        }
    };
    if declared.topic.is_empty() {
        return Err("has a subscription without a topic".to_owned());
    }
    let key_field = Some(declared.key_field).filter(|field| !field.is_empty());
    if let Some(name) = &key_field {
        let field = field_of(response, name);
        let is_there = |field: &Field| match action {
            Action::Add | Action::Remove => field.shape == Shape::Required,
            Action::Watch => field.shape == Shape::Repeated,
        };
        if !field.is_some_and(|field| field.kind == Kind::String && is_there(field)) {
            return Err(format!(
                "subscribes by '{name}', which is not a required string of the response"
            ));
        }
    }
    let key_field = key_field.map(|name| json_name(response, &name));
    Ok(Subscription {
        action,
        topic: declared.topic,
        key_field,
    })
}

fn refuse_duplicates<'a>(names: impl Iterator<Item = (&'a String, &'a str)>) -> Result<(), ContractError> {
    let mut seen = HashMap::new();
    for (name, element) in names {
        if let Some(first) = seen.insert(name, element) {
            let (name, first, second) = (name.clone(), first.to_owned(), element.to_owned());
            return Err(ContractError::Duplicate { name, first, second });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
