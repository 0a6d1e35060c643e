//! What Discord's refusals mean, and what somebody can do about them.

use std::time::Duration;

use super::api::{ApiError, Refused};
use crate::adapter::Ended;

/// What follows the end of a connection with the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The session goes on where it ended.
    Resume,
    /// A new session begins.
    Anew,
    Ended(Ended),
}

/// What a refusal means for the connection.
pub(super) fn ended(error: &ApiError) -> Ended {
    match error {
        ApiError::Refused(refused) if refused.status == 401 => Ended::Failed(format!(
            "Discord does not know this bot ({refused}): get its token anew (discord.com/developers/applications, Bot, Reset Token) and set token"
        )),
        ApiError::Refused(refused) => Ended::Retry(format!("Discord refused: {refused}")),
        ApiError::Web(error) => Ended::Retry(error.to_string()),
    }
}

/// What the code means that the gateway closes with (Gateway close event codes).
pub(super) fn closed(code: Option<u16>) -> Next {
    let failed = |words: &str| Next::Ended(Ended::Failed(words.to_owned()));
    match code {
        Some(4004) => failed(
            "Discord does not know this bot (4004): get its token anew (discord.com/developers/applications, Bot, Reset Token) and set token",
        ),
        Some(4010 | 4011) => failed(
            "the bot is in too many servers for one connection (4011): Gatehouse does not divide them; take it out of some",
        ),
        Some(4012 | 4013) => {
            failed("Discord does not speak this version any more (4012, 4013): use a newer Gatehouse")
        }
        Some(4014) => failed(
            "Discord does not let this bot read messages (4014): switch on Message Content Intent (discord.com/developers/applications, Bot, Privileged Gateway Intents)",
        ),
        Some(4003 | 4005 | 4007 | 4009) => Next::Anew,
        Some(_) | None => Next::Resume,
    }
}

/// What to do where one chat takes no message.
pub(super) fn of_a_chat(refused: &Refused) -> String {
    let step = match refused.code {
        10_003 => ": the channel is gone",
        50_001 => ": the bot does not see this channel; give its role the permission View Channel",
        50_013 => {
            ": the bot may not write there; give its role Send Messages, and Send Messages in Threads for threads"
        }
        50_007 => {
            ": this person takes no direct messages from the bot (Privacy Settings of a server that both are in)"
        }
        160_005 => ": the thread is locked",
        _ => "",
    };
    format!("Discord refused: {refused}{step}")
}

/// That the bot may not be logged in with now.
pub(super) fn no_more_starts(reset_after: Duration) -> Ended {
    let minutes = reset_after.as_secs().div_ceil(60);
    Ended::Retry(format!(
        "Discord lets this bot begin no more sessions (1000 in a day); it does again in {minutes} minutes. Does another program use the same token?"
    ))
}

/// What a bot cannot do that may not read messages.
pub(super) const NO_CONTENT: &str = "the bot reads only direct messages and messages that name it: for others switch on Message Content \
     Intent (discord.com/developers/applications, Bot, Privileged Gateway Intents), then restart the account";
