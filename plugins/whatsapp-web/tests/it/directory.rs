//! Who has which devices and keys, as WhatsApp tells whoever wants to write to them.

use whatsapp_rust::{
    Jid,
    buffa::Message as _,
    prelude::wa,
    wacore_binary::{Node, builder::NodeBuilder},
};

use crate::{
    relay::{device, text},
    server::{Device, Whatsapp, hidden, now},
};

/// The keys that a device has uploaded, as they are given to whoever wants to write to it.
#[derive(Clone)]
pub(crate) struct Keys {
    registration: Node,
    identity: Node,
    signed: Node,
    once: Vec<Node>,
}

pub(crate) fn upload(server: &Whatsapp, from: &Device, node: &Node) {
    let part = |name: &str| node.get_optional_child(name).cloned();
    let (Some(registration), Some(identity), Some(signed)) =
        (part("registration"), part("identity"), part("skey"))
    else {
        return;
    };
    let once = part("list")
        .and_then(|list| list.children().map(<[Node]>::to_vec))
        .unwrap_or_default();
    let keys = Keys {
        registration,
        identity,
        signed,
        once,
    };
    server.with(|state| state.keys.insert(from.clone(), keys));
}

/// The keys of the devices that somebody wants to write to.
pub(crate) fn keys(server: &Whatsapp, asked: Option<&Node>) -> Node {
    let users = asked.and_then(Node::children).unwrap_or_default();
    let answered = users.iter().map(|user| {
        let jid = user.attrs.get("jid").cloned().expect("whose keys");
        let device = device(&jid.to_jid().expect("an id"));
        let found = server.with(|state| {
            let keys = state.keys.get_mut(&device)?;
            let once = keys.once.pop();
            Some((keys.clone(), once, state.identities.get(&device).cloned()))
        });
        let builder = NodeBuilder::new("user").attr("jid", jid);
        let Some((keys, once, identity)) = found else {
            let error = NodeBuilder::new("error")
                .attr("code", "404")
                .attr("text", "item-not-found");
            return builder.children([error.build()]).build();
        };
        let kind = NodeBuilder::new("type").bytes(vec![5]).build();
        let mut parts = vec![keys.registration, kind, keys.identity, keys.signed];
        parts.extend(once);
        parts.extend(identity.map(|identity| NodeBuilder::new("device-identity").bytes(identity).build()));
        builder.children(parts).build()
    });
    NodeBuilder::new("list")
        .children(answered.collect::<Vec<_>>())
        .build()
}

/// The devices of numbers, and their hidden ids.
pub(crate) fn devices(server: &Whatsapp, asked: &Node) -> Node {
    let users = asked
        .get_optional_child("list")
        .and_then(Node::children)
        .unwrap_or_default();
    let answered = users.iter().filter_map(|user| {
        let jid = user.attrs.get("jid")?.to_jid()?;
        let (number, _) = device(&jid);
        let mut known: Vec<u16> = server.with(|state| {
            let own = state.keys.keys().filter(|(of, _)| *of == number);
            own.map(|(_, device)| *device).collect()
        });
        known.sort_unstable();
        let list = known.iter().map(|id| {
            NodeBuilder::new("device")
                .attr("id", *id)
                .attr("key-index", *id)
                .build()
        });
        let list = NodeBuilder::new("device-list")
            .children(list.collect::<Vec<_>>())
            .build();
        let hidden = NodeBuilder::new("lid")
            .attr("val", Jid::lid(hidden(&number)))
            .build();
        let devices = NodeBuilder::new("devices")
            .children([list, index(&known)])
            .build();
        Some(
            NodeBuilder::new("user")
                .attr("jid", jid.to_non_ad())
                .children([devices, hidden])
                .build(),
        )
    });
    let list = NodeBuilder::new("list")
        .children(answered.collect::<Vec<_>>())
        .build();
    let mut usync = NodeBuilder::new("usync").attr("last", "true");
    for name in ["sid", "index", "mode", "context"] {
        usync = usync.attr(name, text(asked, name));
    }
    usync.children([list]).build()
}

/// Which devices the phone has linked, as it would sign it.
fn index(devices: &[u16]) -> Node {
    let list = wa::ADVKeyIndexList {
        raw_id: Some(1),
        timestamp: Some(now()),
        current_index: devices.iter().copied().max().map(u32::from),
        valid_indexes: devices.iter().copied().map(u32::from).collect(),
        ..Default::default()
    };
    let signed = wa::ADVSignedKeyIndexList {
        details: Some(list.encode_to_vec()),
        ..Default::default()
    };
    NodeBuilder::new("key-index-list")
        .attr("ts", now())
        .bytes(signed.encode_to_vec())
        .build()
}

/// A group: everybody is in it.
pub(crate) fn group(jid: &str) -> Node {
    let member = |number: &str| {
        NodeBuilder::new("participant")
            .attr("jid", Jid::lid(hidden(number)))
            .attr("phone_number", Jid::pn(number.to_owned()))
            .build()
    };
    NodeBuilder::new("group")
        .attr("id", jid.split('@').next().unwrap_or_default().to_owned())
        .attr("subject", "Tea")
        .attr("creation", now())
        .attr("addressing_mode", "lid")
        .children(["15550001", "15559999"].map(member))
        .build()
}
