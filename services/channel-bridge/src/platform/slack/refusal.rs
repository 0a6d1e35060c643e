//! What Slack's refusals mean, and what somebody can do about them.

use super::api::{ApiError, Refused};
use crate::adapter::Ended;

/// Without it nothing can be said.
const SPEAKS: &str = "chat:write";
/// Without any of these nothing is heard.
const HEARS: [&str; 5] = [
    "app_mentions:read",
    "channels:history",
    "groups:history",
    "im:history",
    "mpim:history",
];

/// Refusals that stay until somebody changes the app, its token or the workspace, and what to do.
fn next_step(word: &str) -> Option<&'static str> {
    Some(match word {
        "token_revoked" | "token_expired" => {
            "the token was taken back: install the app to the workspace anew (api.slack.com/apps, Install App) and set botToken"
        }
        "invalid_auth" | "not_authed" => {
            "Slack does not know this token: copy botToken from OAuth & Permissions and appToken from Basic Information"
        }
        "account_inactive" => {
            "the app was taken out of the workspace, or the workspace is gone: install the app anew and set botToken"
        }
        "org_login_required" | "team_access_not_granted" | "ekm_access_denied" => {
            "an administrator of the workspace has to let the app in"
        }
        "not_allowed_token_type" | "invalid_token" => {
            "the two tokens are exchanged: botToken begins with xoxb-, appToken with xapp-"
        }
        "missing_scope" | "no_permission" => {
            "give the app the scope (OAuth & Permissions; connections:write belongs to appToken) and install it anew"
        }
        "forbidden_team" | "access_denied" | "two_factor_setup_required" => {
            "the workspace does not let this app do it: ask its administrator"
        }
        _ => return None,
    })
}

/// What a refusal means for the connection.
pub(super) fn ended(error: &ApiError) -> Ended {
    match error {
        ApiError::Refused(refused) => match next_step(&refused.word) {
            Some(step) => Ended::Failed(format!("Slack refused ({refused}): {step}")),
            None => Ended::Retry(format!("Slack refused: {refused}")),
        },
        ApiError::Web(error) => Ended::Retry(error.to_string()),
    }
}

/// The end of the connection, where a message was refused for a reason that holds for all of them.
pub(super) fn ends_all(refused: &Refused) -> Option<Ended> {
    let of_the_token = !matches!(
        refused.word.as_str(),
        "missing_scope" | "no_permission" | "access_denied"
    );
    let step = next_step(&refused.word).filter(|_| of_the_token)?;
    Some(Ended::Failed(format!("Slack refused ({refused}): {step}")))
}

/// What to do where one chat takes no message.
pub(super) fn of_a_chat(refused: &Refused) -> String {
    let step = match refused.word.as_str() {
        "not_in_channel" => ": invite the bot there with /invite",
        "channel_not_found" => {
            ": the chat is gone, or private and the bot is not in it; invite it with /invite"
        }
        "is_archived" => ": the channel is archived",
        "user_not_found" | "user_disabled" | "users_not_found" => ": this person is gone from the workspace",
        "cannot_dm_bot" | "messages_tab_disabled" => {
            ": nobody can be written to there; switch on the app's Messages Tab (App Home)"
        }
        "restricted_action"
        | "restricted_action_read_only_channel"
        | "restricted_action_thread_only_channel" => ": an administrator decided who may post there",
        "missing_scope" | "no_permission" => ": give the app the scope and install it anew",
        _ => "",
    };
    format!("Slack refused: {refused}{step}")
}

/// What the bot's token lacks, in words, where Slack tells its scopes.
pub(super) fn scopes_missing(scopes: Option<&str>) -> Option<String> {
    let has = |scope: &str| scopes.is_none_or(|scopes| scopes.split(',').any(|one| one.trim() == scope));
    let mut missing = Vec::new();
    if !has(SPEAKS) {
        missing.push(format!("{SPEAKS} to answer"));
    }
    if !HEARS.iter().any(|scope| has(scope)) {
        missing.push("im:history and app_mentions:read to hear anything".to_owned());
    }
    if missing.is_empty() {
        return None;
    }
    Some(format!(
        "the bot's token lacks scopes: {}. Add them under OAuth & Permissions and install the app anew",
        missing.join("; ")
    ))
}

/// Whether Slack may take the same a little later.
pub(super) fn is_passing(refused: &Refused) -> bool {
    matches!(
        refused.word.as_str(),
        "ratelimited"
            | "rate_limited"
            | "fatal_error"
            | "internal_error"
            | "request_timeout"
            | "service_unavailable"
    )
}

/// Whether something else than a stream may be taken.
pub(super) fn is_of_streams(refused: &Refused) -> bool {
    refused.status < 400 && !is_passing(refused) && ends_all(refused).is_none()
}

/// Whether no stream of this app will be taken, wherever it is.
pub(super) fn is_of_the_app(refused: &Refused) -> bool {
    matches!(
        refused.word.as_str(),
        "unknown_method"
            | "method_deprecated"
            | "missing_scope"
            | "no_permission"
            | "feature_not_enabled"
            | "method_not_supported_for_channel_type"
    )
}

/// Whether a message is not there any more, or can be changed no more.
pub(super) fn is_gone(refused: &Refused) -> bool {
    matches!(
        refused.word.as_str(),
        "message_not_found"
            | "cant_update_message"
            | "edit_window_closed"
            | "cant_delete_message"
            | "streaming_state_conflict"
    )
}

#[cfg(test)]
mod tests {
    use super::scopes_missing;

    #[test]
    fn scopes_that_are_missing_are_named_where_slack_tells_what_there_are() {
        assert_eq!(scopes_missing(None), None);
        assert_eq!(scopes_missing(Some("chat:write,im:history")), None);
        let missing = scopes_missing(Some("chat:write.public")).unwrap();
        assert!(
            missing.contains("chat:write to") && missing.contains("im:history"),
            "{missing}"
        );
    }
}
