//! The rules of `channels`: what an account needs to run, and who may talk.

use url::Url;

use gatehouse_document::{
    Document, SecretInput,
    channels::ChannelAccount,
    irc::IrcAccount,
    policies::{DmPolicy, Policies, SendRate},
    webhook::{SECRET_BYTES_MIN, WebhookAccount},
};

use crate::{issue::Issue, path::Path};

/// The rules of `channels`: those of every channel, then what each needs to run.
pub(super) fn check(document: &Document, issues: &mut Vec<Issue>) {
    for (channel, section) in document.channels.sections() {
        let (path, base) = (Path::of(["channels", channel]), section.base());
        policies(&path, base.policies(), None, issues);
        rate(&path, base.rate_limit(), issues);
        let accounts = section.accounts();
        for (id, account) in &accounts {
            let path = path.key("accounts").key(id);
            policies(&path, account.policies(), Some(base.policies()), issues);
            rate(&path, account.rate_limit(), issues);
        }
        let ids = accounts.iter().map(|(id, _)| *id);
        default_account(&path, section.default_account(), ids, issues);
    }
    if let Some(irc) = &document.channels.irc {
        for (path, account, base) in
            running(&Path::of(["channels", "irc"]), &irc.account, irc.accounts.iter())
        {
            irc_account(&path, account, base, issues);
        }
    }
    if let Some(webhook) = &document.channels.webhook {
        for (path, account, base) in running(
            &Path::of(["channels", "webhook"]),
            &webhook.account,
            webhook.accounts.iter(),
        ) {
            webhook_account(&path, account, base, issues);
        }
    }
}

/// The accounts that are on, each with its path and what it inherits.
fn running<'a, A: ChannelAccount>(
    path: &Path,
    base: &'a A,
    accounts: impl ExactSizeIterator<Item = (&'a String, &'a A)>,
) -> Vec<(Path, &'a A, Option<&'a A>)> {
    let on = |account: &A| account.enabled() != Some(false);
    if !on(base) {
        return Vec::new();
    }
    if accounts.len() == 0 {
        return vec![(path.clone(), base, None)];
    }
    accounts
        .filter(|(_, account)| on(account))
        .map(|(id, account)| (path.key("accounts").key(id), account, Some(base)))
        .collect()
}

fn irc_account(path: &Path, account: &IrcAccount, base: Option<&IrcAccount>, issues: &mut Vec<Issue>) {
    let given = |key: fn(&IrcAccount) -> &Option<String>| {
        key(account).is_some() || base.is_some_and(|base| key(base).is_some())
    };
    if !given(|account| &account.server) {
        issues.push(Issue::error(
            path.key("server"),
            "is required: the server's host name",
        ));
    }
    if !given(|account| &account.nick) {
        issues.push(Issue::error(
            path.key("nick"),
            "is required: the assistant's nick",
        ));
    }
}

fn webhook_account(
    path: &Path,
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
            path.key("secret"),
            "is required: the key that signs requests",
        ));
    }
    for (key, secret) in [
        ("secret", secret),
        ("callbackSecret", account.callback_secret.as_ref()),
    ] {
        if short(secret) {
            let message = format!("must have {SECRET_BYTES_MIN} characters or more");
            issues.push(Issue::error(path.key(key), message));
        }
    }
    if let Some(url) = &account.callback_url
        && !Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    {
        issues.push(Issue::error(
            path.key("callbackUrl"),
            "must be an address with http or https",
        ));
    }
}

fn default_account<'a>(
    path: &Path,
    default: Option<&str>,
    mut ids: impl ExactSizeIterator<Item = &'a str>,
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
            path.key("defaultAccount"),
            format!("there is no account {default:?}"),
        ));
    }
}

fn rate(path: &Path, rate: Option<&SendRate>, issues: &mut Vec<Issue>) {
    if rate.is_some_and(|rate| !rate.per_second.is_finite() || rate.per_second <= 0.0) {
        issues.push(Issue::error(
            path.key("rateLimit").key("perSecond"),
            "must be above zero, for example 0.5",
        ));
    }
}

fn policies(path: &Path, own: &Policies, base: Option<&Policies>, issues: &mut Vec<Issue>) {
    let policy = own.dm_policy.or(base.and_then(|base| base.dm_policy));
    let allowed = own
        .allow_from
        .as_ref()
        .or(base.and_then(|base| base.allow_from.as_ref()));
    let everybody = allowed.is_some_and(|senders| senders.iter().any(|sender| sender.0 == "*"));
    if policy == Some(DmPolicy::Open) && !everybody {
        issues.push(Issue::error(
            path.key("dmPolicy"),
            "\"open\" lets everybody talk to the assistant and needs `allowFrom: [\"*\"]` beside it",
        ));
    }
}
