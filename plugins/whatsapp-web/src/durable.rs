//! What has to be on a disk before anything else is said to WhatsApp: our credentials, and what it said of our messages.
//!
//! Credentials are on the disk before WhatsApp hears of them. The client writes down what it is by itself, a little later than it says so:
//! without this, a crash just behind linking would leave the phone with a device that nobody is. And WhatsApp hears that a receipt came once the
//! bridge has it: the client's answer is one of the things that leave behind it (`report`).

use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Mutex;
use whatsapp_rust::{
    store::{Device, SqliteStoreConfig, Synchronous, persistence_manager::PersistenceManager},
    transport::{Transport, TransportEvent, TransportFactory},
};

use crate::report::Reports;

/// How the file of a login is written: a change that is said to be on the disk is there, also when the machine loses its power.
pub(crate) fn config() -> SqliteStoreConfig {
    SqliteStoreConfig {
        synchronous: Synchronous::Full,
        ..SqliteStoreConfig::default()
    }
}

/// The credentials of one session.
#[derive(Clone, Default)]
pub(crate) struct Credentials(Arc<Inner>);

#[derive(Default)]
struct Inner {
    client: OnceLock<Weak<PersistenceManager>>,
    /// As they are on the disk. Each change makes another one.
    written: Mutex<Option<Arc<Device>>>,
}

impl Credentials {
    /// They are what this client has. Said before it connects.
    pub(crate) fn of(&self, client: &Arc<PersistenceManager>) {
        let _ = self.0.client.set(Arc::downgrade(client)); // a session has one client
    }

    /// Returns once they are on the disk as they are now.
    ///
    /// # Errors
    /// When they cannot be written.
    async fn write(&self) -> anyhow::Result<()> {
        let Some(client) = self.0.client.get().and_then(Weak::upgrade) else {
            anyhow::bail!("the session is over");
        };
        let mut written = self.0.written.lock().await;
        // Again where they have changed meanwhile: somebody else may have written the older ones behind ours.
        loop {
            let now = client.get_device_snapshot();
            if written.as_ref().is_some_and(|written| Arc::ptr_eq(written, &now)) {
                return Ok(());
            }
            client.backend().save(&now.to_serializable()).await?;
            *written = Some(now);
        }
    }
}

/// Lines to WhatsApp, over which nothing is said before the credentials are on the disk, and the bridge has what was said before.
pub(crate) struct Lines<F> {
    pub(crate) inner: F,
    pub(crate) credentials: Credentials,
    pub(crate) reports: Arc<Reports>,
}

#[async_trait]
impl<F: TransportFactory> TransportFactory for Lines<F> {
    async fn create_transport(
        &self,
    ) -> anyhow::Result<(Arc<dyn Transport>, async_channel::Receiver<TransportEvent>)> {
        let (inner, events) = self.inner.create_transport().await?;
        let line = Line {
            inner,
            credentials: self.credentials.clone(),
            reports: Arc::clone(&self.reports),
        };
        Ok((Arc::new(line), events))
    }
}

struct Line {
    inner: Arc<dyn Transport>,
    credentials: Credentials,
    reports: Arc<Reports>,
}

#[async_trait]
impl Transport for Line {
    async fn send(&self, data: Bytes) -> anyhow::Result<()> {
        self.credentials.write().await?;
        self.reports.kept().await.map_err(anyhow::Error::msg)?;
        self.inner.send(data).await
    }

    async fn disconnect(&self) {
        self.inner.disconnect().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_channel::{Receiver, Sender, bounded};
    use async_trait::async_trait;
    use bytes::Bytes;
    use tokio::sync::watch;
    use whatsapp_rust::{
        Jid,
        store::{SqliteStore, persistence_manager::PersistenceManager},
        transport::{Transport, TransportEvent, TransportFactory},
        wacore::store::DeviceCommand,
    };

    use super::{Credentials, Lines, Reports, config};

    /// A line that says nothing further than this.
    struct Said(Sender<Bytes>);

    #[async_trait]
    impl Transport for Said {
        async fn send(&self, data: Bytes) -> anyhow::Result<()> {
            Ok(self.0.send(data).await?)
        }

        async fn disconnect(&self) {}
    }

    #[async_trait]
    impl TransportFactory for Said {
        async fn create_transport(&self) -> anyhow::Result<(Arc<dyn Transport>, Receiver<TransportEvent>)> {
            Ok((Arc::new(Said(self.0.clone())), bounded(1).1))
        }
    }

    #[tokio::test]
    async fn nothing_is_said_before_what_we_are_is_on_the_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("whatsapp.db");
        let file = file.to_str().expect("a path");
        let store = SqliteStore::with_config(file, config()).await.expect("a store");
        let client = PersistenceManager::new(Arc::new(store))
            .await
            .expect("its credentials");
        let client = Arc::new(client);
        let credentials = Credentials::default();
        let (say, said) = bounded(8);
        let lines = Lines {
            inner: Said(say),
            credentials: credentials.clone(),
            reports: Arc::new(Reports::new(watch::Sender::new(None))),
        };
        let (line, _events) = lines.create_transport().await.expect("a line");

        line.send(Bytes::from_static(b"early"))
            .await
            .expect_err("nobody says who it is");
        credentials.of(&client);
        // Nothing writes by itself here: the client's own writing has not begun.
        client
            .process_command(DeviceCommand::SetId(Some(Jid::pn("15559999"))))
            .await;
        line.send(Bytes::from_static(b"linked"))
            .await
            .expect("it is on the disk");

        assert_eq!(&*said.recv().await.expect("said"), b"linked");
        let written = client.backend().load().await.expect("read").expect("a device");
        assert_eq!(written.pn, Some(Jid::pn("15559999")));
        drop(client);
        line.send(Bytes::from_static(b"late"))
            .await
            .expect_err("the session is over");
    }
}
