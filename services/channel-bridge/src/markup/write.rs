//! From tree to Markdown that means the same: for the parts of a block that had to be cut.

use super::{
    address::is_followed,
    tree::{Block, Cell, Inline, Item},
};

/// CommonMark knows no longer number of an item.
const NUMBER_MAX: u64 = 999_999_999;

pub(super) fn write(blocks: &[Block]) -> String {
    let blocks: Vec<String> = blocks.iter().map(block).collect();
    blocks.join("\n\n")
}

fn block(block: &Block) -> String {
    match block {
        Block::Paragraph(words) => inlines(words, "\n").trim_start().to_owned(),
        Block::Heading { level, words } => {
            format!("{} {}", "#".repeat(usize::from(*level)), inlines(words, " "))
        }
        Block::Code { language, text } => {
            let fence = "`".repeat(longest_run(text).max(2) + 1);
            let text = text.strip_suffix('\n').unwrap_or(text);
            format!("{fence}{}\n{text}\n{fence}", language.replace('`', ""))
        }
        Block::Quote(blocks) => {
            let lines = write(blocks);
            let lines: Vec<String> = lines.lines().map(|line| format!("> {line}")).collect();
            lines.join("\n")
        }
        Block::List { start, items } => list(*start, items),
        Block::Table { head, rows } => {
            let line = |cells: &[Cell]| {
                let cells: Vec<String> = cells.iter().map(|words| cell(words)).collect();
                format!("| {} |", cells.join(" | "))
            };
            let rule = format!("|{}", "---|".repeat(head.len()));
            let mut lines = vec![line(head), rule];
            lines.extend(rows.iter().map(|row| line(row)));
            lines.join("\n")
        }
        Block::Rule => "***".to_owned(),
        Block::Html(html) => html.trim_end().to_owned(),
    }
}

fn list(start: Option<u64>, items: &[Item]) -> String {
    let item = |(at, item): (u64, &Item)| {
        let marker = match start {
            Some(start) => format!("{}. ", start.saturating_add(at).min(NUMBER_MAX)),
            None => "- ".to_owned(),
        };
        let task = match item.done {
            Some(true) => "[x] ",
            Some(false) => "[ ] ",
            None => "",
        };
        let inner = write(&item.blocks);
        let indent = format!("\n{}", " ".repeat(marker.len()));
        format!("{marker}{task}{}", inner.replace('\n', &indent))
    };
    let items: Vec<String> = (0_u64..).zip(items).map(item).collect();
    items.join("\n")
}

/// A cell stands in one line, and a bar would end it.
fn cell(words: &[Inline]) -> String {
    let mut text = String::new();
    for word in words {
        match word {
            Inline::Code(code) => text.push_str(&span(&code.replace('|', "\\|"))),
            other => text.push_str(&inlines(std::slice::from_ref(other), " ")),
        }
    }
    text.replace('\n', " ")
}

fn inlines(words: &[Inline], line_break: &str) -> String {
    let mut text = String::new();
    for word in words {
        match word {
            Inline::Text(words) => text.push_str(&escaped(words, line_break)),
            Inline::Code(code) => text.push_str(&span(code)),
            Inline::Emphasis(words) => {
                let words = without(words, |word| matches!(word, Inline::Emphasis(_)));
                text.push_str(&format!("*{}*", inlines(&words, line_break)));
            }
            Inline::Strong(words) => {
                let words = without(words, |word| matches!(word, Inline::Strong(_)));
                text.push_str(&format!("**{}**", inlines(&words, line_break)));
            }
            Inline::Strike(words) => {
                let words = without(words, |word| matches!(word, Inline::Strike(_)));
                text.push_str(&format!("~~{}~~", inlines(&words, line_break)));
            }
            Inline::Link { to, words } if is_bare(to, words) => text.push_str(&format!("<{to}>")),
            Inline::Link { to, words } => {
                text.push_str(&format!("[{}]{}", inlines(words, line_break), address(to)));
            }
            Inline::Image { to, words } => {
                text.push_str(&format!("![{}]{}", inlines(words, line_break), address(to)));
            }
            Inline::Break => text.push_str(line_break),
            Inline::Html(html) => text.push_str(html),
        }
    }
    text
}

/// Without a style that stands around it already: it changes nothing, and its marks beside others of the kind would be read as one.
fn without(words: &[Inline], is_same: fn(&Inline) -> bool) -> Vec<Inline> {
    let mut plain = Vec::with_capacity(words.len());
    for word in words {
        match word {
            Inline::Emphasis(words) | Inline::Strong(words) | Inline::Strike(words) if is_same(word) => {
                plain.extend(without(words, is_same));
            }
            Inline::Emphasis(words) => plain.push(Inline::Emphasis(without(words, is_same))),
            Inline::Strong(words) => plain.push(Inline::Strong(without(words, is_same))),
            Inline::Strike(words) => plain.push(Inline::Strike(without(words, is_same))),
            Inline::Link { to, words } => plain.push(Inline::Link {
                to: to.clone(),
                words: without(words, is_same),
            }),
            Inline::Text(_) | Inline::Code(_) | Inline::Image { .. } | Inline::Break | Inline::Html(_) => {
                plain.push(word.clone());
            }
        }
    }
    plain
}

fn span(code: &str) -> String {
    let fence = "`".repeat(longest_run(code) + 1);
    let pads = code.starts_with('`') || code.ends_with('`') || code.starts_with(' ') && code.ends_with(' ');
    let pad = if pads { " " } else { "" };
    format!("{fence}{pad}{code}{pad}{fence}")
}

/// The longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Whether a link is an address that stands for itself.
fn is_bare(to: &str, words: &[Inline]) -> bool {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>&\\|".contains(c);
    is_followed(to) && to.chars().all(is_plain) && words == [Inline::Text(to.to_owned())]
}

fn address(to: &str) -> String {
    let mut address = String::from("(<");
    for c in to.chars() {
        if matches!(c, '<' | '>' | '\\' | '&') {
            address.push('\\');
        }
        address.push(if c == '\n' { ' ' } else { c });
    }
    address + ">)"
}

/// Words that mean themselves.
fn escaped(words: &str, line_break: &str) -> String {
    let mut text = String::with_capacity(words.len());
    let mut after_digit = false;
    for c in words.chars() {
        let marks = "\\`*_{}[]<>#+-=|~&!".contains(c) || (after_digit && matches!(c, '.' | ')'));
        if marks {
            text.push('\\');
        }
        after_digit = c.is_ascii_digit();
        if c == '\n' {
            text.push_str(line_break);
        } else {
            text.push(c);
        }
    }
    text
}
