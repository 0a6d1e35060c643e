//! Takes in every revision of the configuration, and ends the connections that it, or the time of day, does not allow any more.

use std::{sync::Arc, time::Duration};

use gatehouse_core::{Clock, Timestamp, config::ConfigHandle};
use gatehouse_document::Document;
use tokio::{sync::watch, time::sleep};

use crate::{auth::mode::Mode, edge::Edge, policy::Policy};

/// The time of day can be set, and a machine that slept does not tell its timers: what is over is noticed within this time.
const LOOK_MAX: Duration = Duration::from_secs(30);

/// Follows the configuration, for ever.
pub(crate) async fn follow(
    edge: Arc<Edge>,
    mut config: ConfigHandle<Document>,
    policies: watch::Sender<Option<Arc<Policy>>>,
) {
    let mut revision = config.ready().await;
    loop {
        match Policy::new(&revision, edge.control_ui.as_deref()) {
            Some(policy) => {
                if matches!(policy.mode, Mode::Open(_)) {
                    tracing::warn!(
                        "gateway.auth.mode is \"none\": everybody and every program on this machine may do everything here"
                    );
                }
                match &policy.tls {
                    Some(source) => edge.tls.prepare(source).await,
                    None => edge.tls.rest(),
                }
                policies.send_replace(Some(Arc::new(policy)));
            }
            None => tracing::error!("the revision carries no usable credential; the last one stays"),
        }
        revision = loop {
            // What is over by this moment ends now, what ends after it is waited for: nothing falls in between.
            let looked = edge.clock.now();
            end_revoked(&edge);
            let policy = edge.policy();
            let over = async {
                match &policy {
                    Some(policy) => until_over(policy.next_expiry(looked), &edge.clock).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                revision = config.changed() => break revision,
                () = over => {}
            }
        };
    }
}

/// Ends the connections that may do nothing any more.
fn end_revoked(edge: &Arc<Edge>) {
    let connections = edge.hub.connections();
    let revoked: Vec<_> = connections
        .iter()
        .filter(|connection| edge.revoke(connection))
        .cloned()
        .collect();
    if !revoked.is_empty() {
        // The next revision does not wait for answers to the one that made this.
        let edge = Arc::clone(edge);
        let drain = edge.drain.clone();
        drain.spawn_work("revoke", async move { edge.config_calls.close(revoked).await });
    }
}

/// Waits until the next credential or device may be over.
async fn until_over(next: Option<Timestamp>, clock: &Clock) {
    match next {
        Some(end) => sleep(end.since(clock.now()).min(LOOK_MAX)).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_proto::config::v1::Credential;
    use tokio::time::{Instant, timeout};

    use super::*;
    use crate::auth::Credentials;

    const NOW: Timestamp = Timestamp::from_ms(1_000_000);

    fn expiring(after_ms: &[i64]) -> Credentials {
        let rows: Vec<Credential> = after_ms
            .iter()
            .enumerate()
            .map(|(n, after)| Credential {
                id: format!("c{n}"),
                digest: format!("{n:064x}"),
                role: "operator".into(),
                expire_time_ms: Some(NOW.plus_ms(*after).as_ms()),
                ..Credential::default()
            })
            .collect();
        Credentials::read(&rows)
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_expiry_is_waited_for_and_none_falls_between_two_looks() {
        let (credentials, clock) = (expiring(&[-1, 5_000, 9_000]), Clock::fixed(NOW.as_ms()));
        let begun = Instant::now();

        until_over(credentials.next_expiry(NOW), &clock).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(5));

        // It was over a moment after the look, and before the wait.
        clock.advance_ms(5_001);
        until_over(credentials.next_expiry(NOW.plus_ms(4_999)), &clock).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_forward_is_noticed_and_without_expiries_nobody_wakes() {
        let (credentials, clock) = (expiring(&[86_400_000]), Clock::fixed(NOW.as_ms()));
        let begun = Instant::now();

        until_over(credentials.next_expiry(NOW), &clock).await;
        assert_eq!(begun.elapsed(), LOOK_MAX);

        let none = expiring(&[]);
        let never = timeout(
            Duration::from_secs(1_000_000),
            until_over(none.next_expiry(NOW), &clock),
        );
        assert!(never.await.is_err());
    }
}
