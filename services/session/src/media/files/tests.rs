use gatehouse_core::{Secret, Timestamp};
use tempfile::TempDir;

use super::*;
use crate::store::{self, Stores};
use crate::testing::key;
use crate::transcripts::{EntryExtra, NewEntry, Role};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and more";

struct Bench {
    folder: TempDir,
    stores: Stores,
    media: Media,
}

impl Bench {
    fn new() -> Self {
        Self::with(&Clock::system())
    }

    fn with(clock: &Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stores = store::open(&folder.path().join("session.db")).unwrap().stores;
        let links = Links::new(Secret::generate(), clock.clone());
        let media = Media::new(
            folder.path().join("media"),
            Arc::clone(&stores.media),
            links,
            clock.clone(),
        );
        Self {
            folder,
            stores,
            media,
        }
    }

    async fn keep(&self, bytes: &'static [u8]) -> Kept {
        self.media.keep(bytes, None, 1000).await.unwrap()
    }

    fn files(&self) -> usize {
        let shelves = fs::read_dir(self.folder.path().join("media")).unwrap();
        shelves
            .map(|shelf| fs::read_dir(shelf.unwrap().path()).unwrap().count())
            .sum()
    }

    /// A row of a transcript that names a medium.
    async fn name(&self, id: &MediaId) {
        let row = NewEntry {
            id: crate::id::EntryId::generate(),
            role: Role::User,
            content: format!(r#"[{{"type":"image","id":"{id}","mimeType":"image/png"}}]"#),
            preview: String::new(),
            timestamp: Timestamp::from_ms(1),
            run: None,
            boundary: false,
            in_context: true,
            extra: EntryExtra::default(),
        };
        self.stores.transcripts.append(&key("main"), row).await.unwrap();
    }
}

#[tokio::test]
async fn the_same_bytes_are_kept_once_and_read_as_they_came() {
    let bench = Bench::new();

    let (first, second) = (bench.keep(PNG).await, bench.keep(PNG).await);

    assert_eq!(first, second);
    assert_eq!(
        (first.mime_type.as_str(), first.bytes),
        ("image/png", PNG.len() as u64)
    );
    assert_eq!(bench.files(), 1);
    let (row, bytes) = bench.media.read(&first.id, 1000).await.unwrap().unwrap();
    assert_eq!((row.id, bytes.as_ref()), (first.id, PNG));
}

#[tokio::test]
async fn what_is_too_large_or_empty_or_garbled_leaves_nothing_behind() {
    struct Garbled;
    impl Read for Garbled {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::new(io::ErrorKind::InvalidData, "no base64"))
        }
    }
    let bench = Bench::new();

    let large = bench.media.keep(PNG, None, 10).await;
    let empty = bench.media.keep(io::empty(), None, 10).await;
    let garbled = bench.media.keep(Garbled, None, 10).await;

    assert!(matches!(large, Err(Error::MediaTooLarge { bytes_max: 10 })));
    assert!(matches!(empty, Err(Error::MediaEmpty)) && matches!(garbled, Err(Error::MediaGarbled)));
    assert_eq!(bench.files(), 0);
}

#[tokio::test]
async fn a_medium_is_swept_when_no_transcript_names_it_any_more_and_not_before() {
    let bench = Bench::new();
    let (named, unnamed) = (bench.keep(PNG).await, bench.keep(b"words").await);
    bench.name(&named.id).await;
    let late = |kept: &Kept| MediaRow {
        id: kept.id.clone(),
        mime_type: kept.mime_type.clone(),
        bytes: 1,
        kept_at: Timestamp::EPOCH,
    };
    assert_eq!(bench.media.sweep().await.unwrap(), 0, "handed in a moment ago");
    // As an hour later.
    let rows = &bench.stores.media;
    let gone = rows.forget_unnamed(Timestamp::MAX).await.unwrap();
    assert_eq!(gone, std::slice::from_ref(&unnamed.id));
    rows.keep(late(&unnamed), i64::MAX).await.unwrap();

    assert_eq!(bench.media.sweep().await.unwrap(), 1);
    assert!(bench.media.open(&unnamed.id).await.unwrap().is_none());
    assert!(bench.media.open(&named.id).await.unwrap().is_some());

    bench.stores.sessions.delete(&key("main"), None).await.unwrap();
    assert_eq!(rows.forget_unnamed(Timestamp::MAX).await.unwrap(), [named.id]);
}

#[tokio::test]
async fn what_waits_for_its_chat_is_kept_for_as_long_as_it_may_wait() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let bench = Bench::with(&Clock::fixed(1_000_000));
    let at = Timestamp::from_ms(1_000_000);
    let waits = bench.media.keep_for(DAY, PNG, None, 1000).await.unwrap();
    // Handed in once more for an hour, it is kept no shorter.
    assert_eq!(bench.keep(PNG).await, waits);

    let rows = &bench.stores.media;
    let swept_at = |age: Duration| rows.forget_unnamed(at + age - UNNAMED_KEPT);
    assert!(swept_at(DAY).await.unwrap().is_empty());
    assert_eq!(swept_at(DAY + Duration::from_secs(1)).await.unwrap(), [waits.id]);
}

#[tokio::test]
async fn all_media_together_are_bounded() {
    let bench = Bench::new();
    let row = |digit: char, bytes: i64| MediaRow {
        id: MediaId::parse(&digit.to_string().repeat(64)).unwrap(),
        mime_type: "image/png".to_owned(),
        bytes,
        kept_at: Timestamp::from_ms(5),
    };
    let rows = &bench.stores.media;
    rows.keep(row('a', 60), 100).await.unwrap();

    assert!(matches!(
        rows.keep(row('b', 41), 100).await,
        Err(Error::MediaFull)
    ));
    rows.keep(row('a', 60), 100).await.unwrap();
    rows.keep(row('b', 40), 100).await.unwrap();
    rows.forget_unnamed(Timestamp::MAX).await.unwrap();
    rows.keep(row('c', 100), 100).await.unwrap();
}
