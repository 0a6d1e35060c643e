//! The one map of methods and events. Everything that looks a method up, lists methods or decides who may call one asks
//! here.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock},
    time::Duration,
};

use gatehouse_proto::options::v1 as options;
use prost_reflect::{DescriptorPool, MessageDescriptor, MethodDescriptor};

use crate::{
    Access, ContractError, Identity, MessagePlan, identity,
    options::{Options, access},
    plan::{Kind, Shape},
    planner::{self, is_foreign},
    reference::comments::Comments,
};

/// How long the edge waits when a method does not say: the option's own comment promises it.
const DEADLINE_DEFAULT: Duration = Duration::from_secs(30);

/// A method that the house offers.
#[derive(Debug)]
pub struct Method {
    /// The name clients call, for example `sessions.list`. Empty for methods between services.
    pub name: String,
    /// The gRPC path, for example `/gatehouse.session.v1.SessionService/ListSessions`.
    pub path: String,
    /// The gRPC service, for example `gatehouse.session.v1.SessionService`.
    pub service: String,
    /// Who may call it.
    pub access: Access,
    /// The processes that may call it. Never empty.
    pub callers: Vec<Identity>,
    /// Whether a call may wait for something that takes its time.
    pub long_wait: bool,
    /// How long to wait for the answer; for a streaming method, for the first one.
    pub deadline: Duration,
    /// Whether it answers more than once.
    pub streaming: bool,
    /// Whether a repeat does no harm: declared `IDEMPOTENT` or `NO_SIDE_EFFECTS`.
    pub idempotent: bool,
    /// Whether it changes nothing: declared `NO_SIDE_EFFECTS`.
    pub reads: bool,
    /// What a successful call does to the calling connection.
    pub subscription: Option<Subscription>,
    /// The request.
    pub request: Arc<MessagePlan>,
    /// The answer.
    pub response: Arc<MessagePlan>,
    /// The JSON name of the response field that is the whole payload.
    pub unwrap: Option<String>,
    /// What it does, in the contract's words.
    pub comment: String,
}

/// A change to the set of topics that a connection listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// What to do.
    pub action: Action,
    /// The topic, or its first part.
    pub topic: String,
    /// The JSON name of the response's string field that is the second part: the topic is `<topic>/<value>`.
    pub key_field: Option<String>,
}

/// What to do with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Listen from now on.
    Add,
    /// Stop listening.
    Remove,
}

/// A message that is published as an event.
#[derive(Debug)]
pub struct EventKind {
    /// The name clients see, for example `chat`.
    pub name: String,
    /// Who may see it.
    pub access: Access,
    /// The services that may publish it. Empty: broadcast makes it itself.
    pub publishers: Vec<Identity>,
    /// Its form.
    pub plan: Arc<MessagePlan>,
    /// What it says, in the contract's words.
    pub comment: String,
}

/// Everything that some descriptors declare. Built once and shared.
pub struct Contract {
    /// Those with a name first, by name; then the others, by path.
    methods: Vec<Method>,
    by_name: HashMap<String, usize>,
    by_path: HashMap<String, usize>,
    /// By name.
    events: Vec<EventKind>,
    by_message: HashMap<String, usize>,
    messages: HashMap<String, Arc<MessagePlan>>,
}

impl Contract {
    /// The house's own contract.
    #[must_use]
    pub fn house() -> &'static Self {
        static HOUSE: LazyLock<Contract> = LazyLock::new(|| {
            Contract::from_descriptors(gatehouse_proto::DESCRIPTORS)
                .expect("the build compiled and tested these descriptors")
        });
        &HOUSE
    }

    /// Reads an encoded `FileDescriptorSet` with its imports and custom options.
    ///
    /// # Errors
    /// When the bytes cannot be read, a method or an event does not declare its access, two share a name, or an element
    /// declares what cannot be kept. The error names the element.
    pub fn from_descriptors(bytes: &[u8]) -> Result<Self, ContractError> {
        let pool = DescriptorPool::decode(bytes).map_err(ContractError::Descriptors)?;
        let options = Options::new(&pool);
        let comments = Comments::read(&pool);
        let messages = planner::plan(&pool, &options, &comments)?;
        let reader = ContractReader {
            options: &options,
            comments: &comments,
            messages: &messages,
        };

        let mut methods = Vec::new();
        for service in pool
            .services()
            .filter(|service| !is_foreign(service.package_name()))
        {
            for method in service.methods() {
                methods.push(reader.method(&method)?);
            }
        }
        methods.sort_by(|a, b| {
            (a.name.is_empty(), &a.name, &a.path).cmp(&(b.name.is_empty(), &b.name, &b.path))
        });
        let mut events = Vec::new();
        for message in pool.all_messages() {
            events.extend(reader.event(&message)?);
        }
        events.sort_by(|a, b| a.name.cmp(&b.name));

        refuse_duplicates(
            methods
                .iter()
                .map(|m| (&m.name, &*m.path))
                .filter(|(name, _)| !name.is_empty()),
        )?;
        refuse_duplicates(events.iter().map(|event| (&event.name, event.plan.full_name())))?;
        let named = methods
            .iter()
            .enumerate()
            .filter(|(_, method)| !method.name.is_empty());
        Ok(Self {
            by_name: named
                .map(|(index, method)| (method.name.clone(), index))
                .collect(),
            by_path: methods
                .iter()
                .enumerate()
                .map(|(index, method)| (method.path.clone(), index))
                .collect(),
            by_message: events
                .iter()
                .enumerate()
                .map(|(index, event)| (event.plan.full_name().to_owned(), index))
                .collect(),
            methods,
            events,
            messages,
        })
    }

    /// The methods that clients can call, by name.
    pub fn methods(&self) -> impl Iterator<Item = &Method> {
        self.methods.iter().filter(|method| !method.name.is_empty())
    }

    /// Every method, those between services too.
    pub fn rpcs(&self) -> impl Iterator<Item = &Method> {
        self.methods.iter()
    }

    /// The method that clients call by this name.
    #[must_use]
    pub fn method(&self, name: &str) -> Option<&Method> {
        self.by_name.get(name).and_then(|index| self.methods.get(*index))
    }

    /// Every method, those between services too, by its path `/package.Service/Method`.
    #[must_use]
    pub fn rpc(&self, path: &str) -> Option<&Method> {
        self.by_path.get(path).and_then(|index| self.methods.get(*index))
    }

    /// The events, by name.
    pub fn events(&self) -> impl Iterator<Item = &EventKind> {
        self.events.iter()
    }

    /// The event that a message is, by the message's full name.
    #[must_use]
    pub fn event(&self, message_full_name: &str) -> Option<&EventKind> {
        self.by_message
            .get(message_full_name)
            .and_then(|index| self.events.get(*index))
    }

    /// The plan of any message, by its full name.
    #[must_use]
    pub fn message(&self, full_name: &str) -> Option<&Arc<MessagePlan>> {
        self.messages.get(full_name)
    }
}

impl fmt::Debug for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods: Vec<_> = self.methods.iter().map(|method| &method.path).collect();
        f.debug_struct("Contract")
            .field("methods", &methods)
            .finish_non_exhaustive()
    }
}

struct ContractReader<'a> {
    options: &'a Options<'a>,
    comments: &'a Comments,
    messages: &'a HashMap<String, Arc<MessagePlan>>,
}

impl ContractReader<'_> {
    fn method(&self, descriptor: &MethodDescriptor) -> Result<Method, ContractError> {
        let element = descriptor.full_name();
        let refuse = |problem: String| ContractError::misdeclared(element, problem);
        let declared = self.options.method(descriptor)?.unwrap_or_default();
        let Some(access) = access(declared.access) else {
            return Err(ContractError::NoAccess {
                element: element.to_owned(),
            });
        };
        if access == Access::Internal && !declared.name.is_empty() {
            return Err(refuse("has a name, so its access cannot be internal".to_owned()));
        }
        let callers = callers(&declared).map_err(refuse)?;
        if descriptor.is_client_streaming() && !declared.name.is_empty() {
            return Err(refuse("has a name, so it cannot take a stream".to_owned()));
        }
        let plan = |message: &MessageDescriptor| {
            let plan = self.messages.get(message.full_name()).map(Arc::clone);
            plan.ok_or_else(|| refuse(format!("{} has no JSON form here", message.full_name())))
        };
        let response = plan(&descriptor.output())?;
        let unwrap = Some(declared.unwrap.clone()).filter(|field| !field.is_empty());
        if let Some(field) = &unwrap {
            field_of(&response, field)
                .ok_or_else(|| refuse(format!("unwraps '{field}', which is no response field")))?;
        }
        let service = descriptor.parent_service().full_name().to_owned();
        let options = descriptor.method_descriptor_proto().options.as_ref();
        Ok(Method {
            path: format!("/{service}/{}", descriptor.name()),
            service,
            access,
            callers,
            long_wait: declared.long_wait,
            deadline: match declared.deadline_ms {
                0 => DEADLINE_DEFAULT,
                ms => Duration::from_millis(u64::from(ms)),
            },
            streaming: descriptor.is_server_streaming(),
            idempotent: options.is_some_and(|options| {
                options.idempotency_level()
                    != prost_types::method_options::IdempotencyLevel::IdempotencyUnknown
            }),
            reads: options.is_some_and(|options| {
                options.idempotency_level() == prost_types::method_options::IdempotencyLevel::NoSideEffects
            }),
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
        })
    }

    fn event(&self, descriptor: &MessageDescriptor) -> Result<Option<EventKind>, ContractError> {
        let element = descriptor.full_name();
        let Some(declared) = self.options.event(descriptor)? else {
            return Ok(None);
        };
        let Some(access) = access(declared.access) else {
            return Err(ContractError::NoAccess {
                element: element.to_owned(),
            });
        };
        if declared.name.is_empty() {
            return Err(ContractError::misdeclared(element, "is an event without a name"));
        }
        let plan = self.messages.get(element).map(Arc::clone);
        let plan = plan.ok_or_else(|| ContractError::misdeclared(element, "has no JSON form here"))?;
        Ok(Some(EventKind {
            name: declared.name,
            access,
            publishers: identity::declared(&declared.publishers)
                .map_err(|problem| ContractError::misdeclared(element, problem))?,
            comment: self.comments.of_message(descriptor),
            plan,
        }))
    }
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
fn field_of<'a>(plan: &'a MessagePlan, name: &str) -> Option<&'a crate::plan::Field> {
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
        if !field.is_some_and(|field| field.kind == Kind::String && field.shape == Shape::Required) {
            return Err(format!(
                "subscribes by '{name}', which is no required string of the response"
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
