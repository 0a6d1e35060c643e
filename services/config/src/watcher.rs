//! Notices that a file was edited by hand, however editors and mounts do it: in place, by a new file under the old name, through
//! links on the way, or by a link that is led elsewhere.
//!
//! Watched are the folders that hold a name on the way to a file, and the file itself: behind a mount of one file, a change of the
//! host shows nowhere else. What gives no sign (network file systems, a folder that was put in another's place) is found by the
//! regular look at the files, and [`Watcher::follow`] then watches what is there now.

mod chain;

use std::path::{Path, PathBuf};

use notify::{RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use self::chain::Chain;

/// Watches until it is dropped.
#[derive(Debug)]
pub(crate) struct Watcher {
    files: Vec<PathBuf>,
    sign: mpsc::Sender<()>,
    now: Option<Watch>,
}

#[derive(Debug)]
struct Watch {
    chain: Chain,
    _inner: Option<notify::RecommendedWatcher>,
}

/// Starts watching. The other end brings a sign whenever a file may have changed.
pub(crate) fn watch(files: &[&Path]) -> (Watcher, mpsc::Receiver<()>) {
    let (sign, signs) = mpsc::channel(1); // one waiting sign says all there is to say
    let files = files
        .iter()
        .map(|file| std::path::absolute(file).unwrap_or_else(|_| (*file).to_owned()));
    let mut watcher = Watcher {
        files: files.collect(),
        sign,
        now: None,
    };
    watcher.follow(&[]);
    (watcher, signs)
}

impl Watcher {
    /// Watches what the names lead to now, and the files that the document includes. Blocks on the disk. Read the files after this, and no change is missed.
    pub(crate) fn follow(&mut self, also: &[PathBuf]) {
        let files: Vec<PathBuf> = self.files.iter().chain(also).cloned().collect();
        let chain = Chain::of(&files);
        if self.now.as_ref().is_some_and(|now| now.chain == chain) {
            return;
        }
        let inner = self.start(&chain);
        if let (Err(error), None) = (&inner, &self.now) {
            tracing::warn!(%error, "the configuration cannot be watched; it is looked at every half minute");
        }
        self.now = Some(Watch {
            chain,
            _inner: inner.ok(),
        });
    }

    fn start(&self, chain: &Chain) -> notify::Result<notify::RecommendedWatcher> {
        let (names, sign) = (chain.names(), self.sign.clone());
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let concerns_us = match event {
                Ok(event) => {
                    !event.kind.is_access() && event.paths.iter().any(|path| names.contains(path.as_path()))
                }
                Err(_) => true, // signs were lost: look
            };
            if concerns_us {
                let _ = sign.try_send(());
            }
        })?;
        let mut outcome = Ok(());
        for place in chain.places() {
            // One folder that cannot be watched does not keep the others from being.
            if let Err(error) = watcher.watch(place, RecursiveMode::NonRecursive) {
                outcome = Err(error);
            }
        }
        match outcome {
            Err(error) if chain.places().count() == 1 => Err(error),
            Err(error) => {
                tracing::debug!(%error, "a folder on the way to the configuration cannot be watched");
                Ok(watcher)
            }
            Ok(()) => Ok(watcher),
        }
    }
}

#[cfg(test)]
mod tests;
