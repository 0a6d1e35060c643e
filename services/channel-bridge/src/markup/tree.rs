//! A Markdown text as a tree. It owns its words: parts of it outlive the text that they were cut from.

/// The whole of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) blocks: Vec<Block>,
}

/// What stands on lines of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Paragraph(Vec<Inline>),
    Heading {
        /// 1 to 6.
        level: u8,
        words: Vec<Inline>,
    },
    Code {
        /// What it is written in, as far as it says so.
        language: String,
        /// With a line break at its end, as a rule.
        text: String,
    },
    Quote(Vec<Block>),
    List {
        /// The first number, where items are counted.
        start: Option<u64>,
        items: Vec<Item>,
    },
    Table {
        head: Vec<Cell>,
        rows: Vec<Vec<Cell>>,
    },
    Rule,
    /// HTML, which is shown as it was written: no platform may be told what to do by it.
    Html(String),
}

/// What one cell of a table says.
pub(crate) type Cell = Vec<Inline>;

/// One item of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Item {
    /// Whether a task is done, where it is one.
    pub(crate) done: Option<bool>,
    pub(crate) blocks: Vec<Block>,
}

/// What stands within a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inline {
    Text(String),
    Code(String),
    Emphasis(Vec<Inline>),
    Strong(Vec<Inline>),
    Strike(Vec<Inline>),
    Link {
        to: String,
        words: Vec<Inline>,
    },
    /// A picture that is elsewhere: shown as a link to it.
    Image {
        to: String,
        words: Vec<Inline>,
    },
    /// A new line. Chats are read as they are written, so a soft one is one too.
    Break,
    Html(String),
}
