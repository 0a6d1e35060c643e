//! Where the credentials of accounts are: a folder for each account, in it a folder for each login. The newest login is the one that holds,
//! until WhatsApp has ended it: then it is marked, stays where it is, and the next one begins beside it. Nothing is ever overwritten.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use gatehouse_plugin_sdk::process::private_folder;
use sha2::{Digest, Sha256};

/// Logins that are over and kept, so that nothing is lost by a mistake. They open nothing any more.
const OVER_MAX: usize = 3;
/// In the folder of a login: it is over.
const OVER: &str = "over";
const LOGIN: &str = "login-";

/// The folder of one account. Nobody else has it while this is held.
#[derive(Debug)]
pub(crate) struct Place {
    folder: PathBuf,
    /// Holds the lock.
    _lock: File,
}

impl Place {
    /// Takes the folder of an account.
    ///
    /// # Errors
    /// When another process has it, or it cannot be made: what to do, for a person.
    pub(crate) fn take(state: &Path, account: &str) -> Result<Self, String> {
        let folder = state.join(name(account));
        private_folder(&folder).map_err(|error| error.to_string())?;
        let lock =
            File::create(folder.join("lock")).map_err(|error| format!("{}: {error}", folder.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(format!(
                "another process of this plugin has {}: two with the same credentials put each other out",
                folder.display()
            )),
            Err(TryLockError::Error(error)) => Err(format!("{}: {error}", folder.display())),
        }
    }

    /// The file of the login that holds, or of one that is about to begin.
    ///
    /// # Errors
    /// When the folder cannot be read or made.
    pub(crate) fn login(&self) -> io::Result<PathBuf> {
        let newest = self.logins()?.last().copied();
        let number = match newest {
            None => 1,
            Some(newest) if self.is_over(newest) => newest + 1,
            Some(newest) => newest,
        };
        let folder = self.of(number);
        private_folder(&folder)?;
        Ok(folder.join("whatsapp.db"))
    }

    /// The login that holds is over: its credentials open nothing any more, and are kept.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub(crate) fn end_login(&self) -> io::Result<()> {
        let logins = self.logins()?;
        let Some(newest) = logins.last() else {
            return Ok(());
        };
        let mark = File::create(self.of(*newest).join(OVER))?;
        mark.sync_all()?;
        let over = logins.len().saturating_sub(OVER_MAX);
        for old in logins.iter().take(over) {
            fs::remove_dir_all(self.of(*old))?;
        }
        Ok(())
    }

    fn is_over(&self, number: u64) -> bool {
        self.of(number).join(OVER).exists()
    }

    fn of(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{LOGIN}{number}"))
    }

    /// The numbers of all logins, the oldest first.
    fn logins(&self) -> io::Result<Vec<u64>> {
        let mut logins = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let number: Option<u64> = name
                .to_str()
                .and_then(|name| name.strip_prefix(LOGIN)?.parse().ok());
            logins.extend(number);
        }
        logins.sort_unstable();
        Ok(logins)
    }
}

/// The name of an account's folder. An id that is no name of a folder never becomes one.
fn name(account: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if !account.is_empty() && account.len() <= 64 && account.chars().all(is_plain) {
        return account.to_owned();
    }
    let digest = Sha256::digest(account);
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("id.{hex}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Place, name};

    #[test]
    fn a_login_holds_until_it_is_over_and_is_kept_beside_the_next() {
        let state = tempfile::tempdir().expect("a folder");
        let place = Place::take(state.path(), "home").expect("it is free");

        let first = place.login().expect("a file");
        fs::write(&first, "credentials").expect("written");
        assert_eq!(place.login().expect("the same"), first, "a restart keeps it");
        place.end_login().expect("marked");

        let second = place.login().expect("another");
        assert_ne!(second, first);
        assert_eq!(fs::read_to_string(&first).expect("kept"), "credentials");
        for _ in 0..5 {
            place.login().expect("a file");
            place.end_login().expect("marked");
        }
        let kept = fs::read_dir(state.path().join("home"))
            .expect("the folder")
            .count();
        assert_eq!(kept, 4, "three logins and the lock");
    }

    #[test]
    fn an_account_is_one_processes_at_a_time_and_its_id_is_never_a_path() {
        let state = tempfile::tempdir().expect("a folder");
        let held = Place::take(state.path(), "home").expect("it is free");

        let refused = Place::take(state.path(), "home").expect_err("it is held");
        assert!(refused.contains("another process"), "{refused}");
        drop(held);
        Place::take(state.path(), "home").expect("it is free again");
        for id in ["../etc", "a/b", "", ".", "Ünïcode", &"x".repeat(65)] {
            let name = name(id);
            assert!(name.starts_with("id.") && name.len() == 35, "{name}");
        }
        assert_ne!(name("a/b"), name("a/c"));
    }
}
