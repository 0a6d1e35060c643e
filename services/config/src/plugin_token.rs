//! The credentials of plugins. Each has one of its own: a file beside the gateway token, made when its entry first runs, and a row of
//! the table for as long as the entry is there. An entry that goes, or is switched off, takes the row with it; the file stays, so that the
//! plugin is who it was when the entry comes back. Removing the file makes a new one at the next revision.

use gatehouse_core::{Chain, hex};
use gatehouse_document::Plugins;
use gatehouse_proto::config::v1::Credential;

use crate::{
    credential::PLUGIN,
    store::{Disk, Store},
};

/// The rows of those that are set up. One whose file cannot be made opens nothing, and is said.
pub(crate) fn rows<D: Disk>(plugins: &Plugins, store: &Store<D>) -> Vec<Credential> {
    let row = |id: &str, scopes: Vec<String>| match store.plugin_token(id) {
        Ok(token) => Some(Credential {
            id: format!("{PLUGIN}{id}"),
            digest: hex::encode(&token.digest()),
            role: "operator".to_owned(),
            scopes,
            ..Credential::default()
        }),
        Err(error) => {
            tracing::error!(plugin.id = id, error = %Chain(&error), "the credential of a plugin cannot be made");
            None
        }
    };
    let set_up = plugins.set_up();
    set_up
        .filter_map(|(id, entry)| {
            let scopes = entry.scopes.iter().map(|scope| scope.as_str().to_owned());
            row(id, scopes.collect())
        })
        .collect()
}
