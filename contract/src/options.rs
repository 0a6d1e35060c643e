//! Reads the custom options of the contracts, which the generated types of `prost` do not know.

use gatehouse_proto::options::v1 as options;
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumValueDescriptor, FieldDescriptor, MessageDescriptor,
    MethodDescriptor, ServiceDescriptor, Value,
};

use crate::ContractError;

pub(crate) struct Options<'a> {
    pool: &'a DescriptorPool,
}

impl<'a> Options<'a> {
    pub(crate) fn new(pool: &'a DescriptorPool) -> Self {
        Self { pool }
    }

    pub(crate) fn service(
        &self,
        service: &ServiceDescriptor,
    ) -> Result<Option<options::Service>, ContractError> {
        self.message_option(
            "gatehouse.options.v1.service",
            &service.options(),
            service.full_name(),
        )
    }

    pub(crate) fn method(&self, method: &MethodDescriptor) -> Result<Option<options::Method>, ContractError> {
        self.message_option(
            "gatehouse.options.v1.method",
            &method.options(),
            method.full_name(),
        )
    }

    pub(crate) fn event(&self, message: &MessageDescriptor) -> Result<Option<options::Event>, ContractError> {
        self.message_option(
            "gatehouse.options.v1.event",
            &message.options(),
            message.full_name(),
        )
    }

    pub(crate) fn message(&self, message: &MessageDescriptor) -> Result<options::Message, ContractError> {
        let option = self.message_option(
            "gatehouse.options.v1.message",
            &message.options(),
            message.full_name(),
        )?;
        Ok(option.unwrap_or_default())
    }

    pub(crate) fn field(&self, field: &FieldDescriptor) -> Result<options::Field, ContractError> {
        let option =
            self.message_option("gatehouse.options.v1.field", &field.options(), field.full_name())?;
        Ok(option.unwrap_or_default())
    }

    /// The declared word of an enum value, if one is declared.
    pub(crate) fn word(&self, value: &EnumValueDescriptor) -> Option<String> {
        match self.find("gatehouse.options.v1.json", &value.options())? {
            Value::String(word) if !word.is_empty() => Some(word),
            _ => None,
        }
    }

    fn message_option<T: prost::Message + Default>(
        &self,
        extension: &str,
        of: &DynamicMessage,
        element: &str,
    ) -> Result<Option<T>, ContractError> {
        let Some(Value::Message(option)) = self.find(extension, of) else {
            return Ok(None);
        };
        let read = option.transcode_to();
        read.map(Some).map_err(|source| ContractError::Options {
            element: element.to_owned(),
            source,
        })
    }

    fn find(&self, extension: &str, of: &DynamicMessage) -> Option<Value> {
        let extension = self.pool.get_extension_by_name(extension)?;
        of.has_extension(&extension)
            .then(|| of.get_extension(&extension).into_owned())
    }
}

/// The access that a contract declares, if it declares one.
pub(crate) fn access(number: i32) -> Option<crate::Access> {
    use crate::Access;
    match options::Access::try_from(number).ok()? {
        options::Access::Unspecified => None,
        options::Access::Connected => Some(Access::Connected),
        options::Access::OperatorRead => Some(Access::Read),
        options::Access::OperatorWrite => Some(Access::Write),
        options::Access::OperatorAdmin => Some(Access::Admin),
        options::Access::OperatorPairing => Some(Access::Pairing),
        options::Access::OperatorApprovals => Some(Access::Approvals),
        options::Access::OperatorQuestions => Some(Access::Questions),
        options::Access::Node => Some(Access::Node),
        options::Access::Internal => Some(Access::Internal),
    }
}
