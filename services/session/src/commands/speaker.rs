//! Who uses a command, and whether that is allowed. Denied unless it is said here.

use gatehouse_core::{Access, Caller, ForPeople};
use gatehouse_proto::session::v1 as proto;

use super::answers::Said;
use super::table::{Command, Needs};
use crate::deliveries::Target;
use crate::error::Error;

/// Who says something.
#[derive(Clone, Debug)]
pub(crate) enum Speaker {
    /// A client with what it was granted, or a process of the gateway.
    Client(Client),
    /// Somebody in a chat.
    Chat(Chatter),
}

#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// `None`: no client, but a process or an operator's tool on this machine.
    caller: Option<Caller>,
    /// Whether what is said is no command, whatever it looks like.
    literal: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Chatter {
    pub(crate) channel: String,
    pub(crate) account: String,
    pub(crate) sender: String,
    pub(crate) standing: Standing,
    /// Whether nobody else is there.
    pub(crate) direct: bool,
    /// Whether the assistant is meant.
    pub(crate) addressed: bool,
    /// The chat.
    pub(crate) target: Target,
}

/// As whom the bridge knows somebody, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Somebody who may talk, because everybody may.
    Anybody,
    /// In a list of those who may talk here.
    Listed,
    Owner,
}

impl From<proto::SenderStanding> for Standing {
    fn from(standing: proto::SenderStanding) -> Self {
        match standing {
            proto::SenderStanding::Unspecified => Self::Anybody,
            proto::SenderStanding::Listed => Self::Listed,
            proto::SenderStanding::Owner => Self::Owner,
        }
    }
}

impl Speaker {
    /// A client of the edge, or what called us itself. `literal`: nothing that it says is a command.
    pub(crate) fn client(caller: Option<Caller>, literal: bool) -> Self {
        Self::Client(Client { caller, literal })
    }

    /// A process of the gateway.
    #[cfg(test)]
    pub(crate) fn process() -> Self {
        Self::client(None, false)
    }

    /// Whether commands are looked for in what is said: in a room, only when the assistant is meant.
    pub(super) fn may_command(&self) -> bool {
        match self {
            Self::Client(client) => !client.literal,
            Self::Chat(chatter) => chatter.direct || chatter.addressed,
        }
    }

    /// What is said behind the name of whom it is said to, as people write it in rooms.
    pub(super) fn without_address<'t>(&self, text: &'t str) -> &'t str {
        let Self::Chat(Chatter { addressed: true, .. }) = self else {
            return text;
        };
        match text.split_once(char::is_whitespace) {
            Some((name, rest)) if name.ends_with([':', ',']) || name.starts_with('@') => rest.trim_start(),
            Some(_) | None => text,
        }
    }

    pub(super) fn may(&self, needs: Needs) -> bool {
        match self {
            Self::Client(client) => client.may(needs),
            Self::Chat(chatter) => match needs {
                Needs::Talk => true,
                Needs::Change | Needs::Reset => chatter.standing >= Standing::Listed,
            },
        }
    }

    /// Whether he sees what concerns those who run the gateway.
    pub(super) fn is_told_details(&self) -> bool {
        self.may(Needs::Change)
    }

    /// What somebody in a chat is told who may not. `None`: it is a client, and is refused.
    pub(super) fn refusal(&self, command: &Command) -> Option<String> {
        const REFUSED: ForPeople =
            ForPeople::new("Only those who were let in by name may do this here. The owner can let you in.");
        match self {
            Self::Client(_) => None,
            Self::Chat(_) => Some(format!("/{}: {}", command.name(), REFUSED.words())),
        }
    }

    /// Why a client may not.
    pub(super) fn lacks(&self, command: &Command) -> Error {
        let scope = match command.needs {
            Needs::Talk | Needs::Change => "operator.write",
            Needs::Reset => "operator.admin",
        };
        let what = match command.needs {
            Needs::Reset => "beginning a conversation anew",
            Needs::Talk | Needs::Change => "this command",
        };
        Error::Scope { what, scope }
    }

    /// As whom he is known.
    pub(super) fn described(&self) -> String {
        match self {
            Self::Client(Client { caller: None, .. }) => Said::Process.text().to_owned(),
            Self::Client(Client {
                caller: Some(caller), ..
            }) => {
                let mut text = format!("You are client {}, role {}.", caller.client_id, caller.role);
                if let Some(device) = &caller.device_id {
                    text.push_str(&format!("\nDevice: {device}"));
                }
                text.push_str(&format!("\nScopes: {}", caller.scopes.join(", ")));
                text
            }
            Self::Chat(chatter) => {
                let standing = match chatter.standing {
                    Standing::Anybody => "somebody who may talk",
                    Standing::Listed => "somebody who was let in by name",
                    Standing::Owner => "an owner",
                };
                let Chatter {
                    channel,
                    account,
                    sender,
                    ..
                } = chatter;
                format!("You are {channel}:{sender} on account {account}, known as {standing}.")
            }
        }
    }

    #[cfg(test)]
    pub(super) fn of_test_chat(standing: Standing, direct: bool, addressed: bool) -> Self {
        Self::Chat(Chatter {
            channel: "irc".to_owned(),
            account: "home".to_owned(),
            sender: "anna".to_owned(),
            standing,
            direct,
            addressed,
            target: crate::testing::room("anna"),
        })
    }
}

impl Client {
    fn may(&self, needs: Needs) -> bool {
        let Some(caller) = &self.caller else {
            return true;
        };
        let access = match needs {
            // What is said needs no less.
            Needs::Talk | Needs::Change => Access::Write,
            // As the method that does the same.
            Needs::Reset => Access::Admin,
        };
        caller.grants().is_some_and(|grants| access.allows(&grants))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(scopes: &[&str]) -> Speaker {
        let caller = Caller {
            role: "operator".to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            ..Caller::default()
        };
        Speaker::client(Some(caller), false)
    }

    #[test]
    fn nobody_does_more_by_a_command_than_he_may_otherwise() {
        let all = [Needs::Talk, Needs::Change, Needs::Reset];
        let may = |speaker: &Speaker| all.map(|needs| speaker.may(needs));
        let chat = |standing| Speaker::of_test_chat(standing, true, true);

        assert_eq!(may(&client(&["operator.read"])), [false, false, false]);
        assert_eq!(may(&client(&["operator.write"])), [true, true, false]);
        assert_eq!(may(&client(&["operator.admin"])), [true, true, true]);
        assert_eq!(may(&Speaker::process()), [true, true, true]);
        assert_eq!(may(&chat(Standing::Anybody)), [true, false, false]);
        assert_eq!(may(&chat(Standing::Listed)), [true, true, true]);
        assert_eq!(may(&chat(Standing::Owner)), [true, true, true]);
    }
}
