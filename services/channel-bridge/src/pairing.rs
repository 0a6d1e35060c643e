//! Letting unknown senders in: a code that a sender is told and the owner types.

pub(crate) mod grpc;
pub(crate) mod store;

use gatehouse_core::{Clock, Content, Timestamp};
use uuid::Uuid;

use crate::{
    adapter::{AccountKey, InboundMessage},
    error::Error,
    id::{DeliveryKey, SenderId},
    notice,
    outbox::{Outbox, store::NewDelivery},
    store::StoreError,
};

use self::{
    grpc::Approval,
    store::{Asked, PAIRING_TTL, PairingRow, PairingStore},
};

/// Letters and digits that nobody confuses: no 0, O, 1, I. Thirty-two of them, five bits each.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Characters of a code: 40 bits. Guessing one needs an operator's rights in the first place.
const CODE_LENGTH: usize = 8;

/// Forgets requests whose hour is over. By time that went by: a clock that is set neither ends a code nor keeps it good.
pub(crate) async fn waiting(store: &dyn PairingStore, clock: &Clock) -> Result<Vec<PairingRow>, StoreError> {
    let (mut waiting, mut ended) = (store.requests().await?, Vec::new());
    waiting.retain(|row| {
        let good = clock.age(row.created_at) < PAIRING_TTL;
        if !good {
            ended.push((row.account.clone(), row.id.clone()));
        }
        good
    });
    for (account, id) in ended {
        store.dismiss(account, id).await?;
    }
    Ok(waiting)
}

/// A fresh code.
///
/// # Panics
/// When the kernel has no randomness to give.
fn code() -> String {
    let mut random = [0; CODE_LENGTH];
    getrandom::fill(&mut random).expect("the kernel gives randomness");
    random
        .iter()
        .map(|byte| char::from(*ALPHABET.get(usize::from(byte % 32)).expect("32 characters")))
        .collect()
}

/// Offers an unknown sender a code, once; while it is good the sender hears nothing more.
pub(crate) async fn ask(
    store: &dyn PairingStore,
    outbox: &Outbox,
    clock: &Clock,
    account: &AccountKey,
    message: &InboundMessage,
) -> Result<Asked, StoreError> {
    waiting(store, clock).await?; // whose hour is over takes no place
    let now = clock.now();
    let request = PairingRow {
        id: Uuid::now_v7().to_string(),
        account: account.clone(),
        sender_id: message.sender_id.clone(),
        sender_name: message.sender_name.clone(),
        reply_to: message.reply_to.clone(),
        code: code(),
        created_at: now,
        last_seen_at: now,
        expires_at: now + PAIRING_TTL,
    };
    let asked = store.ask(request.clone(), now).await?;
    if asked == Asked::Created {
        tracing::info!(account.id = %account, pairing.id = request.id, sender.id = %request.sender_id,
            "an unknown sender asks to be let in: `gatehouse pairing` shows who, `gatehouse pairing approve` lets them in");
        let text = notice::code(&request.code);
        tell(outbox, &request, "code", text, now).await?;
    }
    Ok(asked)
}

/// Lets a sender in, named by request or code.
pub(crate) async fn approve(
    store: &dyn PairingStore,
    outbox: &Outbox,
    clock: &Clock,
    approval: Approval,
) -> Result<SenderId, Error> {
    let Approval {
        account,
        named,
        notify,
    } = approval;
    waiting(store, clock).await?; // whose hour is over lets nobody in
    let now = clock.now();
    let (sender, request) = store
        .approve(account, named, now)
        .await?
        .ok_or(Error::NoRequest)?;
    if let Some(request) = request {
        tracing::info!(account.id = %request.account, pairing.id = request.id, "a sender was let in");
        if notify {
            tell(
                outbox,
                &request,
                "approved",
                notice::LET_IN.words().to_owned(),
                now,
            )
            .await?;
        }
    }
    Ok(sender)
}

async fn tell(
    outbox: &Outbox,
    request: &PairingRow,
    what: &str,
    text: String,
    now: Timestamp,
) -> Result<(), StoreError> {
    let delivery = NewDelivery {
        key: DeliveryKey::stored(format!("pairing/{}/{what}", request.id)),
        run_id: format!("pairing/{}", request.id),
        account: request.account.clone(),
        to: request.reply_to.clone(),
        thread_id: None,
        reply_to_id: None,
        message: Content::text(text),
        created_at: now,
        session_key: None,
        parts: 1,
    };
    outbox.enqueue(delivery).await.map(drop)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::code;

    #[test]
    fn a_code_has_eight_characters_that_nobody_confuses() {
        let codes: HashSet<String> = (0..500).map(|_| code()).collect();

        assert_eq!(codes.len(), 500);
        for code in codes {
            assert_eq!(code.len(), 8);
            assert!(code.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()));
            assert!(!code.contains(['0', 'O', '1', 'I']), "{code}");
        }
    }
}
