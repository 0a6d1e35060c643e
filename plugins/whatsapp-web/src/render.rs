//! Markdown as WhatsApp shows it: `*bold*`, `_italic_`, `~struck~`, code between backquotes, lists and quotes by line. What it has no sign
//! for is said in words: a heading is bold, a link shows where it leads, a table is its rows.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// The text of one part.
pub(crate) fn whatsapp(markdown: &str) -> String {
    let options = Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS;
    let mut writer = Writer::default();
    for event in Parser::new_ext(markdown, options) {
        writer.take(event);
    }
    writer.text.trim().to_owned()
}

#[derive(Default)]
struct Writer {
    text: String,
    /// What each line of a quote begins with.
    quotes: usize,
    /// The lists that are open: the number of the next item, where they are counted.
    lists: Vec<Option<u64>>,
    /// The address of the link that is open, and where its words began.
    link: Option<(String, usize)>,
    is_code: bool,
    is_first_cell: bool,
}

impl Writer {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.begin(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.say(&text),
            Event::Code(code) => self.say(&format!("`{code}`")),
            Event::SoftBreak | Event::HardBreak => self.line(),
            Event::Rule => {
                self.block();
                self.say("———");
            }
            Event::TaskListMarker(done) => self.say(if done { "☑ " } else { "☐ " }),
            Event::Html(html) | Event::InlineHtml(html) => self.say(&html),
            Event::InlineMath(math) | Event::DisplayMath(math) => self.say(&math),
            Event::FootnoteReference(name) => self.say(&format!("[{name}]")),
        }
    }

    fn begin(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => self.paragraph(),
            Tag::Heading { .. } => {
                self.block();
                self.text.push('*');
            }
            Tag::BlockQuote(_) => {
                self.block();
                self.quotes += 1;
                self.text.push_str("> ");
            }
            Tag::CodeBlock(kind) => {
                self.block();
                self.is_code = true;
                let _ = matches!(kind, CodeBlockKind::Fenced(_)); // its language is not shown
                self.text.push_str("```\n");
            }
            Tag::List(first) => {
                if self.lists.is_empty() {
                    self.block();
                }
                self.lists.push(first);
            }
            Tag::Item => {
                if !self.text.is_empty() && !self.text.ends_with('\n') && !self.text.ends_with("> ") {
                    self.line();
                }
                self.text
                    .push_str(&"  ".repeat(self.lists.len().saturating_sub(1)));
                match self.lists.last_mut() {
                    Some(Some(number)) => {
                        self.text.push_str(&format!("{number}. "));
                        *number += 1;
                    }
                    _ => self.text.push_str("- "),
                }
            }
            Tag::Emphasis => self.text.push('_'),
            Tag::Strong => self.text.push('*'),
            Tag::Strikethrough => self.text.push('~'),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.link = Some((dest_url.into_string(), self.text.len()));
            }
            Tag::Table(_) => self.block(),
            Tag::TableHead | Tag::TableRow => {
                if !self.text.is_empty() && !self.text.ends_with('\n') {
                    self.line();
                }
                self.is_first_cell = true;
            }
            Tag::TableCell => self.cell(),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) | TagEnd::Strong => self.text.push('*'),
            TagEnd::Emphasis => self.text.push('_'),
            TagEnd::Strikethrough => self.text.push('~'),
            TagEnd::BlockQuote(_) => self.quotes -= 1,
            TagEnd::CodeBlock => {
                if !self.text.ends_with('\n') {
                    self.text.push('\n');
                }
                self.text.push_str("```");
                self.is_code = false;
            }
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::Link | TagEnd::Image => {
                if let Some((address, from)) = self.link.take() {
                    let words = self.text.get(from..).unwrap_or_default();
                    if words.is_empty() {
                        self.text.push_str(&address);
                    } else if words != address && !address.ends_with(words) {
                        self.text.push_str(&format!(" ({address})"));
                    }
                }
            }
            _ => {}
        }
    }

    fn paragraph(&mut self) {
        if !self.is_at_item() {
            self.block();
        }
    }

    fn cell(&mut self) {
        if !std::mem::take(&mut self.is_first_cell) {
            self.text.push_str(" | ");
        }
    }

    /// Whether the words of an item come next.
    fn is_at_item(&self) -> bool {
        !self.lists.is_empty() && self.text.ends_with(' ')
    }

    fn say(&mut self, text: &str) {
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                self.line();
            }
            self.text.push_str(line);
        }
    }

    fn line(&mut self) {
        self.text.push('\n');
        if !self.is_code {
            self.text.push_str(&"> ".repeat(self.quotes));
        }
    }

    /// An empty line, where something stands before.
    fn block(&mut self) {
        if self.text.is_empty() || self.text.ends_with("> ") {
            return;
        }
        while !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
        self.text.push_str(&"> ".repeat(self.quotes));
    }
}

#[cfg(test)]
mod tests {
    use super::whatsapp;

    #[test]
    fn emphasis_has_the_signs_of_whatsapp() {
        assert_eq!(
            whatsapp("**bold** and *italic* and ~~struck~~ and `code`"),
            "*bold* and _italic_ and ~struck~ and `code`"
        );
        assert_eq!(whatsapp("# A heading\n\nwords"), "*A heading*\n\nwords");
    }

    #[test]
    fn lists_quotes_and_code_keep_their_lines() {
        assert_eq!(
            whatsapp("- one\n- two\n  - three\n\n1. first\n2. second"),
            "- one\n- two\n  - three\n\n1. first\n2. second"
        );
        assert_eq!(
            whatsapp("> said\n> before\n\nanswer"),
            "> said\n> before\n\nanswer"
        );
        assert_eq!(
            whatsapp("```rust\nlet a = 1;\n\nlet b = *a;\n```"),
            "```\nlet a = 1;\n\nlet b = *a;\n```"
        );
    }

    #[test]
    fn a_link_shows_where_it_leads_and_a_table_its_rows() {
        assert_eq!(
            whatsapp("[here](https://example.org/a)"),
            "here (https://example.org/a)"
        );
        assert_eq!(whatsapp("<https://example.org/a>"), "https://example.org/a");
        assert_eq!(whatsapp("| a | b |\n|---|---|\n| 1 | 2 |"), "a | b\n1 | 2");
    }

    #[test]
    fn whatever_it_is_it_ends() {
        for odd in [
            "",
            "*",
            "> ",
            "- ",
            "```",
            "[a](",
            "|",
            "# ",
            "\u{0}",
            "1. \n> - `",
        ] {
            let _ = whatsapp(odd);
        }
    }
}
