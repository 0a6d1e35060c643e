//! The suite of adapters over the contract for plugins, in process and over a real socket, and plugins that do what they should not.

mod faults;
mod login;
mod room;

use std::sync::Arc;

use self::room::Room;
use crate::{
    adapter::{Adapter, contract},
    testing::Bench,
};

contract::contract!(Person);

/// Somebody in a room of a plugin.
struct Person(Room);

impl contract::Platform for Person {
    const REDELIVERS: bool = true;

    async fn start() -> Self {
        Self(Room::open().await)
    }

    fn adapter(&self) -> Arc<dyn Adapter> {
        self.0.adapter()
    }

    fn person(&self) -> String {
        "anna".to_owned()
    }

    async fn say(&self, _: &Bench, id: &str, text: &str) {
        self.0.say(id, text).await;
    }

    async fn heard(&self) -> Vec<String> {
        self.0.heard()
    }

    async fn cut(&mut self) {
        self.0.cut().await;
    }

    async fn mended(&mut self) {
        self.0.connected().await;
    }
}
