//! The rules of `channels`: what an account needs to run, and who may talk.

use url::Url;

use gatehouse_document::{
    Document, SecretInput,
    irc::IrcAccount,
    policies::{DmPolicy, Policies, SendRate},
    webhook::{SECRET_BYTES_MIN, WebhookAccount},
};

use crate::issue::Issue;

/// The rules of `channels`.
pub(super) fn check(document: &Document, issues: &mut Vec<Issue>) {
    if let Some(irc) = &document.channels.irc {
        let base = &irc.account;
        let path = "channels.irc";
        policies(path, &base.policies, None, issues);
        rate(path, base.rate_limit.as_ref(), issues);
        if irc.accounts.is_empty() && base.enabled != Some(false) {
            irc_account(path, base, None, issues);
        }
        for (id, account) in &irc.accounts {
            let path = format!("{path}.accounts.{id}");
            policies(&path, &account.policies, Some(&base.policies), issues);
            rate(&path, account.rate_limit.as_ref(), issues);
            if base.enabled != Some(false) && account.enabled != Some(false) {
                irc_account(&path, account, Some(base), issues);
            }
        }
        default_account(path, irc.default_account.as_deref(), irc.accounts.keys(), issues);
    }
    if let Some(webhook) = &document.channels.webhook {
        let base = &webhook.account;
        let path = "channels.webhook";
        policies(path, &base.policies, None, issues);
        rate(path, base.rate_limit.as_ref(), issues);
        if webhook.accounts.is_empty() && base.enabled != Some(false) {
            webhook_account(path, base, None, issues);
        }
        for (id, account) in &webhook.accounts {
            let path = format!("{path}.accounts.{id}");
            policies(&path, &account.policies, Some(&base.policies), issues);
            rate(&path, account.rate_limit.as_ref(), issues);
            if base.enabled != Some(false) && account.enabled != Some(false) {
                webhook_account(&path, account, Some(base), issues);
            }
        }
        default_account(
            path,
            webhook.default_account.as_deref(),
            webhook.accounts.keys(),
            issues,
        );
    }
}

fn irc_account(path: &str, account: &IrcAccount, base: Option<&IrcAccount>, issues: &mut Vec<Issue>) {
    let given = |key: fn(&IrcAccount) -> &Option<String>| {
        key(account).is_some() || base.is_some_and(|base| key(base).is_some())
    };
    if !given(|account| &account.server) {
        issues.push(Issue::error(
            format!("{path}.server"),
            "is required: the server's host name",
        ));
    }
    if !given(|account| &account.nick) {
        issues.push(Issue::error(
            format!("{path}.nick"),
            "is required: the assistant's nick",
        ));
    }
}

fn webhook_account(
    path: &str,
    account: &WebhookAccount,
    base: Option<&WebhookAccount>,
    issues: &mut Vec<Issue>,
) {
    let short = |secret: Option<&SecretInput>| matches!(secret, Some(SecretInput::Text(text)) if text.trim().len() < SECRET_BYTES_MIN);
    let secret = account
        .secret
        .as_ref()
        .or(base.and_then(|base| base.secret.as_ref()));
    if secret.is_none() {
        issues.push(Issue::error(
            format!("{path}.secret"),
            "is required: the key that signs requests",
        ));
    }
    for (key, secret) in [
        ("secret", secret),
        ("callbackSecret", account.callback_secret.as_ref()),
    ] {
        if short(secret) {
            let message = format!("must have {SECRET_BYTES_MIN} characters or more");
            issues.push(Issue::error(format!("{path}.{key}"), message));
        }
    }
    if let Some(url) = &account.callback_url
        && !Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    {
        issues.push(Issue::error(
            format!("{path}.callbackUrl"),
            "must be an address with http or https",
        ));
    }
}

fn default_account<'a>(
    path: &str,
    default: Option<&str>,
    mut ids: impl ExactSizeIterator<Item = &'a String>,
    issues: &mut Vec<Issue>,
) {
    let Some(default) = default else { return };
    let known = if ids.len() == 0 {
        default == "default"
    } else {
        ids.any(|id| id == default)
    };
    if !known {
        issues.push(Issue::error(
            format!("{path}.defaultAccount"),
            format!("there is no account {default:?}"),
        ));
    }
}

fn rate(path: &str, rate: Option<&SendRate>, issues: &mut Vec<Issue>) {
    if rate.is_some_and(|rate| !rate.per_second.is_finite() || rate.per_second <= 0.0) {
        issues.push(Issue::error(
            format!("{path}.rateLimit.perSecond"),
            "must be above zero, for example 0.5",
        ));
    }
}

fn policies(path: &str, own: &Policies, base: Option<&Policies>, issues: &mut Vec<Issue>) {
    let policy = own.dm_policy.or(base.and_then(|base| base.dm_policy));
    let allowed = own
        .allow_from
        .as_ref()
        .or(base.and_then(|base| base.allow_from.as_ref()));
    let everybody = allowed.is_some_and(|senders| senders.iter().any(|sender| sender.0 == "*"));
    if policy == Some(DmPolicy::Open) && !everybody {
        issues.push(Issue::error(
            format!("{path}.dmPolicy"),
            "\"open\" lets everybody talk to the assistant and needs `allowFrom: [\"*\"]` beside it",
        ));
    }
}
