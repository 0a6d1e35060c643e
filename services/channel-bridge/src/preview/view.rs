//! What is shown of a text that is not whole yet.

use gatehouse_document::channels::Streaming;

use crate::adapter::{Capabilities, TextShape};

/// Behind what is shown: there is more to come. Nobody takes it for the answer.
const GOES_ON: &str = " …";

/// The text for a message: its newest part where it is longer than one. `None`: nothing is to be seen yet.
pub(super) fn view(
    text: &str,
    streaming: Streaming,
    capabilities: &Capabilities,
    to: &str,
) -> Option<String> {
    let text = match streaming {
        Streaming::Block => text.get(..finished(text)).unwrap_or_default(),
        Streaming::Off | Streaming::Preview | Streaming::Partial => text,
    };
    let text = text.trim_end();
    let limit = capabilities.text;
    let mut parts = limit.split(to, text, limit.unit.size(GOES_ON) + 2);
    let last = parts.pop()?;
    let last = last.trim_end();
    if last.is_empty() {
        return None;
    }
    // Behind a block of code, and behind whatever is not closed yet, it stands on a line of its own.
    let alone = limit.shape == TextShape::Markdown && last.lines().any(is_fence);
    Some(if alone {
        format!("{}\n\n{}", closed(last), GOES_ON.trim_start())
    } else {
        format!("{last}{GOES_ON}")
    })
}

/// Where the last finished block ends: behind a blank line that is not within code.
fn finished(text: &str) -> usize {
    let (mut at, mut end, mut in_code) = (0, 0, false);
    for line in text.split_inclusive('\n') {
        in_code ^= is_fence(line);
        if !in_code && line.trim().is_empty() {
            end = at;
        }
        at += line.len();
    }
    end
}

fn is_fence(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("```") || line.starts_with("~~~")
}

/// With an end to the code that is being written.
fn closed(text: &str) -> String {
    let fences = text.lines().filter(|line| is_fence(line)).count();
    if fences % 2 == 1 {
        let tildes = text.lines().rfind(|line| is_fence(line));
        let fence = if tildes.is_some_and(|line| line.trim_start().starts_with("~~~")) {
            "~~~"
        } else {
            "```"
        };
        format!("{text}\n{fence}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::{TextLimit, TextUnit};

    fn markdown(max: usize) -> Capabilities {
        Capabilities::text_only(TextLimit::new(TextUnit::Utf16, max, TextShape::Markdown))
    }

    fn shown(text: &str, streaming: Streaming) -> Option<String> {
        view(text, streaming, &markdown(100), "7")
    }

    #[test]
    fn what_is_shown_says_that_there_is_more_to_come() {
        assert_eq!(shown("", Streaming::Preview), None);
        assert_eq!(shown("  \n", Streaming::Preview), None);
        assert_eq!(
            shown("Hello **wor", Streaming::Preview),
            Some("Hello **wor …".into())
        );
        assert_eq!(
            shown("see\n\n```rust\nlet a", Streaming::Preview),
            Some("see\n\n```rust\nlet a\n```\n\n…".into())
        );
    }

    #[test]
    fn of_a_long_text_the_newest_part_is_shown_within_the_bounds_of_a_message() {
        let text: String = (0..100).map(|n| format!("word{n} ")).collect();

        let shown = shown(&text, Streaming::Preview).unwrap();

        assert!(shown.ends_with("word99 …"), "{shown}");
        assert!(shown.encode_utf16().count() <= 100, "{shown}");
    }

    #[test]
    fn in_blocks_only_finished_ones_are_shown() {
        assert_eq!(shown("one\ntwo", Streaming::Block), None);
        assert_eq!(shown("one\n\ntwo", Streaming::Block), Some("one …".into()));
        assert_eq!(
            shown("one\n\n```\na\n\nb", Streaming::Block),
            Some("one …".into()),
            "a blank line in code ends nothing"
        );
    }
}
