//! Who a client says that it is.

/// What a client says of itself. Labels, never a reason to allow something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) id: Box<str>,
    pub(crate) display_name: Option<Box<str>>,
    pub(crate) version: Option<Box<str>>,
    pub(crate) platform: Option<Box<str>>,
    pub(crate) mode: Option<Box<str>>,
    pub(crate) device_family: Option<Box<str>>,
    pub(crate) instance_id: Option<Box<str>>,
}
