//! The manual is true word by word: every command in a `sh` block of these pages is run, in order, in one shell, against a real gateway.
//!
//! A comment in front of a block says otherwise, with the reason (`<!-- not run: ... -->`), or what has to be so before it
//! (`<!-- before: gatehouse up -d -->`). The ports that the pages name are replaced by free ones.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::support::{Person, err, out};

const SECRET: &str = "a-secret-of-enough-letters";

/// A `sh` or `json5` block of a page.
struct Block {
    line: usize,
    kind: String,
    text: String,
    /// Why it is not run.
    not_run: Option<String>,
    before: Option<String>,
}

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    fs::read_to_string(path).unwrap()
}

fn blocks(page: &str) -> Vec<Block> {
    let (mut found, mut open, mut comment) = (Vec::<Block>::new(), false, String::new());
    for (index, line) in page.lines().enumerate() {
        match line.trim_start().strip_prefix("```") {
            Some(kind) if !open => {
                let told = |key: &str| {
                    let said = comment
                        .strip_prefix("<!-- ")?
                        .strip_suffix(" -->")?
                        .strip_prefix(key)?;
                    Some(said.trim().to_owned())
                };
                found.push(Block {
                    line: index + 1,
                    kind: kind.trim().to_owned(),
                    text: String::new(),
                    not_run: told("not run:"),
                    before: told("before:"),
                });
                open = true;
            }
            Some(_) => open = false,
            None if open => found.last_mut().unwrap().text += &format!("{line}\n"),
            None if !line.trim().is_empty() => comment = line.trim().to_owned(),
            None => {}
        }
        if line.trim().is_empty() {
            comment.clear(); // a comment stands right in front of its block
        }
    }
    found
}

fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

/// Somebody with the binary on their path, in a checkout that has a `data` folder with this configuration.
struct Reader {
    person: Person,
    port: String,
    metrics: String,
}

impl Reader {
    fn new(configuration: &str) -> Self {
        let (person, port, metrics) = (Person::new(), free_port(), free_port());
        let work = person.path("work");
        fs::create_dir_all(work.join("data")).unwrap();
        fs::create_dir(person.path("bin")).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_gatehouse"), person.path("bin/gatehouse")).unwrap();
        let closed = configuration
            .trim_end()
            .strip_suffix('}')
            .unwrap()
            .trim_end()
            .to_owned();
        let comma = if closed.ends_with([',', '{']) { "" } else { "," };
        let document = format!("{closed}{comma}\n  gateway: {{ port: {port} }},\n}}\n");
        fs::write(work.join("data/gatehouse.json5"), document).unwrap();
        Self {
            person,
            port,
            metrics,
        }
    }

    /// Runs the blocks of a page in one shell, as far as they are to be run.
    fn follow(&self, name: &str) -> usize {
        let all = blocks(&page(name));
        let mut script = "set -eu -o pipefail\ngit init -q .\n".to_owned();
        let mut count = 0;
        for block in all.iter().filter(|block| block.kind == "sh") {
            if let Some(reason) = &block.not_run {
                assert!(
                    reason.split_whitespace().count() >= 4,
                    "docs/{name}:{}: why not?",
                    block.line
                );
                continue;
            }
            count += 1;
            let before = block.before.as_deref().unwrap_or("true");
            script += &format!("{before}\necho '@@ docs/{name}:{}'\n{}\n", block.line, block.text);
        }
        let script = script
            .replace("18789", &self.port)
            .replace("18790", &self.metrics);
        let path = self.person.path("script");
        fs::write(&path, script).unwrap();
        let output = self.shell(&path);
        assert!(
            output.status.success(),
            "docs/{name} is not true after the last block that is named here\n{}\n{}",
            out(&output),
            err(&output)
        );
        count
    }

    fn shell(&self, script: &Path) -> Output {
        let as_this_user = self.person.command("work", &[]);
        let mut shell = Command::new("bash");
        shell
            .arg(script)
            .current_dir(self.person.path("work"))
            .env_clear();
        shell.envs(
            as_this_user
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let path = std::env::var_os("PATH").unwrap();
        let path = path.to_string_lossy();
        shell
            .env("PATH", format!("{}:{path}", self.person.path("bin").display()))
            .env("WEBHOOK_SECRET", SECRET)
            .env("GATEHOUSE_METRICS_LISTEN", format!("127.0.0.1:{}", self.metrics))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn start(&self) {
        let path = self.person.path("start");
        fs::write(&path, "gatehouse up -d --home data\n").unwrap();
        let output = self.shell(&path);
        assert!(output.status.success(), "{}{}", out(&output), err(&output));
    }
}

#[test]
fn getting_started_can_be_followed_word_by_word() {
    let all = blocks(&page("getting-started.md"));
    let samples: Vec<_> = all.iter().filter(|block| block.kind == "json5").collect();
    let webhook = samples
        .iter()
        .find(|block| block.text.contains("webhook:"))
        .unwrap();
    let reader = Reader::new(&webhook.text);
    reader.start();

    assert!(reader.follow("getting-started.md") >= 3);

    // Every sample is a document that runs.
    assert!(samples.len() >= 3);
    for sample in samples {
        let path = reader.person.path("sample.json5");
        fs::write(&path, &sample.text).unwrap();
        let mut validate = reader
            .person
            .command("work", &["config", "validate", path.to_str().unwrap()]);
        let output = validate
            .env("WEBHOOK_SECRET", SECRET)
            .env("OPENAI_API_KEY", "sk-of-a-test")
            .output()
            .unwrap();
        let line = sample.line;
        assert!(
            output.status.success(),
            "docs/getting-started.md:{line}: {}",
            err(&output)
        );
        assert!(
            !out(&output).contains("unknown key"),
            "docs/getting-started.md:{line}: {}",
            out(&output)
        );
    }
}

#[test]
fn operations_can_be_followed_word_by_word() {
    let reader = Reader::new("{}");

    assert!(reader.follow("operations.md") >= 3);
}

#[test]
fn http_can_be_followed_word_by_word() {
    let reader = Reader::new("{}");
    reader.start();

    assert!(reader.follow("http.md") >= 2);
}

#[test]
fn a_block_is_found_with_the_comment_in_front_of_it_and_no_other() {
    let text = "<!-- not run: it is an example of one -->\n```sh\na\n```\n\n<!-- before: b -->\n\n```sh\nc\nd\n```\n";

    let found = blocks(text);

    assert_eq!(found.len(), 2);
    assert_eq!(found[0].not_run.as_deref(), Some("it is an example of one"));
    assert_eq!((found[1].line, found[1].text.as_str()), (8, "c\nd\n"));
    assert!(found[1].before.is_none() && found[1].not_run.is_none());
}
