//! Notices that the file was edited by hand. It watches the folder, because editors put a new file in the old one's place.

use std::path::Path;

use notify::{RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

/// Watches until it is dropped.
#[derive(Debug)]
pub(crate) struct Watcher {
    _inner: Option<notify::RecommendedWatcher>,
}

/// Starts watching. Where that is not possible, the regular look at the file is enough, only slower.
pub(crate) fn watch(document: &Path) -> (Watcher, mpsc::Receiver<()>) {
    let (sign, signs) = mpsc::channel(1); // one waiting sign says all there is to say
    let name = document.file_name().map(ToOwned::to_owned);
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let concerns = match event {
            Ok(event) => {
                !event.kind.is_access() && event.paths.iter().any(|path| path.file_name() == name.as_deref())
            }
            Err(_) => true, // signs were lost: look
        };
        if concerns {
            let _ = sign.try_send(());
        }
    });
    let folder = document
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let inner = watcher.and_then(|mut watcher| {
        watcher
            .watch(folder, RecursiveMode::NonRecursive)
            .map(|()| watcher)
    });
    match inner {
        Ok(inner) => (Watcher { _inner: Some(inner) }, signs),
        Err(error) => {
            tracing::warn!(%error, "the configuration file cannot be watched; it is looked at every few seconds");
            (Watcher { _inner: None }, signs)
        }
    }
}
