//! From text to tree. Which Markdown: CommonMark, with the tables, struck words, tasks and bare addresses that models write.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd};

use super::{
    address::{Masked, bare, leads_to},
    tree::{Block, Document, Inline, Item},
};

/// How deep things may stand in each other. What is deeper stands where the last of them is: nobody reads a thirteenth level,
/// and what walks the tree walks it by recursion.
const DEPTH_MAX: usize = 12;
/// Marks in front of a line, each of which may open something. The parser looks at the whole line behind each, so that a line of
/// nothing else would take it for ever; a text with such a line is no Markdown.
const MARKS_MAX: usize = 200;

impl Document {
    /// Parses a text. Any text is Markdown.
    pub(crate) fn parse(text: &str) -> Self {
        let blocks = Self::placed(text).into_iter().map(|(block, _)| block);
        Self {
            blocks: blocks.collect(),
        }
    }

    /// The same, each block with where it stands in the text.
    pub(super) fn placed(text: &str) -> Vec<(Block, Range<usize>)> {
        if !is_sane(text) {
            return vec![(Block::Paragraph(as_written(text)), 0..text.len())];
        }
        let masked = Masked::of(text);
        let mut builder = Builder {
            stand_ins: masked.stand_ins(),
            ..Builder::default()
        };
        for (event, range) in Parser::new_ext(&masked.text, options()).into_offset_iter() {
            builder.take(event, range);
        }
        builder.done
    }
}

/// The links that are defined apart from where they are used, as lines that define them anew.
pub(super) fn definitions(text: &str) -> Vec<String> {
    if !is_sane(text) {
        return Vec::new();
    }
    let parser = Parser::new_ext(text, options());
    let mut lines: Vec<String> = parser
        .reference_definitions()
        .iter()
        .filter_map(|(_, definition)| text.get(definition.span.clone()))
        .map(|line| line.trim().to_owned())
        .collect();
    lines.sort_unstable(); // they come from a hash map, and the same text gives the same parts
    lines
}

/// Whether a parser comes to an end with it.
fn is_sane(text: &str) -> bool {
    text.lines().all(|line| {
        let marks = line
            .chars()
            .take_while(|c| matches!(c, ' ' | '\t' | '>' | '-' | '+' | '*' | '.' | ')' | '0'..='9'));
        marks.filter(|c| !c.is_whitespace()).take(MARKS_MAX + 1).count() <= MARKS_MAX
    })
}

fn as_written(text: &str) -> Vec<Inline> {
    let mut words = Vec::new();
    for line in text.lines() {
        if !words.is_empty() {
            words.push(Inline::Break);
        }
        words.push(Inline::Text(line.to_owned()));
    }
    words
}

pub(super) fn options() -> Options {
    Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS
}

/// Something that is open.
#[derive(Debug)]
enum Open {
    Blocks(Container, Vec<Block>, Vec<Inline>),
    Words(Wrap, Vec<Inline>),
    Code(String, String),
    Html(String),
    List(Option<u64>, Vec<Item>),
    Table(Vec<Vec<Inline>>, Vec<Vec<Vec<Inline>>>),
    Row(Vec<Vec<Inline>>),
}

#[derive(Debug)]
enum Container {
    Quote,
    Item(Option<bool>),
}

#[derive(Debug)]
enum Wrap {
    Paragraph,
    Heading(u8),
    Cell,
    Emphasis,
    Strong,
    Strike,
    Link(String),
    Image(String),
}

#[derive(Debug, Default)]
struct Builder {
    done: Vec<(Block, Range<usize>)>,
    open: Vec<Open>,
    /// Tags that were opened too deep, and stand for nothing.
    ignored: usize,
    /// Where the outermost open block begins.
    begins: usize,
    /// What stands for letters within addresses.
    stand_ins: Option<[char; 3]>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, &range),
            Event::End(tag) => self.end(tag, range.end),
            Event::Text(text) => self.text(&text),
            Event::Code(code) => {
                let code = self.written(&code);
                self.inline(Inline::Code(code));
            }
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                self.text(&text);
            }
            Event::Html(html) => self.text(&html),
            Event::InlineHtml(html) => {
                let html = self.written(&html);
                self.inline(Inline::Html(html));
            }
            Event::SoftBreak | Event::HardBreak => self.inline(Inline::Break),
            Event::Rule => self.block(Block::Rule, range),
            Event::TaskListMarker(is_done) => {
                let item = self.open.iter_mut().rev().find_map(|open| match open {
                    Open::Blocks(Container::Item(done), ..) => Some(done),
                    _ => None,
                });
                if let Some(done) = item {
                    *done = Some(is_done);
                }
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>, range: &Range<usize>) {
        if self.open.is_empty() {
            self.begins = range.start;
        }
        // Rows and cells belong to their table: only what may hold itself is bounded. An item goes the way of its list.
        let item = matches!(tag, Tag::Item);
        let nests = matches!(
            tag,
            Tag::BlockQuote(_)
                | Tag::List(_)
                | Tag::Emphasis
                | Tag::Strong
                | Tag::Strikethrough
                | Tag::Link { .. }
                | Tag::Image { .. }
        );
        if self.ignored > 0 && (nests || item) || nests && self.open.len() >= DEPTH_MAX {
            self.ignored += 1;
            return;
        }
        let words = |wrap| Open::Words(wrap, Vec::new());
        let opened = match tag {
            Tag::Paragraph | Tag::DefinitionListTitle | Tag::DefinitionListDefinition => {
                words(Wrap::Paragraph)
            }
            Tag::Heading { level, .. } => words(Wrap::Heading(number(level))),
            Tag::BlockQuote(_) => Open::Blocks(Container::Quote, Vec::new(), Vec::new()),
            Tag::CodeBlock(kind) => Open::Code(language(&kind), String::new()),
            Tag::HtmlBlock | Tag::MetadataBlock(_) => Open::Html(String::new()),
            Tag::List(start) => Open::List(start, Vec::new()),
            Tag::Item => Open::Blocks(Container::Item(None), Vec::new(), Vec::new()),
            Tag::FootnoteDefinition(_) | Tag::DefinitionList => {
                Open::Blocks(Container::Quote, Vec::new(), Vec::new())
            }
            Tag::Table(_) => Open::Table(Vec::new(), Vec::new()),
            Tag::TableHead | Tag::TableRow => Open::Row(Vec::new()),
            Tag::TableCell => words(Wrap::Cell),
            Tag::Emphasis | Tag::Superscript | Tag::Subscript => words(Wrap::Emphasis),
            Tag::Strong => words(Wrap::Strong),
            Tag::Strikethrough => words(Wrap::Strike),
            Tag::Link {
                link_type: LinkType::Email,
                dest_url,
                ..
            } => words(Wrap::Link(format!("mailto:{dest_url}"))),
            Tag::Link { dest_url, .. } => words(Wrap::Link(self.written(&dest_url))),
            Tag::Image { dest_url, .. } => words(Wrap::Image(self.written(&dest_url))),
        };
        self.open.push(opened);
    }

    fn end(&mut self, tag: TagEnd, at: usize) {
        let nests = matches!(
            tag,
            TagEnd::BlockQuote(_)
                | TagEnd::List(_)
                | TagEnd::Item
                | TagEnd::Emphasis
                | TagEnd::Strong
                | TagEnd::Strikethrough
                | TagEnd::Link
                | TagEnd::Image
        );
        if self.ignored > 0 && nests {
            self.ignored -= 1;
            if matches!(tag, TagEnd::Item) {
                self.inline(Inline::Break); // what were items of their own stay apart
            }
            return;
        }
        let Some(open) = self.open.pop() else { return };
        let range = self.begins..at;
        match open {
            Open::Words(wrap, words) => self.words(wrap, words, range),
            Open::Code(language, text) => self.block(Block::Code { language, text }, range),
            Open::Html(text) => self.block(Block::Html(text), range),
            Open::List(start, items) => self.block(Block::List { start, items }, range),
            Open::Table(head, rows) => self.block(Block::Table { head, rows }, range),
            Open::Row(cells) => {
                if let Some(Open::Table(head, rows)) = self.open.last_mut() {
                    if matches!(tag, TagEnd::TableHead) {
                        *head = cells;
                    } else {
                        rows.push(cells);
                    }
                }
            }
            Open::Blocks(container, mut blocks, loose) => {
                flush(&mut blocks, loose);
                match container {
                    Container::Quote => self.block(Block::Quote(blocks), range),
                    Container::Item(done) => {
                        if let Some(Open::List(_, items)) = self.open.last_mut() {
                            items.push(Item { done, blocks });
                        }
                    }
                }
            }
        }
    }

    fn words(&mut self, wrap: Wrap, words: Vec<Inline>, range: Range<usize>) {
        let in_link = |open: &Open| matches!(open, Open::Words(Wrap::Link(_) | Wrap::Image(_), _));
        let leads_somewhere = matches!(wrap, Wrap::Link(_) | Wrap::Image(_)) || self.open.iter().any(in_link);
        let words = if leads_somewhere { words } else { linked(words) };
        match wrap {
            Wrap::Paragraph => self.block(Block::Paragraph(words), range),
            Wrap::Heading(level) => self.block(Block::Heading { level, words }, range),
            Wrap::Cell => {
                if let Some(Open::Row(cells)) = self.open.last_mut() {
                    cells.push(words);
                }
            }
            Wrap::Emphasis => self.inline(Inline::Emphasis(words)),
            Wrap::Strong => self.inline(Inline::Strong(words)),
            Wrap::Strike => self.inline(Inline::Strike(words)),
            Wrap::Link(to) => self.inline(Inline::Link { to, words }),
            Wrap::Image(to) => self.inline(Inline::Image { to, words }),
        }
    }

    fn text(&mut self, text: &str) {
        let text = self.written(text);
        match self.open.last_mut() {
            Some(Open::Code(_, code)) => code.push_str(&text),
            Some(Open::Html(html)) => html.push_str(&text),
            _ => self.inline(Inline::Text(text)),
        }
    }

    fn written(&self, text: &str) -> String {
        Masked::written(self.stand_ins, text.to_owned())
    }

    fn inline(&mut self, inline: Inline) {
        let words = match self.open.last_mut() {
            Some(Open::Words(_, words) | Open::Blocks(_, _, words)) => words,
            // Nothing else holds words.
            Some(Open::Code(..) | Open::Html(_) | Open::List(..) | Open::Table(..) | Open::Row(_)) | None => {
                return;
            }
        };
        match (words.last_mut(), inline) {
            (Some(Inline::Text(before)), Inline::Text(text)) => before.push_str(&text),
            (_, inline) => words.push(inline),
        }
    }

    fn block(&mut self, block: Block, range: Range<usize>) {
        match self.open.last_mut() {
            Some(Open::Blocks(_, blocks, loose)) => {
                flush(blocks, std::mem::take(loose));
                blocks.push(block);
            }
            // A block that was opened too deep: its words go where words go.
            Some(Open::Words(_, words)) => words.extend(flat(block)),
            Some(Open::List(_, items)) => items.push(Item {
                done: None,
                blocks: vec![block],
            }),
            Some(Open::Code(..) | Open::Html(_) | Open::Table(..) | Open::Row(_)) => {}
            None => self.done.push((block, range)),
        }
    }
}

/// The words of an item that has no paragraph: they become one.
fn flush(blocks: &mut Vec<Block>, mut loose: Vec<Inline>) {
    while loose.last() == Some(&Inline::Break) {
        loose.pop();
    }
    if !loose.is_empty() {
        blocks.push(Block::Paragraph(linked(loose)));
    }
}

/// Words whose bare addresses are links to where they lead.
fn linked(words: Vec<Inline>) -> Vec<Inline> {
    let mut linked = Vec::with_capacity(words.len());
    for word in words {
        let Inline::Text(text) = word else {
            linked.push(word);
            continue;
        };
        let mut from = 0;
        for address in bare(&text) {
            let before = text.get(from..address.start).unwrap_or_default();
            if !before.is_empty() {
                linked.push(Inline::Text(before.to_owned()));
            }
            from = address.end;
            let address = text.get(address).unwrap_or_default();
            linked.push(Inline::Link {
                to: leads_to(address),
                words: vec![Inline::Text(address.to_owned())],
            });
        }
        let rest = text.get(from..).unwrap_or_default();
        if !rest.is_empty() {
            linked.push(Inline::Text(rest.to_owned()));
        }
    }
    linked
}

fn flat(block: Block) -> Vec<Inline> {
    match block {
        Block::Paragraph(words) | Block::Heading { words, .. } => words,
        Block::Code { text, .. } | Block::Html(text) => vec![Inline::Text(text)],
        Block::Quote(blocks) => blocks.into_iter().flat_map(flat).collect(),
        Block::List { items, .. } => {
            let blocks = items.into_iter().flat_map(|item| item.blocks);
            blocks.flat_map(flat).collect()
        }
        Block::Table { head, rows } => std::iter::once(head).chain(rows).flatten().flatten().collect(),
        Block::Rule => Vec::new(),
    }
}

fn number(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

/// The first word behind a fence.
fn language(kind: &CodeBlockKind<'_>) -> String {
    match kind {
        CodeBlockKind::Indented => String::new(),
        CodeBlockKind::Fenced(info) => info.split_whitespace().next().unwrap_or_default().to_owned(),
    }
}
