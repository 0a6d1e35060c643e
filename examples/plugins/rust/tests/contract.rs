//! The contract of this plugin is one that the gateway takes.

use gatehouse_contract::{Map, PluginId};

#[test]
fn the_gateway_takes_the_contract_as_it_is() {
    let descriptors = include_bytes!(concat!(env!("OUT_DIR"), "/counter.pb"));
    let counter = PluginId::parse("counter").expect("an id");

    let map = Map::core().with(&counter, descriptors, &[]).expect("it may join");

    assert!(map.method("counter.count").is_some_and(|method| method.streaming));
}
