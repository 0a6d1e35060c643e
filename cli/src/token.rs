//! `gatehouse token`: the gateway token alone on the standard output, so that a script can take it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::{
    args::{Common, Token},
    call,
    client::{self, Client},
    exit::{Exit, Failed},
    place::{Place, house_token},
};

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
    let token = house_token(common).map_err(|error| {
        Failed::new(
            Exit::Failed,
            format!("no token in {}: {error}", common.home.display()),
        )
        .next("start the house once with `gatehouse up`, or name its home with --home")
    })?;
    if common.json {
        call::print(&json!({"token": token.expose()}).to_string(), true)
    } else {
        call::print(token.expose(), true)
    }
}

#[derive(Deserialize)]
struct Rotated {
    token: String,
    path: String,
}

async fn rotate(common: &Common) -> Result<(), Failed> {
    let place = Place::find(common)?;
    let mut client = Client::connect(&place, &["operator.admin"]).await?;
    let answer = client
        .call("gateway.token.rotate", &client::params(&json!({})), ANSWER)
        .await?;
    client.close().await;
    if common.json {
        return call::print(answer.get(), true);
    }
    let rotated: Rotated = serde_json::from_str(answer.get())
        .map_err(|error| Failed::new(Exit::Failed, format!("the answer cannot be read: {error}")))?;
    eprintln!(
        "The old token no longer opens anything. The new one is kept in {}:",
        rotated.path
    );
    call::print(&rotated.token, true)
}
