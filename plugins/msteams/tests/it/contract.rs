//! The contract of the plugin is one that the gateway takes.

use gatehouse_contract::{Access, Map, PluginId};
use gatehouse_msteams::contract::DESCRIPTORS;

#[test]
fn the_gateway_takes_the_methods_as_they_are() {
    let id = PluginId::parse("msteams").expect("an id");

    let map = Map::core().with(&id, DESCRIPTORS, &[]).expect("it may join");

    for (name, access) in [
        ("msteams.conversations.list", Access::Read),
        ("msteams.members.list", Access::Read),
        ("msteams.card.send", Access::Write),
    ] {
        let method = map.method(name).expect(name);
        assert_eq!(method.access, access, "{name}");
    }
}
