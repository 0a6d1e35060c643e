//! `gatehouse users`.

use serde::Deserialize;
use serde_json::json;

use super::{Answer, Caller, sessions::given};
use crate::{
    args::{
        Common,
        devices::{Users, UsersVerb},
    },
    exit::Failed,
    output,
    term::{Ink, Style, Table},
};

const LIST: &str = "users.list";

#[derive(Deserialize)]
struct All {
    profiles: Vec<Profile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    id: String,
    display_name: Option<String>,
    #[serde(default)]
    tokens: Vec<Token>,
}

#[derive(Deserialize)]
struct Token {
    id: String,
    label: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
}

#[derive(Deserialize)]
struct Made {
    token: String,
}

/// Runs `users`.
pub(crate) async fn run(common: &Common, users: &Users, style: Style) -> Result<(), Failed> {
    let verb = users.verb.as_ref().unwrap_or(&UsersVerb::List);
    let method = match verb {
        // With the scope of an administrator the tokens are shown, too.
        UsersVerb::List => "users.create",
        UsersVerb::Add { .. } => "users.create",
        UsersVerb::Remove { .. } => "users.remove",
        UsersVerb::Token { .. } => "users.token.create",
        UsersVerb::Revoke { .. } => "users.token.revoke",
    };
    let mut caller = Caller::connect(common, style, &[method, LIST]).await?;
    let done = caller.users(verb).await;
    caller.close().await;
    done
}

impl Caller {
    async fn users(&mut self, verb: &UsersVerb) -> Result<(), Failed> {
        match verb {
            UsersVerb::List => {
                let answer = self.ask(LIST, &json!({})).await?;
                if self.json {
                    return answer.print();
                }
                self.list_users(&answer.read()?)
            }
            UsersVerb::Add {
                user,
                name,
                scope,
                again,
            } => {
                let params = given([
                    ("id", json!(user)),
                    ("displayName", json!(name)),
                    ("scopes", json!(scope)),
                    ("again", json!(again.then_some(true))),
                ]);
                let answer = self.ask("users.create", &params).await?;
                self.show_token(&answer, user)
            }
            UsersVerb::Token { user, label, scope } => {
                let params = given([
                    ("userId", json!(user)),
                    ("label", json!(label)),
                    ("scopes", json!(scope)),
                ]);
                let answer = self.ask("users.token.create", &params).await?;
                self.show_token(&answer, user)
            }
            UsersVerb::Remove { user } => {
                let answer = self.ask("users.remove", &json!({"userId": user})).await?;
                self.done(
                    &answer,
                    &format!("{user} is removed, with all tokens and devices"),
                )
            }
            UsersVerb::Revoke { token_id } => {
                let answer = self
                    .ask("users.token.revoke", &json!({"tokenId": token_id}))
                    .await?;
                self.done(&answer, &format!("the token {token_id} is revoked"))
            }
        }
    }

    fn list_users(&self, all: &All) -> Result<(), Failed> {
        let mut table = Table::new(&["USER", "NAME", "TOKEN", "FOR", "SCOPES"]);
        for profile in &all.profiles {
            let name = profile.display_name.clone().unwrap_or_default();
            if profile.tokens.is_empty() {
                let blank = || (None, String::new());
                table.row(vec![
                    (Some(Ink::Cyan), profile.id.clone()),
                    (None, name.clone()),
                    blank(),
                    blank(),
                    blank(),
                ]);
            }
            for token in &profile.tokens {
                table.row(vec![
                    (Some(Ink::Cyan), profile.id.clone()),
                    (None, name.clone()),
                    (None, token.id.clone()),
                    (None, token.label.clone().unwrap_or_default()),
                    (None, token.scopes.join(" ")),
                ]);
            }
        }
        self.table(&table, "nobody")
    }

    /// Prints a token and nothing else, so that a script can take it.
    fn show_token(&self, answer: &Answer, user: &str) -> Result<(), Failed> {
        if self.json {
            return answer.print();
        }
        let made: Made = answer.read()?;
        output::line(&made.token)?;
        output::remark(&format!("the token of {user}; it is shown this once"));
        Ok(())
    }
}
