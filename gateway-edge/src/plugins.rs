//! Plugins: processes of anybody's whose methods and events stand in the map beside the gateway's own.
//!
//! The configuration says which there are. For each, one [`visit`] connects, asks what it declares, holds that against what may stand in
//! the map, and lets it in; when the connection is lost it comes again. Who calls a plugin is who has to know whether it is there, so the
//! edge asks for the descriptors, and tells broadcast what it found ([`mod@report`]): that is where `plugins.list` and the plugins' events are.
//!
//! A plugin can hold up nobody: it is asked beside everything else, its calls have the deadlines and bounds of every call, and what goes
//! wrong with it is one line of the [`board`](crate::plugin_board).

mod follow;
mod report;
mod visit;

use std::{sync::Arc, time::Duration};

use gatehouse_contract::{Access, PluginId};
use gatehouse_core::plugin;
use tokio::{sync::watch, time::sleep};

pub(crate) use self::{
    follow::{Places, follow},
    report::{components, report},
};
use crate::{
    auth::Identity,
    backend::offer::{News, Offer},
    edge::Edge,
    event::{Audience, Event},
};

/// The plugin whose credential somebody has shown.
pub(crate) fn of(identity: &Identity) -> Option<PluginId> {
    of_credential(&identity.credential)
}

/// The plugin of a credential, by the name that the table has for it.
pub(crate) fn of_credential(credential: &str) -> Option<PluginId> {
    credential
        .strip_prefix(plugin::CREDENTIAL)
        .and_then(PluginId::parse)
}

/// How long it is said of a plugin that it asked for more than it may, after the last time.
const TOO_MUCH_SHOWN: Duration = Duration::from_secs(60);

/// A plugin asks for more than it may, and was refused.
pub(crate) fn asks_too_much(edge: &Arc<Edge>, plugin: &PluginId, what: &str) {
    if !edge.plugins.asks_too_much(plugin, what) {
        return;
    }
    let (edge, plugin) = (Arc::clone(edge), plugin.clone());
    let end = edge.drain.clone();
    edge.drain
        .clone()
        .spawn_work("a plugin that asks too much", async move {
            loop {
                tokio::select! {
                    () = sleep(TOO_MUCH_SHOWN) => {}
                    () = end.requested() => return,
                }
                if edge.plugins.has_calmed(&plugin, TOO_MUCH_SHOWN) {
                    return;
                }
            }
        });
}

/// Changes what is offered, one change after the other, and tells clients.
#[derive(Debug)]
struct Changes {
    edge: Arc<Edge>,
    offers: watch::Sender<Arc<Offer>>,
    /// Reading descriptors takes milliseconds, in which the offer that they are added to must stay the newest.
    turn: tokio::sync::Mutex<()>,
}

impl Changes {
    /// Makes the next offer from the newest one.
    async fn make<E>(
        &self,
        plugin: &PluginId,
        next: impl AsyncFnOnce(Arc<Offer>) -> Result<(Offer, Option<News>), E>,
    ) -> Result<(), E> {
        let turn = self.turn.lock().await;
        let newest = Arc::clone(&self.offers.borrow());
        let (offer, news) = next(newest).await?;
        self.offers.send_replace(Arc::new(offer));
        drop(turn);
        if let Some(news) = news {
            self.tell(plugin, news).await;
        }
        Ok(())
    }

    /// Tells everybody behind this edge: their map changed, and nobody else's may have yet.
    async fn tell(&self, plugin: &PluginId, news: News) {
        tracing::info!(
            plugin.id = plugin.as_str(),
            reason = news.word(),
            "the map of methods changed"
        );
        let payload = serde_json::json!({"pluginId": plugin.as_str(), "reason": news.word()}).to_string();
        let event = Event::new(
            "plugins.changed",
            Audience::everybody(Access::Read),
            payload.as_bytes(),
            None,
        );
        self.edge.hub.fan_out(vec![event]).await;
    }
}
