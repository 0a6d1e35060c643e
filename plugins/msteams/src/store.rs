//! What the plugin remembers: the conversations that it is in and where each is answered. Teams names the service anew with every activity
//! and lets old names expire, so the newest counts, over restarts as well.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::task;

use crate::activity::{Place, PlaceKind};

/// Conversations of one account that are remembered. Beyond this many, those that were silent longest are forgotten; they are known again
/// as soon as somebody says something.
const CONVERSATIONS_MAX: i64 = 100_000;
/// Cards of one account that wait for a button, likewise.
const CARDS_MAX: i64 = 10_000;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS conversation (
        account TEXT NOT NULL, id TEXT NOT NULL, service_url TEXT NOT NULL, kind TEXT NOT NULL, name TEXT, tenant TEXT, team TEXT,
        team_group TEXT, person TEXT, bot TEXT, heard_at INTEGER NOT NULL, PRIMARY KEY (account, id)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS conversation_heard ON conversation (account, heard_at, id);
    CREATE INDEX IF NOT EXISTS conversation_person ON conversation (account, person) WHERE person IS NOT NULL;
    CREATE TABLE IF NOT EXISTS card (
        account TEXT NOT NULL, conversation TEXT NOT NULL, message TEXT NOT NULL, answer TEXT NOT NULL, sent_at INTEGER NOT NULL,
        PRIMARY KEY (account, conversation, message)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS card_sent ON card (account, sent_at);
";

/// What went wrong with the database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what the plugin remembers cannot be read or written: {0}")]
pub struct StoreError(String);

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

/// A conversation that is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Where.
    pub place: Place,
    /// The service that brought its newest activity.
    pub service_url: String,
    /// The other person, in a chat of two.
    pub person: Option<String>,
    /// The bot's own id there.
    pub bot: Option<String>,
    /// When something was last heard, milliseconds since 1970.
    pub heard_at: i64,
}

/// The database.
#[derive(Clone)]
pub struct Store(Arc<Mutex<Connection>>);

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    /// Opens it.
    ///
    /// # Errors
    /// When the file cannot be.
    pub fn open(file: &Path) -> Result<Self, StoreError> {
        Self::with(Connection::open(file)?)
    }

    /// One that ends with the process.
    ///
    /// # Errors
    /// Never, as a rule.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::with(Connection::open_in_memory()?)
    }

    fn with(connection: Connection) -> Result<Self, StoreError> {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// Remembers a conversation, in the place of what was known of it. Returns when it is on the disk. What is heard again within an hour
    /// and is the same costs no write.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn heard(&self, account: &str, known: Known) -> Result<(), StoreError> {
        /// So far the time of a conversation may be behind: it only orders lists.
        const FRESH_MS: i64 = 3_600_000;
        let account = account.to_owned();
        self.run(move |connection| {
            if let Some(before) = find(connection, &account, &known.place.conversation)?
                && known.heard_at - before.heard_at < FRESH_MS
                && merged(&known, Some(&before)) == with_time(&before, known.heard_at)
            {
                return Ok(());
            }
            let transaction = connection.transaction()?;
            let before = find(&transaction, &account, &known.place.conversation)?;
            let now = merged(&known, before.as_ref());
            transaction.execute(
                "INSERT OR REPLACE INTO conversation VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                params![
                    account,
                    now.place.conversation,
                    now.service_url,
                    now.place.kind.word(),
                    now.place.name,
                    now.place.tenant,
                    now.place.team,
                    now.place.team_group,
                    now.person,
                    now.bot,
                    now.heard_at
                ],
            )?;
            if before.is_none() {
                transaction.execute(
                    "DELETE FROM conversation WHERE account = ?1 AND (account, id) IN (SELECT account, id FROM conversation
                     WHERE account = ?1 ORDER BY heard_at DESC LIMIT -1 OFFSET ?2)",
                    params![account, CONVERSATIONS_MAX],
                )?;
            }
            transaction.commit()?;
            Ok(())
        })
        .await
    }

    /// The bot is not there any more.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn left(&self, account: &str, conversation: &str) -> Result<(), StoreError> {
        let (account, conversation) = (account.to_owned(), conversation.to_owned());
        self.run(move |connection| {
            connection.execute(
                "DELETE FROM conversation WHERE account = ?1 AND id = ?2",
                params![account, conversation],
            )?;
            Ok(())
        })
        .await
    }

    /// A conversation, by its id; or the chat of two with a person, by theirs.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn conversation(&self, account: &str, id: &str) -> Result<Option<Known>, StoreError> {
        let (account, id) = (account.to_owned(), id.to_owned());
        self.run(move |connection| {
            if let Some(known) = find(connection, &account, &id)? {
                return Ok(Some(known));
            }
            let sql = format!(
                "SELECT {COLUMNS} FROM conversation WHERE account = ?1 AND person = ?2 ORDER BY heard_at DESC LIMIT 1"
            );
            Ok(connection
                .query_row(&sql, params![account, id], known)
                .optional()?)
        })
        .await
    }

    /// The conversation that was heard last, whichever it is: its service knows the way to people who have not written yet.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn newest(&self, account: &str) -> Result<Option<Known>, StoreError> {
        let page = self.list(account, None, None, 1).await?;
        Ok(page.into_iter().next())
    }

    /// Conversations, those that were last heard first; behind one that was listed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list(
        &self,
        account: &str,
        kind: Option<PlaceKind>,
        behind: Option<(i64, String)>,
        limit: u32,
    ) -> Result<Vec<Known>, StoreError> {
        let account = account.to_owned();
        self.run(move |connection| {
            let (heard_at, id) = behind.unwrap_or((i64::MAX, String::new()));
            let sql = format!(
                "SELECT {COLUMNS} FROM conversation WHERE account = ?1 AND (heard_at < ?2 OR (heard_at = ?2 AND id > ?3))
                 AND (?4 IS NULL OR kind = ?4) ORDER BY heard_at DESC, id LIMIT ?5"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let kind = kind.map(PlaceKind::word);
            let rows = statement.query_map(params![account, heard_at, id, kind, limit], known)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Remembers what takes the place of a card.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn keep_answer(
        &self,
        account: &str,
        conversation: &str,
        message: &str,
        answer: &str,
        sent_at: i64,
    ) -> Result<(), StoreError> {
        let row = [account, conversation, message, answer].map(str::to_owned);
        self.run(move |connection| {
            let [account, conversation, message, answer] = &row;
            let transaction = connection.transaction()?;
            transaction.execute(
                "INSERT OR REPLACE INTO card VALUES (?1, ?2, ?3, ?4, ?5)",
                params![account, conversation, message, answer, sent_at],
            )?;
            transaction.execute(
                "DELETE FROM card WHERE account = ?1 AND (account, conversation, message) IN (SELECT account, conversation, message
                 FROM card WHERE account = ?1 ORDER BY sent_at DESC LIMIT -1 OFFSET ?2)",
                params![account, CARDS_MAX],
            )?;
            transaction.commit()?;
            Ok(())
        })
        .await
    }

    /// What takes the place of a card.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn answer(
        &self,
        account: &str,
        conversation: &str,
        message: &str,
    ) -> Result<Option<String>, StoreError> {
        let key = [account, conversation, message].map(str::to_owned);
        self.run(move |connection| {
            let sql = "SELECT answer FROM card WHERE account = ?1 AND conversation = ?2 AND message = ?3";
            Ok(connection
                .query_row(sql, params![key[0], key[1], key[2]], |row| row.get(0))
                .optional()?)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = Arc::clone(&self.0);
        let worked =
            task::spawn_blocking(move || work(&mut store.lock().unwrap_or_else(PoisonError::into_inner)));
        worked
            .await
            .unwrap_or_else(|_| Err(StoreError("the work on it broke off".into())))
    }
}

const COLUMNS: &str = "id, service_url, kind, name, tenant, team, team_group, person, bot, heard_at";

fn find(connection: &Connection, account: &str, id: &str) -> Result<Option<Known>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM conversation WHERE account = ?1 AND id = ?2");
    Ok(connection
        .query_row(&sql, params![account, id], known)
        .optional()?)
}

fn known(row: &Row<'_>) -> rusqlite::Result<Known> {
    Ok(Known {
        place: Place {
            conversation: row.get("id")?,
            kind: PlaceKind::from_word(&row.get::<_, String>("kind")?).unwrap_or(PlaceKind::Group),
            thread: None,
            tenant: row.get("tenant")?,
            team: row.get("team")?,
            team_group: row.get("team_group")?,
            name: row.get("name")?,
        },
        service_url: row.get("service_url")?,
        person: row.get("person")?,
        bot: row.get("bot")?,
        heard_at: row.get("heard_at")?,
    })
}

/// What is said now, and what was said before where now nothing is: activities leave out names and the team's second id.
fn merged(now: &Known, before: Option<&Known>) -> Known {
    let mut now = now.clone();
    now.place.thread = None;
    if let Some(before) = before {
        let (place, old) = (&mut now.place, &before.place);
        place.tenant = place.tenant.take().or_else(|| old.tenant.clone());
        place.team = place.team.take().or_else(|| old.team.clone());
        place.team_group = place.team_group.take().or_else(|| old.team_group.clone());
        place.name = place.name.take().or_else(|| old.name.clone());
        now.person = now.person.or_else(|| before.person.clone());
        now.bot = now.bot.or_else(|| before.bot.clone());
        now.heard_at = now.heard_at.max(before.heard_at);
    }
    now
}

fn with_time(known: &Known, heard_at: i64) -> Known {
    Known {
        heard_at: heard_at.max(known.heard_at),
        ..known.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{Known, Store};
    use crate::activity::{Place, PlaceKind};

    fn known(id: &str, service_url: &str, heard_at: i64) -> Known {
        Known {
            place: Place {
                conversation: id.into(),
                kind: PlaceKind::Personal,
                thread: None,
                tenant: Some("t-1".into()),
                team: None,
                team_group: None,
                name: None,
            },
            service_url: service_url.into(),
            person: Some(format!("person of {id}")),
            bot: Some("28:bot".into()),
            heard_at,
        }
    }

    #[tokio::test]
    async fn the_newest_service_of_a_conversation_counts_over_restarts() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("teams.db");
        {
            let store = Store::open(&file).expect("a store");
            store
                .heard("default", known("a:1", "https://old/", 1))
                .await
                .expect("kept");
            store
                .heard("default", known("a:1", "https://new/", 2))
                .await
                .expect("kept");
        }

        let store = Store::open(&file).expect("a store");
        let found = store.conversation("default", "a:1").await.expect("read");

        assert_eq!(found.expect("it is known").service_url, "https://new/");
        assert_eq!(store.conversation("another", "a:1").await, Ok(None));
    }

    #[tokio::test]
    async fn a_person_is_found_by_their_id() {
        let store = Store::in_memory().expect("a store");
        store
            .heard("default", known("a:1", "https://x/", 1))
            .await
            .expect("kept");

        let found = store
            .conversation("default", "person of a:1")
            .await
            .expect("read");

        assert_eq!(found.expect("it is known").place.conversation, "a:1");
    }

    #[tokio::test]
    async fn what_an_activity_leaves_out_stays_known() {
        let store = Store::in_memory().expect("a store");
        let mut first = known("19:c", "https://x/", 1);
        first.place.team_group = Some("g-1".into());
        store.heard("default", first).await.expect("kept");

        store
            .heard("default", known("19:c", "https://y/", 2))
            .await
            .expect("kept");

        let found = store
            .conversation("default", "19:c")
            .await
            .expect("read")
            .expect("known");
        assert_eq!(found.place.team_group.as_deref(), Some("g-1"));
        assert_eq!(found.service_url, "https://y/");
    }

    #[tokio::test]
    async fn lists_go_on_behind_what_was_listed() {
        let store = Store::in_memory().expect("a store");
        for number in 0..5_i64 {
            let known = known(&format!("a:{number}"), "https://x/", number / 2);
            store.heard("default", known).await.expect("kept");
        }

        let mut seen = Vec::new();
        let mut behind = None;
        loop {
            let page = store.list("default", None, behind.take(), 2).await.expect("read");
            let Some(last) = page.last() else { break };
            behind = Some((last.heard_at, last.place.conversation.clone()));
            seen.extend(page.into_iter().map(|known| known.place.conversation));
        }

        assert_eq!(seen, ["a:4", "a:2", "a:3", "a:0", "a:1"]);
        let channels = store.list("default", Some(PlaceKind::Channel), None, 10).await;
        assert_eq!(channels, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn a_card_has_its_answer_until_others_take_its_place() {
        let store = Store::in_memory().expect("a store");
        store
            .keep_answer("default", "a:1", "m1", "{}", 1)
            .await
            .expect("kept");

        assert_eq!(store.answer("default", "a:1", "m1").await, Ok(Some("{}".into())));
        assert_eq!(store.answer("default", "a:2", "m1").await, Ok(None));
    }
}
