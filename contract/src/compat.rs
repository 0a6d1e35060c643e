//! Compares contracts with released ones. What was released stays: nobody may be cut off by an upgrade, and nobody may be
//! let in by one.

use std::collections::BTreeMap;

use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, MessageDescriptor, MethodDescriptor,
};

use crate::{
    ContractError,
    options::{Options, access},
    planner::is_foreign,
};

/// Everything in `current` that breaks somebody who was built against `released`, one sentence each that begins with the
/// element. Both are encoded descriptor sets. Empty when nothing breaks.
///
/// # Errors
/// When either is not a descriptor set, or an option cannot be read.
pub fn breaks(released: &[u8], current: &[u8]) -> Result<Vec<String>, ContractError> {
    let released = DescriptorPool::decode(released).map_err(ContractError::Descriptors)?;
    let current = DescriptorPool::decode(current).map_err(ContractError::Descriptors)?;
    let mut comparison = Comparison {
        old: Options::new(&released),
        new: Options::new(&current),
        current: &current,
        breaks: Vec::new(),
    };
    comparison.methods(&released)?;
    for message in released
        .all_messages()
        .filter(|message| !is_foreign(message.package_name()))
    {
        comparison.message(&message)?;
    }
    for words in released
        .all_enums()
        .filter(|words| !is_foreign(words.package_name()))
    {
        comparison.words(&words);
    }
    Ok(comparison.breaks)
}

struct Comparison<'a> {
    old: Options<'a>,
    new: Options<'a>,
    current: &'a DescriptorPool,
    breaks: Vec<String>,
}

impl Comparison<'_> {
    fn methods(&mut self, released: &DescriptorPool) -> Result<(), ContractError> {
        let current: BTreeMap<String, MethodDescriptor> = self
            .current
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
            .map(|method| (method.full_name().to_owned(), method))
            .collect();
        for service in released
            .services()
            .filter(|service| !is_foreign(service.package_name()))
        {
            for old in service.methods() {
                match current.get(old.full_name()) {
                    Some(new) => self.method(&old, new)?,
                    None => self.say(old.full_name(), "was removed"),
                }
            }
        }
        Ok(())
    }

    fn method(&mut self, old: &MethodDescriptor, new: &MethodDescriptor) -> Result<(), ContractError> {
        let element = old.full_name();
        self.same(element, "takes", old.input().full_name(), new.input().full_name());
        self.same(
            element,
            "answers",
            old.output().full_name(),
            new.output().full_name(),
        );
        let streams =
            |method: &MethodDescriptor| (method.is_client_streaming(), method.is_server_streaming());
        if streams(old) != streams(new) {
            self.say(element, "changed what it streams");
        }
        let (was, is) = (
            self.old.method(old)?.unwrap_or_default(),
            self.new.method(new)?.unwrap_or_default(),
        );
        if !was.name.is_empty() {
            self.same(element, "is named", &was.name, &is.name);
        }
        self.same(element, "unwraps", &was.unwrap, &is.unwrap);
        self.access(element, was.access, is.access);
        Ok(())
    }

    fn message(&mut self, old: &MessageDescriptor) -> Result<(), ContractError> {
        let element = old.full_name();
        let Some(new) = self.current.get_message_by_name(element) else {
            self.say(element, "was removed");
            return Ok(());
        };
        if let Some(was) = self.old.event(old)? {
            let is = self.new.event(&new)?.unwrap_or_default();
            self.same(element, "is named", &was.name, &is.name);
            self.access(element, was.access, is.access);
        }
        for field in old.fields() {
            match new.get_field_by_name(field.name()) {
                Some(found) => self.field(&field, &found)?,
                None => self.say(field.full_name(), "was removed"),
            }
        }
        let taken = |number: u32| new.get_field(number).map(|field| field.name().to_owned());
        for field in old.fields() {
            if taken(field.number()).is_some_and(|name| name != field.name()) {
                self.say(field.full_name(), "lost its number to another field");
            }
        }
        Ok(())
    }

    fn field(&mut self, old: &FieldDescriptor, new: &FieldDescriptor) -> Result<(), ContractError> {
        let element = old.full_name();
        self.same(
            element,
            "has the number",
            &old.number().to_string(),
            &new.number().to_string(),
        );
        self.same(
            element,
            "has the type",
            &format!("{:?}", old.kind()),
            &format!("{:?}", new.kind()),
        );
        self.same(element, "has the JSON name", old.json_name(), new.json_name());
        self.same(element, "is", form(old), form(new));
        let oneof =
            |field: &FieldDescriptor| field.containing_oneof().filter(|o| !o.is_synthetic()).is_some();
        if oneof(old) != oneof(new) {
            self.say(element, "moved into or out of a oneof");
        }
        let (was, is) = (self.old.field(old)?, self.new.field(new)?);
        if (was.raw_json, was.nulls) != (is.raw_json, is.nulls) {
            self.say(element, "changed its JSON form");
        }
        Ok(())
    }

    fn words(&mut self, old: &EnumDescriptor) {
        let Some(new) = self.current.get_enum_by_name(old.full_name()) else {
            self.say(old.full_name(), "was removed");
            return;
        };
        for value in old.values() {
            let element = format!("{}.{}", old.full_name(), value.name());
            match new.get_value_by_name(value.name()) {
                Some(found) => {
                    self.same(
                        &element,
                        "has the number",
                        &value.number().to_string(),
                        &found.number().to_string(),
                    );
                    let (was, is) = (self.old.word(&value), self.new.word(&found));
                    self.same(
                        &element,
                        "is called",
                        &was.unwrap_or_default(),
                        &is.unwrap_or_default(),
                    );
                }
                None => self.say(&element, "was removed"),
            }
        }
    }

    fn access(&mut self, element: &str, was: i32, is: i32) {
        match (access(was), access(is)) {
            (Some(was), Some(is)) if is.is_lower_than(was) => {
                self.say(element, &format!("lets in more callers: {was} became {is}"));
            }
            (Some(was), None) => self.say(element, &format!("lost its access {was}")),
            _ => {}
        }
    }

    fn same(&mut self, element: &str, verb: &str, was: &str, is: &str) {
        if was != is {
            self.say(element, &format!("{verb} '{is}', was '{was}'"));
        }
    }

    fn say(&mut self, element: &str, what: &str) {
        self.breaks.push(format!("{element}: {what}"));
    }
}

/// Required and optional differ in JSON, repeated on the wire as well.
fn form(field: &FieldDescriptor) -> &'static str {
    match field.cardinality() {
        Cardinality::Repeated => "repeated",
        Cardinality::Required => "required",
        Cardinality::Optional if field.field_descriptor_proto().proto3_optional() => "optional",
        Cardinality::Optional => "singular",
    }
}

#[cfg(test)]
mod outline;
#[cfg(test)]
mod tests;
