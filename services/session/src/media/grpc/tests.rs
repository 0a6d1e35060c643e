use gatehouse_core::{Clock, Secret};
use tempfile::TempDir;

use super::*;
use crate::media::Links;
use crate::store;

fn media() -> (TempDir, Media) {
    let folder = tempfile::tempdir().unwrap();
    let stores = store::open(&folder.path().join("session.db")).unwrap().stores;
    let clock = Clock::system();
    let links = Links::new(Secret::generate(), clock.clone());
    let media = Media::new(folder.path().join("media"), stores.media, links, clock);
    (folder, media)
}

/// What a link leads to, as the edge asks for it.
async fn read(
    media: &Media,
    link: &OpenMediaRequest,
    part: (Option<i64>, Option<i64>),
) -> (MediaHead, Vec<u8>) {
    let request = OpenMediaRequest {
        offset_bytes: part.0,
        length_bytes: part.1,
        ..link.clone()
    };
    let answer = MediaGrpc::new(media.clone())
        .open_media(Request::new(request))
        .await;
    let mut parts = answer.unwrap().into_inner();
    let head = parts.next().await.unwrap().unwrap().head.unwrap();
    let mut bytes = Vec::new();
    while let Some(part) = parts.next().await {
        let data = part.unwrap().data;
        assert!(data.len() as u64 <= PART_BYTES);
        bytes.extend_from_slice(&data);
    }
    (head, bytes)
}

#[tokio::test]
async fn any_part_of_a_medium_is_read_by_its_place_and_none_at_all_to_see_what_it_is() {
    let (_folder, media) = media();
    let bytes: Vec<u8> = (0..200_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let kept = media
        .keep(std::io::Cursor::new(bytes.clone()), None, 1 << 20)
        .await
        .unwrap();
    let url = media.links().to(&kept.id);
    let (_, query) = url.split_once("?e=").unwrap();
    let (expires_at, signature) = query.split_once("&s=").unwrap();
    let link = OpenMediaRequest {
        id: kept.id.to_string(),
        expires_at: expires_at.parse().unwrap(),
        signature: signature.to_owned(),
        ..OpenMediaRequest::default()
    };

    for (part, wanted) in [
        ((None, None), &bytes[..]),
        ((Some(0), Some(0)), &[]),
        ((Some(5), Some(3)), &bytes[5..8]),
        ((Some(199_999), None), &bytes[199_999..]),
        ((Some(70_000), Some(100_000)), &bytes[70_000..170_000]),
        ((Some(10), Some(i64::MAX)), &bytes[10..]),
        ((Some(200_000), None), &[]),
        ((Some(i64::MAX), Some(1)), &[]),
    ] {
        let (head, read) = read(&media, &link, part).await;
        assert_eq!(head.size_bytes, 200_000, "{part:?}");
        assert!(read == wanted, "{part:?}: {} bytes", read.len());
    }
}

/// Keeps what comes in these parts. `None`: it breaks off.
async fn kept(
    media: &Media,
    max_bytes: i64,
    parts: &[Option<&'static str>],
) -> Result<KeepMediaResponse, Status> {
    let head = KeepMediaRequest {
        head: Some(KeepMediaHead {
            declared_mime_type: Some("image/png".into()),
            max_bytes,
            keep_seconds: None,
        }),
        data: Bytes::new(),
    };
    let parts = parts.iter().map(|data| match data {
        Some(data) => Ok(KeepMediaRequest {
            head: None,
            data: Bytes::from_static(data.as_bytes()),
        }),
        None => Err(Status::cancelled("gone")),
    });
    let requests: Vec<_> = std::iter::once(Ok(head)).chain(parts).collect();
    MediaGrpc::new(media.clone()).keep(stream::iter(requests)).await
}

#[tokio::test]
async fn what_comes_in_over_a_chat_is_kept_whole_and_known_by_its_bytes() {
    let (_folder, media) = media();

    let answer = kept(
        &media,
        100,
        &[Some("some words "), Some(""), Some("in two parts")],
    )
    .await
    .unwrap();

    assert_eq!(
        (answer.mime_type.as_str(), answer.size_bytes),
        ("text/plain", 23),
        "no picture, whatever is said of it"
    );
    let id = MediaId::parse(&answer.id).unwrap();
    let (_, bytes) = media.read(&id, 100).await.unwrap().unwrap();
    assert_eq!(bytes.as_ref(), b"some words in two parts");
}

#[tokio::test]
async fn what_is_too_large_empty_or_breaks_off_is_not_kept() {
    let (_folder, media) = media();
    let cases: [(&[Option<&'static str>], tonic::Code); 3] = [
        (
            &[Some("eleven bytes"), Some("more")],
            tonic::Code::InvalidArgument,
        ),
        (&[], tonic::Code::InvalidArgument),
        (&[Some("half"), None], tonic::Code::Internal),
    ];
    for (parts, code) in cases {
        assert_eq!(kept(&media, 10, parts).await.unwrap_err().code(), code);
    }
    assert_eq!(media.sweep().await.unwrap(), 0, "nothing of it was kept");
}

#[tokio::test]
async fn a_chat_reads_a_whole_medium_by_its_id_and_learns_where_others_may_see_it_for_a_while() {
    let (_folder, media) = media();
    let bytes = vec![7; 200_000];
    let kept = media
        .keep(std::io::Cursor::new(bytes.clone()), None, 1 << 20)
        .await
        .unwrap();
    let read = async |id: &str| {
        let id = id.to_owned();
        let grpc = MediaGrpc::new(media.clone());
        grpc.read_media(Request::new(ReadMediaRequest { id })).await
    };

    let mut parts = read(&kept.id.to_string()).await.unwrap().into_inner();
    let first = parts.next().await.unwrap().unwrap();
    let mut whole = Vec::new();
    while let Some(part) = parts.next().await {
        whole.extend_from_slice(&part.unwrap().data);
    }

    assert_eq!(first.head.unwrap().size_bytes, 200_000);
    assert_eq!(whole, bytes);
    assert_eq!(first.path, Some(media.links().to(&kept.id)));
    for unknown in ["0".repeat(64), "../../etc/passwd".to_owned()] {
        assert_eq!(read(&unknown).await.err().unwrap().code(), tonic::Code::NotFound);
    }
}
