//! `gatehouse message`.

use std::{fs::File, io::Read, path::Path};

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Caller, sessions::given};
use crate::{
    args::{
        Common,
        nouns::{Message, MessageSend, MessageVerb},
    },
    exit::{Exit, Failed},
    term::Style,
};

/// The longest message, as the contract says.
const TEXT_BYTES_MAX: u64 = 1024 * 1024;
/// All files of one message: what fits into the largest request (25 MiB) as base64 with its message beside it.
const FILES_BYTES_MAX: u64 = 18 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    channel: String,
    account_id: String,
}

pub(crate) async fn run(common: &Common, message: &Message, style: Style) -> Result<(), Failed> {
    let MessageVerb::Send(send) = &message.verb;
    let text = text_of(send)?;
    let files = files_of(&send.file)?;
    let choices: Vec<Value> = send.choice.iter().map(|choice| choice_of(choice)).collect();
    let key = send.key.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let params = given([
        ("to", json!(send.to)),
        ("message", json!(text)),
        ("idempotencyKey", json!(key)),
        ("channel", json!(send.channel)),
        ("accountId", json!(send.account)),
        ("threadId", json!(send.thread)),
        ("replyToId", json!(send.reply_to)),
        ("attachments", json!((!files.is_empty()).then_some(files))),
        ("choices", json!((!choices.is_empty()).then_some(choices))),
    ]);
    let mut caller = Caller::connect(common, style, &["send"]).await?;
    let answer = caller.ask("send", &params).await?;
    let stored: Stored = answer.read()?;
    let sentence = format!(
        "kept for {}/{}, which sends it to {}",
        stored.channel, stored.account_id, send.to
    );
    caller.done(&answer, &sentence)?;
    caller.close().await;
    Ok(())
}

fn text_of(send: &MessageSend) -> Result<String, Failed> {
    let text = if send.text == ["-"] {
        let mut text = String::new();
        let read = std::io::stdin()
            .lock()
            .take(TEXT_BYTES_MAX + 1)
            .read_to_string(&mut text);
        read.map_err(|error| Failed::new(Exit::Usage, format!("cannot read the input: {error}")))?;
        text.trim_end().to_owned()
    } else {
        send.text.join(" ")
    };
    if text.trim().is_empty() && send.file.is_empty() && send.choice.is_empty() {
        return Err(Failed::new(
            Exit::Usage,
            "there is nothing to send: the text is empty",
        ));
    }
    if u64::try_from(text.len()).is_ok_and(|length| length > TEXT_BYTES_MAX) {
        return Err(Failed::new(
            Exit::Usage,
            "the text is longer than a message may be (1 MiB)",
        ));
    }
    Ok(text)
}

/// A label, and what stands for it: itself, where nothing does.
fn choice_of(choice: &str) -> Value {
    match choice.split_once('=') {
        Some((label, value)) => json!({"label": label, "value": value}),
        None => json!({"label": choice, "value": ""}),
    }
}

/// The files as clients attach them.
fn files_of(paths: &[impl AsRef<Path>]) -> Result<Vec<Value>, Failed> {
    let mut left = FILES_BYTES_MAX;
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let path = path.as_ref();
        let shown = path.display();
        let usage = |problem: String| Failed::new(Exit::Usage, problem);
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(left + 1).read_to_end(&mut bytes));
        read.map_err(|error| usage(format!("cannot read {shown}: {error}")))?;
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        left = left.checked_sub(size).ok_or_else(|| {
            let most = FILES_BYTES_MAX / (1024 * 1024);
            usage(format!("the files are larger than one message may carry ({most} MiB together): send {shown} by itself, or a link to it"))
        })?;
        if bytes.is_empty() {
            return Err(usage(format!("{shown} is empty")));
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        files.push(json!({"fileName": name, "content": BASE64.encode(&bytes)}));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::{choice_of, files_of};

    #[test]
    fn a_choice_has_a_label_and_may_say_something_else() {
        use serde_json::json;

        // The contract wants a value, and a blank one is the label.
        assert_eq!(choice_of("Yes"), json!({"label": "Yes", "value": ""}));
        assert_eq!(
            choice_of("No=/deny a=b"),
            json!({"label": "No", "value": "/deny a=b"})
        );
    }

    #[test]
    fn files_are_read_whole_and_what_cannot_be_sent_is_said_before_anything_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("a file");
            path
        };

        let files = files_of(&[file("cat.txt", b"hi")]).expect("it is there");

        assert_eq!(
            files,
            [serde_json::json!({"fileName": "cat.txt", "content": "aGk="})]
        );
        let refused = |path| files_of(&[path]).expect_err("it cannot be sent").to_string();
        assert!(refused(folder.path().join("dog.txt")).contains("cannot read"));
        assert!(refused(file("nothing", b"")).contains("is empty"));
        let large = file("large", &vec![7; 19 * 1024 * 1024]);
        assert!(refused(large).contains("18 MiB"));
    }
}
