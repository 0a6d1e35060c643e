//! A session service that remembers, and answers as it is told.

use std::{collections::HashMap, sync::Mutex};

use async_trait::async_trait;
use futures::{StreamExt, stream};
use gatehouse_core::{Failure, Kind};
use gatehouse_proto::session::v1::{
    DeliverMessageRequest, DeliverMessageResponse, FollowRunResponse, KeepMediaResponse, MediaHead,
    MessageKey, ReadMediaResponse, StopChatRequest, StopChatResponse,
};

use tokio::sync::mpsc;

use crate::inbox::{Parts, Reading, SessionClient, Writing};

/// A session service that remembers, and answers as it is told.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) taken: Mutex<Vec<DeliverMessageRequest>>,
    pub(crate) refusals: Mutex<Vec<Failure>>,
    /// Where something was to be stopped.
    pub(crate) stopped: Mutex<Vec<StopChatRequest>>,
    /// Runs that end when something is stopped.
    pub(crate) running: Mutex<Vec<String>>,
    /// What was kept: each first with what was said of it.
    pub(crate) kept: Mutex<Vec<(Option<String>, Vec<u8>)>>,
    /// How often keeping fails first.
    pub(crate) keep_refusals: Mutex<Vec<Failure>>,
    /// Media that are kept, by id: pictures, all of them.
    pub(crate) files: Mutex<HashMap<String, Vec<u8>>>,
    /// What they are instead.
    pub(crate) mime_type: Mutex<Option<String>>,
    /// Runs that are read along with: which, whether what is shown stays, and where to write.
    pub(crate) followed: Mutex<Vec<(String, bool, mpsc::Sender<FollowRunResponse>)>>,
}

#[async_trait]
impl SessionClient for Memory {
    async fn deliver(&self, request: DeliverMessageRequest) -> Result<DeliverMessageResponse, Failure> {
        let refusal = self.refusals.lock().unwrap().pop();
        match refusal {
            Some(failure) => Err(failure),
            None => {
                let mut taken = self.taken.lock().unwrap();
                let duplicate = taken.iter().any(|known| known.message_id == request.message_id);
                let run_id = format!("run-{}", request.message_id);
                if !duplicate {
                    taken.push(request);
                }
                Ok(DeliverMessageResponse {
                    run_id,
                    duplicate,
                    ..DeliverMessageResponse::default()
                })
            }
        }
    }

    async fn keep(&self, mut parts: Parts) -> Result<KeepMediaResponse, Failure> {
        if let Some(failure) = self.keep_refusals.lock().unwrap().pop() {
            return Err(failure);
        }
        let (mut declared, mut bytes) = (None, Vec::new());
        while let Some(part) = parts.next().await {
            if let Some(head) = part.head {
                declared = head.declared_mime_type;
            }
            bytes.extend_from_slice(&part.data);
        }
        let size_bytes = i64::try_from(bytes.len()).unwrap();
        let mut kept = self.kept.lock().unwrap();
        let one = (declared, bytes);
        // The same bytes are one medium.
        let known = kept.iter().position(|known| *known == one);
        kept.push(one);
        Ok(KeepMediaResponse {
            id: format!("medium-{}", known.map_or(kept.len(), |known| known + 1)),
            mime_type: "image/png".into(),
            size_bytes,
        })
    }

    async fn stop(&self, request: StopChatRequest) -> Result<StopChatResponse, Failure> {
        self.stopped.lock().unwrap().push(request);
        Ok(StopChatResponse {
            run_ids: std::mem::take(&mut *self.running.lock().unwrap()),
            ..StopChatResponse::default()
        })
    }

    async fn read(&self, id: String) -> Result<Reading, Failure> {
        let bytes = self.files.lock().unwrap().get(&id).cloned();
        let bytes = bytes.ok_or_else(|| Failure::new(Kind::NotFound, "it is not kept any more"))?;
        let head = ReadMediaResponse {
            head: Some(MediaHead {
                mime_type: self
                    .mime_type
                    .lock()
                    .unwrap()
                    .clone()
                    .unwrap_or_else(|| "image/png".into()),
                size_bytes: i64::try_from(bytes.len()).unwrap(),
                inline: true,
            }),
            path: Some(format!("/media/{id}?for=a-while")),
            ..ReadMediaResponse::default()
        };
        let parts: Vec<_> = bytes.chunks(4).map(|part| part.to_vec()).collect();
        let parts = parts.into_iter().map(|part| ReadMediaResponse {
            data: part.into(),
            ..ReadMediaResponse::default()
        });
        Ok(stream::iter(std::iter::once(head).chain(parts).map(Ok)).boxed())
    }

    async fn follow(&self, run: String, lasting: bool) -> Result<Writing, Failure> {
        let (writes, written) = mpsc::channel(256);
        self.followed.lock().unwrap().push((run, lasting, writes));
        let writing = stream::unfold(written, async |mut written| {
            Some((Ok(written.recv().await?), written))
        });
        Ok(writing.boxed())
    }

    async fn unknown(&self, keys: Vec<MessageKey>) -> Result<Vec<u32>, Failure> {
        let taken = self.taken.lock().unwrap();
        let known = |key: &MessageKey| taken.iter().any(|taken| taken.message_id == key.message_id);
        Ok((0..)
            .zip(&keys)
            .filter(|(_, key)| !known(key))
            .map(|(place, _)| place)
            .collect())
    }
}
