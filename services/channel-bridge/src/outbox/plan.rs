//! How a message is cut for its platform: what is said at once, and what is kept until somebody asks for more.

use gatehouse_core::{
    Content,
    content::{Choice, Media},
};

use super::shown::Shown;
use crate::{
    adapter::{Capabilities, Limits, TextShape},
    id::Address,
    notice,
};

/// A reply older than this label's age says so when it leaves: each part is cut with room for it.
pub(crate) const LATE_LABEL: &str = "(delayed) ";
/// The most of an answer that is kept for whoever asks for more. At twenty lines a time nobody reads that far.
pub(crate) const REST_BYTES_MAX: usize = 256 * 1024;

/// What becomes of a message.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    /// What is said, in order; the last part of the text says how much is kept, if any is. Behind them there is one for each medium,
    /// without words.
    pub(crate) parts: Vec<String>,
    /// What is kept.
    pub(crate) rest: Option<Rest>,
    /// What the last parts consist of.
    pub(crate) media: Vec<Media>,
    /// What stands below the last words.
    pub(crate) choices: Vec<Choice>,
}

/// What was not said of an answer yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    pub(crate) text: String,
    /// Lines or messages of it.
    pub(crate) parts: usize,
}

impl Plan {
    /// The same message gives the same plan, always: parts that were sent are told by their place.
    pub(crate) fn of(message: Content, to: &Address, capabilities: &Capabilities, limits: &Limits) -> Self {
        let Shown { text, media, choices } = Shown::of(message, capabilities);
        let shape = capabilities.text.shape;
        let label = shape.label(LATE_LABEL).len();
        let mut parts = capabilities.text.split(to.as_str(), &text, label);
        let rest = cut(&mut parts, limits.parts_max, shape);
        parts.extend(media.iter().map(|_| String::new()));
        Self {
            parts,
            rest,
            media,
            choices,
        }
    }
}

/// Leaves at most so many parts, of which the last one says how many more there are.
fn cut(parts: &mut Vec<String>, parts_max: usize, shape: TextShape) -> Option<Rest> {
    if parts.len() <= parts_max {
        return None;
    }
    let lines = shape == TextShape::Line;
    let kept = parts.split_off(parts_max.saturating_sub(1));
    let total = kept.len();
    let mut bytes = 0;
    let within = kept.iter().take_while(|part| {
        bytes += part.len() + 1;
        bytes <= REST_BYTES_MAX
    });
    let within = within.count();
    let mut text = kept.get(..within).unwrap_or_default().join(shape.between());
    if within < total {
        text.push('\n');
        text.push_str(&notice::cut(total - within, lines));
    }
    parts.push(notice::more(total, lines));
    Some(Rest {
        text,
        parts: within + usize::from(within < total),
    })
}

#[cfg(test)]
mod tests {
    use super::{Plan, REST_BYTES_MAX};
    use crate::{
        adapter::{TextLimit, TextShape, TextUnit},
        testing::Puppet,
    };
    use gatehouse_core::Content;

    fn plan(text: &str, parts_max: usize, shape: TextShape) -> Plan {
        let mut puppet = Puppet::new();
        puppet.limits.parts_max = parts_max;
        puppet.capabilities.text = TextLimit::new(TextUnit::Bytes, 100, shape);
        Plan::of(
            Content::text(text),
            &"#home".into(),
            &puppet.capabilities,
            &puppet.limits,
        )
    }

    fn lines(count: usize) -> String {
        (0..count).map(|n| format!("line {n}\n")).collect()
    }

    #[test]
    fn a_short_answer_is_said_whole_and_a_long_one_says_how_to_get_the_rest() {
        assert_eq!(plan(&lines(20), 20, TextShape::Line).rest, None);

        let long = plan(&lines(400), 20, TextShape::Line);

        assert_eq!(long.parts.len(), 20);
        assert_eq!(long.parts[18], "line 18");
        assert_eq!(long.parts[19], "… 381 more lines: say \"more\"");
        let rest = long.rest.unwrap();
        assert_eq!((rest.parts, rest.text.lines().next()), (381, Some("line 19")));
    }

    #[test]
    fn asking_again_and_again_gives_every_line_once() {
        let (mut text, mut said) = (lines(95), Vec::new());
        loop {
            let Plan { mut parts, rest, .. } = plan(&text, 20, TextShape::Line);
            let Some(rest) = rest else {
                said.extend(parts);
                break;
            };
            parts.pop();
            said.extend(parts);
            text = rest.text;
        }
        assert_eq!(said, lines(95).lines().collect::<Vec<_>>());
    }

    #[test]
    fn what_is_no_line_is_kept_as_it_was_written() {
        let text = "word ".repeat(200);

        let cut = plan(&text, 3, TextShape::Plain);

        let said = cut.parts[..2].concat();
        assert_eq!(format!("{said}{}", cut.rest.unwrap().text), text);
        assert!(cut.parts[2].contains("more messages"), "{}", cut.parts[2]);
    }

    #[test]
    fn what_is_kept_has_a_bound_and_says_what_lies_beyond() {
        let endless = plan(&lines(100_000), 20, TextShape::Line);

        let rest = endless.rest.unwrap();
        assert!(rest.text.len() <= REST_BYTES_MAX + 100, "{}", rest.text.len());
        assert!(
            rest.text
                .lines()
                .last()
                .unwrap()
                .contains("more lines are left out")
        );
    }
}
