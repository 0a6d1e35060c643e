//! Follows the token of this machine's gateway when it is replaced while a command runs.

use std::time::Duration;

use tokio::time::sleep;

use super::Client;
use crate::{
    args::Common,
    exit::{Exit, Failed},
    gateway::Gateway,
};

/// A new token is in its file some milliseconds before the edge knows it, and may be replaced again meanwhile. Few enough that
/// a token that is simply wrong locks nobody out.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(300),
    Duration::from_millis(500),
];

/// How long a token that was made is looked for in its file after its answer was lost.
const KEPT_PAUSES: usize = 40;
const KEPT_PAUSE: Duration = Duration::from_millis(50);

impl Client {
    /// Connects to the gateway that these options mean, to call these methods. A token that is read from a file is read again when it is refused.
    pub(crate) async fn follow(common: &Common, methods: &[&str]) -> Result<(Gateway, Self), Failed> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let gateway = Gateway::find(common)?;
            let failed = match Box::pin(Self::connect(&gateway, methods)).await {
                Ok(client) => return Ok((gateway, client)),
                Err(failed) => failed,
            };
            let may_change = common.token.is_none() && gateway.token.is_some();
            if failed.exit != Exit::Refused || !may_change {
                return Err(failed);
            }
            let Some(pause) = pauses.next() else {
                return Err(failed);
            };
            if !has_changed(common, &gateway) {
                sleep(pause).await;
            }
        }
    }
}

/// Whether another token is to be shown now than was then.
pub(crate) fn has_changed(common: &Common, then: &Gateway) -> bool {
    let shown = |gateway: &Gateway| gateway.token.as_ref().map(|token| token.expose().to_owned());
    Gateway::find(common).is_ok_and(|now| now.token.is_some() && shown(&now) != shown(then))
}

/// The gateway with the token that was made since, if one comes within a moment.
pub(crate) async fn replaced(common: &Common, then: &Gateway) -> Option<Gateway> {
    for _ in 0..KEPT_PAUSES {
        if has_changed(common, then) {
            return Gateway::find(common).ok();
        }
        sleep(KEPT_PAUSE).await;
    }
    None
}
