//! What this node can be asked for, and what is under way.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::{files::Folder, programs::Programs, refused::Refused};

/// What was allowed here.
#[derive(Debug)]
pub(crate) struct Work {
    programs: Programs,
    files: Option<Arc<Folder>>,
}

impl Work {
    pub(crate) fn new(programs: Programs, files: Option<Folder>) -> Self {
        Self {
            programs,
            files: files.map(Arc::new),
        }
    }

    /// The commands that the gateway is told of: no more than would be done.
    pub(crate) fn commands(&self) -> Vec<&'static str> {
        let commands = [
            (true, "system.which"),
            (self.programs.runs_any(), "system.run"),
            (self.programs.notifies(), "system.notify"),
            (self.files.is_some(), "file.read"),
        ];
        commands
            .into_iter()
            .filter_map(|(offered, command)| offered.then_some(command))
            .collect()
    }

    pub(crate) fn caps(&self) -> Vec<&'static str> {
        if self.files.is_some() {
            vec!["file", "system"]
        } else {
            vec!["system"]
        }
    }

    /// Does what is asked for.
    pub(crate) async fn invoke(
        &self,
        command: &str,
        params: Value,
        within: Duration,
    ) -> Result<Value, Refused> {
        let params = if params.is_null() { json!({}) } else { params };
        if !self.commands().contains(&command) {
            return Err(Refused::new(
                "UNSUPPORTED",
                format!("this node does not know {command}"),
            ));
        }
        match (command, &self.files) {
            ("system.which", _) => self.programs.which(params),
            ("system.run", _) => self.programs.run(params, within).await,
            ("system.notify", _) => self.programs.notify(params).await,
            (_, Some(files)) => {
                let files = Arc::clone(files);
                let read = spawn_blocking(move || files.read(params)).await;
                read.unwrap_or_else(|error| Err(Refused::new("INTERNAL", error.to_string())))
            }
            (_, None) => Err(Refused::new(
                "UNSUPPORTED",
                format!("this node does not know {command}"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_offered_or_done_that_was_not_named() {
        let bare = Work::new(Programs::default(), None);

        assert_eq!(bare.commands(), ["system.which"]);
        for command in [
            "system.run",
            "system.notify",
            "file.read",
            "system.execApprovals.set",
        ] {
            let refused = bare
                .invoke(command, json!({"command": ["id"]}), Duration::MAX)
                .await;
            assert_eq!(refused.unwrap_err().code, "UNSUPPORTED", "{command}");
        }
        let files = Folder::open(std::path::Path::new("/")).unwrap();
        let some = Work::new(Programs::default(), Some(files));
        assert_eq!(
            (some.commands(), some.caps()),
            (vec!["system.which", "file.read"], vec!["file", "system"])
        );
    }
}
