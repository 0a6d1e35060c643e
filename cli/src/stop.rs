//! `gatehouse stop` and `gatehouse restart`: asked of the supervisor, and waited for.

use std::time::Duration;

use gatehouse_core::{Address, Secret, client::Peer};
use serde_json::json;
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{
    args::{Common, Restart, Stop},
    control::{self, Ask, Asked},
    exit::{Exit, Failed},
    output, own,
};

/// When a person begins to wonder.
const WONDERS: Duration = Duration::from_secs(2);

/// What a loaded machine may add to the bound of an end.
const EXTRA: Duration = Duration::from_secs(15);

/// How long a new process is waited for.
const READY: Duration = Duration::from_secs(120);

/// Between two questions whether it is there.
const PAUSE: Duration = Duration::from_millis(100);

/// A service that is started again lets answers end first: `up` has a bound of its own for it.
const SERVICE_AGAIN: Duration = Duration::from_secs(420);

/// One question about health.
const HEALTH: Duration = Duration::from_secs(2);

/// Ends the gateway of the home.
pub(crate) async fn stop(common: &Common, stop: &Stop) -> Result<(), Failed> {
    let asked = own::ask(common, &Ask::Stop { now: stop.now }, None)?;
    gone(asked).await?;
    done(common, "stopped")
}

/// Starts the gateway again, or one of its services.
pub(crate) async fn restart(common: &Common, restart: &Restart) -> Result<(), Failed> {
    let Some(service) = restart.service else {
        let asked = own::ask(common, &Ask::Restart { service: None }, None)?;
        let before = asked.answer.started_ms;
        gone(asked).await?;
        until(common, "the gateway is not ready", async || {
            let answer = control::ask(&common.run_dir(), &Ask::Hello, None);
            answer.is_ok_and(|asked| asked.answer.started_ms != before && asked.answer.url.is_some())
        })
        .await?;
        return done(common, "restarted");
    };
    let service = crate::service::by_name(service);
    let ask = Ask::Restart {
        service: Some(service.name().to_owned()),
    };
    let options = common.clone();
    let asked = spawn_blocking(move || own::ask(&options, &ask, Some(SERVICE_AGAIN))).await;
    asked.map_err(|error| Failed::new(Exit::Failed, error.to_string()))??;
    let address = Address::Unix(common.run_dir().join(format!("{service}.sock")));
    // Health asks for no credential.
    let peer = Peer::lazy(&address, &Secret::new("none"));
    until(common, &format!("{service} does not serve"), async || {
        let mut client = HealthClient::new(peer.channel());
        let answer = timeout(HEALTH, client.check(HealthCheckRequest::default())).await;
        matches!(answer, Ok(Ok(answer)) if answer.get_ref().status() == ServingStatus::Serving)
    })
    .await?;
    done(common, &format!("{service} restarted"))
}

/// Waits until the supervisor that answered is gone.
async fn gone(mut asked: Asked) -> Result<(), Failed> {
    let end = Duration::from_secs(asked.answer.end_seconds);
    let gone = spawn_blocking(move || {
        if asked.until_gone(WONDERS) {
            return true;
        }
        output::remark(&format!(
            "answers under way may end first, and everything within {} s; `gatehouse stop --now` ends at once",
            end.as_secs()
        ));
        asked.until_gone(end + EXTRA)
    });
    match gone.await {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(Failed::new(
            Exit::Failed,
            format!("the gateway has not ended within {} s", (end + EXTRA).as_secs()),
        )
        .next("`gatehouse stop --now` ends it at once")),
    }
}

async fn until(common: &Common, not: &str, fits: impl AsyncFn() -> bool) -> Result<(), Failed> {
    let began = Instant::now();
    while !fits().await {
        if began.elapsed() > READY {
            return Err(
                Failed::new(Exit::Unavailable, format!("{not} after {} s", READY.as_secs())).next(format!(
                    "`gatehouse logs` and `gatehouse status --home {}` say why",
                    common.home.display()
                )),
            );
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

fn done(common: &Common, what: &str) -> Result<(), Failed> {
    if common.json {
        return output::line(&json!({"ok": true, "home": common.home}).to_string());
    }
    output::line(&format!("{what}: the gateway of {}", common.home.display()))
}
