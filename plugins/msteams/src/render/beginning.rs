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
    if in_code(text) {
        return text.rfind('\n').map_or(0, |at| at + 1);
    }
    let last = text.get(paragraph..).unwrap_or_default();
    if last.trim_start().starts_with('|') || last.contains("\n|") {
        return paragraph;
    }
    let mut end = last.rfind(char::is_whitespace).unwrap_or(0);
    // A bullet that stands alone is no list yet, and the line below a text may make a heading of it.
    let line = last
        .get(..end)
        .unwrap_or_default()
        .rfind('\n')
        .map_or(0, |at| at + 1);
    let begun = last.get(line..end).unwrap_or_default();
    if !begun.chars().any(char::is_alphanumeric) {
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

/// Where a sign stands that has no other one of its kind. A bullet is none.
fn unpaired(text: &str, sign: char) -> Option<usize> {
    let is_bullet = |at: usize| sign == '*' && text.get(at + 1..).is_some_and(|rest| rest.starts_with(' '));
    let places: Vec<usize> = text
        .match_indices(sign)
        .map(|(at, _)| at)
        .filter(|at| !is_bullet(*at))
        .collect();
    if places.len().is_multiple_of(2) {
        None
    } else {
        places.last().copied()
    }
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
        let (mut steps, mut stuck) = (0, 0);
        for (at, _) in ANSWER.char_indices() {
            let now = beginning(ANSWER.get(..at).expect("a border"));
            if now == before {
                continue;
            }
            steps += 1;
            if now.starts_with(&before) {
                before = now;
            } else {
                stuck += 1;
            }
        }

        assert!(steps > 20, "{steps} steps");
        assert_eq!(stuck, 0, "{before}");
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
