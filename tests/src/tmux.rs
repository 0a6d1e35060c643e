//! A terminal with a person at it: Debian's tmux, which draws what a program writes as terminals do, and says how it looks.

use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

use crate::{gateway::binary, until};

/// The shell that the command runs in: it says how that ended, and stays.
const SHELL: &str = "\"$@\"; echo \"ended with $?\"; exec cat";

/// What the shell says before the status.
const ENDED: &str = "ended with ";

/// A terminal in which `gatehouse chat` runs. Dropping it kills the chat.
#[derive(Debug)]
pub struct Terminal {
    folder: TempDir,
}

impl Terminal {
    /// Opens a terminal of so many columns and rows, in which a chat of the gateway in this home runs with these arguments. It is not the
    /// first one there: nobody is asked whether to set a model up.
    ///
    /// # Panics
    /// When tmux is not installed.
    #[must_use]
    pub fn chat(home: &Path, size: (u16, u16), arguments: &[&str]) -> Self {
        // A test whose home cannot be written fails by itself.
        let _ = std::fs::write(home.join("setup.declined"), "");
        let chat = ["chat".as_ref(), "--home".as_ref(), home.as_os_str()].into_iter();
        let words: Vec<&OsStr> = chat.chain(arguments.iter().map(OsStr::new)).collect();
        Self::run(size, &words)
    }

    /// Opens a terminal in which a command of ours runs.
    ///
    /// # Panics
    /// When tmux is not installed.
    #[must_use]
    pub fn run((columns, rows): (u16, u16), arguments: &[&OsStr]) -> Self {
        let terminal = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let program = binary();
        let begin = [
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &rows,
            "sh",
            "-c",
            SHELL,
            "sh",
            "env",
            "-i",
            "TERM=screen",
        ];
        let mut words: Vec<&OsStr> = begin.iter().map(OsStr::new).collect();
        words.push(program.as_os_str());
        words.extend(arguments);
        let made = terminal.tmux(&words);
        assert!(
            made.status.success(),
            "tmux: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        terminal
    }

    /// Presses keys, by tmux's names for them: `Enter`, `C-c`, `Up`.
    pub fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Types a text.
    pub fn write(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text]);
    }

    /// Types a text and presses Enter.
    pub fn say(&self, text: &str) {
        self.write(text);
        self.press(&["Enter"]);
    }

    /// Pastes a text, as terminals do it for programs that ask to be told.
    ///
    /// # Panics
    /// When the text cannot be written to a file.
    pub fn paste(&self, text: &str) {
        let file = self.folder.path().join("paste");
        std::fs::write(&file, text).expect("the text to paste");
        self.tmux(&[OsStr::new("load-buffer"), file.as_os_str()]);
        self.tmux(&["paste-buffer", "-p"]);
    }

    /// Gives it another size.
    pub fn resize(&self, (columns, rows): (u16, u16)) {
        self.tmux(&[
            "resize-window",
            "-x",
            &columns.to_string(),
            "-y",
            &rows.to_string(),
        ]);
    }

    /// What stands on it, without empty rows at the end. What scrolled away stands above.
    #[must_use]
    pub fn screen(&self) -> String {
        let output = self.tmux(&["capture-pane", "-p", "-S", "-9000"]);
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// What stands on it, once it is as wanted.
    ///
    /// # Panics
    /// When it does not come to that, with what stands there.
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    pub async fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let seen = tokio::time::timeout(
            crate::DEADLINE / 2,
            until(what, async || {
                let screen = self.screen();
                wanted(&screen).then_some(screen)
            }),
        );
        seen.await
            .unwrap_or_else(|_| panic!("{what}: the terminal shows\n{}", self.screen()))
    }

    /// The same for a text that stands on it.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn until_seen(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text)).await
    }

    /// How the chat ended, once it has.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn ended(&self) -> i32 {
        let told = |screen: &str| {
            let (_, status) = screen.rsplit_once(ENDED)?;
            status.trim().parse().ok()
        };
        let screen = self
            .until("the end of the chat", |screen| told(screen).is_some())
            .await;
        told(&screen).expect("a status")
    }

    fn tmux<S: AsRef<OsStr>>(&self, words: &[S]) -> Output {
        Command::new("tmux")
            .args(["-u", "-f", "/dev/null", "-S"])
            .arg(self.folder.path().join("socket"))
            .args(words)
            .env_remove("TMUX")
            .stdin(Stdio::null())
            .output()
            .expect("tmux: install it with `apt-get install tmux`")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
