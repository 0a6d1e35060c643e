//! Notices that a file was edited by hand. It watches the folders, because editors put a new file in the old one's place.

use std::{collections::HashSet, path::Path};

use notify::{RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

/// Watches until it is dropped.
#[derive(Debug)]
pub(crate) struct Watcher {
    _inner: Option<notify::RecommendedWatcher>,
}

/// Starts watching. Where that is not possible, the regular look at the files is enough, only slower.
pub(crate) fn watch(files: &[&Path]) -> (Watcher, mpsc::Receiver<()>) {
    let (sign, signs) = mpsc::channel(1); // one waiting sign says all there is to say
    let names: HashSet<_> = files
        .iter()
        .filter_map(|file| file.file_name().map(ToOwned::to_owned))
        .collect();
    let concerns_us = move |path: &Path| path.file_name().is_some_and(|name| names.contains(name));
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let concerns = match event {
            Ok(event) => !event.kind.is_access() && event.paths.iter().any(|path| concerns_us(path)),
            Err(_) => true, // signs were lost: look
        };
        if concerns {
            let _ = sign.try_send(());
        }
    });
    let folders: HashSet<&Path> = files
        .iter()
        .map(|file| file.parent().filter(|folder| !folder.as_os_str().is_empty()))
        .map(|folder| folder.unwrap_or(Path::new(".")))
        .collect();
    let inner = watcher.and_then(|mut watcher| {
        for folder in folders {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
        }
        Ok(watcher)
    });
    match inner {
        Ok(inner) => (Watcher { _inner: Some(inner) }, signs),
        Err(error) => {
            tracing::warn!(%error, "the configuration cannot be watched; it is looked at every half minute");
            (Watcher { _inner: None }, signs)
        }
    }
}
