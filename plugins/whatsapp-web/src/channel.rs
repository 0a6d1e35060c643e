//! The channel: what it is, and how an account comes to be connected.

use std::{path::PathBuf, sync::Arc, time::Duration};

use gatehouse_plugin_sdk::{Channel, Link, for_good, for_now};
use gatehouse_proto::channel::v1::{
    ChannelCapabilities, ChannelLimits, DescribeChannelResponse, Ended, Notice, NoticeTopic, SendPace,
    StartAccount, TextLimit, TextShape, TextUnit, run_account_response::Message,
};
use tokio::{
    sync::{Semaphore, watch},
    time::{self, Instant},
};

use crate::{
    CHANNEL, Network,
    account::{Login, over},
    hear::{Hearing, Memory},
    media::FILE_BYTES_MAX,
    place::Place,
    session::Session,
    settings::{SCHEMA, Settings},
    stage::{self, Over, Stage},
};

/// How long somebody has to link an account before no more codes are asked for: an account that nobody links must not ask WhatsApp for ever.
const LINKED_WITHIN: Duration = Duration::from_secs(8 * 60);
/// How long WhatsApp may take to be there, or to give a first code.
const THERE_WITHIN: Duration = Duration::from_secs(60);
/// How long it may take behind linking: the phone shares keys first, and the client gives it three minutes for that.
const SHARED_WITHIN: Duration = Duration::from_secs(200);
/// How long the account's last session may take to be gone.
const FREE_WITHIN: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(100);
/// What WhatsApp takes is sixteen times as much; a phone shows this much without a fold.
const TEXT_MAX: u32 = 4_096;

/// WhatsApp Web.
#[derive(Debug)]
pub struct WhatsappWeb {
    state: PathBuf,
    network: Network,
}

impl WhatsappWeb {
    /// One whose credentials are in this folder.
    #[must_use]
    pub fn new(state: PathBuf, network: Network) -> Self {
        Self { state, network }
    }
}

/// What one session came to.
enum Came {
    Connected,
    Codes,
}

impl Channel for WhatsappWeb {
    type Account = Login;

    const KEY: &'static str = CHANNEL;

    fn describe(&self) -> DescribeChannelResponse {
        DescribeChannelResponse {
            label: "WhatsApp Web".into(),
            account_schema: SCHEMA.into(),
            capabilities: Some(ChannelCapabilities {
                text: Some(TextLimit {
                    unit: TextUnit::Chars.into(),
                    max: TEXT_MAX,
                    shape: TextShape::Markdown.into(),
                    address_counts: false,
                }),
                media_bytes_max: i64::try_from(FILE_BYTES_MAX).unwrap_or(i64::MAX),
                // A changed message says so to everybody, and after a quarter of an hour it cannot be changed: answers come whole.
                edit: false,
                threads: false,
                reactions: true,
                typing: true,
                previews: None,
                idempotent_sends: true,
                separate_sends: false,
                choices_max: 0, // buttons are for businesses
            }),
            limits: Some(ChannelLimits {
                parts_max: 8,
                // A person at a phone is not faster, and who is faster is looked at.
                account: Some(SendPace {
                    burst: 6,
                    per_minute: 30,
                }),
                chat: Some(SendPace {
                    burst: 4,
                    per_minute: 20,
                }),
                concurrency: 2,
                send_timeout_ms: 60_000,
                http_bytes_max: 0,
            }),
            programs: false,
        }
    }

    async fn open(&self, start: StartAccount, link: Arc<Link>) -> Result<Login, Ended> {
        let settings = Settings::read(&start.config).map_err(for_good)?;
        let place = Arc::new(self.place(&start.account_id).await?);
        let memory = Arc::new(Memory::default());
        let until = Instant::now() + LINKED_WITHIN;
        loop {
            let missed = watch::Sender::new(None);
            let seen = missed.subscribe();
            let hearing = Hearing {
                link: Arc::clone(&link),
                memory: Arc::clone(&memory),
                send_read_receipts: settings.send_read_receipts,
                missed,
            };
            let session = Session::begin(&self.network, Arc::clone(&place), &settings, hearing)
                .await
                .map_err(for_now)?;
            let came = connect(&session, &place, &link, seen.clone(), until).await;
            match came {
                Ok(Came::Connected) => {
                    return Ok(Login {
                        session,
                        place,
                        memory,
                        missed: seen,
                        uploads: Semaphore::new(1),
                    });
                }
                Ok(Came::Codes) => session.end().await,
                Err(ended) => {
                    session.end().await;
                    return Err(ended);
                }
            }
        }
    }
}

impl WhatsappWeb {
    /// The folder of the account, once its last session is gone.
    async fn place(&self, account: &str) -> Result<Place, Ended> {
        let until = Instant::now() + FREE_WITHIN;
        loop {
            match Place::take(&self.state, account) {
                Ok(place) => return Ok(place),
                Err(reason) if Instant::now() >= until => return Err(for_now(reason)),
                Err(_) => time::sleep(LOOK).await,
            }
        }
    }
}

/// Waits until the session is connected; meanwhile the bridge is told what somebody has to do.
async fn connect(
    session: &Session,
    place: &Place,
    link: &Link,
    mut missed: watch::Receiver<Option<String>>,
    until: Instant,
) -> Result<Came, Ended> {
    let there = Instant::now() + THERE_WITHIN;
    let mut stages = session.stage();
    let mut told = Stage::default();
    loop {
        let stage = stages.borrow_and_update().clone();
        tell(link, &told, &stage).await;
        match &stage.over {
            Some(Over::Codes) if Instant::now() < until => return Ok(Came::Codes),
            Some(Over::Codes) => return Err(nobody()),
            Some(end) => return Err(over(place, end)),
            None => {}
        }
        if stage.connected {
            return Ok(Came::Connected);
        }
        if stage.stopped {
            return Err(stage::stopped());
        }
        if let Some(reason) = missed.borrow_and_update().clone() {
            return Err(for_now(reason)); // nothing is said to WhatsApp behind it
        }
        let waits_for_person = stage.login.is_some();
        let deadline = match (stage.restarts, stage.typed_until) {
            // Nothing is left to scan, and the code to type holds a little longer.
            (_, Some(typed_until)) if waits_for_person && stage.scanned_out => typed_until.min(until),
            _ if waits_for_person => until,
            (Some(since), _) => since + SHARED_WITHIN,
            (None, _) => there.max(Instant::now() + LOOK),
        };
        tokio::select! {
            changed = stages.changed() => if changed.is_err() {
                return Err(stage::stopped());
            },
            Ok(()) = missed.changed() => {}
            () = time::sleep_until(deadline) => return match (waits_for_person, session.is_linked()) {
                (true, _) if deadline < until => Ok(Came::Codes),
                (true, _) => Err(nobody()),
                (false, true) => Err(for_now("WhatsApp does not answer")),
                (false, false) => Err(for_now("WhatsApp gives no code to link the account with")),
            },
        }
        told = stage;
    }
}

fn nobody() -> Ended {
    for_good(format!(
        "nobody has linked the account within {} minutes; `gatehouse channels login {CHANNEL}` shows another code",
        LINKED_WITHIN.as_secs() / 60
    ))
}

/// Says what is different.
async fn tell(link: &Link, before: &Stage, now: &Stage) {
    if let Some(login) = &now.login
        && before.login.as_ref() != Some(login)
    {
        link.say(Message::Login(login.clone())).await;
    }
    let notice = |stage: &Stage| match (&stage.trouble, stage.restarts) {
        (Some(trouble), _) => Some(trouble.clone()),
        (None, Some(_)) => Some(
            "the account is linked; WhatsApp begins the connection anew, as it does once (515)".to_owned(),
        ),
        (None, None) => None,
    };
    let text = notice(now);
    if text != notice(before) {
        let topic = NoticeTopic::Login.into();
        link.say(Message::Notice(Notice { topic, text })).await;
    }
}
