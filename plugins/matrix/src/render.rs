//! What the assistant writes, as HTML that Matrix clients show. Tags of the text are its words: a model writes no markup but Markdown's.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// The text as HTML. `None`: it is one plain paragraph, which needs none.
#[must_use]
pub fn html(text: &str) -> Option<String> {
    let parser = Parser::new_ext(
        text,
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS,
    );
    let mut is_plain = true;
    let mut paragraphs = 0_u32;
    let events: Vec<Event<'_>> = parser
        .map(|event| {
            match &event {
                Event::Start(Tag::Paragraph) => paragraphs += 1,
                Event::End(TagEnd::Paragraph) | Event::Text(_) => {}
                _ => is_plain = false,
            }
            safe(event)
        })
        .collect();
    if is_plain && paragraphs <= 1 {
        return None;
    }
    let mut out = String::with_capacity(text.len() * 2);
    html::push_html(&mut out, events.into_iter());
    Some(out.trim_end().to_owned())
}

/// What stays of an event: no tag of the text's own, no picture that a client would fetch from a stranger, no link into a program.
fn safe(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::SoftBreak => Event::HardBreak, // a line is a line, as in what a person types
        Event::TaskListMarker(done) => Event::Text(CowStr::Borrowed(if done { "☑ " } else { "☐ " })),
        Event::Start(
            Tag::Link {
                link_type,
                dest_url,
                title,
                id,
            }
            | Tag::Image {
                link_type,
                dest_url,
                title,
                id,
            },
        ) => Event::Start(Tag::Link {
            link_type,
            dest_url: link(dest_url),
            title,
            id,
        }),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        event => event,
    }
}

/// Where a link may lead. Others lead nowhere: `matrix.to` among them, whose links are mentions.
fn link(url: CowStr<'_>) -> CowStr<'_> {
    let lower = url.to_ascii_lowercase();
    let is_web = ["https://", "http://", "mailto:"]
        .iter()
        .any(|scheme| lower.starts_with(scheme));
    if is_web && !lower.contains("//matrix.to/") {
        url
    } else {
        CowStr::Borrowed("#")
    }
}

#[cfg(test)]
mod tests {
    use super::html;

    #[test]
    fn plain_words_need_no_markup() {
        assert_eq!(html("Tea is hot."), None);
        assert_eq!(html(""), None);
    }

    #[test]
    fn markdown_becomes_what_clients_show() {
        let shown = html("# Tea\n\nis **hot**, ~~cold~~\n\n- a\n- b\n\n```rust\nlet a = 1 < 2;\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |").expect("markup");

        for part in [
            "<h1>Tea</h1>",
            "<strong>hot</strong>",
            "<del>cold</del>",
            "<li>a</li>",
            "<pre><code class=\"language-rust\">let a = 1 &lt; 2;",
            "<td>1</td>",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }

    #[test]
    fn tags_of_the_text_are_its_words() {
        let shown =
            html("**a** <img src=x onerror=alert(1)> <script>x</script>\n\n<div>b</div>").expect("markup");

        assert!(shown.contains("&lt;img src=x"), "{shown}");
        assert!(shown.contains("&lt;script&gt;"), "{shown}");
        assert!(shown.contains("&lt;div&gt;b"), "{shown}");
        assert!(!shown.contains("<img"), "{shown}");
    }

    #[test]
    fn a_link_leads_to_the_web_and_mentions_nobody() {
        for (written, leads) in [
            ("[a](https://example.com/x)", "https://example.com/x"),
            ("[a](javascript:alert(1))", "#"),
            ("[a](https://matrix.to/#/@anna:example)", "#"),
            ("![a](https://example.com/x.png)", "https://example.com/x.png"),
        ] {
            let shown = html(written).expect("markup");
            assert_eq!(shown, format!("<p><a href=\"{leads}\">a</a></p>"), "{written}");
        }
    }
}
