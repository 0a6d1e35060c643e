//! What a server answers to a client that is logged in, and how a message of one comes to the other.

use whatsapp_rust::{
    Jid,
    wacore_binary::{Node, NodeContent, builder::NodeBuilder},
};

use crate::{
    directory::{devices, group, keys, upload},
    receipts,
    server::{Device, Order, Whatsapp, hidden, now},
};

/// What is said back to a client.
pub(crate) async fn answers(server: &Whatsapp, from: &Device, node: &Node) -> Vec<Node> {
    server.with(|state| state.heard.push((from.clone(), node.clone())));
    match &*node.tag {
        "iq" => iq(server, from, node),
        "message" => {
            pass_on(server, from, node).await;
            let mut ack = NodeBuilder::new("ack").attr("class", "message").attr("t", now());
            for (name, key) in [("id", "id"), ("from", "to")] {
                if let Some(value) = node.attrs.get(key) {
                    ack = ack.attr(name, value.clone());
                }
            }
            vec![ack.build()]
        }
        "receipt" | "ack" => {
            let id = text(node, "id");
            server.with(|state| {
                if let Some(waiting) = state.waiting.get_mut(from) {
                    waiting.retain(|message| text(message, "id") != id);
                }
            });
            if node.tag == "ack" {
                receipts::acknowledged(server, from, node);
                return Vec::new();
            }
            receipts::pass_on(server, from, node).await;
            let ack = NodeBuilder::new("ack").attr("class", "receipt").attr("id", id);
            vec![ack.attr("from", text(node, "to")).build()]
        }
        _ => Vec::new(),
    }
}

/// An attribute as text.
pub(crate) fn text(node: &Node, name: &str) -> String {
    node.attrs
        .get(name)
        .map(|value| value.as_str().into_owned())
        .unwrap_or_default()
}

/// The bytes of a child.
pub(crate) fn bytes(node: &Node, name: &str) -> Vec<u8> {
    let child = node.get_optional_child(name).expect(name);
    match &child.content {
        Some(NodeContent::Bytes(bytes)) => bytes.to_vec(),
        other => panic!("{name}: {other:?}"),
    }
}

fn iq(server: &Whatsapp, from: &Device, node: &Node) -> Vec<Node> {
    let kind = text(node, "type");
    if kind == "result" || kind == "error" {
        return Vec::new();
    }
    let child = node.children().and_then(<[Node]>::first);
    let tag = child.map(|child| child.tag.to_string()).unwrap_or_default();
    let mut more = Vec::new();
    let content = match (&*text(node, "xmlns"), &*kind, &*tag) {
        ("encrypt", "set", _) => {
            upload(server, from, node);
            Vec::new()
        }
        ("encrypt", _, "count") => vec![NodeBuilder::new("count").attr("value", "50").build()],
        ("encrypt", _, "key") => vec![keys(server, child)],
        ("usync", ..) => child.map(|child| devices(server, child)).into_iter().collect(),
        ("w:m", ..) => vec![
            NodeBuilder::new("media_conn")
                .attr("auth", "auth")
                .attr("ttl", "300")
                .children([NodeBuilder::new("host")
                    .attr("hostname", server.host.clone())
                    .build()])
                .build(),
        ],
        ("w:g2", ..) => vec![group(&text(node, "to"))],
        ("w:sync:app:state", ..) => {
            let asked = child.and_then(Node::children).unwrap_or_default();
            let none = asked.iter().map(|asked| {
                NodeBuilder::new("collection")
                    .attr("name", text(asked, "name"))
                    .attr("version", "0")
                    .build()
            });
            vec![NodeBuilder::new("sync").children(none).build()]
        }
        ("passive", _, "active") => {
            more = waiting(server, from);
            Vec::new()
        }
        _ => Vec::new(),
    };
    let mut answer = NodeBuilder::new("iq")
        .attr("type", "result")
        .attr("id", text(node, "id"));
    answer = answer.attr(
        "from",
        node.attrs
            .get("to")
            .map_or("s.whatsapp.net".into(), |to| to.as_str().into_owned()),
    );
    if !content.is_empty() {
        answer = answer.children(content);
    }
    let mut answers = vec![answer.build()];
    answers.append(&mut more);
    answers
}

/// What was sent while the client was away, and that it is all.
fn waiting(server: &Whatsapp, device: &Device) -> Vec<Node> {
    let (waiting, receipts) = server.with(|state| {
        (
            state.waiting.get(device).cloned().unwrap_or_default(),
            state.receipts.get(device).cloned().unwrap_or_default(),
        )
    });
    let mut nodes: Vec<Node> = waiting
        .into_iter()
        .chain(receipts)
        .map(|mut message| {
            message.attrs.insert("offline", "1");
            message
        })
        .collect();
    let count = nodes.len().to_string();
    let end = NodeBuilder::new("offline").attr("count", count).build();
    nodes.push(
        NodeBuilder::new("ib")
            .attr("from", "s.whatsapp.net")
            .children([end])
            .build(),
    );
    nodes
}

/// The device that an id means, whichever of its two ids it is.
pub(crate) fn device(jid: &Jid) -> Device {
    let user = jid.user_base();
    let number = if jid.is_lid() {
        user.trim_start_matches("99")
    } else {
        user
    };
    (number.to_owned(), jid.device)
}

/// A message on its way to each device that it is for.
async fn pass_on(server: &Whatsapp, from: &Device, node: &Node) {
    let to = node.attrs.get("to").and_then(|to| to.to_jid()).expect("a chat");
    let shared: Vec<Node> = node
        .children()
        .unwrap_or_default()
        .iter()
        .filter(|child| child.tag == "enc")
        .cloned()
        .collect();
    let mut parcels: Vec<(Device, Vec<Node>)> = Vec::new();
    let listed = node
        .get_optional_child("participants")
        .and_then(Node::children)
        .unwrap_or_default();
    for each in listed {
        let target = device(&each.attrs.get("jid").and_then(|jid| jid.to_jid()).expect("whose"));
        parcels.push((target, each.children().map(<[Node]>::to_vec).unwrap_or_default()));
    }
    let is_group = text(node, "to").ends_with("@g.us");
    if is_group {
        let others = server.with(|state| state.keys.keys().cloned().collect::<Vec<_>>());
        for other in others.into_iter().filter(|other| other != from) {
            match parcels.iter_mut().find(|(target, _)| *target == other) {
                Some((_, sealed)) => sealed.extend(shared.clone()),
                None => parcels.push((other, shared.clone())),
            }
        }
    } else if parcels.is_empty() {
        parcels.push((device(&to), shared));
    }
    for (target, mut sealed) in parcels {
        if target.0 == from.0 {
            continue; // our own other devices
        }
        sealed.extend(node.get_optional_child("device-identity").cloned());
        let (number, own) = (
            Jid::pn_device(from.0.clone(), from.1),
            Jid::lid_device(hidden(&from.0), from.1),
        );
        let mut message = NodeBuilder::new("message")
            .attr("id", text(node, "id"))
            .attr("type", text(node, "type"))
            .attr("t", now())
            .attr("notify", "Anna");
        message = match (is_group, to.is_lid()) {
            (true, _) => message
                .attr("from", to.clone())
                .attr("participant", own)
                .attr("participant_pn", number)
                .attr("addressing_mode", "lid"),
            (false, true) => message.attr("from", own).attr("sender_pn", number.to_non_ad()),
            (false, false) => message.attr("from", number).attr("sender_lid", own.to_non_ad()),
        };
        let message = message.children(sealed).build();
        let line = server.with(|state| {
            state
                .waiting
                .entry(target.clone())
                .or_default()
                .push_back(message.clone());
            state.lines.get(&target).cloned()
        });
        if let Some(line) = line {
            let _ = line.send(Order::Say(message)).await; // away: it waits
        }
    }
}
