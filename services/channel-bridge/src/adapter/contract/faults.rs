//! What every platform must hold that is called over HTTP, whatever comes back instead of an answer.

use crate::testing::{Bench, key, until};

/// How the next message goes wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wrong {
    /// Nothing is done: what stands between us and the platform answers with this status, in HTML.
    Foreign(u16),
    /// It is done, and half of the answer comes as if it were whole.
    Garbled,
    /// Nothing is done, and nothing is wanted for longer than anybody lives.
    Endless,
}

/// Two chats on a platform, with a running account.
pub(crate) trait Falters: Sized {
    /// Whether the platform knows a message that it is given twice.
    const KNOWS_REPEATS: bool;

    /// Starts it; the account is connected.
    async fn start() -> Self;
    fn bench(&self) -> &Bench;
    /// The chats.
    fn chats(&self) -> [String; 2];
    /// The messages of the bot, in order.
    fn said(&self) -> Vec<String>;
    /// How often the platform was given a message.
    fn tried(&self) -> usize;
    fn goes(&self, wrong: Wrong);
}

async fn dead<F: Falters>(stage: &F) -> i64 {
    let counts = stage.bench().stores.outbox.counts(key("a")).await;
    counts.unwrap().dead
}

pub(crate) async fn what_stands_before_the_platform_decides_nothing<F: Falters>() {
    let stage = F::start().await;
    let [chat, _] = stage.chats();
    for status in [400, 403, 405] {
        stage.goes(Wrong::Foreign(status));
        stage
            .bench()
            .say(&status.to_string(), &chat, &format!("past {status}"))
            .await;
        stage.bench().settled().await;
    }

    assert_eq!(stage.said(), ["past 400", "past 403", "past 405"]);
    assert_eq!(dead(&stage).await, 0);
}

pub(crate) async fn half_an_answer_says_nothing_of_what_was_done<F: Falters>() {
    let stage = F::start().await;
    let [chat, _] = stage.chats();
    stage.goes(Wrong::Garbled);

    stage.bench().say("k", &chat, "hello").await;
    stage.bench().settled().await;

    let said = stage.said();
    assert_eq!(said.first().map(String::as_str), Some("hello"));
    assert_eq!(said.len(), if F::KNOWS_REPEATS { 1 } else { 2 }, "{said:?}");
    assert!(
        said.iter().skip(1).all(|said| said.contains("(resent)")),
        "{said:?}"
    );
    assert_eq!(dead(&stage).await, 0);
}

pub(crate) async fn a_silence_without_end_in_one_chat_is_no_end_of_the_account<F: Falters>() {
    let stage = F::start().await;
    let [chat, other] = stage.chats();
    stage.goes(Wrong::Endless);

    stage.bench().say("k1", &chat, "never").await;
    until("the refusal", async || (stage.tried() == 1).then_some(())).await;
    stage.bench().say("k2", &other, "elsewhere").await;

    until("the other chat", async || {
        (stage.said() == ["elsewhere"]).then_some(())
    })
    .await;
}

/// The promises as tests of one stage.
macro_rules! faults {
    ($stage:ident, $($name:ident),+ $(,)?) => {
        mod holds_in_trouble {
            $(
                #[tokio::test]
                async fn $name() {
                    $crate::adapter::contract::faults::$name::<super::$stage>().await;
                }
            )+

            /// With the account as a process of its own.
            mod apart {
                type Stage = $crate::platform::isolated::tests::Isolated<super::super::$stage>;
                $(
                    #[tokio::test]
                    async fn $name() {
                        $crate::adapter::contract::faults::$name::<Stage>().await;
                    }
                )+
            }
        }
    };
}
pub(crate) use faults;
