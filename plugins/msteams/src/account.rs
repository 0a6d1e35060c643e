//! One account while it is connected: its settings, its way to Teams and its way to the bridge.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{SystemTime, UNIX_EPOCH},
};

use gatehouse_plugin_sdk::Link;

use crate::{
    auth::Validator,
    connector::{Connector, ConnectorError, Tokens},
    settings::{Callers, Settings},
    store::Store,
    stream::Streams,
};

/// One account.
#[derive(Debug)]
pub struct Account {
    /// Its id in the configuration.
    pub id: String,
    /// How it is configured.
    pub settings: Settings,
    /// Who looks at tokens. `None`: nobody has to show one.
    pub validator: Option<Validator>,
    /// The way to Teams.
    pub connector: Connector,
    /// The bot's own tokens.
    pub tokens: Arc<Tokens>,
    /// What is remembered.
    pub store: Store,
    /// The answers that are being shown.
    pub streams: Streams,
    /// The way to the bridge.
    pub link: Arc<Link>,
    /// Whether people were told that Teams does not believe the bot.
    pub(crate) doubted: AtomicBool,
}

impl Account {
    /// One that is configured so. Nothing is asked of Microsoft yet.
    ///
    /// # Errors
    /// When it cannot be made: a sentence for whoever configured it.
    pub fn new(id: &str, settings: Settings, store: Store, link: Arc<Link>) -> Result<Self, String> {
        let validator = match &settings.callers {
            Callers::Signed(identity) => Some(Validator::new(identity.clone(), &settings.services.issuers)?),
            Callers::Anybody => None,
        };
        let tokens = Arc::new(Tokens::new(
            settings.credential.clone(),
            settings.services.us_government,
        )?);
        Ok(Self {
            id: id.to_owned(),
            validator,
            connector: Connector::new(Arc::clone(&tokens))?,
            tokens,
            store,
            streams: Streams::default(),
            link,
            doubted: AtomicBool::new(false),
            settings,
        })
    }

    /// Whether Microsoft believes the bot.
    ///
    /// # Errors
    /// When it does not, or cannot be asked.
    pub async fn believed(&self) -> Result<(), ConnectorError> {
        self.tokens.get().await.map(drop)
    }
}

/// The accounts that are connected.
pub type Accounts = gatehouse_plugin_sdk::Accounts<Account>;

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
