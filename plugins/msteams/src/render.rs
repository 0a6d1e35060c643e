//! What the assistant writes, as Teams shows it. Teams reads a part of Markdown: no headings in phones, no tables, no HTML that is not its
//! own. A heading becomes bold, a table a block of code with columns, a picture its link; what would be a mention or a tag stays text.

mod beginning;
mod table;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

pub use self::beginning::beginning;
use self::table::Table;

/// Lists within lists that are drawn as such. Deeper ones stay at this depth.
const DEPTH_MAX: usize = 8;

/// Writes a text of the assistant's for Teams.
#[must_use]
pub fn markdown(text: &str) -> String {
    let parser = Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let mut writer = Writer::default();
    for event in parser {
        writer.event(event);
    }
    writer.finish()
}

#[derive(Default)]
struct Writer {
    out: String,
    /// The next number of each list that is open; `None` for one with bullets.
    lists: Vec<Option<u64>>,
    quotes: usize,
    links: Vec<String>,
    /// Nothing of the item or block was written yet: it needs no line of its own.
    fresh: bool,
    code: bool,
    table: Option<Table>,
}

impl Writer {
    fn event(&mut self, event: Event<'_>) {
        if self.table.is_some() && self.in_table(&event) {
            return;
        }
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.code => self.lines(&text),
            Event::Text(text) => self.write(&escaped(&text)),
            Event::Code(code) => self.write(&inline_code(&code)),
            // Its own words, not its tags: Teams would read some of them, `<at>` for one.
            Event::Html(html) | Event::InlineHtml(html) => self.write(&escaped(&html)),
            Event::SoftBreak | Event::HardBreak => self.line(),
            Event::Rule => {
                self.block();
                self.write("---");
            }
            Event::TaskListMarker(done) => self.write(if done { "☑ " } else { "☐ " }),
            Event::FootnoteReference(name) => self.write(&escaped(&name)),
            Event::InlineMath(math) | Event::DisplayMath(math) => self.write(&inline_code(&math)),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => self.block(),
            Tag::Heading { .. } => {
                self.block();
                self.write("**");
            }
            Tag::BlockQuote(_) => {
                self.block();
                self.quotes += 1;
                self.write("> ");
                self.fresh = true;
            }
            Tag::CodeBlock(kind) => {
                self.block();
                let language = match &kind {
                    CodeBlockKind::Fenced(language) => word(language),
                    CodeBlockKind::Indented => "",
                };
                self.write(&format!("```{language}"));
                self.line();
                self.code = true;
            }
            Tag::List(first) => {
                if self.lists.is_empty() {
                    self.block();
                }
                self.lists.push(first);
            }
            Tag::Item => self.item(),
            Tag::Emphasis => self.write("_"),
            Tag::Strong => self.write("**"),
            Tag::Strikethrough => self.write("~~"),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.links.push(dest_url.into_string());
                self.write("[");
            }
            Tag::Table(_) => {
                self.block();
                self.table = Some(Table::default());
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) | TagEnd::Strong => self.write("**"),
            TagEnd::Emphasis => self.write("_"),
            TagEnd::Strikethrough => self.write("~~"),
            TagEnd::BlockQuote(_) => self.quotes = self.quotes.saturating_sub(1),
            TagEnd::CodeBlock => {
                self.code = false;
                self.own_line();
                self.write("```");
            }
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::Link | TagEnd::Image => {
                let url = self.links.pop().unwrap_or_default();
                self.write(&format!("]({})", link(&url)));
            }
            _ => {}
        }
    }

    /// Whether the event was one of the table's.
    fn in_table(&mut self, event: &Event<'_>) -> bool {
        let Some(table) = &mut self.table else {
            return false;
        };
        match event {
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => {
                table.text(text)
            }
            Event::SoftBreak | Event::HardBreak => table.text(" "),
            Event::End(TagEnd::TableCell) => table.end_of_cell(),
            Event::End(TagEnd::TableHead | TagEnd::TableRow) => table.end_of_row(),
            Event::End(TagEnd::Table) => {
                let text = table.drawn();
                self.table = None;
                self.write("```");
                self.line();
                self.lines(&text);
                self.own_line();
                self.write("```");
            }
            _ => {}
        }
        true
    }

    fn item(&mut self) {
        let depth = self.lists.len().saturating_sub(1).min(DEPTH_MAX);
        if !self.fresh && !self.out.is_empty() {
            self.own_line();
        }
        self.write(&"   ".repeat(depth));
        let mark = match self.lists.last_mut() {
            Some(Some(number)) => {
                let mark = format!("{number}. ");
                *number = number.saturating_add(1);
                mark
            }
            _ => "- ".to_owned(),
        };
        self.write(&mark);
        self.fresh = true;
    }

    /// A blank line, except where something just began.
    fn block(&mut self) {
        if self.fresh || self.out.is_empty() {
            self.fresh = false;
            return;
        }
        self.own_line();
        self.line();
        if !self.lists.is_empty() {
            let depth = self.lists.len().min(DEPTH_MAX);
            self.write(&"   ".repeat(depth));
        }
    }

    fn own_line(&mut self) {
        let line = self.out.rsplit('\n').next().unwrap_or_default();
        if !line.trim_start_matches("> ").is_empty() {
            self.line();
        }
    }

    fn line(&mut self) {
        self.out.push('\n');
        self.out.push_str(&"> ".repeat(self.quotes));
        self.fresh = false;
    }

    fn lines(&mut self, text: &str) {
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                self.line();
            }
            self.out.push_str(line);
        }
        self.fresh = false;
    }

    fn write(&mut self, text: &str) {
        self.out.push_str(text);
        if !text.is_empty() {
            self.fresh = false;
        }
    }

    fn finish(self) -> String {
        self.out.trim_end().to_owned()
    }
}

/// Text that is only text: what begins a tag or markup does not.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '*' | '_' | '`' | '~' | '[' | ']' | '\\' => {
                out.push('\\');
                out.push(letter);
            }
            _ => out.push(letter),
        }
    }
    out
}

fn inline_code(code: &str) -> String {
    let fence = if code.contains('`') { "``" } else { "`" };
    let room = if fence.len() > 1 { " " } else { "" };
    format!("{fence}{room}{code}{room}{fence}")
}

/// A language is a word, whatever stands behind a fence.
fn word(language: &str) -> &str {
    language
        .split(|letter: char| !letter.is_ascii_alphanumeric() && !"+-#._".contains(letter))
        .next()
        .unwrap_or_default()
}

/// Where a link may lead. Others are shown as nothing to click.
fn link(url: &str) -> String {
    let is_web = ["https://", "http://", "mailto:", "tel:"]
        .iter()
        .any(|scheme| url.to_ascii_lowercase().starts_with(scheme));
    if !is_web {
        return "#".to_owned();
    }
    url.chars()
        .map(|letter| match letter {
            '(' => "%28".to_owned(),
            ')' => "%29".to_owned(),
            ' ' => "%20".to_owned(),
            '<' => "%3C".to_owned(),
            '>' => "%3E".to_owned(),
            letter if letter.is_control() => String::new(),
            letter => letter.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
