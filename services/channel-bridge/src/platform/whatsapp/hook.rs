//! Requests that Meta makes: once to see whether the address is ours, then signed posts. The signature is over the body as it came.

use gatehouse_core::Secret;
use url::form_urlencoded;

use super::{
    api::Api,
    config::WhatsappConfig,
    event::{Contact, Message, Post, Status, Value},
    inbound::{hear, remark},
    refusal,
};
use crate::{
    account::progress::Topic,
    adapter::{HttpAnswer, HttpHead, HttpRequest, InboundMessage, InboundSink, ReceiveError, Remark, Report},
    id::Address,
    platform::web::{
        hook::{BODY_BYTES_MAX, is_signed, later, refuse},
        nulls,
    },
};

const SIGNATURE: &str = "x-hub-signature-256";
/// The longest word that is said back, in characters: Meta's is a number.
const CHALLENGE_CHARS_MAX: usize = 128;

/// What a genuine post says.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// What happened beside words, and where answers go there.
    pub(super) remarks: Vec<(Address, Remark)>,
    pub(super) messages: Vec<InboundMessage>,
    pub(super) statuses: Vec<Status>,
}

/// How long the body may be, or the answer at once.
pub(super) fn inspect(config: &WhatsappConfig, head: &HttpHead) -> Result<usize, HttpAnswer> {
    match head.method.as_str() {
        "GET" => Err(handshake(&config.verify_token, head)),
        "POST" => digits(head).map(|_| BODY_BYTES_MAX),
        _ => Err(refuse(
            405,
            "METHOD_NOT_ALLOWED",
            "only GET and POST are understood",
        )),
    }
}

/// Meta looks whether the address is ours: it says the word that the operator told it, and wants another one back.
fn handshake(token: &Secret, head: &HttpHead) -> HttpAnswer {
    let (_, query) = head.target.split_once('?').unwrap_or_default();
    let (mut mode, mut word, mut challenge) = (false, false, String::new());
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match key.as_ref() {
            "hub.mode" => mode = value == "subscribe",
            "hub.verify_token" => word = token.matches(value.as_ref()),
            "hub.challenge" => challenge = value.into_owned(),
            _ => {}
        }
    }
    let plain =
        challenge.len() <= CHALLENGE_CHARS_MAX && challenge.chars().all(|c| c.is_ascii_alphanumeric());
    if !mode || !word || challenge.is_empty() || !plain {
        return refuse(403, "VERIFY", "the verify token is not the one of this account");
    }
    HttpAnswer {
        status: 200,
        retry_after: None,
        body: challenge,
    }
}

fn digits(head: &HttpHead) -> Result<&str, HttpAnswer> {
    let shown = head
        .header(SIGNATURE)
        .and_then(|shown| shown.strip_prefix("sha256="));
    shown.ok_or_else(|| refuse(401, "SIGNATURE", "the request is not signed"))
}

/// Reads a post.
pub(super) fn read(config: &WhatsappConfig, request: &HttpRequest) -> Result<Said, HttpAnswer> {
    let HttpRequest { head, body } = request;
    inspect(config, head)?;
    if !is_signed(&config.app_secret, &[body], digits(head)?) {
        let words = "the signature is wrong: is appSecret that of this app?";
        return Err(refuse(401, "SIGNATURE", words));
    }
    let post: Post = serde_json::from_slice(body).map_err(|error| {
        refuse(
            400,
            "INVALID",
            &format!("the body is not a post of WhatsApp: {error}"),
        )
    })?;
    let mut said = Said::default();
    if post.object != "whatsapp_business_account" {
        return Ok(said);
    }
    let changes = post.entry.into_iter().flat_map(|entry| entry.changes);
    for change in changes.filter(|change| change.field == "messages") {
        let value: Value = match nulls::read(&change.value) {
            Ok(value) => value,
            Err(error) => {
                tracing::warn!(%error, "a change of WhatsApp is not understood and left out");
                continue;
            }
        };
        // An app may have several numbers, each an account of its own.
        if value.metadata.phone_number_id != config.phone_number_id {
            tracing::debug!("a post of WhatsApp is about another number");
            continue;
        }
        // One that is not understood keeps its place: the only other one is not the only one.
        let contacts: Vec<Contact> = value
            .contacts
            .iter()
            .map(|contact| nulls::read(contact).unwrap_or_default())
            .collect();
        for message in &value.messages {
            match nulls::read::<Message>(message) {
                Ok(message) => {
                    said.remarks.extend(remark(&message, &contacts));
                    said.messages.extend(hear(&message, &contacts));
                }
                Err(error) => tracing::warn!(%error, "a message of WhatsApp is not understood and left out"),
            }
        }
        let statuses = value.statuses.iter();
        said.statuses
            .extend(statuses.filter_map(|status| nulls::read::<Status>(status).ok()));
    }
    Ok(said)
}

/// Keeps how far messages came that Meta had taken. What Meta calls otherwise says nothing beyond the receipt.
///
/// # Errors
/// The answer by which Meta posts all of it again.
pub(super) async fn keep(statuses: &[Status], inbound: &InboundSink) -> Result<(), HttpAnswer> {
    for status in statuses {
        let report = match status.status.as_str() {
            "failed" => Report::NotDelivered,
            "delivered" => Report::Delivered,
            // A voice note that was heard.
            "read" | "played" => Report::Read,
            _ => continue,
        };
        match inbound.report(&status.id, report).await {
            Ok(()) => {}
            Err(ReceiveError::Invalid(problem)) => {
                tracing::warn!(problem, "a status of WhatsApp was left out")
            }
            Err(error) => return Err(later(&error)),
        }
    }
    Ok(())
}

/// What became of messages that Meta had taken: who was not reached is told to the operator.
pub(super) fn tell(statuses: &[Status], api: &Api, inbound: &InboundSink) {
    for status in statuses {
        if status.status != "failed" {
            tracing::debug!(
                message.id = api.clean(&status.id),
                state = api.clean(&status.status),
                "WhatsApp says what became of a message"
            );
            continue;
        }
        let problem = status.errors.first().cloned().unwrap_or_default();
        let words = api.clean(problem.words());
        let told = format!(
            "WhatsApp did not deliver a message: {words} ({}){}",
            problem.code,
            refusal::of_a_message(problem.code)
        );
        tracing::warn!(
            message.id = api.clean(&status.id),
            reason = told,
            "a message was taken and not delivered"
        );
        inbound.progress().notice(Topic::Delivery, Some(told));
    }
}
