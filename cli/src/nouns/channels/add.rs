//! `gatehouse channels add`, `login` and `remove`: from nothing to an account that answers. What is to be clicked and copied is said by
//! the platform; what was copied is tried before anything is written; secrets go into files of the home, for their owner alone.

use std::{fs, time::Duration};

use gatehouse_channel_bridge::guide::{Key, Offered, offered, try_account};
use gatehouse_config::MARKER;
use gatehouse_core::{Env, Home};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::{super::unknown, secrets::Placed};
use crate::{
    args::{
        Common,
        nouns::{ChannelsAdd, ChannelsRemove},
    },
    client::{self, Client},
    exit::{Exit, Failed},
    output,
    service::environment,
    setup::{ask, write},
    term::{Ink, Style, printable},
};

/// The account of a channel that lists none.
const DEFAULT: &str = "default";
/// How long an account may take to connect, while somebody waits.
const CONNECTED_WITHIN: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(500);
const ANSWER: Duration = Duration::from_secs(15);
/// A platform that has not answered by then is not reached from here.
const TRIAL: Duration = Duration::from_secs(40);

/// What was copied: each key of the platform with its value.
type Copied = Vec<(&'static Key, String)>;

/// Sets an account up. `is_new`: there is none of this name yet; else it gets other credentials.
pub(crate) async fn add(
    common: &Common,
    add: &ChannelsAdd,
    is_new: bool,
    style: Style,
) -> Result<(), Failed> {
    let platform = match platform(&add.channel) {
        Ok(platform) => platform,
        Err(unknown) => return Err(of_a_plugin(common, &add.channel).await.unwrap_or(unknown)),
    };
    let account = add.account.clone().unwrap_or_else(|| DEFAULT.to_owned());
    let written = written(common, &add.channel).await?;
    check_name(&platform, &written, &account, is_new)?;
    let copied = copied(&platform, add, !common.json && ask::is_possible())?;
    let works = if add.force {
        None
    } else {
        Some(tried(&platform, &copied, &written, style).await?)
    };
    let placed = files(&add.channel, &account, &copied, &written);
    let files: Vec<_> = placed
        .iter()
        .map(|placed| (placed.name.clone(), placed.secret.clone()))
        .collect();
    // What is connected with other credentials is not what was asked for.
    let before = match placed.iter().any(Placed::moves) {
        true => started(common, &add.channel, &account).await,
        false => None,
    };
    let kept = write::keep(common, &files, "gatehouse channels add", |paths| {
        patch(&platform, &account, &written, &copied, paths)
    })
    .await?;
    placed.iter().for_each(Placed::follow);
    let state = if kept.is_applied && !add.no_wait {
        connected(common, &add.channel, &account, before).await
    } else {
        None
    };
    if common.json {
        return output::line(
            &json!({
                "channel": add.channel, "accountId": account, "name": works.as_ref().map(|works| works.name.clone()),
                "notes": works.map(|works| works.notes).unwrap_or_default(), "state": state,
                "files": kept.secrets.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
            })
            .to_string(),
        );
    }
    for path in &kept.secrets {
        output::remark(&format!("a secret of it is in {}", path.display()));
    }
    output::line(&match (&state, kept.is_applied) {
        (Some(state), _) => format!("{}/{account} is {state}", add.channel),
        (None, true) => format!(
            "{}/{account} is written; `gatehouse channels` shows how it is",
            add.channel
        ),
        (None, false) => format!("{}/{account} is written; `gatehouse up` connects it", add.channel),
    })?;
    output::remark(platform.guide.then);
    Ok(())
}

fn platform(channel: &str) -> Result<Offered, Failed> {
    let all = offered();
    all.iter()
        .find(|offered| offered.channel == channel)
        .copied()
        .ok_or_else(|| {
            let failed = unknown(
                "channel that can be added",
                channel,
                all.iter().map(|offered| offered.channel),
                "gatehouse channels add --help",
            );
            let names: Vec<_> = all.iter().map(|offered| offered.channel).collect();
            failed.next(format!(
                "{} can be added; others are written into the configuration",
                names.join(", ")
            ))
        })
}

/// Why a channel cannot be added that a plugin brings, and what to do. `None`: no plugin does.
async fn of_a_plugin(common: &Common, channel: &str) -> Option<Failed> {
    let document = write::document(common).await.ok()?;
    let plugin = brings(&document, channel)?;
    let why =
        format!("{channel} is a channel of the plugin {plugin}, which says itself what its accounts need");
    Some(Failed::new(Exit::Usage, why).next(format!(
        "write its keys with `gatehouse config set channels.{channel} '{{...}}'`; `gatehouse channels test {channel}` connects it then"
    )))
}

/// The plugin that brings a channel.
fn brings<'a>(document: &'a Value, channel: &str) -> Option<&'a str> {
    let lists = |entry: &Value| {
        let channels = entry["channels"].as_array().into_iter().flatten();
        channels.into_iter().any(|kind| kind == channel)
    };
    let mut entries = document.pointer("/plugins/entries")?.as_object()?.iter();
    entries.find(|(_, entry)| lists(entry)).map(|(id, _)| id.as_str())
}

/// What stands under `channels.<channel>`, with its secrets hidden.
async fn written(common: &Common, channel: &str) -> Result<Map<String, Value>, Failed> {
    let document = write::document(common).await?;
    let section = document.pointer(&format!("/channels/{channel}"));
    Ok(section.and_then(Value::as_object).cloned().unwrap_or_default())
}

fn accounts(written: &Map<String, Value>) -> Option<&Map<String, Value>> {
    let accounts = written.get("accounts").and_then(Value::as_object);
    accounts.filter(|accounts| !accounts.is_empty())
}

/// Whether an account has something of these keys. What holds for all accounts makes none.
fn is_there(written: &Map<String, Value>, account: &str, keys: &[Key]) -> bool {
    match accounts(written) {
        Some(accounts) => accounts.contains_key(account),
        None => account == DEFAULT && keys.iter().any(|key| written.contains_key(key.name)),
    }
}

fn check_name(
    platform: &Offered,
    written: &Map<String, Value>,
    account: &str,
    is_new: bool,
) -> Result<(), Failed> {
    let channel = platform.channel;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if account.is_empty() || account.len() > 64 || !account.chars().all(plain) {
        return Err(
            Failed::new(Exit::Usage, format!("{account:?} is no name for an account"))
                .next("letters, digits, - and _"),
        );
    }
    match (is_there(written, account, platform.guide.keys), is_new) {
        (true, true) => Err(
            Failed::new(Exit::Usage, format!("{channel}/{account} is there already")).next(format!(
                "`gatehouse channels login {channel} --account {account}` gives it other credentials; another --account adds one"
            )),
        ),
        (false, false) => Err(Failed::new(Exit::Usage, format!("there is no {channel}/{account}"))
            .next(format!("`gatehouse channels add {channel} --account {account}` adds it"))),
        _ => Ok(()),
    }
}

/// What a person or a program copied from the platform.
fn copied(platform: &Offered, add: &ChannelsAdd, asks: bool) -> Result<Copied, Failed> {
    let mut given: Vec<(String, String)> = add.set.clone();
    for (name, path) in &add.file {
        let value = fs::read_to_string(path)
            .map_err(|error| Failed::new(Exit::Failed, format!("cannot read {}: {error}", path.display())))?;
        given.push((name.clone(), value.trim().to_owned()));
    }
    let known = |name: &str| platform.guide.keys.iter().any(|key| key.name == name);
    if let Some((name, _)) = given.iter().find(|(name, _)| !known(name)) {
        return Err(unknown(
            "key to be given here",
            name,
            platform.guide.keys.iter().map(|key| key.name),
            &format!("gatehouse channels add {}", platform.channel),
        ));
    }
    let env = Env::process();
    let found = |key: &Key| {
        let here = given.iter().find(|(name, _)| name == key.name);
        here.map(|(_, value)| value.clone())
            .or_else(|| env.get(key.variable).map(str::to_owned))
            .filter(|value| !value.trim().is_empty())
    };
    let is_missing = platform.guide.keys.iter().any(|key| found(key).is_none());
    if is_missing && asks {
        output::remark(&format!("{}:", platform.label));
        for (number, step) in (1..).zip(platform.guide.steps) {
            output::remark(&format!("  {number}. {step}"));
        }
    }
    let mut copied = Vec::new();
    for key in platform.guide.keys {
        let value = match found(key) {
            Some(value) => value,
            None if asks && key.is_secret => ask::secret(key.label)?,
            None if asks => ask::line(key.label, "")?,
            None => String::new(),
        };
        if value.trim().is_empty() {
            return Err(
                Failed::new(Exit::Usage, format!("{} is missing", key.label)).next(format!(
                    "give it with --file {}=FILE, or in the environment as {}",
                    key.name, key.variable
                )),
            );
        }
        copied.push((key, value.trim().to_owned()));
    }
    Ok(copied)
}

async fn tried(
    platform: &Offered,
    copied: &Copied,
    written: &Map<String, Value>,
    style: Style,
) -> Result<gatehouse_channel_bridge::guide::Works, Failed> {
    output::remark(&format!("asking {} ...", platform.label));
    // What holds for all accounts of the channel holds for this one, too; its secrets are hidden, and none of them is meant here.
    let mut account = written.clone();
    account.remove("accounts");
    account.remove("defaultAccount");
    let is_secret = |value: &Value| {
        value.get("source").is_some()
            || value
                .as_str()
                .is_some_and(|text| text.contains(MARKER) || text.contains("${"))
    };
    account.retain(|_, value| !is_secret(value));
    for (key, value) in copied {
        account.insert(key.name.to_owned(), json!(value));
    }
    let tried = tokio::time::timeout(TRIAL, try_account(platform.channel, &Value::Object(account))).await;
    let tried = tried.unwrap_or_else(|_| Err(format!("{} did not answer in time", platform.label)));
    match tried {
        Ok(works) => {
            let said = format!("it is {}", printable(&works.name));
            output::remark(&style.paint(Ink::Green, &said));
            for note in &works.notes {
                output::remark(&format!("note: {}", printable(note)));
            }
            Ok(works)
        }
        Err(why) => Err(Failed::new(Exit::Failed, printable(&why))
            .next("nothing was written; --force writes what was not tried")),
    }
}

/// The files that secrets go into.
fn files(channel: &str, account: &str, copied: &Copied, written: &Map<String, Value>) -> Vec<Placed> {
    let own = accounts(written).map_or(Some(written), |accounts| {
        accounts.get(account).and_then(Value::as_object)
    });
    let secrets = copied.iter().filter(|(key, _)| key.is_secret);
    secrets
        .map(|(key, value)| {
            let now = own.and_then(|own| own.get(key.name));
            Placed::of(format!("{channel}-{account}.{}", key.name), value, now)
        })
        .collect()
}

/// What is merged into the document.
fn patch(
    platform: &Offered,
    account: &str,
    written: &Map<String, Value>,
    copied: &Copied,
    paths: &[std::path::PathBuf],
) -> Value {
    let mut paths = paths.iter();
    let mut keys = Map::new();
    for (key, value) in copied {
        let path = if key.is_secret { paths.next() } else { None };
        let value = match path {
            Some(path) => json!({"source": "file", "path": path}),
            None => json!(value),
        };
        keys.insert(key.name.to_owned(), value);
    }
    let section = match accounts(written) {
        None if account == DEFAULT => Value::Object(keys),
        // What was the one account stays one beside the new one.
        None if is_there(written, DEFAULT, platform.guide.keys) => {
            json!({"accounts": {DEFAULT: {}, account: keys}})
        }
        _ => json!({"accounts": {account: keys}}),
    };
    json!({"channels": {platform.channel: section}})
}

/// When the account was started last. `None`: it does not run, or no gateway does.
async fn started(common: &Common, channel: &str, account: &str) -> Option<i64> {
    let (_, mut client) = Client::follow(common, &["channels.status"]).await.ok()?;
    let own = status_of(&mut client, channel, account).await;
    client.close().await;
    own?.get("lastStartAt").and_then(Value::as_i64)
}

/// What `channels.status` says of an account.
async fn status_of(client: &mut Client, channel: &str, account: &str) -> Option<Value> {
    let asked = client::params(&json!({"channel": channel}));
    let answer = client.call("channels.status", &asked, ANSWER).await.ok()?;
    let status: Value = serde_json::from_str(answer.get()).ok()?;
    let accounts = status
        .pointer(&format!("/channelAccounts/{channel}"))?
        .as_array()?;
    let id = |found: &&Value| found.get("accountId").and_then(Value::as_str) == Some(account);
    accounts.iter().find(id).cloned()
}

/// How the account is, once it is connected or cannot be. `None`: that took too long. `before`: when it was started with what it had
/// before, which says nothing.
async fn connected(common: &Common, channel: &str, account: &str, before: Option<i64>) -> Option<String> {
    output::remark("connecting ...");
    let deadline = Instant::now() + CONNECTED_WITHIN;
    let (_, mut client) = Client::follow(common, &["channels.status"]).await.ok()?;
    let mut last = None;
    while Instant::now() < deadline {
        let own = status_of(&mut client, channel, account).await;
        let own =
            own.filter(|own| before.is_none() || own.get("lastStartAt").and_then(Value::as_i64) != before);
        let word = |name: &str| own.as_ref().and_then(|own| own.get(name)).and_then(Value::as_str);
        last = word("state").map(|state| match word("lastError") {
            Some(error) => format!("{state}: {}", printable(error)),
            None => state.to_owned(),
        });
        if matches!(word("state"), Some("connected" | "failed")) {
            break;
        }
        sleep(LOOK).await;
    }
    client.close().await;
    last
}

/// Takes an account out of the configuration.
pub(crate) async fn remove(common: &Common, remove: &ChannelsRemove) -> Result<(), Failed> {
    let account = remove.account.clone().unwrap_or_else(|| DEFAULT.to_owned());
    let written = written(common, &remove.channel).await?;
    let is_there = match accounts(&written) {
        Some(accounts) => accounts.contains_key(&account),
        None => account == DEFAULT && !written.is_empty(),
    };
    if !is_there {
        let channel = &remove.channel;
        return Err(
            Failed::new(Exit::Failed, format!("there is no {channel}/{account}"))
                .next("`gatehouse channels` shows them"),
        );
    }
    let name = format!("{}/{account}", remove.channel);
    if !remove.yes {
        if common.json || !ask::is_possible() {
            return Err(Failed::new(Exit::Usage, "nothing was removed").next("say --yes"));
        }
        if !ask::agree(
            &format!("Remove {name}? What waits to be said there is never said."),
            false,
        )? {
            return Err(Failed::new(Exit::Failed, "nothing was removed"));
        }
    }
    let last = accounts(&written).is_none_or(|accounts| accounts.len() == 1);
    let section = if last {
        Value::Null
    } else {
        json!({"accounts": {&account: null}})
    };
    let patch = json!({"channels": {&remove.channel: section}});
    write::keep(common, &[], "gatehouse channels remove", |_| patch.clone()).await?;
    let secrets = Home::read(&environment(common)).path.join("secrets");
    let prefix = format!("{}-{account}.", remove.channel);
    let left: Vec<String> = fs::read_dir(&secrets)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path().display().to_string())
        .collect();
    if common.json {
        let told = json!({"ok": true, "channel": remove.channel, "accountId": account, "filesLeft": left});
        return output::line(&told.to_string());
    }
    for path in left {
        output::remark(&format!(
            "its secret is still in {path}: delete it when nobody needs it"
        ));
    }
    output::line(&format!("{name} is removed"))
}

#[cfg(test)]
mod tests {
    use gatehouse_channel_bridge::guide::Guide;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    const TOKEN: Key = Key {
        name: "botToken",
        label: "Token",
        is_secret: true,
        variable: "NOBODY_SETS_THIS",
    };
    const PLATFORM: Offered = Offered {
        channel: "telegram",
        label: "Telegram",
        guide: &Guide {
            steps: &[],
            keys: &[TOKEN],
            then: "",
        },
    };

    #[test]
    fn the_first_account_is_the_channel_itself_and_a_second_one_leaves_it_in_place() {
        let copied: Copied = vec![(&TOKEN, "1:a".to_owned())];
        let paths = ["/s/t".into()];
        let patch =
            |account: &str, written: Value| patch(&PLATFORM, account, &object(written), &copied, &paths);
        let token = json!({"botToken": {"source": "file", "path": "/s/t"}});

        assert_eq!(
            patch("default", json!({})),
            json!({"channels": {"telegram": token}})
        );
        assert_eq!(
            patch("work", json!({"botToken": "x"})),
            json!({"channels": {"telegram": {"accounts": {"default": {}, "work": token}}}})
        );
        assert_eq!(
            patch("work", json!({"accounts": {"home": {}}})),
            json!({"channels": {"telegram": {"accounts": {"work": token}}}})
        );
    }

    #[test]
    fn an_account_is_added_once_and_logs_in_again_only_where_it_is() {
        let check = |written: Value, account: &str, is_new: bool| {
            check_name(&PLATFORM, &object(written), account, is_new).is_ok()
        };
        assert!(check(json!({}), "default", true));
        assert!(!check(json!({"botToken": "x"}), "default", true));
        assert!(
            check(json!({"apiRoot": "x"}), "default", true),
            "what holds for all is none"
        );
        assert!(check(json!({"botToken": "x"}), "work", true));
        assert!(check(json!({"botToken": "x"}), "default", false));
        assert!(!check(json!({"accounts": {"home": {}}}), "work", false));
        assert!(!check(json!({}), "a/b", true), "a name never becomes a path");
    }

    #[test]
    fn a_channel_of_a_plugin_is_known_by_its_entry() {
        let document = json!({"plugins": {"entries": {"kitchen": {}, "tell": {"channels": ["lines"]}}}});

        assert_eq!(brings(&document, "lines"), Some("tell"));
        assert_eq!(brings(&document, "irc"), None);
        assert_eq!(brings(&json!({}), "lines"), None);
    }
}
