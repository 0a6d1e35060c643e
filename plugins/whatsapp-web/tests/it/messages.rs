//! Messages both ways: nothing is lost, and nothing is told to WhatsApp too early.

use gatehouse_proto::{
    channel::v1::{
        AddReaction, Inbound, remarked::Remark, run_account_request::Message as Asked,
        run_account_response::Message as Said,
    },
    common::v1::block::Kind,
};
use whatsapp_rust::{
    Jid,
    prelude::{MessageExt, wa::MessageKey},
    wacore_binary::Node,
};

use crate::{
    bridge::Account,
    person::{ANNA, Person},
    plugin::{NUMBER, Plugin, assistant, us},
    relay::text,
    server::{Whatsapp, hidden},
};

pub(crate) async fn scene() -> (Whatsapp, Plugin, Account, Person) {
    let server = Whatsapp::start().await;
    let plugin = Plugin::linked(&server).await;
    let account = plugin.connected().await;
    server
        .until("our keys", |state| state.keys.contains_key(&us()).then_some(()))
        .await;
    let anna = Person::enter(&server).await;
    (server, plugin, account, anna)
}

pub(crate) fn words(inbound: &Inbound) -> String {
    let blocks = inbound.content.iter().flat_map(|content| &content.blocks);
    let words = blocks.filter_map(|block| match &block.kind {
        Some(Kind::Text(text)) => Some(text.text.clone()),
        _ => None,
    });
    words.collect()
}

/// How much WhatsApp still has for us.
pub(crate) fn waits(server: &Whatsapp) -> usize {
    server.with(|state| state.waiting.get(&us()).map_or(0, |waiting| waiting.len()))
}

pub(crate) async fn acknowledged(server: &Whatsapp) {
    let none = server.until("an acknowledgement", |state| {
        state
            .waiting
            .get(&us())
            .is_none_or(|waiting| waiting.is_empty())
            .then_some(())
    });
    none.await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_acknowledged_once_it_is_committed_and_not_before() {
    let (server, _plugin, mut account, anna) = scene().await;

    anna.say(&assistant(), "hello").await;
    let inbound = account.heard().await;
    assert_eq!(words(&inbound), "hello");
    let sender = inbound.sender.clone().expect("a sender");
    assert_eq!(
        (sender.id, sender.name),
        (format!("{}@lid", hidden(ANNA)), "Anna".to_owned())
    );
    assert!(
        sender.aliases.contains(&format!("+{ANNA}")),
        "{:?}",
        sender.aliases
    );
    assert_eq!(waits(&server), 1, "WhatsApp has not heard that it was received");

    account.commit(&inbound).await;
    acknowledged(&server).await;
    let read = server.until("a read receipt", |state| {
        let receipt = |node: &Node| node.tag == "receipt" && text(node, "type") == "read";
        state
            .heard
            .iter()
            .any(|(from, node)| from.0 == NUMBER && receipt(node))
            .then_some(())
    });
    read.await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_gateway_has_not_taken_comes_again_under_the_same_id() {
    let (server, plugin, mut account, anna) = scene().await;
    anna.say(&assistant(), "one").await;
    let first = account.heard().await;

    account.refuse(&first).await;
    let (reason, for_good) = account.ended().await;
    assert!(reason.contains("the inbox is full") && !for_good, "{reason}");
    assert_eq!(waits(&server), 1);
    let mut account = plugin.open().await;
    let again = account.heard().await;
    assert_eq!(
        (&again.message_id, words(&again)),
        (&first.message_id, "one".to_owned())
    );

    // And where the gateway is gone before it has answered.
    drop(account);
    let mut account = plugin.open().await;
    let again = account.heard().await;
    assert_eq!(again.message_id, first.message_id);
    account.commit(&again).await;
    acknowledged(&server).await;
    account.connected().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_quotes_what_it_answers_keeps_its_id_and_is_reacted_to() {
    let (_server, plugin, mut account, mut anna) = scene().await;
    let asked = anna.say(&assistant(), "what is for dinner").await;
    let inbound = account.heard().await;
    account.commit(&inbound).await;
    let to: Jid = inbound.reply_to.parse().expect("an address");

    let mut part = plugin.part("run/1", &to, "**soup**");
    part.reply_to_id = Some(inbound.message_id.clone());
    let sent = account.sent(part).await;
    let heard = anna.hears().await;
    assert_eq!(heard.message.text_content(), Some("*soup*"));
    let extended = heard.message.extended_text_message.as_option().expect("words");
    let quote = extended.context_info.as_option().expect("a quote");
    assert_eq!(quote.stanza_id.as_deref(), Some(&*asked));
    let again = account.sent(plugin.part("run/1", &to, "**soup**")).await;
    assert_eq!(again, sent, "a phone shows an id once, however often it comes");

    let reaction = AddReaction {
        id: 9,
        to: to.to_string(),
        message_id: inbound.message_id.clone(),
        emoji: "👀".into(),
        ..AddReaction::default()
    };
    account.ask(Asked::React(reaction)).await;
    let said = account.said().await;
    assert!(
        matches!(&said, Some(Said::Reaction(answered)) if answered.error.is_none()),
        "{said:?}"
    );
    let seen = loop {
        let heard = anna.hears().await;
        if let Some(reaction) = heard.message.reaction_message.as_option() {
            break reaction.clone();
        }
    };
    assert_eq!(seen.text.as_deref(), Some("👀"));
    assert_eq!(seen.key.as_option().and_then(|key| key.id.clone()), Some(asked));

    let key = MessageKey {
        remote_jid: Some(assistant().to_string()),
        from_me: Some(false),
        id: Some(sent),
        participant: None,
    };
    anna.client
        .send_reaction(assistant(), key, "👍")
        .await
        .expect("sent");
    let Some(Said::Remarked(remarked)) = account.said().await else {
        panic!("nobody has remarked it");
    };
    assert_eq!(remarked.remark, Some(Remark::Reacted("👍".to_owned())));
    assert_eq!(remarked.chat, inbound.reply_to);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_go_both_ways_and_whatsapp_has_them_encrypted() {
    let (server, plugin, mut account, mut anna) = scene().await;
    let cat: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();

    anna.show(&assistant(), &cat, "the cat").await;
    let inbound = account.heard().await;
    assert_eq!(words(&inbound), "the cat");
    let blocks = inbound.content.iter().flat_map(|content| &content.blocks);
    let mut media = blocks.filter_map(|block| match &block.kind {
        Some(Kind::Media(medium)) => Some(medium.clone()),
        _ => None,
    });
    let medium = media.next().expect("a picture");
    assert_eq!(medium.mime_type.as_deref(), Some("image/jpeg"));
    let fetched = plugin.fetched(medium.url.as_deref().expect("an address")).await;
    assert_eq!(fetched, (Some("image/jpeg".to_owned()), cat.clone()));
    account.commit(&inbound).await;

    let to: Jid = inbound.reply_to.parse().expect("an address");
    let paper = plugin.given(&to, "tea.pdf", "application/pdf", &cat).await;
    let mut part = plugin.part("run/1", &to, "all about *tea*");
    part.media.push(paper);
    account.sent(part).await;
    let heard = anna.hears().await;
    let document = heard.message.document_message.as_option().expect("a document");
    assert_eq!(document.file_name.as_deref(), Some("tea.pdf"));
    assert_eq!(document.caption.as_deref(), Some("all about _tea_"));
    assert_eq!(anna.client.download(document).await.expect("fetched"), cat);

    server.with(|state| {
        assert_eq!(state.files.len(), 2);
        assert!(
            state
                .files
                .values()
                .all(|file| !file.windows(64).any(|part| part == &cat[..64]))
        );
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_group_somebody_who_mentions_the_assistant_is_answered_there() {
    let (_server, plugin, mut account, mut anna) = scene().await;
    let tea: Jid = "120363000000000001@g.us".parse().expect("a group");

    anna.say(&tea, "who has the kettle").await;
    let aside = account.heard().await;
    assert!(!aside.mentioned);
    account.commit(&aside).await;
    anna.mention(&tea, &assistant(), "and you?").await;
    let asked = account.heard().await;
    assert!(asked.mentioned && words(&asked).contains("and you?"), "{asked:?}");
    assert_eq!(asked.reply_to, tea.to_string());
    assert_eq!(
        asked.sender.as_ref().map(|sender| &*sender.id),
        Some(&*format!("{}@lid", hidden(ANNA)))
    );
    account.commit(&asked).await;

    account.sent(plugin.part("run/1", &tea, "I do.")).await;
    let heard = anna.hears().await;
    assert_eq!(
        (heard.message.text_content(), &heard.info.source.chat),
        (Some("I do."), &tea)
    );
}
