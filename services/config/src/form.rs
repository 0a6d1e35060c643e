//! The form of the document changes from release to release, and a document of an earlier one goes on to be read. At a start it is also
//! written in the form of this release, with its comments, so that nobody has to know two: what stood there is kept beside it.
//!
//! A form is known by its keys, not by a number in the document: nobody can set the number wrong, and a section that is copied from an
//! older document is brought up as well. A step that does not apply, or cannot be done without losing a comment, leaves the text alone.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use gatehouse_core::{Clock, Home, private};

use crate::{configuration::store_of, refusal::ConfigError, text};

/// What was changed from one release to the next.
struct Step {
    /// The last release whose documents have the older form.
    until: &'static str,
    /// In words.
    told: &'static str,
    /// The text in the newer form. `None`: it has it.
    apply: fn(&str) -> Option<String>,
}

/// In the order of the releases.
const STEPS: &[Step] = &[Step {
    until: "0.1",
    told: "agents.list is agents.entries",
    apply: |text| text::keyed_by(text, "agents", "list", "entries", "id"),
}];

/// A document that was brought to the form of this release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// What was changed.
    pub steps: Vec<String>,
    /// Where the text is kept that stood there.
    pub kept: PathBuf,
}

/// The text in the form of this release, and what was changed. `None`: it has it.
fn newest(text: &str) -> Option<(String, Vec<String>)> {
    let mut told = Vec::new();
    let mut newest = text.to_owned();
    for step in STEPS {
        if let Some(newer) = (step.apply)(&newest) {
            newest = newer;
            told.push(format!("{} (documents until {})", step.told, step.until));
        }
    }
    (!told.is_empty()).then_some((newest, told))
}

/// Brings the document of a home to the form of this release. `None`: there is nothing to do. Only for whoever holds the home: the file
/// has one writer.
///
/// # Errors
/// When it cannot be read or written. It is read in its old form then: a start goes on.
pub fn migrate(home: &Home) -> Result<Option<Migrated>, ConfigError> {
    let path = &home.config;
    let store = store_of(home);
    let read = match store.read_document() {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(None), // a mistake like others
        read => read.map_err(ConfigError::files(format!("read {}", path.display())))?,
    };
    let Some((newer, steps)) = read.as_deref().and_then(newest) else {
        return Ok(None);
    };
    let clock = Clock::system();
    let kept = beside(path, clock.now_ms());
    store.prepare().map_err(ConfigError::files(format!(
        "make the folders of {}",
        path.display()
    )))?;
    let write = ConfigError::files(format!("write {}", kept.display()));
    keep(&kept, read.unwrap_or_default().as_bytes()).map_err(write)?;
    store
        .write_document(&newer, clock.now(), Some("brought to the form of this release"))
        .map_err(|error| {
            let _ = fs::remove_file(&kept); // nothing was replaced
            ConfigError::files(format!("write {}", path.display()))(error.into())
        })?;
    Ok(Some(Migrated { steps, kept }))
}

fn keep(path: &Path, text: &[u8]) -> io::Result<()> {
    private::create_new(path, text)?.sync_all()
}

fn beside(document: &Path, now_ms: i64) -> PathBuf {
    let mut name = document.file_name().unwrap_or_default().to_owned();
    name.push(format!(".before-migration-{now_ms}"));
    document.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use gatehouse_core::Env;

    use super::*;
    use crate::text::parse;

    /// The document of each release, frozen, with what it is written as by this one.
    const FROZEN: [(&str, &str); 1] = [(
        include_str!("../../../tests/frozen/0.1/gatehouse.json5"),
        include_str!("../../../tests/frozen/0.1/gatehouse.now.json5"),
    )];

    fn home(text: &str) -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("gatehouse.json5"), text).expect("written");
        let env = Env::of([("GATEHOUSE_HOME", folder.path().to_str().expect("UTF-8"))]);
        let home = Home::read(&env);
        (folder, home)
    }

    fn text_of(home: &Home) -> String {
        fs::read_to_string(&home.config).expect("there")
    }

    #[test]
    fn a_document_of_each_release_is_written_in_the_form_of_this_one_with_its_comments_and_the_old_text_is_kept()
     {
        for (then, now) in FROZEN {
            let (_folder, home) = home(then);

            let migrated = migrate(&home).expect("written").expect("an older form");

            assert_eq!(text_of(&home), now);
            assert_eq!(fs::read_to_string(&migrated.kept).expect("kept"), then);
            assert!(!migrated.steps.is_empty());
            assert_eq!(migrate(&home).expect("readable"), None, "once is enough");
        }
    }

    #[test]
    fn a_document_of_this_release_and_one_that_cannot_be_read_are_left_alone() {
        for text in [
            "{ agents: { entries: { main: {} } } }",
            "{ agents: { list: [",
            "",
            "{ agents: { list: [{}] } }",
        ] {
            let (folder, home) = home(text);

            assert_eq!(migrate(&home).expect("readable"), None, "{text}");

            assert_eq!(text_of(&home), text);
            assert!(fs::read_dir(folder.path()).expect("there").all(|entry| {
                let name = entry.expect("an entry").file_name();
                !name.to_string_lossy().contains("before-migration")
            }));
        }
        let (folder, none) = home("");
        fs::remove_file(folder.path().join("gatehouse.json5")).expect("removed");
        assert_eq!(migrate(&none).expect("no file is no failure"), None);
    }

    #[test]
    fn both_forms_mean_the_same_agents() {
        for (then, now) in FROZEN {
            let agents = |text: &str| {
                let (value, _) = parse(text).expect("JSON5");
                let agents: gatehouse_document::Agents =
                    serde_json::from_value(value["agents"].clone()).expect("agents");
                let entries = agents
                    .entries
                    .iter()
                    .map(|(id, entry)| (id.clone(), entry.name.clone(), entry.default));
                let list = agents
                    .list
                    .iter()
                    .map(|one| (one.id.clone(), one.agent.name.clone(), one.agent.default));
                entries.chain(list).collect::<Vec<_>>()
            };
            assert_eq!(agents(then), agents(now));
        }
    }
}
