//! What people do beside words.

use super::{event::Callback, inbound::Ear};
use crate::adapter::Remark;

impl Ear<'_> {
    /// What happened beside words, and where answers go there.
    pub(super) fn remark(&self, callback: &Callback) -> Option<(String, Remark)> {
        let event = &callback.event;
        let is_me = |who: &Option<String>| who.as_deref() == Some(self.me.user_id.as_str());
        let about_us = is_me(&event.item_user) && !is_me(&event.user);
        let name = format!(":{}:", event.reaction);
        match (event.kind.as_str(), event.subtype.as_deref()) {
            ("reaction_added", _) if about_us => Some((event.item.channel.clone(), Remark::Reacted(name))),
            ("reaction_removed", _) if about_us => {
                Some((event.item.channel.clone(), Remark::NotReacted(name)))
            }
            ("message", Some("message_deleted")) => {
                let before = event.previous_message.as_deref()?;
                let theirs = before.user.is_some() && !self.is_ours(before);
                theirs.then(|| (event.channel.clone(), Remark::TakenBack))
            }
            _ => None,
        }
    }
}
