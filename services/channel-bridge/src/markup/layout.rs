//! What a reader sees of a document: words with their styles, code, and where quotes begin and end. Every dialect writes the same
//! pieces, so that what is counted when a text is cut is what the platform counts.

use unicode_width::UnicodeWidthStr;

use super::{
    address::{is_followed, tells},
    tree::{Block, Cell, Document, Inline, Item},
};

/// The widest table that is shown in columns. A phone shows about so many letters of code in a line; a wider table would be
/// wrapped there and is shown row by row.
const TABLE_COLUMNS_MAX: usize = 44;

/// How words look. Code may lead somewhere, and has no other style: platforms refuse the two together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) bold: bool,
    pub(crate) italic: bool,
    pub(crate) strike: bool,
    pub(crate) code: bool,
    /// Where a touch leads.
    pub(crate) link: Option<String>,
}

/// What is shown, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Words(String, Style),
    /// A block of code, without the line break at its end.
    Code {
        language: String,
        text: String,
    },
    QuoteBegins,
    QuoteEnds,
}

impl Piece {
    /// Where a touch on it leads.
    fn link(&self) -> Option<&str> {
        match self {
            Self::Words(_, style) => style.link.as_deref(),
            Self::Code { .. } | Self::QuoteBegins | Self::QuoteEnds => None,
        }
    }

    /// What is read of it.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Words(text, _) | Self::Code { text, .. } => text,
            Self::QuoteBegins | Self::QuoteEnds => "",
        }
    }
}

/// The address of the link that ends with this piece, where its words do not tell it: for platforms on which it stands behind them.
/// A link may consist of several pieces, one of them bold.
pub(crate) fn told_behind(pieces: &[Piece], at: usize) -> Option<&str> {
    let to = pieces.get(at)?.link()?;
    if pieces.get(at + 1).and_then(Piece::link) == Some(to) {
        return None;
    }
    let before = pieces.get(..=at).unwrap_or_default().iter().rev();
    let mut words: Vec<&str> = before
        .take_while(|piece| piece.link() == Some(to))
        .map(Piece::text)
        .collect();
    words.reverse();
    Some(to).filter(|to| !tells(&words.concat(), to))
}

/// The pieces of a document.
pub(crate) fn pieces(document: &Document) -> Vec<Piece> {
    blocks(&document.blocks)
}

pub(super) fn blocks(blocks: &[Block]) -> Vec<Piece> {
    let mut layout = Layout::default();
    layout.blocks(blocks, false);
    layout.pieces
}

/// What is read of words within a line.
pub(super) fn words(words: &[Inline]) -> String {
    let mut layout = Layout::default();
    layout.words(words, &Style::default());
    layout.pieces.iter().map(Piece::text).collect()
}

#[derive(Debug, Default)]
struct Layout {
    pieces: Vec<Piece>,
    /// What each new line begins with: the place of a list within another.
    indent: String,
    /// Platforms know no quote within a quote.
    in_quote: bool,
}

impl Layout {
    fn blocks(&mut self, blocks: &[Block], tight: bool) {
        let stands_apart = |block: &Block| matches!(block, Block::Code { .. } | Block::Quote(_));
        let mut before: Option<&Block> = None;
        for block in blocks {
            if let Some(before) = before {
                let near = tight || stands_apart(before) || stands_apart(block);
                self.lines(if near { 1 } else { 2 });
            }
            self.block(block);
            before = Some(block);
        }
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Paragraph(words) => self.words(words, &Style::default()),
            Block::Heading { level: _, words } => {
                let style = Style {
                    bold: true,
                    ..Style::default()
                };
                self.words(words, &style);
            }
            Block::Code { language, text } => self.code(language, text),
            Block::Quote(blocks) if self.in_quote => self.blocks(blocks, false),
            Block::Quote(blocks) => {
                self.in_quote = true;
                self.pieces.push(Piece::QuoteBegins);
                self.blocks(blocks, false);
                self.pieces.push(Piece::QuoteEnds);
                self.in_quote = false;
            }
            Block::List { start, items } => self.list(*start, items),
            Block::Table { head, rows } => self.table(head, rows),
            Block::Rule => self.say("———", &Style::default()),
            Block::Html(html) => self.say(html.trim_end(), &Style::default()),
        }
    }

    fn code(&mut self, language: &str, text: &str) {
        let text = text.strip_suffix('\n').unwrap_or(text);
        if text.is_empty() {
            return; // an empty box says nothing, and is refused
        }
        self.pieces.push(Piece::Code {
            language: language.to_owned(),
            text: text.to_owned(),
        });
    }

    fn list(&mut self, start: Option<u64>, items: &[Item]) {
        let outer = self.indent.len();
        for (at, item) in (0_u64..).zip(items) {
            if at > 0 {
                self.lines(1);
            }
            let marker = match (item.done, start) {
                (Some(true), _) => "☑ ".to_owned(),
                (Some(false), _) => "☐ ".to_owned(),
                (None, Some(start)) => format!("{}. ", start.saturating_add(at)),
                (None, None) => "• ".to_owned(),
            };
            self.say(&marker, &Style::default());
            self.indent.push_str("  ");
            self.blocks(&item.blocks, true);
            self.indent.truncate(outer);
        }
    }

    fn table(&mut self, head: &[Cell], rows: &[Vec<Cell>]) {
        let texts: Vec<Vec<String>> = std::iter::once(head)
            .chain(rows.iter().map(Vec::as_slice))
            .map(|row| row.iter().map(|cell| words(cell).replace('\n', " ")).collect())
            .collect();
        let mut widths = vec![0; head.len()];
        for row in &texts {
            for (width, text) in widths.iter_mut().zip(row) {
                *width = text.width().max(*width);
            }
        }
        let columns = widths.iter().sum::<usize>() + 3 * widths.len().saturating_sub(1);
        let leads_somewhere = std::iter::once(head)
            .chain(rows.iter().map(Vec::as_slice))
            .flatten()
            .any(|cell| has_link(cell));
        if columns > TABLE_COLUMNS_MAX || leads_somewhere {
            return self.rows(head, rows);
        }
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths);
            let cells = cells.map(|(text, width)| format!("{text}{}", " ".repeat(width - text.width())));
            cells.collect::<Vec<_>>().join(" | ").trim_end().to_owned()
        };
        let mut lines: Vec<String> = texts.iter().map(line).collect();
        let rule = widths
            .iter()
            .map(|width| "-".repeat(*width))
            .collect::<Vec<_>>()
            .join("-+-");
        lines.insert(1.min(lines.len()), rule);
        self.code("", &lines.join("\n"));
    }

    /// A table that is too wide for columns: each cell on a line of its own, behind what its column is called.
    fn rows(&mut self, head: &[Cell], rows: &[Vec<Cell>]) {
        let bold = Style {
            bold: true,
            ..Style::default()
        };
        if rows.is_empty() {
            return self.rows(&[], &[head.to_vec()]);
        }
        for (at, row) in rows.iter().enumerate() {
            if at > 0 {
                self.lines(1);
            }
            self.say("• ", &Style::default());
            for (column, cell) in row.iter().enumerate() {
                if column > 0 {
                    self.lines(1);
                    self.say("  ", &Style::default());
                }
                if let Some(name) = head.get(column).filter(|name| !words(name).trim().is_empty()) {
                    self.words(name, &bold);
                    self.say(": ", &Style::default());
                }
                self.words(cell, &Style::default());
            }
        }
    }

    fn words(&mut self, words: &[Inline], style: &Style) {
        for word in words {
            match word {
                Inline::Text(text) | Inline::Html(text) => self.say(text, style),
                Inline::Code(code) => {
                    let style = Style {
                        code: true,
                        link: style.link.clone(),
                        ..Style::default()
                    };
                    self.say(code, &style);
                }
                Inline::Emphasis(words) => {
                    let style = Style {
                        italic: true,
                        ..style.clone()
                    };
                    self.words(words, &style);
                }
                Inline::Strong(words) => {
                    let style = Style {
                        bold: true,
                        ..style.clone()
                    };
                    self.words(words, &style);
                }
                Inline::Strike(words) => {
                    let style = Style {
                        strike: true,
                        ..style.clone()
                    };
                    self.words(words, &style);
                }
                Inline::Link { to, words } | Inline::Image { to, words } => self.link(to, words, style),
                Inline::Break => self.lines(1),
            }
        }
    }

    /// A link. An address that no touch leads to stands behind its words, unless it is a place within this very text.
    fn link(&mut self, to: &str, words: &[Inline], style: &Style) {
        let link = Some(to.to_owned()).filter(|to| is_followed(to));
        let is_told = link.is_some() || to.is_empty() || to.starts_with('#');
        let style = Style {
            link: link.or_else(|| style.link.clone()),
            ..style.clone()
        };
        let shown = self::words(words);
        if shown.trim().is_empty() {
            return self.say(to, &style);
        }
        self.words(words, &style);
        if !is_told && !tells(&shown, to) {
            self.say(&format!(" ({to})"), &style);
        }
    }

    /// Ends the line, and this many in all.
    fn lines(&mut self, count: usize) {
        let breaks = format!("{}{}", "\n".repeat(count), self.indent);
        self.put(&breaks, &Style::default());
    }

    fn say(&mut self, text: &str, style: &Style) {
        let mut lines = text.split('\n');
        self.put(lines.next().unwrap_or_default(), style);
        for line in lines {
            self.lines(1);
            self.put(line, style);
        }
    }

    fn put(&mut self, text: &str, style: &Style) {
        if text.is_empty() {
            return;
        }
        match self.pieces.last_mut() {
            Some(Piece::Words(before, same)) if same == style => before.push_str(text),
            _ => self.pieces.push(Piece::Words(text.to_owned(), style.clone())),
        }
    }
}

fn has_link(words: &[Inline]) -> bool {
    words.iter().any(|word| match word {
        Inline::Link { .. } | Inline::Image { .. } => true,
        Inline::Emphasis(words) | Inline::Strong(words) | Inline::Strike(words) => has_link(words),
        Inline::Text(_) | Inline::Code(_) | Inline::Html(_) | Inline::Break => false,
    })
}
