//! Where a message goes: a conversation that is remembered, or the chat with a person that is opened for it.

use serde_json::json;

use crate::{
    account::{Account, now_ms},
    activity::{Place, PlaceKind},
    connector::ConnectorError,
    service_url::ServiceUrl,
    store::Known,
};

/// Where a message goes.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) service: ServiceUrl,
    /// With the thread, as Teams has it in one id.
    pub(crate) conversation: String,
    pub(crate) kind: PlaceKind,
    /// The bot's own id there.
    pub(crate) bot: Option<String>,
}

impl Target {
    /// A conversation, or a chat with a person that is opened if there is none.
    pub(crate) async fn find(
        account: &Account,
        to: &str,
        thread: Option<&str>,
    ) -> Result<Self, ConnectorError> {
        let id = to.strip_prefix("user:").unwrap_or(to);
        match found(account, id).await? {
            Some(known) => Self::of(account, known, thread),
            None => {
                let known = open(account, id).await?;
                Self::of(account, known, None)
            }
        }
    }

    /// A conversation that is remembered.
    pub(crate) async fn known(
        account: &Account,
        to: &str,
        thread: Option<&str>,
    ) -> Result<Self, ConnectorError> {
        match found(account, to).await? {
            Some(known) => Self::of(account, known, thread),
            None => Err(stranger()),
        }
    }

    fn of(account: &Account, known: Known, thread: Option<&str>) -> Result<Self, ConnectorError> {
        // What was believed once is looked at again: the file may have been changed, and so may the list.
        let hosts = &account.settings.services.hosts;
        let service = hosts
            .connector(&known.service_url)
            .map_err(|error| refused(&format!("its service is not believed: {error}")))?;
        let Place {
            conversation, kind, ..
        } = known.place;
        let thread = thread.filter(|_| kind == PlaceKind::Channel);
        Ok(Self {
            service,
            conversation: match thread {
                Some(root) => format!("{conversation};messageid={root}"),
                None => conversation,
            },
            kind,
            bot: known.bot,
        })
    }
}

async fn found(account: &Account, id: &str) -> Result<Option<Known>, ConnectorError> {
    let found = account.store.conversation(&account.id, id).await;
    found.map_err(|error| ConnectorError::Unreached(error.to_string()))
}

/// Opens the chat with a person who has not written yet. The way to them is that of the conversation that was heard last.
async fn open(account: &Account, person: &str) -> Result<Known, ConnectorError> {
    let is_guid = person.len() == 36
        && person
            .bytes()
            .all(|sign| sign.is_ascii_hexdigit() || sign == b'-');
    if !is_guid && !person.starts_with("29:") {
        return Err(stranger());
    }
    let newest = account
        .store
        .newest(&account.id)
        .await
        .map_err(|error| ConnectorError::Unreached(error.to_string()))?
        .ok_or_else(stranger)?;
    let hosts = &account.settings.services.hosts;
    let service = hosts.connector(&newest.service_url).map_err(|_| stranger())?;
    let opened = account
        .connector
        .open(
            &service,
            &json!({
                "isGroup": false, "bot": { "id": newest.bot }, "members": [{ "id": person }],
                "tenantId": newest.place.tenant, "channelData": { "tenant": { "id": newest.place.tenant } },
            }),
        )
        .await?;
    if opened.id.is_empty() {
        return Err(refused("Teams opens no chat with this person"));
    }
    let known = Known {
        place: Place {
            conversation: opened.id,
            kind: PlaceKind::Personal,
            thread: None,
            tenant: newest.place.tenant,
            team: None,
            team_group: None,
            name: None,
        },
        service_url: newest.service_url,
        person: Some(person.to_owned()),
        bot: newest.bot,
        heard_at: now_ms(),
    };
    if let Err(error) = account.store.heard(&account.id, known.clone()).await {
        tracing::warn!(error = %error, "a chat that was opened is not remembered");
    }
    Ok(known)
}

fn stranger() -> ConnectorError {
    refused(
        "the bot is not in such a conversation: `gatehouse call msteams.conversations.list` lists those that it is in; in others it must be \
         added or written to first",
    )
}

fn refused(message: &str) -> ConnectorError {
    ConnectorError::Refused {
        code: "NotKnown".into(),
        message: message.to_owned(),
        status: 404,
    }
}
