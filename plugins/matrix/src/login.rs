//! How a session is made and kept: a device of the account, its token, and its keys in a folder of its own. A device's keys exist once; whoever
//! logs in as another device begins with an empty folder.

mod server;

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use gatehouse_plugin_sdk::{Secret, for_good, for_now, process};
use gatehouse_proto::channel::v1::Ended;
use matrix_sdk::{
    Client, SessionMeta, SessionTokens,
    authentication::matrix::MatrixSession,
    config::RequestConfig,
    encryption::{BackupDownloadStrategy, EncryptionSettings},
};
use serde_json::json;
use sha2::{Digest, Sha256};

use self::server::{Login, Server, Who};
use crate::settings::{Credential, Settings};

/// How long the server may take for one request. What it takes longer for is a request that it holds, which says so.
const REQUEST_WITHIN: Duration = Duration::from_secs(30);
/// How the device is called in the list of the account's sessions.
const DEVICE_NAME: &str = "Gatehouse";

/// Where an account's session is kept.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// That of an account, below the plugin's. Names of the configuration become no paths.
    #[must_use]
    pub fn of(state: &Path, account_id: &str, settings: &Settings) -> Self {
        let user = settings.user.as_ref().map(ToString::to_string);
        let name = format!(
            "{account_id}\n{}\n{}",
            settings.homeserver,
            user.unwrap_or_default()
        );
        let digest = Sha256::digest(name.as_bytes());
        let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self(state.join(hex))
    }

    fn session_file(&self) -> PathBuf {
        self.0.join("session.json")
    }

    fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    fn session(&self) -> Option<MatrixSession> {
        serde_json::from_slice(&fs::read(self.session_file()).ok()?).ok()
    }

    /// Keeps a session. The file is whole or the one before, and nobody else reads it.
    fn keep(&self, session: &MatrixSession) -> io::Result<()> {
        let new = self.0.join("session.new");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        serde_json::to_writer(&mut file, session)?;
        file.sync_all()?;
        fs::rename(new, self.session_file())
    }

    /// The server does not know the token any more. After a soft logout the device and its keys stay; otherwise they are of no use.
    pub fn logged_out(&self, soft: bool) {
        let outcome = match (soft, self.session()) {
            (true, Some(mut session)) => {
                session.tokens.access_token = String::new();
                self.keep(&session)
            }
            _ => self.empty(),
        };
        if let Err(error) = outcome {
            tracing::warn!(error = %error, "a session that is over is still on the disk");
        }
    }

    fn empty(&self) -> io::Result<()> {
        for outcome in [
            fs::remove_file(self.session_file()),
            fs::remove_dir_all(self.store()),
        ] {
            match outcome {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Logs the account in, or goes on with the session that is on the disk.
///
/// # Errors
/// Why the account cannot run.
pub async fn client(folder: &Folder, settings: &Settings) -> Result<Client, Ended> {
    let broken = |error: io::Error| for_now(format!("{}: {error}", folder.0.display()));
    process::private_folder(&folder.0).map_err(broken)?;
    let kept = folder.session();
    let session = session(settings, kept.as_ref()).await?;
    if kept
        .as_ref()
        .is_some_and(|kept| kept.meta.device_id != session.meta.device_id)
    {
        tracing::warn!("the account has another device now: it begins without keys");
        folder.empty().map_err(broken)?;
    }
    let mut remembered = session.clone();
    if matches!(settings.credential, Credential::Token(_)) {
        remembered.tokens.access_token.clear(); // the configuration has it
    }
    folder.keep(&remembered).map_err(broken)?;
    process::private_folder(&folder.store()).map_err(broken)?;
    let client = Client::builder()
        .homeserver_url(&settings.homeserver)
        .sqlite_store(folder.store(), None)
        .request_config(RequestConfig::new().disable_retry().timeout(REQUEST_WITHIN))
        .with_encryption_settings(EncryptionSettings {
            auto_enable_cross_signing: false,
            backup_download_strategy: BackupDownloadStrategy::AfterDecryptionFailure,
            auto_enable_backups: false,
        })
        .build()
        .await
        .map_err(|error| for_now(format!("the account's keys cannot be opened: {error}")))?;
    client
        .restore_session(session)
        .await
        .map_err(|error| for_now(format!("the account's keys cannot be read: {error}")))?;
    Ok(client)
}

/// The session to run: the one that was kept as long as the server knows it.
async fn session(settings: &Settings, kept: Option<&MatrixSession>) -> Result<MatrixSession, Ended> {
    let server = Server::new(&settings.homeserver)?;
    let device = settings
        .device
        .clone()
        .or_else(|| kept.map(|kept| kept.meta.device_id.to_string()));
    match &settings.credential {
        Credential::Token(token) => {
            let who: Who = server.whoami(token).await?;
            let Some(found) = who.device_id else {
                return Err(for_good(
                    "`accessToken` belongs to no device, so nothing can be encrypted with it: log in with a password",
                ));
            };
            if settings.user.as_ref().is_some_and(|user| *user != who.user_id) {
                return Err(for_good(format!(
                    "`accessToken` is of {}, and `userId` is another",
                    who.user_id
                )));
            }
            if settings.device.as_ref().is_some_and(|wanted| *wanted != found) {
                return Err(for_good(format!(
                    "`accessToken` is of the device {found}, and `deviceId` is another"
                )));
            }
            made(&who.user_id, &found, token)
        }
        Credential::Password(user, password) => {
            if let Some(kept) =
                kept.filter(|kept| !kept.tokens.access_token.is_empty() && kept.meta.user_id == *user)
            {
                let token = Secret::new(&kept.tokens.access_token);
                match server.whoami(&token).await {
                    Ok(_) => return Ok(kept.clone()),
                    Err(ended) if !ended.for_good => return Err(ended),
                    Err(_) => {} // the session is over: a new one, of the same device where the server still has it
                }
            }
            let mut body = json!({
                "type": "m.login.password", "identifier": { "type": "m.id.user", "user": user }, "password": password.expose(),
                "initial_device_display_name": DEVICE_NAME,
            });
            if let Some(device) = device {
                body["device_id"] = json!(device);
            }
            let login: Login = server.login(&body).await?;
            made(
                &login.user_id,
                &login.device_id,
                &Secret::new(&login.access_token),
            )
        }
    }
}

fn made(user: &str, device: &str, token: &Secret) -> Result<MatrixSession, Ended> {
    let user_id = user
        .try_into()
        .map_err(|_| for_now("the server's answer names no user"))?;
    Ok(MatrixSession {
        meta: SessionMeta {
            user_id,
            device_id: device.into(),
        },
        tokens: SessionTokens {
            access_token: token.expose().to_owned(),
            refresh_token: None,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use gatehouse_plugin_sdk::Secret;

    use super::{Folder, made};
    use crate::settings::Settings;

    fn settings(user: &str) -> Settings {
        let config = format!(r#"{{"homeserver": "https://x.example", "userId": "{user}", "password": "x"}}"#);
        Settings::read(&config).expect("settings")
    }

    #[test]
    fn names_of_the_configuration_are_no_paths_and_accounts_share_no_folder() {
        let state = std::path::Path::new("/state");
        let folder = |id: &str, user: &str| Folder::of(state, id, &settings(user)).0;

        let odd = folder("../../etc", "@bot:example");

        assert_eq!(odd.parent(), Some(state));
        assert_ne!(odd, folder("default", "@bot:example"));
        assert_ne!(
            folder("default", "@bot:example"),
            folder("default", "@other:example")
        );
    }

    #[test]
    fn a_soft_logout_keeps_the_device_and_a_logout_does_not() {
        let state = tempfile::tempdir().expect("a folder");
        let folder = Folder::of(state.path(), "default", &settings("@bot:example"));
        std::fs::create_dir(&folder.0).expect("a folder");
        let session = made("@bot:example", "DEVICE", &Secret::new("token")).expect("a session");
        folder.keep(&session).expect("kept");
        let mode = folder
            .session_file()
            .metadata()
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);

        folder.logged_out(true);
        let soft = folder.session().expect("a session");
        assert_eq!(
            (soft.meta.device_id.as_str(), &*soft.tokens.access_token),
            ("DEVICE", "")
        );

        folder.logged_out(false);
        assert!(folder.session().is_none());
    }
}
