//! Logs: text for a person at a terminal, JSON lines for a collector. They go to standard error. What is in a field comes from
//! outside as often as not, so it can neither begin a line of its own nor act on a terminal.

mod escape;
mod filter;

use std::{
    fmt::Debug,
    io::{self, IsTerminal, Write},
};

use tracing::field::Field;
use tracing_subscriber::{
    Layer,
    field::MakeExt,
    fmt::{self, MakeWriter, format::Writer},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

pub use escape::escape;

use crate::settings::{Env, Mistake, PushedMetrics, Service, SettingsError, Traces};

/// Which lines are written.
const LOG: &str = "GATEHOUSE_LOG";

/// In which form.
const FORMAT: &str = "GATEHOUSE_LOG_FORMAT";

/// The longest value of a field. An error with its chain has some hundred bytes.
const FIELD_BYTES_MAX: usize = 4 * 1024;

/// The longest line. `up` cuts at 16 KiB, with what it writes before it.
const LINE_BYTES_MAX: usize = 15 * 1024;

/// Whether a service would know what is asked for, in lines and in traces: whoever starts others looks before.
///
/// # Errors
/// A filter, a form, a collector or a sampler that does not exist.
pub fn check(env: &Env) -> Result<(), SettingsError> {
    let (of_traces, of_metrics) = (Traces::read(env).err(), PushedMetrics::read(env).err());
    let mistakes: Vec<Mistake> = filter::read(env)
        .err()
        .into_iter()
        .chain(filter::is_json(env).err())
        .chain(of_traces.into_iter().flat_map(|SettingsError(mistakes)| mistakes))
        .chain(
            of_metrics
                .into_iter()
                .flat_map(|SettingsError(mistakes)| mistakes),
        )
        .fold(Vec::new(), |mut told, mistake| {
            if !told.contains(&mistake) {
                told.push(mistake); // variables for both are told once
            }
            told
        });
    if mistakes.is_empty() {
        Ok(())
    } else {
        Err(SettingsError(mistakes))
    }
}

/// Begins logging, as `GATEHOUSE_LOG` (a filter) and `GATEHOUSE_LOG_FORMAT` (`json` or `text`) say. A second call does nothing.
///
/// # Errors
/// Those of [`check`].
pub fn init(env: &Env, service: Service) -> Result<(), SettingsError> {
    check(env)?;
    let one = |mistake| SettingsError(vec![mistake]);
    let filter = filter::read(env).map_err(one)?;
    let terminal = io::stderr().is_terminal();
    let is_text = filter::is_json(env)
        .map_err(one)?
        .map_or(terminal, |is_json| !is_json);
    let registry = tracing_subscriber::registry().with(filter);
    let begun = if is_text {
        let colored = terminal && env.get("NO_COLOR").is_none();
        registry.with(text(io::stderr, colored)).try_init()
    } else {
        registry
            .with(fmt::layer().with_writer(io::stderr).json().flatten_event(true))
            .try_init()
    };
    if begun.is_ok() {
        tracing::debug!(
            service.name = service.name(),
            service.version = env!("CARGO_PKG_VERSION"),
            "logging begins"
        );
    }
    Ok(())
}

/// Lines for a person.
fn text<S, W>(writer: W, colored: bool) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    fmt::layer()
        .with_ansi(colored)
        .with_target(false)
        .fmt_fields(fmt::format::debug_fn(field).delimited(" "))
        .with_writer(Bounded(writer))
}

/// One field, the message among them.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    let value = format!("{value:?}");
    let value = escape::cut(&value, FIELD_BYTES_MAX);
    let value = escape(&value);
    match field.name() {
        "message" => write!(writer, "{value}"),
        name => write!(writer, "{name}={value}"),
    }
}

/// Cuts lines that are too long. The formatter hands over each line in one piece.
struct Bounded<W>(W);

struct BoundedWriter<W>(W);

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for Bounded<W> {
    type Writer = BoundedWriter<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        BoundedWriter(self.0.make_writer())
    }
}

impl<W: Write> Write for BoundedWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(line) {
            Ok(text) if text.len() > LINE_BYTES_MAX => {
                let cut = escape::cut(text, LINE_BYTES_MAX);
                self.0.write_all(format!("{cut}\n").as_bytes())?;
                Ok(line.len())
            }
            _ => self.0.write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(log: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::registry().with(text(move || writer.clone(), false));
        tracing::subscriber::with_default(subscriber, log);
        let bytes = lines.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8(bytes).unwrap()
    }

    const FORGED: &str =
        "x\n2026-01-01T00:00:00Z  INFO edge           | all is well\r\x1b[2J\u{9b}1A\u{2028}\u{202e}";

    /// An error whose words come from outside.
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Outside(&'static str);

    #[test]
    fn nothing_in_a_field_begins_a_line_or_acts_on_a_terminal() {
        let text = logged(|| {
            let error = Outside(FORGED);
            tracing::warn!(display = %FORGED, debug = ?FORGED, text = FORGED, "fixed words");
            tracing::warn!(error = &error as &dyn std::error::Error, "an error");
            tracing::warn!(error = %crate::Chain(&error), "a chain");
            tracing::warn!("{FORGED}");
            let span = tracing::info_span!("request", method = %FORGED);
            span.in_scope(|| tracing::warn!("inside a span"));
            span.record("method", FORGED);
            span.in_scope(|| tracing::warn!("with a recorded value"));
        });

        assert_eq!(text.lines().count(), 6, "{text:?}");
        let acts = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{2028}' | '\u{202e}');
        assert!(!text.chars().any(acts), "{text:?}");
        assert!(
            text.contains("\\n2026") && text.contains("\\u{1b}[2J"),
            "{text:?}"
        );
        assert!(text.contains("fixed words"), "{text:?}");
    }

    #[test]
    fn a_line_is_bounded() {
        let long = "ä".repeat(100_000);

        let text = logged(|| {
            tracing::warn!(a = %long, "one");
            tracing::warn!(a = %long, b = %long, c = %long, d = %long, e = %long, f = %long, "many");
        });

        assert_eq!(text.lines().count(), 2);
        for line in text.lines() {
            assert!(
                line.len() < LINE_BYTES_MAX + 20 && line.contains("(cut)"),
                "{}",
                line.len()
            );
        }
    }
}
