//! The store in one SQLite file. Nothing outside this folder knows that it is one, but whoever opens it.

mod accounts;
mod enqueue;
mod inbox;
mod outbox;
mod pace;
mod pairing;
mod previews;
mod reports;
mod schema;
mod waiting;

use std::path::Path;

use gatehouse_core::sqlite::{self, Database};

use self::schema::MIGRATIONS;
pub use self::schema::SCHEMA;
use super::StoreError;

/// The store. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Sqlite(Database);

impl Sqlite {
    /// Opens or makes the file.
    ///
    /// # Errors
    /// When another process has it, or it cannot be used.
    pub(crate) async fn open(path: &Path) -> Result<Self, StoreError> {
        let store = Self(Database::open(path, MIGRATIONS)?);
        // The file is locked, so whoever had leases in it is gone, however it ended.
        store
            .0
            .write(|tx| {
                tx.execute("DELETE FROM account_lease -- scans: a row for each account", [])?;
                Ok::<_, StoreError>(())
            })
            .await?;
        Ok(store)
    }

    /// The database itself, for its health and its copies.
    pub(crate) fn database(&self) -> &Database {
        &self.0
    }
}

impl From<sqlite::Error> for StoreError {
    fn from(error: sqlite::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        sqlite::Error::from(error).into()
    }
}

#[cfg(test)]
mod tests;
