//! How contracts are written here: names, comments and declarations that a compiler does not ask for. The tests
//! hold the gateway's own contracts against them; `buf lint` knows about half of them.

use prost_reflect::{DescriptorPool, EnumDescriptor, FileDescriptor, MessageDescriptor, ServiceDescriptor};

use crate::{
    ContractError,
    comments::Comments,
    options::{Options, access},
    planner::{enum_prefix, is_foreign},
};

/// Answers that several methods share on purpose: the method, and the message it borrows.
const SHARED: &[(&str, &str)] = &[
    // The Control UI calls chat.history by the name chat.startup; the answer is the same by definition.
    (
        "gatehouse.session.v1.SessionService.StartChat",
        "GetChatHistoryResponse",
    ),
];

/// Services that strangers implement: each is called what it is.
const BARE: &[&str] = &["gatehouse.channel.v1.ChannelAdapter"];

/// Every breach of the rules, one sentence each that begins with the element. Empty when all is well.
///
/// # Errors
/// When the bytes are not a descriptor set, or an option cannot be read.
pub fn breaches(descriptors: &[u8]) -> Result<Vec<String>, ContractError> {
    let pool = DescriptorPool::decode(descriptors).map_err(ContractError::Descriptors)?;
    let comments = Comments::read(&pool);
    let mut review = Review {
        options: Options::new(&pool),
        comments: &comments,
        breaches: Vec::new(),
    };
    for file in pool.files().filter(|file| !is_foreign(file.package_name())) {
        review.file(&file)?;
    }
    Ok(review.breaches)
}

struct Review<'a> {
    options: Options<'a>,
    comments: &'a Comments,
    breaches: Vec<String>,
}

impl Review<'_> {
    fn file(&mut self, file: &FileDescriptor) -> Result<(), ContractError> {
        let package = file.package_name();
        let directory = file
            .name()
            .rsplit_once('/')
            .map_or("", |(directory, _)| directory);
        self.hold(
            directory.replace('/', ".") == package,
            file.name(),
            "its directory is not its package",
        );
        let version = package.rsplit('.').next().and_then(|last| last.strip_prefix('v'));
        let versioned =
            version.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
        self.hold(versioned, file.name(), "its package does not end in a version");
        for message in file.messages() {
            self.message(&message)?;
        }
        for words in file.enums() {
            self.words(&words);
        }
        for service in file.services() {
            self.service(&service)?;
        }
        Ok(())
    }

    fn service(&mut self, service: &ServiceDescriptor) -> Result<(), ContractError> {
        let file = service.parent_file();
        self.commented(file.name(), service.path(), service.full_name());
        self.hold(
            service.name().ends_with("Service") || BARE.contains(&service.full_name()),
            service.full_name(),
            "does not end in Service",
        );
        for method in service.methods() {
            let element = method.full_name();
            self.commented(file.name(), method.path(), element);
            let borrows = |message: &str| SHARED.contains(&(element, message));
            let input = method.input().name().to_owned();
            let output = method.output().name().to_owned();
            let own = |kind: &str| format!("{}{kind}", method.name());
            self.hold(
                input == own("Request") || borrows(&input),
                element,
                "does not take its own request",
            );
            self.hold(
                output == own("Response") || borrows(&output),
                element,
                "does not answer its own response",
            );

            let declared = self.options.method(&method)?.unwrap_or_default();
            self.hold(
                access(declared.access).is_some(),
                element,
                "does not declare its access",
            );
            let options = method
                .method_descriptor_proto()
                .options
                .clone()
                .unwrap_or_default();
            let reads = READS.iter().any(|verb| method.name().starts_with(verb));
            let silent = options.idempotency_level.is_none();
            self.hold(
                !(reads && silent),
                element,
                "reads, by its name, and does not declare an idempotency_level",
            );
        }
        Ok(())
    }

    fn message(&mut self, message: &MessageDescriptor) -> Result<(), ContractError> {
        if message.is_map_entry() {
            return Ok(());
        }
        let file = message.parent_file();
        self.commented(file.name(), message.path(), message.full_name());
        let event = self.options.event(message)?;
        let named = event.is_none() || message.name().ends_with("Event");
        self.hold(
            named,
            message.full_name(),
            "is an event and does not end in Event",
        );
        for field in message.fields() {
            let element = field.full_name();
            self.commented(file.name(), field.path(), element);
            self.hold(is_snake(field.name()), element, "is not in snake_case");
            let is_flag = field.name().starts_with("is_") && field.kind() == prost_reflect::Kind::Bool;
            self.hold(!is_flag, element, "is a boolean that begins with is_");
        }
        for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            self.commented(file.name(), oneof.path(), oneof.full_name());
            self.hold(is_snake(oneof.name()), oneof.full_name(), "is not in snake_case");
        }
        for words in message.child_enums() {
            self.words(&words);
        }
        for inner in message.child_messages() {
            self.message(&inner)?;
        }
        Ok(())
    }

    fn words(&mut self, words: &EnumDescriptor) {
        let file = words.parent_file();
        self.commented(file.name(), words.path(), words.full_name());
        let prefix = enum_prefix(words.name());
        for value in words.values() {
            self.commented(file.name(), value.path(), value.full_name());
            let upper = value
                .name()
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
            self.hold(
                upper && value.name().starts_with(&prefix),
                value.full_name(),
                &format!("does not begin with {prefix}"),
            );
        }
        let zero = words
            .get_value(0)
            .is_some_and(|zero| zero.name() == format!("{prefix}UNSPECIFIED"));
        self.hold(
            zero,
            words.full_name(),
            &format!("does not begin at {prefix}UNSPECIFIED = 0"),
        );
    }

    fn commented(&mut self, file: &str, path: &[i32], element: &str) {
        self.hold(
            !self.comments.at(file, path).is_empty(),
            element,
            "has no comment above it",
        );
    }

    fn hold(&mut self, kept: bool, element: &str, breach: &str) {
        if !kept {
            self.breaches.push(format!("{element}: {breach}"));
        }
    }
}

/// Methods that begin like this read, and must say that a repeat does no harm.
const READS: &[&str] = &["Get", "List", "Describe", "Resolve", "Search", "Wait"];

fn is_snake(name: &str) -> bool {
    let clean = name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    clean && !name.starts_with('_') && !name.ends_with('_') && !name.contains("__")
}

#[cfg(test)]
mod tests;
