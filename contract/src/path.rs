//! Where a walk through a message stands. Kept as a stack of borrowed steps, so that it costs nothing until it is printed.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
};

use crate::{FieldError, WireError, json::Syntax, wire::Malformed};

#[derive(Debug, Clone)]
pub(crate) enum Step<'a> {
    Name(&'a str),
    Index(usize),
    /// A map's key, or an unknown property: text that the caller chose.
    Key(String),
}

#[derive(Debug, Default)]
pub(crate) struct Path<'a>(Vec<Step<'a>>);

/// A caller's key is cut here in paths and messages: an error must not repeat a megabyte.
const SHOWN_MAX: usize = 80;

impl<'a> Path<'a> {
    pub(crate) fn push(&mut self, step: Step<'a>) {
        self.0.push(step);
    }

    pub(crate) fn pop(&mut self) {
        self.0.pop();
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| match step {
            Step::Name(name) => write!(f, "/{name}"),
            Step::Index(index) => write!(f, "/{index}"),
            Step::Key(key) => write!(
                f,
                "/{}",
                Shown(key).to_string().replace('~', "~0").replace('/', "~1")
            ),
        })
    }
}

/// What is wrong at the place where a walk stopped. The place itself is what the walk's path says when it ends early.
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) Cow<'static, str>);

impl Problem {
    pub(crate) fn at(self, path: &Path<'_>) -> FieldError {
        FieldError {
            path: path.to_string(),
            problem: self.0.into_owned(),
        }
    }

    pub(crate) fn on_wire_at(self, path: &Path<'_>) -> WireError {
        WireError {
            path: path.to_string(),
            problem: self.0.into_owned(),
        }
    }
}

impl From<&'static str> for Problem {
    fn from(problem: &'static str) -> Self {
        Self(Cow::Borrowed(problem))
    }
}

impl From<String> for Problem {
    fn from(problem: String) -> Self {
        Self(Cow::Owned(problem))
    }
}

impl From<Syntax> for Problem {
    fn from(syntax: Syntax) -> Self {
        syntax.problem().into()
    }
}

impl From<Malformed> for Problem {
    fn from(malformed: Malformed) -> Self {
        malformed.to_string().into()
    }
}

/// A caller's text as a message may repeat it: short, and without control characters.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars().take(SHOWN_MAX) {
            f.write_char(if c.is_control() { '\u{fffd}' } else { c })?;
        }
        if self.0.chars().nth(SHOWN_MAX).is_some() {
            f.write_char('…')
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_json_pointer() {
        let mut path = Path::default();
        assert_eq!(path.to_string(), "");

        path.push(Step::Name("sessions"));
        path.push(Step::Index(3));
        path.push(Step::Key("a/b~c".to_owned()));

        assert_eq!(path.to_string(), "/sessions/3/a~1b~0c");
    }

    #[test]
    fn long_and_odd_text_is_shown_short_and_clean() {
        assert_eq!(Shown("a\nb").to_string(), "a\u{fffd}b");
        assert_eq!(
            Shown(&"x".repeat(1000)).to_string().chars().count(),
            SHOWN_MAX + 1
        );
    }
}
