//! The echo agent: repeats what it was told, word by word, and says what it is. The only pretend part of the gateway.
//!
//! For trying things out it understands `[[echo tokens=N delay=MS]]` anywhere in a message: N words, one every MS milliseconds.

use std::time::Duration;

use gatehouse_proto::agent::v1::Usage;

use super::{Answered, StopReason};
use crate::{
    answer::{Answer, TooLong},
    request::{Message, Question, Role},
};

/// The pause between words: visible as streaming, and still quick.
const PAUSE: Duration = Duration::from_millis(5);

/// Bounds of what a message may ask for.
const TOKENS_MAX: u64 = 20_000;
const DELAY_MAX: Duration = Duration::from_secs(5);

/// Streams the answer.
pub(crate) async fn answer(question: &Question, answer: &mut Answer) -> Answered {
    let said = question
        .messages
        .iter()
        .rev()
        .find(|message| message.role == Role::User);
    let said = said.map_or_else(String::new, |message| message.content.clone().into_words());
    let (words, pause) = match Script::read(&said) {
        Some(script) => (script.words(), script.delay),
        None => (words(&reply(&said, question)), PAUSE),
    };
    let output = i64::try_from(words.len()).unwrap_or(i64::MAX);
    for word in words {
        if let Err(TooLong) = answer.say(word).await {
            return Answered::cut_off();
        }
        tokio::time::sleep(pause).await;
    }
    let input = question.messages.iter().map(read_tokens).sum();
    Answered {
        stop_reason: StopReason::Stop,
        usage: Some(Usage {
            input,
            output,
            total_tokens: input + output,
        }),
    }
}

/// What to do about it is told where an operator reads it; people in a chat cannot do it.
fn reply(said: &str, question: &Question) -> String {
    let agent = &question.agent_name;
    let next = if question.in_chat {
        "Its owner has not set up a model yet."
    } else {
        "For real answers, run `gatehouse setup`; or add a provider under models.providers in gatehouse.json5 and name its model in \
         agents.defaults.model.primary."
    };
    format!("{said}\n\n(This is the echo agent of \"{agent}\": it only repeats what you say. {next})")
}

/// Words with the space before them, so that joined they are the text.
fn words(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

fn read_tokens(message: &Message) -> i64 {
    i64::try_from(message.content.words().split_whitespace().count()).unwrap_or(i64::MAX)
}

/// What a message asks the echo to do.
#[derive(Debug, PartialEq, Eq)]
struct Script {
    tokens: u64,
    delay: Duration,
}

impl Script {
    fn read(said: &str) -> Option<Self> {
        let (_, rest) = said.split_once("[[echo ")?;
        let (inside, _) = rest.split_once("]]")?;
        let mut script = Self {
            tokens: 1,
            delay: Duration::ZERO,
        };
        for word in inside.split_whitespace() {
            let (name, value) = word.split_once('=')?;
            let value = value.parse().ok()?;
            match name {
                "tokens" => script.tokens = u64::min(value, TOKENS_MAX),
                "delay" => script.delay = Duration::from_millis(value).min(DELAY_MAX),
                _ => return None,
            }
        }
        Some(script)
    }

    fn words(&self) -> Vec<String> {
        (0..self.tokens)
            .map(|number| {
                if number == 0 {
                    "w0".into()
                } else {
                    format!(" w{number}")
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_core::Content;
    use gatehouse_proto::agent::v1::run_turn_response::Event;
    use tokio::sync::mpsc;

    use super::*;

    async fn say(text: &str) -> (Vec<String>, Answered) {
        say_in(false, text).await
    }

    async fn say_in(in_chat: bool, text: &str) -> (Vec<String>, Answered) {
        let (events, mut taken) = mpsc::channel(4);
        let messages = vec![Message {
            role: Role::User,
            content: Content::text(text),
            provider: None,
        }];
        let question = Question {
            program: None,
            system_prompt: None,
            messages,
            agent_name: "Main".into(),
            shelf: crate::request::Shelf::new(),
            unheard: None,
            in_chat,
            thinking: None,
            agent: None,
        };
        let answering = tokio::spawn(async move { answer(&question, &mut Answer::new(events)).await });
        let mut pieces = Vec::new();
        while let Some(response) = taken.recv().await {
            if let Some(Event::TextDelta(delta)) = response.event {
                pieces.push(delta.text);
            }
        }
        (pieces, answering.await.unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn in_a_chat_it_names_no_configuration() {
        let text = say_in(true, "good morning").await.0.concat();

        assert!(text.starts_with("good morning\n\n") && text.contains("echo agent"));
        assert!(
            !text.contains("models.") && !text.contains("agents.") && !text.contains("json5"),
            "{text}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn it_repeats_what_was_said_and_says_what_it_is() {
        let (pieces, end) = say("good morning").await;

        let text = pieces.concat();
        assert!(
            text.starts_with("good morning\n\n")
                && text.contains("echo agent")
                && text.contains("models.providers")
        );
        assert!(pieces.len() > 10, "word by word");
        assert_eq!(end.stop_reason, StopReason::Stop);
    }

    #[tokio::test(start_paused = true)]
    async fn it_follows_a_script_within_bounds() {
        let began = tokio::time::Instant::now();
        let (pieces, _) = say("please [[echo tokens=3 delay=100]]").await;

        assert_eq!(pieces, ["w0", " w1", " w2"]);
        assert_eq!(began.elapsed(), Duration::from_millis(300));
        assert_eq!(
            Script::read("[[echo tokens=99999999]]").unwrap().tokens,
            TOKENS_MAX
        );
        assert_eq!(Script::read("[[echo nonsense]]"), None);
    }
}
