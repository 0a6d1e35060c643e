//! The names of fields in logs and spans: one thing has one name in every service, so that lines can be joined by it.
//!
//! `tracing` wants its names as literals, so they are no constants: a test reads the sources and refuses a name that is not in the
//! table. What names a thing ends in `.id`, `.key` or `.name`; a figure or a word about the one event of the line is a plain word.

/// Names that join lines of several services, with their meaning. `docs/operations.md` tells operators of them.
#[cfg(test)]
const JOINING: &[(&str, &str)] = &[
    (
        "trace.id",
        "the trace: one for a message and all that follows from it",
    ),
    ("job.id", "the job that begins by the clock"),
    ("run.id", "the run of a turn; for `chat.send` the idempotency key"),
    ("session.key", "the session: the key of a conversation"),
    ("message.id", "the platform's id of a message"),
    (
        "delivery.key",
        "the key of a reply, the same in session and bridge",
    ),
    (
        "account.id",
        "an account of a channel, or both as `channel/account`",
    ),
    ("channel.id", "the channel"),
    ("room.id", "a room of a platform"),
    ("chat.id", "a chat, a room or a person, as the platform names it"),
    ("sender.id", "who spoke, as the platform names them"),
    ("pairing.id", "a request of somebody to be let in"),
    ("agent.id", "the agent"),
    (
        "media.id",
        "a picture, recording or file: the SHA-256 of its bytes",
    ),
    ("provider.id", "the provider of models"),
    ("model.id", "the model"),
    ("plugin.id", "the plugin"),
    ("node.id", "the node: the id of its device"),
    ("node.command", "what a node was asked for"),
    ("invocation.id", "one time that a node was asked for something"),
    ("request.id", "what somebody is asked to approve"),
    ("connection.id", "a client's connection, as `hello-ok` names it"),
    ("client.id", "what a client calls itself"),
    ("client.address", "where a client comes from"),
    ("caller.identity", "the process that made a call"),
    ("credential.id", "the row of the credential table"),
    ("device.id", "a device, by the hash of its key"),
    ("edge.id", "the edge process"),
    ("rpc.method", "the method that was called"),
    ("event.name", "the event"),
    ("event.kind", "what it is about"),
    ("config.hash", "the revision of the configuration"),
    ("database.file", "the database"),
    ("server.address", "where a process listens"),
    ("service.name", "the service"),
    ("service.version", "its version"),
    ("process.pid", "a process that this one has started"),
    ("task.name", "the task inside a process"),
];

/// Words about the one event of a line.
#[cfg(test)]
const PLAIN: &[&str] = &[
    "answers",
    "attempts",
    "batches",
    "binding",
    "code",
    "column",
    "command",
    "connections",
    "cool_down",
    "copy",
    "count",
    "credentials",
    "entry",
    "error",
    "fate",
    "fault",
    "field",
    "fingerprint",
    "first_ms",
    "from",
    "hold",
    "idempotent",
    "issue",
    "kind",
    "limit",
    "line",
    "max",
    "messages",
    "mode",
    "ms",
    "of",
    "origin",
    "outcome",
    "panic",
    "part",
    "parts",
    "path",
    "problem",
    "reason",
    "requests",
    "silent",
    "state",
    "status",
    "step_ms",
    "to",
    "tokens_in",
    "tokens_out",
    "wait_ms",
];

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::{Path, PathBuf},
    };

    use super::*;

    /// The sources of every process; what tests log is nobody's business.
    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !matches!(name.as_str(), "tests" | "target") {
                sources(&path, found);
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") && name != "telemetry.rs" {
                found.push(path);
            }
        }
    }

    /// The names of fields in one call of a macro: what stands before ` = `, or alone, before the text.
    fn names(arguments: &str) -> Vec<String> {
        let (mut depth, mut quoted, mut escaped, mut argument, mut all) =
            (0_usize, false, false, String::new(), Vec::new());
        for c in arguments.chars() {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                _ if quoted => {}
                '(' | '[' | '{' => depth += 1,
                ')' if depth == 0 => break,
                ')' | ']' | '}' => depth -= 1,
                ',' if depth == 0 => {
                    all.push(std::mem::take(&mut argument));
                    continue;
                }
                _ => {}
            }
            argument.push(c);
        }
        all.push(argument);
        let is_name = |name: &&str| {
            let mut chars = name.chars();
            chars.next().is_some_and(|c| c.is_ascii_lowercase())
                && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.'))
        };
        all.iter()
            .map(|argument| argument.split(" = ").next().unwrap_or_default().trim())
            .map(|name| name.trim_start_matches(['%', '?']))
            .filter(is_name)
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn names_are_read_as_the_macro_reads_them() {
        let call = r#"account.id = %key, count, error = %Chain(&error), "a text, with {x} = y", more = 1)"#;
        assert_eq!(names(call), ["account.id", "count", "error", "more"]);
    }

    #[test]
    fn every_field_in_a_log_has_a_name_of_the_table() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut files = Vec::new();
        for folder in [
            "services",
            "gateway-edge/src",
            "cli/src",
            "contract/src",
            "document/src",
        ] {
            sources(&root.join(folder), &mut files);
        }
        let known = |name: &str| JOINING.iter().any(|(joining, _)| *joining == name) || PLAIN.contains(&name);
        let (mut calls, mut strange) = (0, Vec::new());
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for level in ["trace", "debug", "info", "warn", "error"] {
                for kind in ["!(", "_span!("] {
                    for (at, begin) in text.match_indices(&format!("tracing::{level}{kind}")) {
                        calls += 1;
                        let found = names(text.get(at + begin.len()..).unwrap());
                        strange.extend(
                            found
                                .into_iter()
                                .filter(|name| !known(name))
                                .map(|name| format!("{name} in {}", file.display())),
                        );
                    }
                }
            }
        }
        assert!(calls > 100, "the sources are found: {calls}");
        assert!(
            strange.is_empty(),
            "not in services/core/src/trace/field.rs: {strange:#?}"
        );
    }

    #[test]
    fn operators_are_told_of_every_name_that_joins_lines() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md");
        let docs = fs::read_to_string(docs).unwrap();
        for (name, meaning) in JOINING {
            let row = format!("| `{name}` | {meaning} |");
            assert!(docs.contains(&row), "docs/operations.md lacks: {row}");
        }
    }
}
