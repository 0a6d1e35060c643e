//! Which variables there are. One that nobody reads is a mistake of whoever set it: a gateway that starts all the same runs with
//! something else than it was told, and says nothing.

use super::{Env, Mistake, Service};

/// What all names begin with.
const OURS: &str = "GATEHOUSE_";

/// What an operator sets.
const KNOWN: &[&str] = &[
    "GATEHOUSE_BIND",
    "GATEHOUSE_CONFIG",
    "GATEHOUSE_CONTROL_UI",
    "GATEHOUSE_CREDENTIAL",
    "GATEHOUSE_CREDENTIAL_DIR",
    "GATEHOUSE_HOME",
    "GATEHOUSE_LISTEN",
    "GATEHOUSE_LOG",
    "GATEHOUSE_LOG_FORMAT",
    "GATEHOUSE_METRICS_LISTEN",
    "GATEHOUSE_PORT",
    "GATEHOUSE_RUN_DIR",
    "GATEHOUSE_TLS_FINGERPRINT",
    "GATEHOUSE_TOKEN",
    "GATEHOUSE_TOKEN_FILE",
    "GATEHOUSE_URL",
];

/// What others set who start us, or what compose reads before: no mistake, and nothing to suggest.
const PASSED: &[&str] = &[
    "GATEHOUSE_BACKUP_ROUNDS",
    "GATEHOUSE_BENCH_STORE_MB",
    "GATEHOUSE_BIN",
    "GATEHOUSE_CRASH_ROUNDS",
    "GATEHOUSE_PLUGIN_ID",
    "GATEHOUSE_PLUGIN_LISTEN",
    "GATEHOUSE_PUBLISH",
    "GATEHOUSE_RELEASE_CONTRACTS",
    "GATEHOUSE_SOAK_SECONDS",
    "GATEHOUSE_STOP_GRACE",
    "GATEHOUSE_SUPERVISED",
];

/// Names that begin or end so are for the document, which may refer to them at any time, or for tests.
const PASSED_BEGINS: &[&str] = &["GATEHOUSE_SECRET_", "GATEHOUSE_TEST_"];

/// Names that end so are secrets, whatever they begin with.
pub const SECRET_ENDS: &[&str] = &[
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "KEY",
    "CREDENTIALS",
];

/// A name that is less like another one than that is no typing error for it.
const ALIKE_MIN: f64 = 0.85;

/// The known word that somebody may have meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (best, likeness) = known
        .into_iter()
        .map(|known| (known, strsim::jaro_winkler(word, known)))
        .max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    (likeness >= ALIKE_MIN).then_some(best)
}

impl Env {
    /// Our variables that nobody reads. `named` are those that the document refers to.
    #[must_use]
    pub fn unknown(&self, named: impl Fn(&str) -> bool) -> Vec<Mistake> {
        let addresses: Vec<_> = Service::ALL
            .iter()
            .map(|service| service.address_variable())
            .collect();
        let known = || KNOWN.iter().copied().chain(addresses.iter().map(String::as_str));
        let strange = self.iter().filter(|(name, value)| {
            name.starts_with(OURS)
                && !known().any(|known| known == *name)
                && !PASSED.contains(name)
                && !PASSED_BEGINS.iter().any(|begin| name.starts_with(begin))
                && !SECRET_ENDS.iter().any(|end| name.ends_with(end))
                && !is_of_kubernetes(name, value)
                && !named(name)
        });
        let mistake = |(name, _): (&str, &str)| {
            // What stands before it is alike in all.
            let short = |name: &str| name.trim_start_matches(OURS).to_owned();
            let names: Vec<_> = known().map(short).collect();
            let meant = nearest(&short(name), names.iter().map(String::as_str))
                .map_or_else(String::new, |meant| format!(" (did you mean {OURS}{meant}?)"));
            Mistake {
                name: name.to_owned(),
                problem: format!(
                    "no setting has this name{meant}: correct or unset it; secrets of your own are called GATEHOUSE_SECRET_..."
                ),
            }
        };
        strange.map(mistake).collect()
    }
}

/// Kubernetes tells every container of the services beside it, in names that it makes of theirs.
fn is_of_kubernetes(name: &str, value: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.contains("_PORT_")
        || (name.ends_with("_PORT") && value.contains("://"))
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        fs,
        path::{Path, PathBuf},
    };

    use super::*;

    fn unknown(variables: &[(&str, &str)]) -> Vec<String> {
        let mistakes = Env::of(variables.iter().copied()).unknown(|name| name == "GATEHOUSE_NAMED");
        mistakes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_name_that_nobody_reads_is_a_mistake_with_the_one_that_was_meant() {
        for (name, meant) in [
            ("GATEHOUSE_PROT", "did you mean GATEHOUSE_PORT?"),
            ("GATEHOUSE_LOGS", "did you mean GATEHOUSE_LOG?"),
            ("GATEHOUSE_LOG_FORMATT", "did you mean GATEHOUSE_LOG_FORMAT?"),
            ("GATEHOUSE_HOMEDIR", "did you mean GATEHOUSE_HOME?"),
            (
                "GATEHOUSE_SESION_ADDRESS",
                "did you mean GATEHOUSE_SESSION_ADDRESS?",
            ),
            ("GATEHOUSE_METRICS", "did you mean GATEHOUSE_METRICS_LISTEN?"),
            ("GATEHOUSE_XYZZY", "no setting has this name: correct or unset it"),
        ] {
            let mistakes = unknown(&[(name, "1")]);
            assert!(
                mistakes.len() == 1 && mistakes[0].starts_with(name) && mistakes[0].contains(meant),
                "{name}: {mistakes:?}"
            );
        }
    }

    #[test]
    fn what_others_set_for_a_reason_is_no_mistake() {
        let passed = [
            ("PORT", "1"),
            ("GATEHOUSE_SECRET_OPENAI", "x"),
            ("GATEHOUSE_BOT_TOKEN", "x"),
            ("GATEHOUSE_NAMED", "by the document"),
            ("GATEHOUSE_STOP_GRACE", "60s"),
            ("GATEHOUSE_CHANNEL_BRIDGE_ADDRESS", "tcp:bridge:1"),
            ("GATEHOUSE_EDGE_SERVICE_HOST", "10.0.0.1"),
            ("GATEHOUSE_EDGE_PORT_18789_TCP_ADDR", "10.0.0.1"),
            ("GATEHOUSE_EDGE_PORT", "tcp://10.0.0.1:18789"),
        ];
        assert_eq!(unknown(&passed), Vec::<String>::new());
    }

    /// Every source file that is in a release.
    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    #[test]
    fn every_variable_that_is_read_is_known() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut files = Vec::new();
        for folder in ["services", "gateway-edge/src", "cli/src", "document/src"] {
            sources(&root.join(folder), &mut files);
        }
        let mut read = BTreeSet::new();
        for file in files {
            let text = fs::read_to_string(file).unwrap();
            for call in [
                "env.get(\"",
                "env = \"",
                "env.parse(\"",
                ">(\"",
                "const PORT: &str = \"",
            ] {
                for (at, _) in text.match_indices(&format!("{call}{OURS}")) {
                    let name = text.get(at + call.len()..).unwrap_or_default();
                    read.extend(name.split('"').next().map(str::to_owned));
                }
            }
        }
        assert!(read.len() > 8, "the sources are found: {read:?}");
        let lost: Vec<_> = read.iter().flat_map(|name| unknown(&[(name, "1")])).collect();
        assert!(lost.is_empty(), "add them to settings/known.rs: {lost:#?}");
    }
}
