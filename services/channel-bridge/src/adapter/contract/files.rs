//! What every platform must hold that shows files of the assistant.

use gatehouse_core::{
    Content,
    content::{Block, Media, MediaSource},
};

use crate::testing::{Bench, Memory, delivery, until};

const PNG: &[u8] = b"\x89PNG a cat";

/// A message of the bot: its words, and the name and the bytes of its file.
pub(crate) type Said = (String, Option<(String, Vec<u8>)>);

/// A chat on a platform, with a running account in it.
pub(crate) trait Sends: Sized {
    /// The call that a file goes over last.
    const LAST: &str;

    /// Starts it; the account is connected.
    async fn start() -> Self;
    fn bench(&self) -> &Bench;
    /// Keeps the files.
    fn files(&self) -> &Memory;
    /// It keeps a file from now on.
    fn keeps(&self, id: &str, bytes: &[u8]) {
        let mut files = self.files().files.lock().unwrap();
        files.insert(id.to_owned(), bytes.to_vec());
    }
    /// The chat.
    fn to(&self) -> String;
    /// The messages of the bot, in order.
    fn said(&self) -> Vec<Said>;
    /// How often a call was made.
    fn calls(&self, call: &str) -> usize;
    /// The platform takes no such file.
    fn refuse(&self);
    /// The next call of this kind comes too fast.
    fn too_fast(&self, call: &str);
}

fn medium(id: &str, name: &str) -> Block {
    Block::Media(Media {
        source: MediaSource::Id(id.to_owned()),
        mime_type: None,
        name: Some(name.to_owned()),
        size_bytes: None,
    })
}

async fn says<S: Sends>(stage: &S, blocks: Vec<Block>) -> Vec<Said> {
    let mut answer = delivery("k", &stage.to(), "", stage.bench().clock.now());
    answer.message = blocks.into_iter().collect::<Content>();
    stage.bench().outbox.enqueue(answer).await.unwrap();
    stage.bench().settled().await;
    stage.said()
}

async fn with_a_picture<S: Sends>() -> S {
    let stage = S::start().await;
    stage.keeps("one", PNG);
    stage.keeps("two", &[PNG, b" and a dog"].concat());
    stage
}

pub(crate) async fn files_come_behind_the_words_each_as_a_message_of_its_own<S: Sends>() {
    let stage = with_a_picture::<S>().await;

    let said = says(
        &stage,
        vec![
            medium("one", "cat.png"),
            Block::text("see"),
            medium("two", "../dog.png"),
        ],
    )
    .await;

    assert_eq!(said.len(), 3, "{said:?}");
    assert_eq!(said[0], ("see".to_owned(), None));
    let files: Vec<_> = said[1..].iter().map(|(_, file)| file.clone().unwrap()).collect();
    assert_eq!(files[0], ("cat.png".to_owned(), PNG.to_vec()));
    assert_eq!(files[1].0, "dog.png");
    assert!(files[1].1.ends_with(b"a dog"));
}

pub(crate) async fn a_file_that_is_not_kept_any_more_is_named<S: Sends>() {
    let stage = S::start().await;

    let said = says(&stage, vec![medium("gone", "gone.png")]).await;

    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].0.contains("gone.png") && said[0].0.contains("not kept any more"),
        "{said:?}"
    );
}

pub(crate) async fn a_file_that_the_platform_does_not_take_is_named_with_the_reason<S: Sends>() {
    let stage = with_a_picture::<S>().await;
    stage.refuse();

    let said = says(&stage, vec![medium("one", "cat.png")]).await;

    assert_eq!((said.len(), &said[0].1), (1, &None), "{said:?}");
    assert!(
        said[0].0.contains("cat.png") && said[0].0.contains('('),
        "{said:?}"
    );
}

pub(crate) async fn a_file_that_comes_too_fast_is_sent_later_and_once<S: Sends>() {
    let stage = with_a_picture::<S>().await;
    stage.too_fast(S::LAST);

    let said = says(&stage, vec![medium("one", "cat.png")]).await;

    assert_eq!(said.len(), 1, "{said:?}");
    let file = said[0].1.clone().unwrap();
    assert_eq!(file, ("cat.png".to_owned(), PNG.to_vec()));
    until("two tries", async || (stage.calls(S::LAST) == 2).then_some(())).await;
}

/// The promises as tests of one stage.
macro_rules! files {
    ($module:ident, $stage:ident) => {
        $crate::adapter::contract::files::files!(
            $module,
            $stage,
            files_come_behind_the_words_each_as_a_message_of_its_own,
            a_file_that_is_not_kept_any_more_is_named,
            a_file_that_the_platform_does_not_take_is_named_with_the_reason,
            a_file_that_comes_too_fast_is_sent_later_and_once,
        );
    };
    ($module:ident, $stage:ident, $($name:ident),+ $(,)?) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $name() {
                    $crate::adapter::contract::files::$name::<super::$stage>().await;
                }
            )+

            /// With the account as a process of its own.
            mod apart {
                type Stage = $crate::platform::isolated::tests::Isolated<super::super::$stage>;
                $(
                    #[tokio::test]
                    async fn $name() {
                        $crate::adapter::contract::files::$name::<Stage>().await;
                    }
                )+
            }
        }
    };
}
pub(crate) use files;
