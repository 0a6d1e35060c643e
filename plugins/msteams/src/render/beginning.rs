//! How much of a text that is still being written can be shown so that what follows only adds to it: Teams refuses a step of a stream that
//! does not begin with the one before.

use super::markdown;

/// Signs that come in pairs within a paragraph.
const PAIRED: [char; 4] = ['*', '_', '`', '~'];

/// The text so far, for Teams, as far as it will stay what it is: without markup that is not closed yet, a table that grows, and a word that
/// is not whole.
#[must_use]
pub fn beginning(text: &str) -> String {
    let text = text.get(..stable(text)).unwrap_or_default();
    let shown = markdown(text);
    match in_code(text) {
        // The fence that closes it is written behind what follows.
        true => shown.strip_suffix("```").unwrap_or(&shown).trim_end().to_owned(),
        false => shown,
    }
}

/// Where the text ends that will stay.
fn stable(text: &str) -> usize {
    // The last line may become something else; without one, the last word.
    let paragraph = text.rfind("\n\n").map_or(0, |at| at + 2);
    // The fence that ends code is one when its line is whole.
    let lines = text.rfind('\n').map_or(0, |at| at + 1);
    if in_code(text) || in_code(text.get(..lines).unwrap_or_default()) {
        return lines;
    }
    let last = text.get(paragraph..).unwrap_or_default();
    if last.trim_start().starts_with('|') || last.contains("\n|") {
        return paragraph;
    }
    let mut end = last.rfind(char::is_whitespace).unwrap_or(0);
    // A bullet or a number that stands alone is no list yet, and the line below a text may make a heading of it.
    let line = last
        .get(..end)
        .unwrap_or_default()
        .rfind('\n')
        .map_or(0, |at| at + 1);
    let begun = last.get(line..end).unwrap_or_default();
    let is_fence = begun.trim_start().starts_with("```");
    let number = begun
        .trim()
        .trim_start_matches(|sign: char| sign.is_ascii_digit());
    let says_nothing = !is_fence && !begun.chars().any(char::is_alphanumeric);
    if says_nothing || number == "." || number == ")" {
        end = line.saturating_sub(1);
    }
    let mut shown = last.get(..end).unwrap_or_default();
    loop {
        let open = PAIRED.iter().filter_map(|sign| unpaired(shown, *sign));
        let link = shown
            .rfind('[')
            .filter(|at| !closed(shown.get(*at..).unwrap_or_default()));
        let Some(cut) = open.chain(link).min() else { break };
        shown = shown.get(..cut).unwrap_or_default();
    }
    paragraph + shown.trim_end().len()
}

/// Where the first run of a sign stands that no other run of its length closes. A bullet, a sign of multiplication and the middle of a
/// word are none.
fn unpaired(text: &str, sign: char) -> Option<usize> {
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut rest = 0;
    while let Some(begin) = text
        .get(rest..)
        .and_then(|text| text.find(sign))
        .map(|at| rest + at)
    {
        let run = text.get(begin..).unwrap_or_default();
        let length = run.len() - run.trim_start_matches(sign).len();
        rest = begin + length;
        let before = text.get(..begin).and_then(|text| text.chars().next_back());
        let after = text.get(rest..).and_then(|text| text.chars().next());
        let apart = |neighbour: Option<char>| neighbour.is_none_or(char::is_whitespace);
        let within = |neighbour: Option<char>| neighbour.is_some_and(char::is_alphanumeric);
        let alone = sign != '`' && apart(before) && apart(after);
        let in_a_word = sign == '_' && within(before) && within(after);
        if alone || in_a_word {
            continue;
        }
        match open.iter().rposition(|(_, other)| *other == length) {
            Some(at) => open.truncate(at),
            None => open.push((begin, length)),
        }
    }
    open.first().map(|(begin, _)| *begin)
}

fn closed(link: &str) -> bool {
    match link.split_once("](") {
        Some((_, address)) => address.contains(')'),
        None => false,
    }
}

/// Whether the text ends within a block of code.
fn in_code(text: &str) -> bool {
    let fences = text.lines().filter(|line| line.trim_start().starts_with("```"));
    fences.count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::beginning;

    const ANSWER: &str = "# Tea\n\nBoil *fresh* water, **really** fresh. Then [read on](https://example.org/tea) or `wait`.\n\n\
        * black: four minutes\n* green: two\n\n1. one\n2. two\n\n```sh\nkettle --on\nsleep 4\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n\
        That is snake_case and 2 * 3. Done, all of it.\n";

    #[test]
    fn what_follows_only_adds_to_what_was_shown() {
        let mut before = String::new();
        let mut steps = 0;
        for (at, _) in ANSWER.char_indices() {
            let now = beginning(ANSWER.get(..at).expect("a border"));
            assert!(now.starts_with(&before), "{now}\nfollows\n{before}");
            steps += usize::from(now != before);
            before = now;
        }

        assert!(steps > 20, "{steps} steps");
    }

    #[test]
    fn markup_that_is_not_closed_is_not_shown_yet() {
        assert_eq!(beginning("Some **bold wor"), "Some");
        assert_eq!(beginning("See [the page](https://exa"), "See");
        assert_eq!(beginning("Run `ls -l"), "Run");
        assert_eq!(beginning("wor"), "");
        assert_eq!(beginning("```\nlet a\nlet"), "```\nlet a");
    }
}
