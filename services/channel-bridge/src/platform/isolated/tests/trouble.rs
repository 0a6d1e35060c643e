//! A platform that does as the tests say, harm included. Its people speak by requests, and what is said to them is a line of a file.

use std::{fs, io::Write, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::time;

use crate::{
    account::AccountState,
    adapter::{
        Adapter, Capabilities, Ended, FetchError, HttpAnswer, HttpHead, HttpRequest, InboundMessage,
        InboundSink, Limits, Link, Liveness, Preview, PreviewError, Previews, Rate, Receipt, ReceiveError,
        Remark, Remote, Report, SendPart, Shown, TextLimit, TextShape, TextUnit,
    },
    media::MediaReader,
    platform::{Deps, Platform},
};

/// Nobody may see it beside the process.
pub(super) const SECRET: &str = "open sesame, and quickly";
/// The name under which a value is remembered.
pub(super) const NOTE: &str = "note";
const TEXT: TextLimit = TextLimit::new(TextUnit::Bytes, 1_000, TextShape::Plain);
const FAST: Rate = Rate {
    burst: 1_000,
    per_second: 1_000.0,
};

/// The adapter.
pub(super) struct Software {
    folder: PathBuf,
    state: AccountState,
    media: MediaReader,
}

impl Platform for Software {
    const NAME: &'static str = "trouble";
    const LABEL: &'static str = "Trouble";
    type Config = PathBuf;

    fn read(account: &Value) -> Result<PathBuf, String> {
        if account["secret"] != SECRET {
            return Err("the secret is wrong".to_owned());
        }
        let folder = account["folder"].as_str().ok_or("folder is missing")?;
        Ok(folder.into())
    }

    fn open(config: &PathBuf, deps: Deps) -> Arc<dyn Adapter> {
        Arc::new(Self {
            folder: config.clone(),
            state: deps.state,
            media: deps.media,
        })
    }
}

impl Software {
    /// Writes a file at once.
    fn show(&self, name: &str, text: &[u8]) {
        let draft = self.folder.join(format!("{name}.draft"));
        fs::write(&draft, text).expect("written");
        fs::rename(draft, self.folder.join(name)).expect("put there whole");
    }

    async fn say(&self, part: &SendPart) {
        for medium in &part.media {
            let kept = self.media.open(medium).await.expect("the file");
            let pieces: Vec<_> = kept.bytes.map(|piece| piece.expect("a piece")).collect().await;
            let name = medium.name.clone().expect("a name");
            self.show(&format!("file-{name}"), &pieces.concat());
        }
        let mut heard = fs::OpenOptions::new();
        let heard = heard.append(true).create(true).open(self.folder.join("heard"));
        let line = json!(part.text);
        writeln!(heard.expect("the file"), "{line}").expect("written");
    }
}

#[async_trait]
impl Adapter for Software {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            media: true,
            typing: true,
            previews: Some(Previews {
                every: Duration::from_millis(100),
                every_shared: Duration::from_millis(100),
                vanish: false,
            }),
            idempotent_sends: true,
            separate_sends: true,
            ..Capabilities::text_only(TEXT)
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            parts_max: 100,
            account_rate: FAST,
            chat_rate: FAST,
            concurrency: 4,
            send_timeout: Duration::from_secs(30),
            // A sign of life comes four times in a second.
            liveness: Some(Liveness {
                degraded_after: Duration::from_secs(2),
                dead_after: Duration::from_secs(5),
            }),
        }
    }

    async fn run(&self, mut link: Link) -> Ended {
        let note = self.state.get(NOTE).await.ok().flatten().unwrap_or_default();
        self.show("note", &note);
        self.show("pid", std::process::id().to_string().as_bytes());
        link.progress.connected();
        let mut signs = time::interval(Duration::from_millis(250));
        loop {
            tokio::select! {
                request = link.outgoing.recv() => {
                    let Some(mut request) = request else { return Ended::Retry("asked to end".into()) };
                    request.begin();
                    self.say(request.part()).await;
                    let platform_id = Some(request.part().key.clone());
                    request.answer(Ok(Receipt { platform_id, ..Receipt::default() }));
                }
                Some(_) = link.typing.recv() => {}
                _ = signs.tick() => link.progress.heard(),
            }
        }
    }

    async fn fetch(&self, address: &str) -> Result<Remote, FetchError> {
        let read = fs::read(self.folder.join(address));
        let bytes = read.map_err(|_| FetchError::Never("there is no such file".into()))?;
        Ok(Remote {
            declared: Some("image/png".into()),
            bytes_max: 1_000_000,
            bytes: futures::stream::iter([Ok(bytes.into())]).boxed(),
        })
    }

    async fn preview(&self, preview: &Preview) -> Result<Shown, PreviewError> {
        self.show("preview", preview.text.as_bytes());
        Ok(Shown {
            id: Some("p".to_owned()),
        })
    }

    fn http_head(&self, head: &HttpHead, _: &InboundSink) -> Option<Result<usize, HttpAnswer>> {
        Some(match head.method.as_str() {
            "POST" => Ok(1_048_576),
            _ => Err(status(405)),
        })
    }

    async fn http(&self, request: HttpRequest, inbound: &InboundSink) -> Option<HttpAnswer> {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        Some(status(match request.head.target.as_str() {
            "/say" => {
                let message: InboundMessage = serde_json::from_value(body).expect("a message");
                match inbound.receive(message).await {
                    Ok(_) => 202,
                    Err(_) => 503,
                }
            }
            "/remark" => {
                let reacted = body["reacted"].as_str().expect("a reaction").to_owned();
                inbound.remark(
                    body["chat"].as_str().expect("a chat"),
                    &[],
                    Remark::Reacted(reacted),
                );
                200
            }
            "/report" => match inbound.report(body.as_str().expect("an id"), Report::Read).await {
                Ok(()) => 200,
                Err(ReceiveError::Invalid(_)) => 400,
                Err(_) => 503,
            },
            "/remember" => {
                let note = body.as_str().expect("a note").as_bytes().to_vec();
                self.state.put(NOTE, note).await.map_or(503, |()| 200)
            }
            "/spin" => loop {
                std::hint::spin_loop();
            },
            "/eat" => {
                let mut eaten: Vec<Vec<u8>> = Vec::new();
                loop {
                    eaten.push(vec![1; 1 << 20]);
                    std::hint::black_box(&eaten);
                }
            }
            "/abort" => std::process::abort(),
            _ => 404,
        }))
    }
}

fn status(status: u16) -> HttpAnswer {
    HttpAnswer {
        status,
        retry_after: None,
        body: String::new(),
    }
}

/// What somebody on the platform sends.
pub(super) fn spoken(target: &str, body: &str) -> HttpRequest {
    HttpRequest {
        head: HttpHead {
            method: "POST".to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            peer: "192.0.2.1".to_owned(),
        },
        body: body.to_owned().into(),
    }
}
