//! The bus of one machine: a bounded ring in the memory of one process. Its stream ends with the process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::{StreamExt, stream};
use tokio::sync::watch;

use super::{
    Batch, Bus, Error, Kept, Listener, Page, Position, Subscription,
    publishers::Publishers,
    ring::{PageMax, Ring},
    topics::Topics,
};

/// One page: what gathered while the last one was on its way. Bounded in bytes as well, because it is held until its reader has
/// it; a gRPC message may be no longer than 32 MiB in any case.
const PAGE_MAX: PageMax = PageMax {
    events: 256,
    bytes: 512 * 1024,
};

/// The bus of one process. Clones share it.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    epoch: String,
    // Held for a few lines and never across an await.
    state: Mutex<State>,
    head: watch::Sender<u64>,
    topics: Topics,
}

#[derive(Debug, Default)]
struct State {
    ring: Ring,
    publishers: Publishers,
}

impl Memory {
    /// A new epoch.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            epoch: uuid::Uuid::new_v4().to_string(),
            state: Mutex::default(),
            head: watch::Sender::new(0),
            topics: Topics::default(),
        }))
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Bus for Memory {
    async fn publish(&self, batch: Batch) -> Result<Position, Error> {
        Ok(self.0.at(self.0.add(batch)))
    }

    async fn subscribe(&self, after: Option<Position>) -> Result<Subscription, Error> {
        let head = self.0.head.subscribe(); // before the look, so that no event falls between
        let (offset, gap) = {
            let state = self.0.state();
            match after {
                None => (state.ring.head(), false),
                Some(place) if place.epoch == self.0.epoch && state.ring.holds(place.offset) => {
                    (place.offset, false)
                }
                Some(_) => (state.ring.head(), true),
            }
        };
        let pages = stream::unfold(
            (Arc::clone(&self.0), head, offset),
            |(shared, mut head, offset)| async move {
                let page = shared.next(&mut head, offset).await?;
                let next = page.position.offset;
                Some((Ok(page), (shared, head, next)))
            },
        );
        Ok(Subscription {
            start: self.0.at(offset),
            gap,
            pages: pages.boxed(),
        })
    }

    fn kept(&self) -> Option<Kept> {
        Some(self.0.state().ring.kept())
    }

    fn signal(&self, topic: &str) {
        self.0.topics.signal(topic);
    }

    fn listen(&self, topic: &str) -> Listener {
        self.0.topics.listen(topic)
    }
}

impl Shared {
    fn add(&self, batch: Batch) -> u64 {
        let Batch {
            publisher,
            sequence,
            events,
            lost,
        } = batch;
        let mut state = self.state();
        if let Some(offset) = state.publishers.repeated(&publisher, sequence) {
            return offset;
        }
        if lost {
            state.ring.push_gap();
        }
        for event in events {
            state.ring.push(event);
        }
        let head = state.ring.head();
        state.publishers.remember(publisher, sequence, head);
        drop(state);
        self.head.send_replace(head);
        head
    }

    /// What follows an offset, once there is something. `None` when the bus has ended.
    async fn next(&self, head: &mut watch::Receiver<u64>, after: u64) -> Option<Page> {
        loop {
            head.borrow_and_update();
            let page = self.state().ring.page(after, PAGE_MAX);
            if page.next != after || page.gap {
                return Some(Page {
                    events: page.events,
                    gap: page.gap,
                    position: self.at(page.next),
                });
            }
            head.changed().await.ok()?;
        }
    }

    fn at(&self, offset: u64) -> Position {
        Position {
            epoch: self.epoch.clone(),
            offset,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::contract;

    #[tokio::test(start_paused = true)]
    async fn it_keeps_what_a_bus_promises() {
        contract::everything(async || Arc::new(Memory::new()) as Arc<dyn Bus>).await;
    }
}
