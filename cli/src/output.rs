//! What a client command says: answers to the standard output, remarks to the error output.
//!
//! Whoever reads may stop reading (`gatehouse methods | head`): that ends the command, without a word and with the code that a shell
//! knows for it. So nothing here is printed with `print!`, which panics then.

use std::io::{self, IsTerminal, Write};

use crate::exit::{Exit, Failed};

/// Writes text to the standard output at once: a token of an answer does not wait for its line.
pub(crate) fn text(text: &str) -> Result<(), Failed> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| failed("print", &error))
}

/// Writes a line to the standard output.
pub(crate) fn line(line: &str) -> Result<(), Failed> {
    text(&format!("{line}\n"))
}

/// Writes JSON to the standard output: indented for a person, as it is for a program.
pub(crate) fn json(json: &str, compact: bool) -> Result<(), Failed> {
    if compact || !io::stdout().is_terminal() {
        line(json)
    } else {
        line(&pretty(json))
    }
}

/// Writes a line to the error output: a remark that is no part of the answer. When that is closed, nobody is there to be told.
pub(crate) fn remark(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Writes the beginning of a line to the error output: what stands before an answer that is typed.
pub(crate) fn prompt(text: &str) {
    let mut out = io::stderr();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// An output that takes nothing more.
pub(crate) fn failed(step: &str, error: &io::Error) -> Failed {
    let exit = match error.kind() {
        io::ErrorKind::BrokenPipe => Exit::OutputClosed,
        _ => Exit::Failed,
    };
    Failed::new(exit, format!("cannot {step}: {error}"))
}

/// The same JSON with line breaks. Works on the text, so that no number loses a digit.
fn pretty(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut rest = json.trim().chars().peekable();
    while let Some(c) = rest.next() {
        if in_string {
            out.push(c);
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            '{' | '[' => {
                out.push(c);
                while rest.next_if(|next| next.is_whitespace()).is_some() {}
                if let Some(end) = rest.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    begin_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                begin_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                begin_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_whitespace() => {}
            c => {
                in_string = c == '"';
                out.push(c);
            }
        }
    }
    out
}

fn begin_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indenting_loses_no_digit_and_breaks_no_string() {
        let json = r#"{"a":[1,2.50,{}],"b":"x, {\"y\": [z]} \\","c":[],"n":9007199254740993}"#;

        let text = pretty(json);

        let expected = "{\n  \"a\": [\n    1,\n    2.50,\n    {}\n  ],\n  \"b\": \"x, {\\\"y\\\": [z]} \\\\\",\n  \"c\": [],\n  \"n\": 9007199254740993\n}";
        assert_eq!(text, expected);
    }

    #[test]
    fn an_output_that_is_closed_is_no_failure_to_tell() {
        let closed = failed("print", &io::ErrorKind::BrokenPipe.into());
        let full = failed("print", &io::ErrorKind::StorageFull.into());

        assert_eq!((closed.exit.code(), closed.json()), (141, String::new()));
        assert_eq!(full.exit, Exit::Failed);
    }
}
