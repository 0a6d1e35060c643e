//! The encrypted line of WhatsApp, seen from its servers: the Noise handshake XX, and the nodes that follow.

use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_websockets::{Message, ServerBuilder, WebSocketStream};
use whatsapp_rust::{
    buffa::{Message as _, MessageField},
    prelude::wa,
    wacore::{
        framing::{FrameDecoder, encode_frame},
        handshake::NoiseHandshake,
        libsignal::protocol::KeyPair,
        noise::NoiseCipher,
    },
    wacore_binary::{
        Node,
        consts::{NOISE_PATTERN_XX, WA_CONN_HEADER},
        marshal::{marshal, unmarshal_ref},
        util::unpack,
    },
};

/// A line to one client.
pub(crate) struct Line {
    socket: WebSocketStream<TcpStream>,
    frames: FrameDecoder,
    ciphers: Option<(NoiseCipher, NoiseCipher)>,
    counters: (u32, u32),
    is_first: bool,
}

impl Line {
    /// Shakes hands. What the client says of itself comes with it. `None`: it has gone.
    pub(crate) async fn open(stream: TcpStream) -> Option<(Self, wa::ClientPayload)> {
        let (_, socket) = ServerBuilder::new().accept(stream).await.ok()?;
        let mut line = Self {
            socket,
            frames: FrameDecoder::new(),
            ciphers: None,
            counters: (0, 0),
            is_first: true,
        };
        let hello = wa::HandshakeMessage::decode_from_slice(&line.frame().await?).ok()?;
        let theirs: [u8; 32] = hello.client_hello.into_option()?.ephemeral?.try_into().ok()?;
        let mut noise = NoiseHandshake::new(NOISE_PATTERN_XX, &WA_CONN_HEADER).ok()?;
        noise.authenticate(&theirs);
        let (ephemeral, fixed) = (pair(), pair());
        let public = ephemeral.public_key.public_key_bytes();
        noise.authenticate(public);
        noise
            .mix_shared_secret(ephemeral.private_key.serialize(), &theirs)
            .ok()?;
        let sealed_key = noise.encrypt(fixed.public_key.public_key_bytes()).ok()?;
        noise
            .mix_shared_secret(fixed.private_key.serialize(), &theirs)
            .ok()?;
        let sealed_chain = noise.encrypt(&chain(fixed.public_key.public_key_bytes())).ok()?;
        let answer = wa::HandshakeMessage {
            server_hello: MessageField::some(wa::handshake_message::ServerHello {
                ephemeral: Some(public.to_vec()),
                r#static: Some(sealed_key),
                payload: Some(sealed_chain),
                ..Default::default()
            }),
            ..Default::default()
        };
        line.write(&answer.encode_to_vec()).await?;
        let finish = wa::HandshakeMessage::decode_from_slice(&line.frame().await?).ok()?;
        let finish = finish.client_finish.into_option()?;
        let key: [u8; 32] = noise.decrypt(&finish.r#static?).ok()?.try_into().ok()?;
        noise
            .mix_shared_secret(ephemeral.private_key.serialize(), &key)
            .ok()?;
        let payload = noise.decrypt(&finish.payload?).ok()?;
        // What the client writes with the first is read with it here.
        let (theirs, ours) = noise.finish().ok()?;
        line.ciphers = Some((ours, theirs));
        Some((line, wa::ClientPayload::decode_from_slice(&payload).ok()?))
    }

    /// The next node. `None`: the client has gone.
    pub(crate) async fn node(&mut self) -> Option<Node> {
        let mut frame = self.frame().await?;
        let (_, read) = self.ciphers.as_ref()?;
        let counter = self.counters.1;
        self.counters.1 += 1;
        read.decrypt_in_place_with_counter(counter, &mut frame).ok()?;
        let plain = unpack(&frame).ok()?;
        Some(unmarshal_ref(&plain).ok()?.to_owned())
    }

    /// Says something. `None`: the client has gone.
    pub(crate) async fn say(&mut self, node: &Node) -> Option<()> {
        let plain = marshal(node).ok()?;
        let (write, _) = self.ciphers.as_ref()?;
        let sealed = write.encrypt_with_counter(self.counters.0, &plain).ok()?;
        self.counters.0 += 1;
        self.write(&sealed).await
    }

    /// Hangs up.
    pub(crate) async fn close(&mut self) {
        let _ = self.socket.close().await;
    }

    async fn write(&mut self, frame: &[u8]) -> Option<()> {
        let framed = encode_frame(frame, None).ok()?;
        self.socket.send(Message::binary(framed)).await.ok()
    }

    async fn frame(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(frame) = self.frames.decode_frame() {
                return Some(frame.to_vec());
            }
            let message = self.socket.next().await?.ok()?;
            if !message.is_binary() {
                continue;
            }
            let bytes: &[u8] = message.as_payload();
            let begins = std::mem::take(&mut self.is_first) && bytes.starts_with(&WA_CONN_HEADER);
            self.frames.feed(if begins {
                &bytes[WA_CONN_HEADER.len()..]
            } else {
                bytes
            });
        }
    }
}

pub(crate) fn pair() -> KeyPair {
    KeyPair::generate(&mut rand::rng())
}

/// Certificates that nobody has signed, and that hold for no later connection: each shakes hands anew.
fn chain(key: &[u8]) -> Vec<u8> {
    use wa::cert_chain::{NoiseCertificate, noise_certificate::Details};
    let details = |serial: u32, issuer: u32, key: &[u8]| {
        let details = Details {
            serial: Some(serial),
            issuer_serial: Some(issuer),
            key: Some(key.to_vec()),
            not_before: Some(1),
            not_after: Some(2),
        };
        MessageField::some(NoiseCertificate {
            details: Some(details.encode_to_vec()),
            signature: Some(vec![0; 64]),
        })
    };
    let chain = wa::CertChain {
        leaf: details(2, 1, key),
        intermediate: details(1, 0, &[0xCC; 32]),
    };
    chain.encode_to_vec()
}
