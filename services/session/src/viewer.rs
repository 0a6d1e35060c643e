//! Who looks at sessions, and which of them he may see.
//!
//! A session that a named user began is that user's: the gateway's owner and whoever holds `operator.admin` see it too, and other named
//! users do not. What belongs to nobody in particular (the main session, the chats of channels) is everybody's. Whoever turns the words
//! of a caller into a session does it through [`crate::sessions::SessionRef`], which asks for a viewer.

use gatehouse_core::{Access, Caller};
use tonic::Request;

use crate::error::Error;
use crate::key::SessionKey;
use crate::sessions::SessionRecord;
use crate::turns::Engine;

/// Who looks. Unless it is said who, nobody's own sessions are seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Viewer {
    /// Sees what is everybody's.
    #[default]
    Somebody,
    /// A named user: sees his own, too.
    User(String),
    /// The gateway's owner, an administrator, or a process: sees all.
    Owner,
}

impl Viewer {
    /// Who stands behind a call.
    pub(crate) fn of<T>(request: &Request<T>) -> Self {
        Self::behind(Caller::from_request(request).as_ref())
    }

    /// The same. Without a caller a process of the gateway calls.
    pub(crate) fn behind(caller: Option<&Caller>) -> Self {
        let Some(caller) = caller else {
            return Self::Owner;
        };
        let is_admin = caller
            .grants()
            .is_some_and(|grants| Access::Admin.allows(&grants));
        match &caller.user_id {
            Some(user) if !is_admin => Self::User(user.clone()),
            Some(_) | None => Self::Owner,
        }
    }

    /// Whether he may see what belongs to this user. `None`: to nobody in particular.
    pub(crate) fn may_see(&self, user: Option<&str>) -> bool {
        match (self, user) {
            (Self::Owner, _) | (_, None) => true,
            (Self::User(viewer), Some(user)) => viewer == user,
            (Self::Somebody, Some(_)) => false,
        }
    }

    /// The same, of a session.
    ///
    /// # Errors
    /// When he may not.
    pub(crate) fn check(&self, session: &SessionRecord) -> Result<(), Error> {
        if self.may_see(session.user.as_deref()) {
            Ok(())
        } else {
            Err(Error::OfAnotherUser(session.key.clone()))
        }
    }

    /// The same, of the session with this key, if there is one.
    ///
    /// # Errors
    /// When he may not, or the store fails.
    pub(crate) async fn check_key(&self, engine: &Engine, key: &SessionKey) -> Result<(), Error> {
        if *self == Self::Owner {
            return Ok(()); // whoever sees all needs no look into the store
        }
        let session = engine.stores().sessions.find(key).await?;
        session.as_ref().map_or(Ok(()), |session| self.check(session))
    }

    /// Whether he sees all.
    pub(crate) fn sees_all(&self) -> bool {
        *self == Self::Owner
    }

    /// The user whose own sessions he sees.
    pub(crate) fn user(&self) -> Option<&str> {
        match self {
            Self::User(user) => Some(user),
            Self::Somebody | Self::Owner => None,
        }
    }
}

/// Whose a session is that this caller begins. The main session and the chats of channels are everybody's, whoever speaks there first.
pub(crate) fn owner_of_new(caller: Option<&Caller>, key: &SessionKey) -> Option<String> {
    let user = caller?.user_id.as_ref()?;
    (!key.is_shared()).then(|| user.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(user: Option<&str>, scopes: &[&str]) -> Caller {
        Caller {
            role: "operator".to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            user_id: user.map(str::to_owned),
            ..Caller::default()
        }
    }

    #[test]
    fn a_named_user_sees_his_own_and_what_is_everybodys() {
        let anna = caller(Some("anna"), &["operator.read", "operator.write"]);
        let sees = |viewer: &Viewer| [None, Some("anna"), Some("bert")].map(|user| viewer.may_see(user));

        assert_eq!(sees(&Viewer::behind(Some(&anna))), [true, true, false]);
        assert_eq!(sees(&Viewer::default()), [true, false, false]);
        for all in [
            Some(caller(Some("anna"), &["operator.admin"])),
            Some(caller(None, &["operator.read"])),
            None,
        ] {
            assert_eq!(sees(&Viewer::behind(all.as_ref())), [true, true, true]);
        }
    }

    #[test]
    fn nobody_makes_his_own_what_is_everybodys() {
        let anna = caller(Some("anna"), &["operator.write"]);
        let owner = |rest: &str| owner_of_new(Some(&anna), &crate::testing::key(rest));

        assert_eq!(owner("tui-1"), Some("anna".to_owned()));
        for shared in [
            "main",
            "global",
            "unknown",
            "irc:group:#home",
            "irc:home:direct:bert",
            "direct:bert",
        ] {
            assert_eq!(owner(shared), None, "{shared}");
        }
        assert_eq!(owner_of_new(None, &crate::testing::key("tui-1")), None);
    }
}
