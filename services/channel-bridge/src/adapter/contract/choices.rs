//! What every platform must hold that shows choices as buttons.

use gatehouse_core::{
    Content,
    content::{Block, Choice},
};

use crate::testing::{Bench, delivery, until};

/// A message of the bot: its words, and the labels and values of its buttons.
pub(crate) type Said = (String, Vec<(String, String)>);

/// A chat on a platform, with a running account in it.
pub(crate) trait Offers: Sized {
    /// Starts it; the account is connected.
    async fn start() -> Self;
    fn bench(&self) -> &Bench;
    /// The chat.
    fn to(&self) -> String;
    /// The messages of the bot, in order.
    fn said(&self) -> Vec<Said>;
    /// Somebody presses the button of the last message that stands for this.
    async fn press(&self, value: &str);
    /// How often the platform was told that a press was heard; `None` where that is not told by a call.
    fn answered(&self) -> Option<usize>;
}

fn offered(given: &[(&str, &str)]) -> Block {
    let given = given.iter();
    let given = given.map(|(label, value)| ((*label).to_owned(), (*value).to_owned()));
    Block::Choices(Choice::read(given).unwrap())
}

async fn says<O: Offers>(stage: &O, key: &str, blocks: Vec<Block>) -> Vec<Said> {
    let mut answer = delivery(key, &stage.to(), "", stage.bench().clock.now());
    answer.message = blocks.into_iter().collect::<Content>();
    stage.bench().outbox.enqueue(answer).await.unwrap();
    stage.bench().settled().await;
    stage.said()
}

pub(crate) async fn choices_are_buttons_below_the_last_words<O: Offers>() {
    let stage = O::start().await;
    let long = "word ".repeat(1_200);

    let one = says(
        &stage,
        "k",
        vec![offered(&[("Yes", ""), ("No", "/deny 7")]), Block::text("Right?")],
    )
    .await;
    let more = says(
        &stage,
        "k2",
        vec![Block::text(long), offered(&[("Go on", "more")])],
    )
    .await;

    let button = |label: &str, value: &str| (label.to_owned(), value.to_owned());
    assert_eq!(
        one,
        [(
            "Right?".to_owned(),
            vec![button("Yes", "Yes"), button("No", "/deny 7")]
        )]
    );
    let (last, before) = more.split_last().unwrap();
    assert!(
        before.len() > 1,
        "one message and the beginning of another: {}",
        before.len()
    );
    let offers = |said: &Said| said.1.contains(&button("Go on", "more")) || said.0.contains("say more");
    assert!(offers(last) && !before.iter().any(offers), "{last:?}");
}

pub(crate) async fn a_press_is_said_by_whoever_pressed<O: Offers>() {
    let stage = O::start().await;
    says(
        &stage,
        "k",
        vec![Block::text("Right?"), offered(&[("Yes", ""), ("No", "/deny 7")])],
    )
    .await;

    stage.press("/deny 7").await;

    let heard = &stage.bench().heard;
    until("the press", async || (heard.texts() == ["/deny 7"]).then_some(())).await;
    let message = heard.messages.lock().unwrap()[0].clone();
    assert!(message.mentioned && !message.from_bot);
    assert_eq!(message.reply_to.as_str(), stage.to());
    if stage.answered().is_some() {
        until("the platform to be told", async || {
            (stage.answered() == Some(1)).then_some(())
        })
        .await;
    }
}

pub(crate) async fn more_choices_than_there_is_room_for_are_words<O: Offers>() {
    let stage = O::start().await;
    let labels: Vec<String> = (1..=25).map(|n| format!("choice {n}")).collect();
    let given: Vec<(&str, &str)> = labels.iter().map(|label| (label.as_str(), "")).collect();

    let said = says(&stage, "k", vec![Block::text("Which?"), offered(&given)]).await;

    let (words, buttons) = &said[0];
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(buttons.len() == 25 || words.contains("25. choice 25"), "{said:?}");
}

/// The promises as tests of one stage.
macro_rules! choices {
    ($module:ident, $stage:ident) => {
        $crate::adapter::contract::choices::choices!(
            $module,
            $stage,
            choices_are_buttons_below_the_last_words,
            a_press_is_said_by_whoever_pressed,
            more_choices_than_there_is_room_for_are_words,
        );
    };
    ($module:ident, $stage:ident, $($name:ident),+ $(,)?) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $name() {
                    $crate::adapter::contract::choices::$name::<super::$stage>().await;
                }
            )+

            /// With the account as a process of its own.
            mod apart {
                type Stage = $crate::platform::isolated::tests::Isolated<super::super::$stage>;
                $(
                    #[tokio::test]
                    async fn $name() {
                        $crate::adapter::contract::choices::$name::<Stage>().await;
                    }
                )+
            }
        }
    };
}
pub(crate) use choices;
