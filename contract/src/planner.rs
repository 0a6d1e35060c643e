//! Compiles descriptors into plans, and refuses declarations that cannot be kept.

use std::{collections::HashMap, sync::Arc};

use gatehouse_proto::options::v1 as options;
use prost_reflect::{DescriptorPool, EnumDescriptor, FieldDescriptor, MessageDescriptor};

use crate::{
    ContractError, MessagePlan,
    comments::Comments,
    options::Options,
    plan::{Bounds, Enum, Field, Kind, Message, Schema, Shape, Unserved},
    published,
};

/// Field numbers up to this one are found by index; it covers every message of the gateway but for `null_fields`.
const SMALL_MAX: u32 = 255;

/// Google's message without fields is the one that has an obvious JSON form.
const EMPTY: &str = "google.protobuf.Empty";

pub(crate) fn plan(
    pool: &DescriptorPool,
    options: &Options<'_>,
    comments: &Comments,
) -> Result<HashMap<String, Arc<MessagePlan>>, ContractError> {
    let ours =
        |message: &MessageDescriptor| !is_foreign(message.package_name()) || message.full_name() == EMPTY;
    let descriptors: Vec<_> = pool.all_messages().filter(ours).collect();
    let positions = descriptors
        .iter()
        .enumerate()
        .map(|(index, m)| (m.full_name().to_owned(), index))
        .collect();

    let published = published::of_requests(pool, options)?;
    let mut planner = Planner {
        published: &published,
        options,
        comments,
        positions,
        enums: HashMap::new(),
        schema: Schema::default(),
    };
    for descriptor in &descriptors {
        let message = planner.message(descriptor)?;
        planner.schema.messages.push(message);
    }
    refuse_endless(&planner.schema)?;

    let schema = Arc::new(planner.schema);
    let plan = |index| {
        Arc::new(MessagePlan {
            schema: Arc::clone(&schema),
            index,
        })
    };
    let entry = |(index, message): (usize, &Message)| (message.full_name.clone(), plan(index));
    Ok(schema.messages.iter().enumerate().map(entry).collect())
}

/// Descriptors, options and the protocols of other projects travel in every descriptor set; nothing of the gateway is made
/// of them, except that an empty message may be Google's.
pub(crate) fn is_foreign(package: &str) -> bool {
    ["google", "grpc"]
        .iter()
        .any(|owner| package == *owner || package.starts_with(&format!("{owner}.")))
}

struct Planner<'a> {
    /// What the published protocol has for the method that takes a message, by the message's name.
    published: &'a HashMap<String, Vec<&'static str>>,
    options: &'a Options<'a>,
    comments: &'a Comments,
    positions: HashMap<String, usize>,
    enums: HashMap<String, usize>,
    schema: Schema,
}

impl Planner<'_> {
    fn message(&mut self, descriptor: &MessageDescriptor) -> Result<Message, ContractError> {
        let options::Message {
            gateway_only,
            ignored,
            refused,
        } = self.options.message(descriptor)?;
        let oneofs: Vec<_> = descriptor
            .oneofs()
            .filter(|o| !o.is_synthetic())
            .map(|o| o.name().to_owned())
            .collect();
        let mut descriptors: Vec<_> = descriptor.fields().collect();
        descriptors.sort_by_key(FieldDescriptor::number);

        let mut fields = Vec::with_capacity(descriptors.len());
        let mut nulls = None;
        for (index, field) in descriptors.iter().enumerate() {
            let (field, is_nulls) = self.field(field, &oneofs, &gateway_only)?;
            if is_nulls && nulls.replace(index).is_some() {
                return Err(ContractError::misdeclared(
                    descriptor.full_name(),
                    "has two fields with the option nulls",
                ));
            }
            fields.push(field);
        }

        let mut names: Vec<usize> = (0..fields.len()).collect();
        names.sort_by_key(|index| fields.get(*index).map(|field| field.name.clone()));
        let twice = names.windows(2).find(|pair| {
            let name = |at: usize| {
                pair.get(at)
                    .and_then(|index| fields.get(*index))
                    .map(|field| &field.name)
            };
            name(0) == name(1)
        });
        if twice.is_some() {
            return Err(ContractError::misdeclared(
                descriptor.full_name(),
                "has two fields with one JSON name",
            ));
        }

        let unserved = unserved(
            descriptor,
            &fields,
            ignored,
            refused,
            self.published.get(descriptor.full_name()),
        )?;

        Ok(Message {
            unserved,
            full_name: descriptor.full_name().to_owned(),
            comment: self.comments.of_message(descriptor),
            small: small(&fields),
            fields,
            names,
            nulls,
            gateway_only,
        })
    }

    fn field(
        &mut self,
        descriptor: &FieldDescriptor,
        oneofs: &[String],
        gateway_only: &[String],
    ) -> Result<(Field, bool), ContractError> {
        let refuse = |problem: &str| Err(ContractError::misdeclared(descriptor.full_name(), problem));
        let declared = self.options.field(descriptor)?;
        let kind = self.kind(descriptor)?;
        let shape = match shape(descriptor, oneofs) {
            Shape::Required if declared.omit_default => Shape::Optional,
            _ if declared.omit_default => {
                return refuse("omit_default is for singular fields without optional");
            }
            shape => shape,
        };
        let text = matches!(kind, Kind::String | Kind::Bytes);
        let many = matches!(shape, Shape::Repeated | Shape::Map);

        if declared.raw_json && (kind != Kind::String || many) {
            return refuse("raw_json is for singular strings");
        }
        if declared.nulls && (kind != Kind::String || shape != Shape::Repeated) {
            return refuse("nulls is for repeated strings");
        }
        if declared.append && (kind != Kind::String || many) {
            return refuse("append is for singular strings");
        }
        if declared.emit_null && shape != Shape::Optional {
            return refuse("emit_null is for optional fields");
        }
        if (declared.omit_empty || declared.max_items.is_some()) && !many {
            return refuse("omit_empty and max_items are for repeated and map fields");
        }
        if (declared.min_length.is_some() || declared.max_length.is_some()) && !text {
            return refuse("min_length and max_length are for strings and bytes");
        }
        let number = !text && !matches!(kind, Kind::Bool | Kind::Enum(_) | Kind::Message(_));
        if (declared.minimum.is_some() || declared.maximum.is_some()) && !number {
            return refuse("minimum and maximum are for numbers");
        }

        if declared.whole && !matches!(shape, Shape::Optional | Shape::Oneof(_)) {
            return refuse("whole is for optional fields and those of a oneof");
        }
        if declared.required && !many {
            return refuse("required is for repeated and map fields");
        }

        let name = descriptor.json_name();
        let mut key = Vec::new();
        crate::json::write_string(name, &mut key);
        key.push(b':');
        let field = Field {
            name: name.into(),
            key,
            comment: self.comments.of_field(descriptor),
            number: descriptor.number(),
            kind,
            shape,
            raw_json: declared.raw_json,
            emit_null: declared.emit_null,
            omit_empty: declared.omit_empty,
            append: declared.append,
            whole: declared.whole,
            given: declared.required,
            gateway_only: gateway_only.iter().any(|known| known == name),
            bounds: Bounds {
                min_length: declared.min_length,
                max_length: declared.max_length,
                minimum: declared.minimum,
                maximum: declared.maximum,
                max_items: declared.max_items,
            },
        };
        Ok((field, declared.nulls))
    }

    fn kind(&mut self, field: &FieldDescriptor) -> Result<Kind, ContractError> {
        use prost_reflect::Kind as Declared;
        if field.is_group() {
            return Err(ContractError::misdeclared(
                field.full_name(),
                "groups have no JSON form here",
            ));
        }
        Ok(match field.kind() {
            Declared::Double => Kind::Double,
            Declared::Float => Kind::Float,
            Declared::Int32 => Kind::Int32,
            Declared::Int64 => Kind::Int64,
            Declared::Uint32 => Kind::Uint32,
            Declared::Uint64 => Kind::Uint64,
            Declared::Sint32 => Kind::Sint32,
            Declared::Sint64 => Kind::Sint64,
            Declared::Fixed32 => Kind::Fixed32,
            Declared::Fixed64 => Kind::Fixed64,
            Declared::Sfixed32 => Kind::Sfixed32,
            Declared::Sfixed64 => Kind::Sfixed64,
            Declared::Bool => Kind::Bool,
            Declared::String => Kind::String,
            Declared::Bytes => Kind::Bytes,
            Declared::Enum(words) => Kind::Enum(self.words(&words)?),
            Declared::Message(message) => match self.positions.get(message.full_name()) {
                Some(index) => Kind::Message(*index),
                None => {
                    let name = message.full_name();
                    let problem =
                        format!("{name} has no JSON form here; use a number of milliseconds or raw_json");
                    return Err(ContractError::misdeclared(field.full_name(), problem));
                }
            },
        })
    }

    fn words(&mut self, descriptor: &EnumDescriptor) -> Result<usize, ContractError> {
        if let Some(index) = self.enums.get(descriptor.full_name()) {
            return Ok(*index);
        }
        let prefix = enum_prefix(descriptor.name());
        let mut words: Vec<(i32, String)> = Vec::new();
        for value in descriptor.values() {
            let short = value.name().strip_prefix(&prefix).unwrap_or(value.name());
            let word = self.options.word(&value).unwrap_or_else(|| short.to_lowercase());
            if words
                .iter()
                .any(|(number, known)| *known == word && *number != value.number())
            {
                let problem = format!("two values are called '{word}'");
                return Err(ContractError::misdeclared(descriptor.full_name(), problem));
            }
            words.push((value.number(), word));
        }
        let index = self.schema.enums.len();
        self.schema.enums.push(Enum { words });
        self.enums.insert(descriptor.full_name().to_owned(), index);
        Ok(index)
    }
}

/// What callers of the published protocol may send that the message does not have, in the order of the names.
fn unserved(
    descriptor: &MessageDescriptor,
    fields: &[Field],
    ignored: Vec<options::Unserved>,
    refused: Vec<options::Unserved>,
    published: Option<&Vec<&'static str>>,
) -> Result<Vec<Unserved>, ContractError> {
    let mut unserved: Vec<Unserved> = Vec::new();
    let declared = ignored.into_iter().map(|field| (field, true));
    for (field, is_ignored) in declared.chain(refused.into_iter().map(|field| (field, false))) {
        let options::Unserved {
            name,
            reason,
            harmless,
        } = field;
        if fields.iter().any(|known| *known.name == *name) {
            continue; // it came to be a field: what acts needs no reason why it does not
        }
        let problem = if unserved.iter().any(|known| known.name == name) {
            "is declared twice as not being there"
        } else if reason.is_empty() {
            "is declared as not being there without a reason"
        } else {
            unserved.push(Unserved {
                is_ignored: is_ignored && harmless.is_empty(),
                name,
                reason,
                harmless,
            });
            continue;
        };
        let element = descriptor.full_name();
        return Err(ContractError::misdeclared(element, format!("'{name}' {problem}")));
    }
    for name in published.into_iter().flatten() {
        let known = fields.iter().any(|field| *field.name == **name)
            || unserved.iter().any(|declared| declared.name == *name);
        if !known {
            unserved.push(Unserved {
                name: (*name).to_owned(),
                reason: String::new(),
                harmless: Vec::new(),
                is_ignored: false,
            });
        }
    }
    unserved.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(unserved)
}

/// `FAILURE_KIND_` for `FailureKind`.
pub(crate) fn enum_prefix(name: &str) -> String {
    let mut prefix = String::new();
    let mut before_lower = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && before_lower {
            prefix.push('_');
        }
        before_lower = !c.is_ascii_uppercase();
        prefix.push(c.to_ascii_uppercase());
    }
    prefix.push('_');
    prefix
}

fn shape(field: &FieldDescriptor, oneofs: &[String]) -> Shape {
    if field.is_map() {
        return Shape::Map;
    }
    if field.is_list() {
        return Shape::Repeated;
    }
    let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
    if let Some(oneof) = oneof.and_then(|oneof| oneofs.iter().position(|name| name == oneof.name())) {
        return Shape::Oneof(oneof);
    }
    if field.field_descriptor_proto().proto3_optional() {
        return Shape::Optional;
    }
    let proto2_optional = field.supports_presence()
        && !field.is_required()
        && field.parent_file().syntax() == prost_reflect::Syntax::Proto2
        && !field.parent_message().is_map_entry();
    if proto2_optional {
        Shape::Optional
    } else {
        Shape::Required
    }
}

fn small(fields: &[Field]) -> Vec<Option<usize>> {
    let most = fields
        .iter()
        .map(|field| field.number)
        .filter(|number| *number <= SMALL_MAX)
        .max();
    let by_number = |number| fields.iter().position(|field| field.number == number);
    most.map_or_else(Vec::new, |most| (0..=most).map(by_number).collect())
}

/// A required field is always written, so a message that requires itself could never be written to its end.
fn refuse_endless(schema: &Schema) -> Result<(), ContractError> {
    let mut finite = vec![false; schema.messages.len()];
    loop {
        let mut grown = false;
        for (index, message) in schema.messages.iter().enumerate() {
            let ends = message
                .fields
                .iter()
                .all(|field| match (field.shape, field.kind) {
                    (Shape::Required, Kind::Message(inner)) => finite.get(inner).copied().unwrap_or(true),
                    _ => true,
                });
            if let Some(known) = finite.get_mut(index).filter(|known| ends && !**known) {
                *known = true;
                grown = true;
            }
        }
        if !grown {
            break;
        }
    }
    match schema.messages.iter().zip(&finite).find(|(_, finite)| !**finite) {
        Some((message, _)) => Err(ContractError::misdeclared(
            &message.full_name,
            "requires itself without end",
        )),
        None => Ok(()),
    }
}
