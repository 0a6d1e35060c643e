//! Cuts a text so that each part is Markdown by itself: between blocks where that is possible, else between items, rows, lines of
//! code and words, and within a link or a piece of code only where it is longer than a whole part.
//!
//! What counts is what a reader sees: platforms count a text after its markup was taken out.

use std::collections::VecDeque;

use crate::adapter::{TextUnit, border, overflow};

use super::{
    address::tells,
    layout,
    parse::definitions,
    tree::{Block, Document, Inline, Item},
    write::write,
};

/// Between two blocks.
const GAP: usize = 2;
/// The most that the marker of an item takes.
const MARKER: usize = 12;
/// How many bytes of source may stand for one that is seen, in a part that could be shorter: addresses of links are not seen.
const SOURCE_PER_SEEN: usize = 4;

/// The parts of a text. The same text gives the same parts.
pub(crate) fn split(unit: TextUnit, text: &str, room: usize) -> Vec<String> {
    let placed = Document::placed(text);
    let whole: usize = placed
        .iter()
        .map(|(block, _)| size(unit, std::slice::from_ref(block)) + GAP)
        .sum();
    if text.trim().is_empty() {
        return Vec::new();
    }
    // What defines links and says nothing leaves no block.
    if whole <= room.saturating_add(GAP) {
        return vec![text.to_owned()];
    }
    // A link whose address stands in another part would lose it: then the tree is written down, which has it in place.
    let apart = !definitions(text).is_empty();
    let begins: Vec<usize> = placed
        .iter()
        .map(|(_, range)| line_start(text, range.start))
        .collect();
    let ends = begins.iter().skip(1).copied().chain([text.len()]);
    let sources: Vec<&str> = begins
        .iter()
        .zip(ends)
        .map(|(begin, end)| text.get(*begin..end.max(*begin)).unwrap_or_default())
        .collect();
    let chunks = placed.into_iter().zip(sources).map(|((block, _), source)| Chunk {
        block,
        source: (!apart).then(|| source.trim_end().to_owned()),
    });
    let packed = Packer::new(unit, room).pack(chunks.collect(), room);
    let texts = packed.into_iter().map(|part| {
        let chunks: Vec<String> = part.into_iter().map(Chunk::written).collect();
        chunks.join("\n\n")
    });
    texts.filter(|text| !text.trim().is_empty()).collect()
}

/// A block and, where it is whole, how it was written.
#[derive(Clone, Debug)]
struct Chunk {
    block: Block,
    source: Option<String>,
}

impl Chunk {
    fn bare(block: Block) -> Self {
        Self { block, source: None }
    }

    fn written(self) -> String {
        self.source.unwrap_or_else(|| write(&[self.block]))
    }
}

/// Puts blocks together until a part is full.
struct Packer {
    unit: TextUnit,
    room: usize,
}

impl Packer {
    fn new(unit: TextUnit, room: usize) -> Self {
        Self {
            unit,
            room: room.max(1),
        }
    }

    /// `first`: the room of the first part.
    fn pack(&self, chunks: Vec<Chunk>, first: usize) -> Vec<Vec<Chunk>> {
        let mut parts = Vec::new();
        let (mut part, mut used, mut bytes, mut room) = (Vec::new(), 0, 0, first);
        for chunk in chunks {
            let size = size(self.unit, std::slice::from_ref(&chunk.block));
            let gap = if part.is_empty() { 0 } else { GAP };
            let source = chunk.source.as_ref().map_or(0, String::len);
            let fits = used + gap + size <= room
                && (part.is_empty() || bytes + source <= self.room.saturating_mul(SOURCE_PER_SEEN));
            if fits {
                used += gap + size;
                bytes += source;
                part.push(chunk);
                continue;
            }
            let left = room.saturating_sub(used + gap);
            // A block that has to be cut begins where there is room for a good part of it.
            let begins_here = size > self.room && left * 2 >= self.room;
            if !begins_here && !part.is_empty() {
                parts.push(std::mem::take(&mut part));
                (used, room) = (0, self.room);
            }
            if size <= room && part.is_empty() {
                (used, bytes) = (size, source);
                part.push(chunk);
                continue;
            }
            let gap = if part.is_empty() { 0 } else { GAP };
            let mut pieces = self
                .cut(chunk.block, room.saturating_sub(used + gap).max(1))
                .into_iter();
            part.extend(pieces.next().into_iter().flatten().map(Chunk::bare));
            for piece in pieces {
                parts.push(std::mem::replace(
                    &mut part,
                    piece.into_iter().map(Chunk::bare).collect(),
                ));
            }
            room = self.room;
            let blocks: Vec<Block> = part.iter().map(|chunk| chunk.block.clone()).collect();
            (used, bytes) = (self::size(self.unit, &blocks), 0);
        }
        if !part.is_empty() {
            parts.push(part);
        }
        parts
    }

    /// A block that is longer than a part, as the blocks of several.
    fn cut(&self, block: Block, first: usize) -> Vec<Vec<Block>> {
        match block {
            Block::Paragraph(words) => self.paragraphs(words, first),
            Block::Heading { level, words } => {
                let parts = self.words(words, first).into_iter();
                parts.map(|words| vec![Block::Heading { level, words }]).collect()
            }
            Block::Html(html) => self.paragraphs(vec![Inline::Text(html)], first),
            Block::Code { language, text } => {
                let parts = self.lines(&text, first).into_iter();
                let code = |text: String| {
                    let language = language.clone();
                    // The first part may have no room for a line of it.
                    let some = (!text.is_empty()).then_some(Block::Code { language, text });
                    some.into_iter().collect()
                };
                parts.map(code).collect()
            }
            Block::Quote(blocks) => {
                let parts = self.pack(blocks.into_iter().map(Chunk::bare).collect(), first);
                let bare = |part: Vec<Chunk>| part.into_iter().map(|chunk| chunk.block).collect();
                parts
                    .into_iter()
                    .map(|part| vec![Block::Quote(bare(part))])
                    .collect()
            }
            Block::List { start, items } => self.items(start, items, first),
            Block::Table { head, rows } => self.rows(&head, rows, first),
            Block::Rule => vec![vec![Block::Rule]],
        }
    }

    fn paragraphs(&self, words: Vec<Inline>, first: usize) -> Vec<Vec<Block>> {
        let parts = self.words(words, first).into_iter();
        parts.map(|words| vec![Block::Paragraph(words)]).collect()
    }

    fn items(&self, start: Option<u64>, items: Vec<Item>, first: usize) -> Vec<Vec<Block>> {
        let mut parts: Vec<Vec<Block>> = Vec::new();
        let (mut part, mut used, mut room) = (Vec::<Item>::new(), 0, first);
        let mut number = start;
        let list = |part: &mut Vec<Item>, number: Option<u64>| Block::List {
            start: number.map(|number| number.saturating_sub(part.len() as u64)),
            items: std::mem::take(part),
        };
        for item in items {
            let size = size(
                self.unit,
                &[Block::List {
                    start: number,
                    items: vec![item.clone()],
                }],
            );
            if used + 1 + size > room && !part.is_empty() {
                parts.push(vec![list(&mut part, number)]);
                (used, room) = (0, self.room);
            }
            let next = number.map(|number| number.saturating_add(1));
            if size <= room {
                used += 1 + size;
                part.push(item);
                number = next;
                continue;
            }
            parts.extend(self.item(number, item, room));
            (number, room) = (next, self.room);
        }
        if !part.is_empty() {
            parts.push(vec![list(&mut part, number)]);
        }
        parts
    }

    /// One item that is longer than a part: the first of its own blocks behind its marker, the others by themselves.
    fn item(&self, number: Option<u64>, item: Item, room: usize) -> Vec<Vec<Block>> {
        let Item { done, blocks } = item;
        let inner = Self::new(self.unit, self.room.saturating_sub(MARKER));
        let chunks: Vec<Chunk> = blocks.into_iter().map(Chunk::bare).collect();
        let bare = |part: Vec<Chunk>| part.into_iter().map(|chunk| chunk.block).collect::<Vec<_>>();
        let mut first = room.saturating_sub(MARKER).max(1);
        loop {
            let mut parts: Vec<Vec<Block>> =
                inner.pack(chunks.clone(), first).into_iter().map(bare).collect();
            let Some(begin) = parts.first_mut() else {
                return parts;
            };
            let items = vec![Item {
                done,
                blocks: std::mem::take(begin),
            }];
            *begin = vec![Block::List { start: number, items }];
            // Behind a marker every line is set in, and how many lines there are is known when they are there.
            let over = size(self.unit, begin).saturating_sub(room);
            if over == 0 || first == 1 {
                return parts;
            }
            first = first.saturating_sub(over).max(1);
        }
    }

    /// Each part of a table has its head. A row that has no room for it becomes words, and the head comes before the
    /// first of them, unless a part has said it.
    fn rows(&self, head: &[Vec<Inline>], rows: Vec<Vec<Vec<Inline>>>, first: usize) -> Vec<Vec<Block>> {
        let (mut parts, mut room) = (Vec::new(), first);
        let mut rest = rows.as_slice();
        if rest.is_empty() {
            return self.paragraphs(joined(head), first);
        }
        while !rest.is_empty() {
            let table = |count: usize| Block::Table {
                head: head.to_vec(),
                rows: rest.get(..count).unwrap_or(rest).to_vec(),
            };
            let mut count = rest.len().min(self.room);
            while count > 1 && size(self.unit, &[table(count)]) > room {
                count = count * 3 / 4;
            }
            let next = table(count);
            if size(self.unit, std::slice::from_ref(&next)) <= room {
                parts.push(vec![next]);
            } else {
                let mut words = rest.first().map(|row| joined(row)).unwrap_or_default();
                if parts.is_empty() {
                    words = [joined(head), vec![Inline::Break], words].concat();
                }
                parts.extend(self.paragraphs(words, room));
            }
            rest = rest.get(count..).unwrap_or_default();
            room = self.room;
        }
        parts
    }

    /// Code, cut between its lines, and a line that is too long wherever it must be.
    fn lines(&self, text: &str, first: usize) -> Vec<String> {
        let (mut parts, mut part, mut used, mut room) = (Vec::new(), String::new(), 0, first);
        for line in text.split_inclusive('\n') {
            let mut line = line;
            loop {
                let seen = line.trim_end_matches('\n');
                let fits =
                    |left: usize| overflow(self.unit, seen, left).is_none() && self.unit.size(seen) <= left;
                if room.checked_sub(used).is_some_and(fits) {
                    part.push_str(line);
                    used += self.unit.size(line);
                    break;
                }
                if !part.is_empty() {
                    parts.push(std::mem::take(&mut part));
                    (used, room) = (0, self.room);
                    continue;
                }
                if room < self.room {
                    room = self.room; // the first part has no room for a whole line
                    parts.push(String::new());
                    continue;
                }
                let Some((head, tail)) = overflow(self.unit, line, room) else {
                    part.push_str(line);
                    break;
                };
                parts.push(head.to_owned());
                line = tail;
            }
        }
        if !part.is_empty() {
            parts.push(part);
        }
        parts
    }

    fn words(&self, words: Vec<Inline>, first: usize) -> Vec<Vec<Inline>> {
        let (mut parts, mut room) = (Vec::new(), first);
        let mut rest = VecDeque::from(self.chopped(words));
        while !rest.is_empty() {
            parts.push(self.take(&mut rest, room));
            room = self.room;
        }
        parts
    }

    /// Long texts in pieces that are as long as two parts: what is looked at for each part has a bound.
    fn chopped(&self, words: Vec<Inline>) -> Vec<Inline> {
        let mut chopped = Vec::new();
        for word in words {
            match word {
                Inline::Text(text) => {
                    let (mut rest, room) = (text.as_str(), self.room * 2);
                    while let Some((near, _)) = overflow(self.unit, rest, room) {
                        let (piece, tail) = rest.split_at(border(self.unit, near, room));
                        chopped.push(Inline::Text(piece.to_owned()));
                        rest = tail;
                    }
                    chopped.push(Inline::Text(rest.to_owned()));
                }
                Inline::Emphasis(words) => chopped.push(Inline::Emphasis(self.chopped(words))),
                Inline::Strong(words) => chopped.push(Inline::Strong(self.chopped(words))),
                Inline::Strike(words) => chopped.push(Inline::Strike(self.chopped(words))),
                Inline::Code(_)
                | Inline::Link { .. }
                | Inline::Image { .. }
                | Inline::Break
                | Inline::Html(_) => {
                    chopped.push(word);
                }
            }
        }
        chopped
    }

    /// Takes what fits. Something is taken always where there is any room.
    fn take(&self, words: &mut VecDeque<Inline>, room: usize) -> Vec<Inline> {
        let (mut head, mut used) = (Vec::new(), 0);
        while let Some(word) = words.pop_front() {
            let size = self.unit.size(&layout::words(std::slice::from_ref(&word)));
            if used + size <= room {
                used += size;
                head.push(word);
                continue;
            }
            let (fits, left) = self.tear(word, room - used, head.is_empty());
            head.extend(fits);
            if let Some(left) = left {
                words.push_front(left);
            }
            trim(&mut head, words);
            return head;
        }
        head
    }

    /// Cuts what does not fit. `alone`: nothing stands before it in its part, so some of it must be taken.
    fn tear(&self, word: Inline, room: usize, alone: bool) -> (Option<Inline>, Option<Inline>) {
        let styled = |words: Vec<Inline>, wrap: fn(Vec<Inline>) -> Inline| {
            if !alone && room * 2 < self.room {
                return (None, Some(wrap(words)));
            }
            let mut tail = VecDeque::from(words);
            let head = self.take(&mut tail, room.max(1));
            let some = |words: Vec<Inline>| Some(words).filter(|words| !words.is_empty()).map(wrap);
            (some(head), some(tail.into()))
        };
        match word {
            Inline::Text(text) => self.text(&text, room, alone),
            Inline::Emphasis(words) => styled(words, Inline::Emphasis),
            Inline::Strong(words) => styled(words, Inline::Strong),
            Inline::Strike(words) => styled(words, Inline::Strike),
            // In the next part it may fit; one that fits nowhere is words like others.
            whole if !alone => (None, Some(whole)),
            Inline::Code(text) | Inline::Html(text) => self.text(&text, room, true),
            Inline::Link { to, words } | Inline::Image { to, words } => {
                let words = layout::words(&words);
                if tells(&words, &to) {
                    self.text(&words, room, true)
                } else {
                    self.text(&format!("{words} ({to})"), room, true)
                }
            }
            Inline::Break => (None, None),
        }
    }

    fn text(&self, text: &str, room: usize, alone: bool) -> (Option<Inline>, Option<Inline>) {
        let some = |text: &str| Some(Inline::Text(text.to_owned())).filter(|_| !text.is_empty());
        if room == 0 && !alone {
            return (None, some(text));
        }
        let Some((near, _)) = overflow(self.unit, text, room.max(1)) else {
            // A single sign that is longer than the room is taken only where nothing else would be.
            return if alone {
                (some(text), None)
            } else {
                (None, some(text))
            };
        };
        let at = border(self.unit, near, room.max(1));
        if at == near.len() && !alone && !near.ends_with([' ', '\n']) {
            return (None, some(text)); // no word ends here: it begins the next part
        }
        let (head, tail) = text.split_at(at);
        (some(head), some(tail))
    }
}

/// A row that no part can hold, in one line.
fn joined(cells: &[Vec<Inline>]) -> Vec<Inline> {
    let mut words = Vec::new();
    for cell in cells {
        if !words.is_empty() {
            words.push(Inline::Text(" | ".to_owned()));
        }
        words.extend(cell.iter().cloned());
    }
    words
}

/// Nothing is said at the end of a part, or at the beginning of the next.
fn trim(head: &mut Vec<Inline>, tail: &mut VecDeque<Inline>) {
    while head.last() == Some(&Inline::Break) {
        head.pop();
    }
    if let Some(Inline::Text(text)) = head.last_mut() {
        text.truncate(text.trim_end().len());
    }
    while tail.front() == Some(&Inline::Break) {
        tail.pop_front();
    }
    if let Some(Inline::Text(text)) = tail.front_mut() {
        *text = text.trim_start().to_owned();
        if text.is_empty() {
            tail.pop_front();
        }
    }
}

/// What a reader sees of blocks, in the platform's unit.
fn size(unit: TextUnit, blocks: &[Block]) -> usize {
    layout::blocks(blocks)
        .iter()
        .map(|piece| unit.size(piece.text()))
        .sum()
}

fn line_start(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    before.rfind('\n').map_or(0, |line| line + 1)
}
