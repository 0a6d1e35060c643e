//! Receipts: whoever gets or reads a message says so, and the devices of whoever sent it are told until they have answered.

use whatsapp_rust::{
    Jid,
    wacore_binary::{Node, builder::NodeBuilder},
};

use crate::{
    relay::{device, text},
    server::{Device, Order, Whatsapp, hidden, now},
};

/// Tells a device, and again on each of its connections until it answers.
pub(crate) async fn tell(server: &Whatsapp, to: &Device, receipt: Node) {
    let line = server.with(|state| {
        let receipts = state.receipts.entry(to.clone()).or_default();
        receipts.push_back(receipt.clone());
        state.lines.get(to).cloned()
    });
    if let Some(line) = line {
        let _ = line.send(Order::Say(receipt)).await; // away: it waits
    }
}

/// A receipt of somebody, on its way to all devices of whoever sent the message. What is more than that is between devices.
pub(crate) async fn pass_on(server: &Whatsapp, from: &Device, node: &Node) {
    if node.children().is_some() {
        return;
    }
    let of = |name: &str| node.attrs.get(name).and_then(|jid| jid.to_jid());
    let Some(chat) = of("to") else { return };
    let (sender, _) = device(&of("participant").unwrap_or_else(|| chat.clone()));
    let own = Jid::lid_device(hidden(&from.0), from.1);
    let mut receipt = NodeBuilder::new("receipt")
        .attr("id", text(node, "id"))
        .attr("t", now());
    receipt = match (text(node, "to").ends_with("@g.us"), chat.is_lid()) {
        (true, _) => receipt.attr("from", chat).attr("participant", own),
        (false, true) => receipt.attr("from", own),
        (false, false) => receipt.attr("from", Jid::pn_device(from.0.clone(), from.1)),
    };
    let kind = text(node, "type");
    if !kind.is_empty() {
        receipt = receipt.attr("type", kind);
    }
    let receipt = receipt.build();
    let devices: Vec<Device> = server.with(|state| {
        let known = state.keys.keys();
        known.filter(|(number, _)| *number == sender).cloned().collect()
    });
    for to in devices.into_iter().filter(|to| to != from) {
        tell(server, &to, receipt.clone()).await;
    }
}

/// A device has answered.
pub(crate) fn acknowledged(server: &Whatsapp, from: &Device, ack: &Node) {
    let same = |receipt: &Node| {
        ["id", "type"]
            .iter()
            .all(|name| text(receipt, name) == text(ack, name))
    };
    server.with(|state| {
        if text(ack, "class") == "receipt"
            && let Some(receipts) = state.receipts.get_mut(from)
        {
            receipts.retain(|receipt| !same(receipt));
        }
    });
}
