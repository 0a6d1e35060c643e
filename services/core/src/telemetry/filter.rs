//! `GATEHOUSE_LOG`: which lines are written. A filter that means nothing to the filter's own parser is a target that nobody has, and
//! silences everything; so what is asked for is looked at first.

use tracing_subscriber::EnvFilter;

use super::{FORMAT, LOG};
use crate::settings::{Env, Mistake, Service, nearest};

/// What is written unless the operator says otherwise: what is below is noise.
const DEFAULT: &str = "info";

/// The words for a level; the filter's own parser takes digits as well.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Libraries that write a line for each frame or connection: they say what is wrong, and more only when they are named.
const QUIET: [&str; 10] = [
    "h2",
    "hyper",
    "hyper_util",
    "tonic",
    "tower",
    "reqwest",
    "rustls",
    "irc",
    "notify",
    "mio",
];

/// The crates that write lines of ours.
const CRATES: [&str; 11] = [
    "gatehouse",
    "gatehouse_agent",
    "gatehouse_broadcast",
    "gatehouse_channel_bridge",
    "gatehouse_config",
    "gatehouse_contract",
    "gatehouse_core",
    "gatehouse_document",
    "gatehouse_edge",
    "gatehouse_proto",
    "gatehouse_session",
];

/// Whether lines are JSON; unset, the output decides.
pub(super) fn is_json(env: &Env) -> Result<Option<bool>, Mistake> {
    match env.get(FORMAT) {
        None => Ok(None),
        Some("json") => Ok(Some(true)),
        Some("text") => Ok(Some(false)),
        Some(other) => Err(Mistake::new(FORMAT, other, "write text or json")),
    }
}

/// The filter.
pub(super) fn read(env: &Env) -> Result<EnvFilter, Mistake> {
    let asked = env.get(LOG).unwrap_or(DEFAULT);
    let wrong = |problem: String| Mistake::new(LOG, asked, problem);
    let mut named = Vec::new();
    for directive in asked.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        named.extend(target(directive).map_err(wrong)?);
    }
    let quiet = QUIET.iter().filter(|library| {
        let is_named = |target: &&str| target.split("::").next() == Some(*library);
        !named.iter().any(is_named)
    });
    let all: Vec<_> = quiet
        .map(|library| format!("{library}=warn"))
        .chain([asked.to_owned()])
        .collect();
    EnvFilter::try_new(all.join(",")).map_err(|error| wrong(error.to_string()))
}

/// Whose lines one directive is about; none when it is about all.
fn target(directive: &str) -> Result<Option<&str>, String> {
    if directive.contains('[') {
        return Ok(None); // about spans: the parser says whether it makes sense
    }
    let (target, level) = match directive.split_once('=') {
        None if is_level(directive) => return Ok(None),
        None => (directive, None),
        Some((target, level)) => (target.trim(), Some(level.trim())),
    };
    if let Some(level) = level.filter(|level| !is_level(level)) {
        let meant = did_you_mean(nearest(&level.to_lowercase(), LEVELS));
        return Err(format!(
            "{level:?} is not a level{meant}; levels are {}",
            LEVELS.join(", ")
        ));
    }
    let root = target.split("::").next().unwrap_or_default();
    if CRATES.contains(&root) || QUIET.contains(&root) {
        return Ok(Some(target));
    }
    if let Some(service) = Service::ALL
        .iter()
        .find(|service| service.name().replace('-', "_") == root.replace('-', "_"))
    {
        let crate_name = format!("gatehouse_{}", service.name().replace('-', "_"));
        let level = level.unwrap_or("debug");
        return Err(format!(
            "the lines of {service} are called {crate_name}: write info,{crate_name}={level}"
        ));
    }
    // Any other library may be meant, but by a level; a bare word is a level that does not exist.
    if level.is_some() && !root.starts_with("gatehouse") {
        return Ok(Some(target));
    }
    let words = LEVELS.into_iter().chain(CRATES);
    let meant = did_you_mean(nearest(&root.to_lowercase(), words));
    Err(format!(
        "{target:?} is neither a level ({}) nor a part of the gateway{meant}; for example info,gatehouse_session=debug",
        LEVELS.join(", ")
    ))
}

fn is_level(word: &str) -> bool {
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word)) || matches!(word.parse::<u8>(), Ok(0..=5))
}

fn did_you_mean(word: Option<&str>) -> String {
    word.map_or_else(String::new, |word| format!(", did you mean {word}?"))
}

#[cfg(test)]
mod tests {
    use std::io;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn filter(text: &str) -> Result<String, String> {
        let read = read(&Env::of([(LOG, text)]));
        read.map(|filter| filter.to_string())
            .map_err(|mistake| mistake.to_string())
    }

    #[test]
    fn a_filter_that_means_nothing_is_refused_with_what_was_meant() {
        for (text, needed) in [
            ("verbose", "neither a level"),
            ("inof", "did you mean info?"),
            ("nonsense=x=y", "is not a level"),
            ("info,gatehouse_session=loud", "levels are off, error"),
            ("gatehouse_sesion=debug", "did you mean gatehouse_session?"),
            ("session=debug", "write info,gatehouse_session=debug"),
            (
                "info,channel-bridge=trace",
                "write info,gatehouse_channel_bridge=trace",
            ),
            ("6", "neither a level"),
            ("info,[", "GATEHOUSE_LOG"),
        ] {
            let refused = filter(text).expect_err(text);
            assert!(
                refused.starts_with(LOG) && refused.contains(needed),
                "{text}: {refused}"
            );
        }
    }

    #[test]
    fn libraries_are_quiet_at_every_level_until_they_are_named() {
        for text in [
            "",
            "info",
            "DEBUG",
            "trace",
            "4",
            "debug,gatehouse_core::config=trace",
            "sqlx=debug",
        ] {
            let filter = filter(text).unwrap();
            assert!(
                filter.contains("h2=warn") && filter.contains("hyper=warn"),
                "{text}: {filter}"
            );
        }
        let named = filter("info,h2=debug,hyper::proto=trace").unwrap();
        assert!(
            named.contains("h2=debug") && !named.contains("h2=warn"),
            "{named}"
        );
        assert!(
            !named.contains("hyper=warn") && named.contains("tonic=warn"),
            "{named}"
        );
    }

    #[test]
    fn frames_of_libraries_are_not_among_our_lines() {
        let filter = read(&Env::of([(LOG, "debug")])).unwrap();
        let subscriber = tracing_subscriber::registry()
            .with(filter)
            .with(tracing_subscriber::fmt::layer().with_writer(io::sink));

        tracing::subscriber::with_default(subscriber, || {
            assert!(!tracing::enabled!(target: "h2::codec::framed_read", tracing::Level::DEBUG));
            assert!(!tracing::enabled!(target: "hyper_util::client", tracing::Level::INFO));
            assert!(tracing::enabled!(target: "h2::codec::framed_read", tracing::Level::WARN));
            assert!(tracing::enabled!(target: "gatehouse_session::turns", tracing::Level::DEBUG));
        });
    }

    #[test]
    fn a_format_is_text_or_json() {
        let format = |text| is_json(&Env::of([(FORMAT, text)]));
        assert_eq!(format("").unwrap(), None);
        assert_eq!(format("json").unwrap(), Some(true));
        assert_eq!(format("text").unwrap(), Some(false));
        assert!(format("xml").unwrap_err().to_string().contains("text or json"));
    }
}
