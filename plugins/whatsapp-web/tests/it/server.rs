//! WhatsApp's servers, as far as two clients need them: linking a device, login, keys, and messages from one to the other, kept until they
//! are acknowledged.

use std::{
    collections::{HashMap, VecDeque},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    time::timeout,
};
use whatsapp_rust::{
    Jid,
    wacore::libsignal::protocol::KeyPair,
    wacore_binary::{Node, builder::NodeBuilder},
};

use crate::{
    directory::Keys,
    files,
    noise::{Line, pair},
    phone, relay,
};

/// Far more than anything here takes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// A device: a number and which one of it.
pub(crate) type Device = (String, u16);

/// What the server tells a client.
pub(crate) enum Order {
    Say(Node),
    Close,
}

/// What is known, and by whom.
#[derive(Default)]
pub(crate) struct State {
    /// The keys that a device has uploaded.
    pub(crate) keys: HashMap<Device, Keys>,
    /// What says that a device is of its account, signed by both.
    pub(crate) identities: HashMap<Device, Vec<u8>>,
    pub(crate) lines: HashMap<Device, mpsc::Sender<Order>>,
    /// What was sent to a device and is not acknowledged.
    pub(crate) waiting: HashMap<Device, VecDeque<Node>>,
    /// Receipts for a device that it has not acknowledged.
    pub(crate) receipts: HashMap<Device, VecDeque<Node>>,
    /// What devices have said, in their order.
    pub(crate) heard: Vec<(Device, Node)>,
    /// The one that waits to be linked.
    pub(crate) unlinked: Option<mpsc::Sender<Order>>,
    /// The folder that is copied when a device says that it is linked, and where to.
    pub(crate) copied: Option<(PathBuf, PathBuf)>,
    /// The files that are kept, by their paths.
    pub(crate) files: HashMap<String, Vec<u8>>,
    /// What each login is answered instead of success.
    refusal: Option<Node>,
    pub(crate) logins: usize,
    /// Connections of devices that were not linked, and were given codes.
    pub(crate) asked_to_link: usize,
}

/// The servers.
#[derive(Clone)]
pub(crate) struct Whatsapp {
    pub(crate) url: String,
    /// Where its files are.
    pub(crate) host: String,
    state: Arc<Mutex<State>>,
    changed: watch::Sender<()>,
    /// The key of everybody's account: one is enough here.
    pub(crate) account: Arc<KeyPair>,
}

/// The hidden id of a number.
pub(crate) fn hidden(number: &str) -> String {
    format!("99{number}")
}

impl Whatsapp {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut whatsapp = Self {
            url: format!("ws://{address}/ws/chat"),
            host: String::new(),
            state: Arc::default(),
            changed: watch::Sender::new(()),
            account: Arc::new(pair()),
        };
        whatsapp.host = files::serve(&whatsapp).await;
        let accepting = whatsapp.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let whatsapp = accepting.clone();
                tokio::spawn(async move { whatsapp.serve(stream).await });
            }
        });
        whatsapp
    }

    /// Looks at what is known, or changes it.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        let looked = look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.send_replace(());
        looked
    }

    /// Waits until something is known.
    pub(crate) async fn until<T>(&self, what: &str, look: impl Fn(&State) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        let waiting = async {
            loop {
                changed.borrow_and_update();
                let looked = look(&self.state.lock().unwrap_or_else(PoisonError::into_inner));
                if let Some(looked) = looked {
                    return looked;
                }
                changed.changed().await.expect("we hold the sender");
            }
        };
        match timeout(DEADLINE, waiting).await {
            Ok(looked) => looked,
            Err(_) => panic!("waited in vain for {what}"),
        }
    }

    /// Refuses each login like this from now on; `None`: none.
    pub(crate) fn refuses(&self, refusal: Option<Node>) {
        self.with(|state| state.refusal = refusal);
    }

    pub(crate) fn logins(&self) -> usize {
        self.with(|state| state.logins)
    }

    /// Tells a client something that nobody has sent.
    pub(crate) async fn tell(&self, device: &Device, order: Order) {
        let line = self
            .with(|state| state.lines.get(device).cloned())
            .expect("it is connected");
        line.send(order).await.expect("it is connected");
    }

    async fn serve(&self, stream: TcpStream) {
        let Some((mut line, payload)) = Line::open(stream).await else {
            return;
        };
        let (orders, mut ordered) = mpsc::channel(64);
        let Some(number) = payload.username else {
            self.unlinked_device(&mut line, orders, &mut ordered).await;
            return;
        };
        let device = (
            number.to_string(),
            u16::try_from(payload.device.unwrap_or_default()).expect("a device"),
        );
        let refusal = self.with(|state| {
            state.logins += 1;
            state.refusal.clone()
        });
        if let Some(refusal) = refusal {
            line.say(&refusal).await;
            line.close().await;
            return;
        }
        let success = NodeBuilder::new("success")
            .attr("t", now())
            .attr("lid", Jid::lid_device(hidden(&device.0), device.1))
            .build();
        if line.say(&success).await.is_none() {
            return;
        }
        self.with(|state| state.lines.insert(device.clone(), orders.clone()));
        loop {
            tokio::select! {
                node = line.node() => {
                    let Some(node) = node else { break };
                    for answer in relay::answers(self, &device, &node).await {
                        if line.say(&answer).await.is_none() {
                            break;
                        }
                    }
                }
                order = ordered.recv() => match order {
                    Some(Order::Say(node)) => {
                        if line.say(&node).await.is_none() {
                            break;
                        }
                    }
                    Some(Order::Close) | None => {
                        line.close().await;
                        break;
                    }
                },
            }
        }
        self.with(|state| {
            // Another connection of the device may have come before this one was seen to be gone.
            if state
                .lines
                .get(&device)
                .is_some_and(|line| line.same_channel(&orders))
            {
                state.lines.remove(&device);
            }
        });
    }

    /// A device that is not linked: it is given codes until somebody scans one.
    async fn unlinked_device(
        &self,
        line: &mut Line,
        orders: mpsc::Sender<Order>,
        ordered: &mut mpsc::Receiver<Order>,
    ) {
        let codes = ["2@first", "2@second"]
            .map(|code| NodeBuilder::new("ref").bytes(code.as_bytes().to_vec()).build());
        let ask = NodeBuilder::new("iq")
            .attr("from", "s.whatsapp.net")
            .attr("id", "link")
            .attr("type", "set")
            .attr("xmlns", "md")
            .children([NodeBuilder::new("pair-device").children(codes).build()])
            .build();
        if line.say(&ask).await.is_none() {
            return;
        }
        self.with(|state| {
            state.asked_to_link += 1;
            state.unlinked = Some(orders);
        });
        loop {
            tokio::select! {
                node = line.node() => {
                    let Some(node) = node else { return };
                    let signed = node.get_optional_child("pair-device-sign").is_some();
                    let answer = node.get_optional_child("link_code_companion_reg").map(|_| phone::code(&node));
                    self.with(|state| state.heard.push((("link".to_owned(), 0), node)));
                    if let Some(answer) = answer {
                        line.say(&answer).await;
                    }
                    if signed {
                        if let Some((from, to)) = self.with(|state| state.copied.clone()) {
                            copy(&from, &to);
                        }
                        let again = NodeBuilder::new("stream:error").attr("code", "515").build();
                        line.say(&again).await;
                        line.close().await;
                        return;
                    }
                }
                order = ordered.recv() => match order {
                    Some(Order::Say(node)) => {
                        line.say(&node).await;
                    }
                    Some(Order::Close) | None => {
                        line.close().await;
                        return;
                    }
                },
            }
        }
    }
}

/// As a machine that loses its power now would find it again.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("a file");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

/// Now, seconds since 1970.
pub(crate) fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}
