//! Two hundred conversations over six channels at once, while processes are killed and connections break. Each message bears the name of its
//! conversation and its number; a checker outside the gateway looks at every chat for what belongs elsewhere, is missing or is there twice.
//!
//! The number of messages is small here; `GATEHOUSE_TEST_TURNS=100000` asks for more.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::join_all;
use gatehouse_fakes::{discord::Discord, signal::Daemon, slack::Workspace, telegram::BotApi, whatsapp};
use gatehouse_tests::{Gateway, platform::Platform, until, wait::until_within};
use serde_json::{Value, json};
use tokio::time::{Instant, interval};

use crate::with_an_answer_each;

/// Conversations, in turn of the channels.
const CONVERSATIONS: usize = 200;
/// Messages of all of them together, unless somebody asks for more: two of each.
const TURNS: usize = 2 * CONVERSATIONS;
/// Who dies, one in each round: as often as not the one that holds the chats.
const VICTIMS: [&str; 6] = [
    "channel-bridge",
    "session",
    "channel-bridge",
    "agent",
    "channel-bridge",
    "edge",
];
/// Long enough for what a kill and a break hold up, with growing waits before each attempt.
const SETTLE: Duration = Duration::from_secs(180);
/// How often all chats are looked at: they are read whole.
const LOOK: Duration = Duration::from_millis(100);
/// A phone says again what was not received, under the same moment.
const SAID_AGAIN: Duration = Duration::from_secs(3);
/// What the bridge puts in front of a text that may have been said already, because nobody knows.
const RESENT: &str = "(resent)";

fn turns() -> usize {
    std::env::var_os("GATEHOUSE_TEST_TURNS")
        .and_then(|turns| turns.to_str()?.parse().ok())
        .unwrap_or(TURNS)
}

/// The six platforms.
pub(crate) struct World {
    pub(crate) telegram: BotApi,
    pub(crate) slack: Workspace,
    pub(crate) discord: Discord,
    pub(crate) whatsapp: whatsapp::Cloud,
    pub(crate) signal: Daemon,
    pub(crate) webhook: Platform,
    http: reqwest::Client,
}

/// A message that somebody says: who, in which conversation, and as which of it.
#[derive(Clone, Copy, Debug)]
struct Said {
    conversation: usize,
    turn: usize,
}

impl Said {
    /// What no other message has in it.
    fn tag(self) -> String {
        format!("[c{}t{}]", self.conversation, self.turn)
    }

    /// The number of the person on the platform.
    fn person(self) -> String {
        match self.conversation % 6 {
            1 => format!("U{}", self.conversation),
            3 => format!("4917000{:06}", self.conversation),
            4 => format!("00000000-0000-4000-8000-{:012}", self.conversation),
            5 => format!("person{}", self.conversation),
            _ => (1_000 + self.conversation).to_string(),
        }
    }

    /// The chat in which the person is answered, by channel.
    fn chat(self) -> (usize, String) {
        let channel = self.conversation % 6;
        let person = self.person();
        let chat = match channel {
            1 => format!("D{person}"),
            2 => format!("1{person}"),
            _ => person,
        };
        (channel, chat)
    }

    /// A moment that belongs to this message alone.
    fn moment(self) -> usize {
        1_790_000_000_000 + self.turn * CONVERSATIONS + self.conversation
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self {
            telegram: BotApi::start().await,
            slack: Workspace::start().await,
            discord: Discord::start().await,
            whatsapp: whatsapp::Cloud::start().await,
            signal: Daemon::start().await,
            webhook: Platform::start().await,
            http: reqwest::Client::new(),
        }
    }

    /// A configuration in which anybody may talk, everybody in a conversation of their own.
    pub(crate) fn config(&self) -> Value {
        let mut channels = self.webhook.config();
        let all = json!({
            "telegram": {"botToken": self.telegram.token(), "apiRoot": self.telegram.root(), "streaming": "off"},
            "slack": {"botToken": self.slack.bot_token(), "appToken": self.slack.app_token(),
                "apiRoot": self.slack.root(), "streaming": "off"},
            "discord": {"token": self.discord.token(), "apiRoot": self.discord.root(), "streaming": "off"},
            "whatsapp": {"phoneNumberId": whatsapp::NUMBER, "accessToken": self.whatsapp.token(),
                "appSecret": self.whatsapp.app_secret(), "verifyToken": "a word of ours", "apiRoot": self.whatsapp.root()},
            "signal": {"account": gatehouse_fakes::signal::NUMBER, "httpUrl": self.signal.root()},
        });
        for (name, channel) in all.as_object().into_iter().flatten() {
            channels[name] = channel.clone();
        }
        for channel in channels.as_object_mut().expect("channels").values_mut() {
            channel["dmPolicy"] = "open".into();
            channel["allowFrom"] = json!(["*"]);
            channel["rateLimit"] = json!({"burst": 1_000, "perSecond": 1_000});
        }
        let mut config = with_an_answer_each(&channels);
        config["session"] = json!({"dmScope": "per-channel-peer"});
        config
    }

    /// Waits until those are connected who lose what is said before.
    pub(crate) async fn connected(&self) {
        until("connections", async || {
            let all = !self.discord.identified().is_empty() && self.signal.is_heard();
            all.then_some(())
        })
        .await;
    }

    /// Says something; returns when the platform takes no more care of it.
    async fn say(&self, gateway: &Gateway, said: Said) {
        let (person, tag) = (said.person(), said.tag());
        match said.conversation % 6 {
            0 => drop(self.telegram.says(person.parse().expect("a number"), &tag)),
            1 => drop(self.slack.says(&person, &tag)),
            2 => drop(self.discord.says(&person, &tag)),
            3 => {
                let text = whatsapp::text(&person, &format!("wamid.{tag}"), &tag);
                let body = whatsapp::post(&person, &[text], json!({})).to_string();
                until_within(SETTLE, "a post that is taken", async || {
                    let address = format!("{}/webhooks/whatsapp/default", gateway.http());
                    let mut request = self.http.post(address).body(body.clone());
                    for (name, value) in self.whatsapp.signed(&body) {
                        request = request.header(name, value);
                    }
                    let answer = request.send().await.ok()?;
                    answer.status().is_success().then_some(())
                })
                .await;
            }
            4 => self.phone(said),
            _ => {
                until_within(SETTLE, "an acknowledgement", async || {
                    let taken = self.webhook.deliver(gateway, &tag, &person, &tag).await;
                    taken.then_some(())
                })
                .await;
            }
        }
    }

    /// Its stream has no memory: what nobody heard is said again.
    fn phone(&self, said: Said) {
        let message = json!({"timestamp": said.moment(), "message": said.tag()});
        self.signal
            .envelope(&said.person(), json!({"dataMessage": message}));
    }

    /// All that was answered, each with its chat.
    pub(crate) fn answers(&self) -> Vec<((usize, String), String)> {
        let telegram = self.telegram.seen().into_iter();
        let slack = self.slack.seen().into_iter();
        let discord = self.discord.seen().into_iter();
        let whatsapp = self.whatsapp.seen().into_iter();
        let signal = self.signal.seen().into_iter();
        // Whoever takes them knows a repeat by its key.
        let mut keys = BTreeSet::new();
        let text = |reply: &Value, name: &str| reply[name].as_str().unwrap_or_default().to_owned();
        let replies = self.webhook.replies().into_iter();
        let webhook = replies.filter(|reply| keys.insert(reply["id"].to_string()));
        telegram
            .map(|seen| ((0, seen.chat), seen.text))
            .chain(slack.map(|seen| ((1, seen.channel), seen.text)))
            .chain(discord.map(|seen| ((2, seen.channel), seen.text)))
            .chain(whatsapp.map(|seen| ((3, seen.to), seen.text)))
            .chain(signal.map(|seen| ((4, seen.to), seen.text)))
            .chain(webhook.map(|reply| ((5, text(&reply, "to")), text(&reply, "text"))))
            .collect()
    }

    /// Connections break.
    fn cut(&self, round: usize) {
        match round % 4 {
            0 => self.slack.cut(),
            1 => self.discord.cut(),
            2 => self.signal.cut(),
            _ => self.telegram.conflict(),
        }
    }
}

/// The tags in a text, each as it stands.
fn tags(text: &str) -> BTreeSet<String> {
    let begun = text.split("[c").skip(1);
    begun
        .filter_map(|rest| rest.split_once(']'))
        .map(|(inside, _)| format!("[c{inside}]"))
        .collect()
}

/// Waits until each of these was answered.
async fn answered(world: &World, round: &[Said]) {
    let begun = Instant::now();
    let mut said_last = begun;
    let mut look = interval(LOOK);
    loop {
        look.tick().await;
        let texts: Vec<String> = world.answers().into_iter().map(|(_, text)| text).collect();
        let known: BTreeSet<String> = texts.iter().flat_map(|text| tags(text)).collect();
        let missing: Vec<Said> = round
            .iter()
            .copied()
            .filter(|said| !known.contains(&said.tag()))
            .collect();
        if missing.is_empty() {
            return;
        }
        assert!(begun.elapsed() < SETTLE, "without an answer: {missing:?}");
        if said_last.elapsed() >= SAID_AGAIN {
            said_last = Instant::now();
            let phones = missing.iter().filter(|said| said.conversation % 6 == 4);
            phones.for_each(|said| world.phone(*said));
        }
    }
}

#[tokio::test]
async fn two_hundred_conversations_over_six_channels_keep_apart_and_lose_and_double_nothing() {
    let world = World::start().await;
    let gateway = Gateway::start(&world.config()).await;
    world.connected().await;
    let rounds = turns().div_ceil(CONVERSATIONS);

    for turn in 0..rounds {
        let round: Vec<Said> = (0..CONVERSATIONS)
            .map(|conversation| Said { conversation, turn })
            .collect();
        let (first, second) = round.split_at(CONVERSATIONS / 2);
        join_all(first.iter().map(|said| world.say(&gateway, *said))).await;
        gateway.kill(VICTIMS[turn % VICTIMS.len()]).await;
        world.cut(turn);
        join_all(second.iter().map(|said| world.say(&gateway, *said))).await;
        answered(&world, &round).await;
    }

    let mut times: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (chat, text) in world.answers() {
        for tag in tags(&text) {
            let conversation = tag.trim_start_matches("[c").split('t').next();
            let conversation = conversation.and_then(|number| number.parse().ok());
            let conversation = conversation.expect("a tag of ours");
            let owner = Said {
                conversation,
                turn: 0,
            }
            .chat();
            assert_eq!(chat, owner, "{tag} is in somebody else's chat: {text:?}");
            let (plain, labelled) = times.entry(tag).or_default();
            *(if text.contains(RESENT) { labelled } else { plain }) += 1;
        }
    }
    assert_eq!(times.len(), rounds * CONVERSATIONS, "each was answered");
    for (tag, (plain, labelled)) in times {
        assert!(plain <= 1, "{tag} is answered {plain} times");
        assert!(plain + labelled >= 1, "{tag} is not answered");
    }
}
