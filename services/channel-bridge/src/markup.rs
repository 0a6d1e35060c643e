//! What the assistant writes, for platforms that do not read Markdown as it is.
//!
//! A text is parsed once into a [`Document`]; `layout` says what a reader sees of it, as runs of styled words; a platform's own
//! dialect is one file that writes those pieces down (`plain` here, `html` in Telegram's folder). `split` cuts a text between
//! its blocks, and each part is Markdown again, so that what the outbox keeps can be read and cut anew.

mod address;
mod layout;
mod parse;
mod plain;
mod split;
mod tree;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    address::{is_followed, tells},
    layout::{Piece, Style, pieces, told_behind},
    plain::plain,
    split::split,
    tree::Document,
};
