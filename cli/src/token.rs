//! `gatehouse token`: the gateway token alone on the standard output, so that a script can take it.

use std::time::Duration;

use gatehouse_core::telemetry::escape;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    args::{Common, Token},
    client::{self, Client, follow::replaced},
    exit::{Exit, Failed},
    gateway::{TOKEN_FILE, home_token, within_deadline},
    output, own,
};

const METHOD: &str = "gateway.token.rotate";

/// Others that make a token at the same moment; each is through within milliseconds.
const ATTEMPTS_MAX: usize = 10;

/// A new token is written durably before it is shown.
const ANSWER: Duration = Duration::from_secs(15);

/// Shows or replaces the token.
pub(crate) async fn run(common: &Common, token: &Token) -> Result<(), Failed> {
    match token {
        Token::Show => show(common),
        Token::Rotate => rotate(common).await,
    }
}

fn show(common: &Common) -> Result<(), Failed> {
    let home = common.clone();
    let token = within_deadline(common, move || home_token(&home))?.map_err(|error| {
        Failed::new(
            Exit::Failed,
            format!(
                "no token in {} ({}): {error}",
                common.home.display(),
                common.found
            ),
        )
        .next(format!(
            "a gateway makes one at its first start: {}",
            own::start_step(common)
        ))
    })?;
    if common.json {
        output::line(&json!({"token": token.expose()}).to_string())
    } else {
        output::line(token.expose())
    }
}

#[derive(Debug, Deserialize, Serialize)]
struct Rotated {
    token: String,
    path: String,
}

async fn rotate(common: &Common) -> Result<(), Failed> {
    let rotated = make_new(common).await?;
    if common.json {
        return output::line(&json!(rotated).to_string());
    }
    output::remark(&format!(
        "The old token no longer opens anything. The new one is kept in {}:",
        escape(&rotated.path)
    ));
    output::line(&rotated.token)
}

/// Has a new token made. Another may be made at the same moment, and the connection that asks is one of those that a new token
/// ends: neither is a reason to end without the token.
async fn make_new(common: &Common) -> Result<Rotated, Failed> {
    let nothing = client::params(&json!({}));
    let mut attempts = 0;
    loop {
        attempts += 1;
        let (gateway, mut client) = Client::follow(common, &[METHOD]).await?;
        let answer = match client.send(METHOD, &nothing).await {
            Ok(id) => client.answer(&id, ANSWER).await,
            Err(lost) => Err(lost),
        };
        client.close().await;
        match answer {
            Ok(Ok(answer)) => return read(answer.get()),
            Ok(Err(refusal)) if refusal.is_auth_changed() && attempts < ATTEMPTS_MAX => {}
            Ok(Err(refusal)) => return Err(client::refused(METHOD, &refusal)),
            Err(failed) if failed.exit == Exit::Unavailable => {
                let replaced = replaced(common, &gateway).await;
                let token = replaced.and_then(|gateway| gateway.token).ok_or(failed)?;
                let path = common.token_file.clone();
                let path = path.unwrap_or_else(|| common.home.join(TOKEN_FILE));
                return Ok(Rotated {
                    token: token.expose().to_owned(),
                    path: path.display().to_string(),
                });
            }
            Err(failed) => return Err(failed),
        }
    }
}

fn read(answer: &str) -> Result<Rotated, Failed> {
    serde_json::from_str(answer)
        .map_err(|error| Failed::new(Exit::Failed, format!("the answer cannot be read: {error}")))
}
