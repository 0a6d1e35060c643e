//! The comments of the contracts, from the source information that travels in the descriptors.

use std::collections::HashMap;

use prost_reflect::{DescriptorPool, FieldDescriptor, MessageDescriptor, MethodDescriptor};

/// The leading comment of every element, by file and by the element's path in that file.
#[derive(Debug, Default)]
pub(crate) struct Comments(HashMap<String, HashMap<Vec<i32>, String>>);

impl Comments {
    pub(crate) fn read(pool: &DescriptorPool) -> Self {
        let of_file = |file: &prost_types::FileDescriptorProto| {
            let locations = file.source_code_info.iter().flat_map(|info| &info.location);
            locations
                .map(|at| (at.path.clone(), trim(at.leading_comments())))
                .filter(|(_, text)| !text.is_empty())
                .collect()
        };
        Self(
            pool.file_descriptor_protos()
                .map(|file| (file.name().to_owned(), of_file(file)))
                .collect(),
        )
    }

    pub(crate) fn of_method(&self, method: &MethodDescriptor) -> String {
        self.at(method.parent_file().name(), method.path())
    }

    pub(crate) fn of_message(&self, message: &MessageDescriptor) -> String {
        self.at(message.parent_file().name(), message.path())
    }

    pub(crate) fn of_field(&self, field: &FieldDescriptor) -> String {
        self.at(field.parent_file().name(), field.path())
    }

    pub(crate) fn at(&self, file: &str, path: &[i32]) -> String {
        self.0
            .get(file)
            .and_then(|file| file.get(path))
            .cloned()
            .unwrap_or_default()
    }
}

/// One paragraph: the line breaks of a comment are the file's width, not the writer's meaning.
fn trim(comment: &str) -> String {
    comment
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
