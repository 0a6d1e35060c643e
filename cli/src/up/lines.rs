//! Lines of a child's output, each bounded: a child that never ends a line must not fill the supervisor's memory.

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Longer lines are cut. The longest line of our own logs is an error with its chain, well under 4 KiB.
pub(super) const LINE_BYTES_MAX: usize = 16 * 1024;

/// Said where a line was cut.
const CUT: &str = " ... (cut)";

/// The next line without its end, or nothing at the end of the output.
///
/// # Cancel safety
/// None: a line half read is lost.
pub(super) async fn next_line<R: AsyncBufRead + Unpin>(reader: &mut R) -> Option<String> {
    let mut line = Vec::new();
    let mut cut = false;
    loop {
        // A child that cannot be read has ended for our purposes.
        let available = reader.fill_buf().await.unwrap_or_default();
        if available.is_empty() {
            return (!line.is_empty()).then(|| finish(&line, cut));
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let piece = available
            .get(..end.unwrap_or(available.len()))
            .unwrap_or_default();
        let room = LINE_BYTES_MAX.saturating_sub(line.len());
        cut |= piece.len() > room;
        line.extend(piece.iter().take(room));
        let used = piece.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Some(finish(&line, cut));
        }
    }
}

fn finish(line: &[u8], cut: bool) -> String {
    let mut text = String::from_utf8_lossy(line).trim_end_matches('\r').to_owned();
    if cut {
        text.push_str(CUT);
    }
    text
}

#[cfg(test)]
mod tests {
    use tokio::io::BufReader;

    use super::*;

    async fn lines(input: &[u8]) -> Vec<String> {
        let mut reader = BufReader::with_capacity(7, input);
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut reader).await {
            lines.push(line);
        }
        lines
    }

    #[tokio::test]
    async fn lines_are_whole_whatever_the_buffer() {
        assert_eq!(
            lines(b"one\n\na longer line\r\nno end").await,
            ["one", "", "a longer line", "no end"]
        );
    }

    #[tokio::test]
    async fn an_endless_line_is_cut_and_the_next_one_is_whole() {
        let mut input = vec![b'x'; LINE_BYTES_MAX * 3];
        input.extend(b"\nnext\n");

        let lines = lines(&input).await;

        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].len(), LINE_BYTES_MAX + CUT.len());
        assert_eq!(lines[1], "next");
    }

    #[tokio::test]
    async fn bytes_that_are_no_text_do_not_stop_the_log() {
        assert_eq!(lines(b"\xff\xfe\nok\n").await, ["\u{fffd}\u{fffd}", "ok"]);
    }
}
